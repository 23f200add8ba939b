"""`python -m torture`: run campaigns against the operator, and fail if a promise did not hold."""

from __future__ import annotations

import argparse
import math
import sys
import time
from pathlib import Path

from torture import campaigns, ground
from torture.outcome import Outcome, as_json, told


def main() -> int:
    parser = argparse.ArgumentParser(prog="torture", description=__doc__)
    known = campaigns.names()
    parser.add_argument("campaigns", nargs="*", metavar="CAMPAIGN", help=f"of {', '.join(known)}")
    parser.add_argument("--seed", type=int, default=1, help="another number, other operations")
    parser.add_argument("--count", type=int, default=200, help="operations of each campaign")
    parser.add_argument("--time", type=float, default=math.inf, help="seconds for each campaign")
    parser.add_argument("--report", type=Path, help="a file for the same as JSON")
    given = parser.parse_args()
    if unknown := set(given.campaigns) - set(known):
        parser.error(f"no campaign {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    outcomes: dict[str, tuple[Outcome, float]] = {}
    for name in given.campaigns or known:
        started = time.monotonic()
        with ground.plane() as plane:
            run = campaigns.named(name)
            outcome = run(plane, given.seed, given.count, started + given.time)
        outcome.numbers["load of each core"] = round(ground.load(), 1)
        outcomes[name] = outcome, time.monotonic() - started
        print(told(name, *outcomes[name]), flush=True)
    if given.report:
        given.report.parent.mkdir(parents=True, exist_ok=True)
        given.report.write_text(as_json(given.seed, outcomes), encoding="utf-8")
    return 1 if any(outcome.violations for outcome, _ in outcomes.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
