# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Do the sections of spec.config, and spec.toolsDb, make sense?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ansible_collections.vllm.semantic_router.plugins.module_utils import router_config
from ansible_collections.vllm.semantic_router.plugins.module_utils.checks.finding import (
    Problems,
    Spec,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import crd


def _unlisted(spec: Spec) -> Problems:
    """A key that the router does not know keeps it from starting."""
    config = spec.get("config")
    used = router_config.CONTRACTS[router_config.contract(spec)]
    if not config or (used.has_schema and router_config.schema_version(used.name)):
        # The router's own schema is at hand and knows better.
        return
    for problem in crd.unlisted_keys(config):
        advice = "write a key that only the router knows into spec.config.global"
        yield replace(problem, remedy=f"{problem.remedy}, or {advice}")


RULES: tuple[Callable[[Spec], Problems], ...] = (_unlisted,)
