# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Does spec.persistence make sense?"""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.vllm.semantic_router.plugins.module_utils.checks.finding import (
    Problems,
    Spec,
    object_name_problems,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.dns_name import is_subdomain
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import invalid
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.quantity import quantity


def _persistence(spec: Spec) -> Problems:
    persistence = spec["persistence"]
    yield from object_name_problems(
        persistence.get("existingClaim"),
        "spec.persistence.existingClaim",
        "a PersistentVolumeClaim",
        is_subdomain,
    )
    size = quantity(persistence["size"])
    if size is not None and size <= 0:
        yield invalid(
            "spec.persistence.size",
            f"{persistence['size']} leaves no room",
            "Give a size, e.g. 10Gi",
        )


RULES: tuple[Callable[[Spec], Problems], ...] = (_persistence,)
