"""`python -m mutants`: which mutants of the named parts live, and how many do not."""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from mutants import FILE, TEXT
from mutants.operators import Mutation, mutated, mutations

CHECKOUT = Path(__file__).resolve().parents[2]
UNIT = "tests/unit"
CLUSTER = f"{UNIT}/plugins/module_utils/cluster"
# What is changed, by globs, and the tests that should notice.
PARTS: dict[str, tuple[list[str], list[str]]] = {
    "apply": (["plugins/module_utils/cluster/apply.py"], [f"{CLUSTER}/test_apply.py"]),
    "status": (["plugins/module_utils/cluster/status.py"], [f"{CLUSTER}/test_status.py"]),
    "reconcile": (["plugins/module_utils/cluster/reconcile.py"], [f"{CLUSTER}/test_reconcile.py"]),
    "engine": (
        [
            f"runner/wrapper_runner/{name}.py"
            for name in ("schedule", "reconciler", "outcome", "workqueue")
        ],
        [f"{UNIT}/runner"],
    ),
    "checks": (["plugins/module_utils/checks/*.py"], [f"{UNIT}/plugins/module_utils/checks"]),
}
# A mutant that makes a loop endless, or a wait, is noticed as well.
PATIENCE = 10
KILLED, ENDLESS, SURVIVED = "killed", "endless", "survived"


@dataclass(frozen=True)
class Mutant:
    part: str
    file: Path
    mutation: Mutation

    def __str__(self) -> str:
        where = f"{self.file.relative_to(CHECKOUT)}:{self.mutation.line}"
        before, after = (
            " ".join(text.split()) for text in (self.mutation.before, self.mutation.after)
        )
        return f"{where}  [{before}] -> [{after}]"


def main() -> int:
    parser = argparse.ArgumentParser(prog="mutants", description=__doc__)
    parser.add_argument("parts", nargs="*", default=list(PARTS), help=f"of {', '.join(PARTS)}")
    parser.add_argument("--count", type=int, default=200, help="over all parts; 0 = every one")
    parser.add_argument("--seed", type=int, default=1, help="another number, other mutants")
    given = parser.parse_args()
    limits = {part: _seconds_unchanged(part) * PATIENCE for part in given.parts}
    chosen = list(_sample(given.parts, given.count, given.seed))
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        outcomes = threads.map(lambda mutant: _outcome(mutant, limits[mutant.part]), chosen)
        found = Counter[tuple[str, str]]()
        for mutant, outcome in zip(chosen, outcomes, strict=True):
            found[mutant.part, outcome] += 1
            if outcome == SURVIVED:
                print(mutant, flush=True)
    for part in given.parts:
        print(_score(part, {state: found[part, state] for state in (KILLED, ENDLESS, SURVIVED)}))
    states = {
        state: sum(found[part, state] for part in given.parts)
        for state in (KILLED, ENDLESS, SURVIVED)
    }
    print(_score(f"seed {given.seed}, all", states))
    return 0


def _score(what: str, states: dict[str, int]) -> str:
    total = sum(states.values())
    noticed = total - states[SURVIVED]
    return f"{what}: {noticed} of {total} noticed, {100 * noticed // max(total, 1)} %"


def _sample(parts: list[str], count: int, seed: int) -> Iterator[Mutant]:
    """As many of each part, for a small one is not less worth."""
    for part in parts:
        everything = [
            Mutant(part, file, mutation)
            for glob in PARTS[part][0]
            for file in sorted(CHECKOUT.glob(glob))
            for mutation in mutations(file.read_text())
        ]
        wanted = min(len(everything), count // len(parts)) if count else len(everything)
        chosen = random.Random(seed).sample(range(len(everything)), wanted)  # noqa: S311
        yield from (everything[index] for index in sorted(chosen))


def _seconds_unchanged(part: str) -> float:
    started = time.monotonic()
    if not _passes(part, {}, None):
        raise SystemExit(f"The tests of {part} fail without any change: make them pass first.")
    return time.monotonic() - started


def _outcome(mutant: Mutant, limit: float) -> str:
    text = mutated(mutant.file.read_text(), mutant.mutation)
    try:
        passes = _passes(mutant.part, {FILE: str(mutant.file), TEXT: text}, limit)
    except subprocess.TimeoutExpired:
        return ENDLESS
    return SURVIVED if passes else KILLED


def _passes(part: str, variables: dict[str, str], limit: float | None) -> bool:
    options = ["-q", "-x", "--no-header", "-p", "no:cacheprovider"]
    if variables:
        options += ["-p", "mutants.plugin"]
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *PARTS[part][1]],
        cwd=CHECKOUT,
        env={**os.environ, **variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=limit,
        check=False,
    )
    return ran.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
