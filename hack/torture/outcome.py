"""What a campaign did and found, and how a person reads it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class Violation:
    """One promise that did not hold.

    promise: which, in a few words; several violations of one promise count as one kind. what: done
    to the operator, enough to do it again. seen: what was there instead.
    """

    promise: str
    what: str
    seen: str


@dataclass
class Outcome:
    """numbers: what the campaign wants told beside, by name, in the order of their making."""

    operations: int = 0
    violations: list[Violation] = field(default_factory=list)
    numbers: dict[str, float] = field(default_factory=dict)

    def violated(self, promise: str, what: str, seen: object) -> None:
        self.violations.append(Violation(promise, what, str(seen)))


def told(name: str, outcome: Outcome, seconds: float) -> str:
    """Lines for a terminal."""
    head = (
        f"{name}: {outcome.operations:,} operations in {seconds:,.0f} s, "
        f"{len(outcome.violations)} violations"
    )
    numbers = [f"  {label}: {value:,g}" for label, value in outcome.numbers.items()]
    violations = [
        f"  VIOLATION {item.promise}\n    after {item.what}\n    seen  {item.seen}"
        for item in outcome.violations
    ]
    return "\n".join([head, *numbers, *violations])


def as_json(seed: int, outcomes: dict[str, tuple[Outcome, float]]) -> str:
    """For programs: one entry for each campaign."""
    campaigns = {
        name: {**asdict(outcome), "seconds": round(seconds, 1)}
        for name, (outcome, seconds) in outcomes.items()
    }
    return json.dumps({"seed": seed, "campaigns": campaigns}, indent=2) + "\n"
