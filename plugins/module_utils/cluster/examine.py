# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Everything that is to be known before anything is written: facts, and all that is wrong."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.vllm.semantic_router.plugins.module_utils.checks import rules
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.discover import (
    Discovery,
    discover,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.reads import Reads
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import writing
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router


def examine(
    reads: Reads, router: Router, platform: str = "", secret_versions: bool = False
) -> Discovery:
    """Discovery, and everything else that is wrong with the router."""
    found = discover(reads, router, platform, secret_versions)
    # Rules about facts that could not be read would accuse the spec of the cluster's silence.
    mistakes = [] if found.failed else rules.check(router, found.facts)
    return replace(found, problems=[*mistakes, *found.problems, *writing.problems(router)])
