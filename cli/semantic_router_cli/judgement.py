"""What the judges of `kubectl sr validate` say."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem


class Verdict(StrEnum):
    """What a judge said. A warning lets the file pass."""

    PASSED = "passed"
    WARNED = "warned"
    FAILED = "failed"
    NOT_ASKED = "not asked"


class Judge(StrEnum):
    """In the order in which they are asked."""

    CRD = "CRD"
    RULES = "rules"
    ROUTER = "router"
    ENVOY = "Envoy"


@dataclass(frozen=True)
class Judgement:
    """By one judge. said: its own words. problems: with field and remedy."""

    judge: Judge
    verdict: Verdict
    said: str = ""
    problems: tuple[Problem, ...] = ()

    def fails(self, required: Collection[Judge]) -> bool:
        """The file does not pass: it is refused, or nobody has asked who had to be asked."""
        is_missed = self.verdict is Verdict.NOT_ASKED and self.judge in required
        return self.verdict is Verdict.FAILED or is_missed

    def as_dict(self) -> dict[str, Any]:
        """Plain containers."""
        return {
            "judge": str(self.judge),
            "verdict": str(self.verdict),
            **({"said": self.said} if self.said else {}),
            "problems": [problem.as_dict() for problem in self.problems],
        }
