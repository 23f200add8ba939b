# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a reconcile may write: the annotations vllm.ai/paused and vllm.ai/dry-run. Pure.

Both leave every object as it is; the status goes on to say what is there. A dry run also asks the
API server what a write would do. Whoever sets both gets the dry run.
"""

from __future__ import annotations

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    ANNOTATION_DRY_RUN,
    ANNOTATION_PAUSED,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

WRITE, DRY_RUN, PAUSED = "write", "dry-run", "paused"

_ON = "true"
_OFF = ("", "false")


def mode(router: Router) -> str:
    """WRITE, DRY_RUN or PAUSED."""
    if is_dry_run(router):
        return DRY_RUN
    return PAUSED if is_paused(router) else WRITE


def is_paused(router: Router) -> bool:
    """Somebody asked the operator to keep its hands off."""
    return router.annotations.get(ANNOTATION_PAUSED) == _ON


def is_dry_run(router: Router) -> bool:
    """Somebody wants to know first what would be written."""
    return router.annotations.get(ANNOTATION_DRY_RUN) == _ON


def problems(router: Router) -> list[Problem]:
    """Values that nobody can be sure to understand; they count as not set."""
    return [
        Problem(
            reason="InvalidAnnotation",
            field=f"metadata.annotations[{name}]",
            found=f'"{router.annotations[name]}" is neither "true" nor "false", so it is off',
            remedy='Give "true", or remove the annotation',
            blocking=False,
        )
        for name in (ANNOTATION_PAUSED, ANNOTATION_DRY_RUN)
        if router.annotations.get(name, "") not in (_ON, *_OFF)
    ]
