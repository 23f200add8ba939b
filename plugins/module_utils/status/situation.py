# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""All that a run knows about a router when it says how it is: what is asked, what is there, what is
wrong. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import models, writing
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from ansible_collections.vllm.semantic_router.plugins.module_utils.status import live_workload
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.convergence import (
    Convergence,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.live_workload import (
    Trouble,
    Workload,
)


@dataclass(frozen=True)
class Situation:
    """One router and its cluster, as a run found them.

    facts: of discovery; empty, and saying nothing, when is_blind.
    problems: of all steps of the run, in their order.
    workload: the live objects; none while nobody has looked.
    convergence: what the pods say of their configuration; None when there is nothing to say.
    """

    router: Router
    facts: Facts
    problems: list[Problem] = field(default_factory=list)
    workload: Workload = field(default_factory=Workload)
    convergence: Convergence | None = None

    @property
    def is_blind(self) -> bool:
        """The cluster could not be read."""
        return any(problem.reason == "DiscoveryFailed" for problem in self.problems)

    @cached_property
    def blocking(self) -> list[Problem]:
        """The problems that keep everything from being written."""
        return [problem for problem in self.problems if problem.blocking]

    @cached_property
    def without_route(self) -> list[str]:
        """Models to which no request gets."""
        return models.without_route(self.router.spec)

    @property
    def may_write(self) -> bool:
        """Nobody has asked the operator to keep its hands off."""
        return writing.mode(self.router) == writing.WRITE

    @cached_property
    def troubles(self) -> list[Trouble]:
        """What the live objects complain of, worst first."""
        return live_workload.troubles_of(self.workload)

    @property
    def is_rolled_out(self) -> bool:
        """Every wanted pod runs what was last written."""
        return live_workload.is_rolled_out(self.workload.deployment)

    @property
    def is_overtaken(self) -> bool:
        """A router is known to go by another configuration than what was last written."""
        return self.convergence is not None and bool(self.convergence.differing)
