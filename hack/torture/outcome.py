"""What a campaign did and found, and how a person reads it."""

from __future__ import annotations

import json
import sys
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
    """numbers: what the campaign wants told beside, by name, in the order of their making.

    not_run: why it could not be run at all; "" when it was.
    """

    not_run: str = ""
    operations: int = 0
    violations: list[Violation] = field(default_factory=list)
    numbers: dict[str, float] = field(default_factory=dict)

    def violated(self, promise: str, what: str, seen: object) -> None:
        """Told at once as well: a long run is looked at while it lasts."""
        self.violations.append(Violation(promise, what, str(seen)))
        print(f"VIOLATION {promise}, after {what}: {str(seen)[:1000]}", file=sys.stderr)


def told(name: str, outcome: Outcome, seconds: float) -> str:
    """Lines for a terminal."""
    if outcome.not_run:
        return f"{name}: not run, because {outcome.not_run}"
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
