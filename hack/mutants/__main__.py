"""`python -m mutants`: changes of the named parts that no unit test notices, and how many do."""

from __future__ import annotations

import argparse
import importlib
import os
import random
import signal
import sys
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mutants import FILE, TEXT
from mutants.operators import Mutation, mutated, mutations

CHECKOUT = Path(__file__).resolve().parents[2]
UNIT = CHECKOUT / "tests" / "unit"
OURS, RUNNER, WARM = "plugins/module_utils", "runner/wrapper_runner", "warm/warm_runner"
# What is changed, by globs.
PARTS: dict[str, list[str]] = {
    "apply": [f"{OURS}/cluster/{name}.py" for name in ("apply", "reads", "reconcile", "discover")],
    "status": [f"{OURS}/status/*.py", f"{OURS}/cluster/status.py"],
    "engine": [
        f"{RUNNER}/{name}.py"
        for name in ("schedule", "workqueue", "reconciler", "outcome", "objects", "handed")
    ],
    "in-process": [f"{WARM}/in_process.py"],
    "checks": [f"{OURS}/checks/*.py"],
}
# A part's tests beside those that have the name of the changed module.
MORE_TESTS = {
    "apply": ["plugins/module_utils/cluster/test_reconcile.py"],
    "status": ["plugins/module_utils/status", "plugins/module_utils/cluster/test_reconcile.py"],
    "engine": ["runner/test_reconciler.py", "runner/test_schedule.py"],
    "checks": ["plugins/module_utils/checks"],
}
# What tests import of others; nothing of ours, which may be what is changed.
PRELOADED = ("ansible.executor.process.worker", "ansible.plugins.strategy", "jsonschema", "yaml")
# A change that makes a loop endless, or a wait, is noticed as well.
PATIENCE = 10
KILLED, ENDLESS, SURVIVED = "killed", "endless", "survived"


@dataclass(frozen=True)
class Mutant:
    part: str
    file: Path
    mutation: Mutation

    def __str__(self) -> str:
        name = self.file.relative_to(CHECKOUT)
        return f"{name}:{self.mutation.line}  [{self._told[0]}] -> [{self._told[1]}]"

    @property
    def _told(self) -> tuple[str, str]:
        before, after = self.mutation.before, self.mutation.after
        return " ".join(before.split()), " ".join(after.split())

    @property
    def tests(self) -> tuple[Path, ...]:
        mirror = self.file.relative_to(CHECKOUT).parent / f"test_{self.file.name}"
        own = UNIT / str(mirror).replace(RUNNER, "runner").replace(WARM, "warm")
        more = [UNIT / name for name in MORE_TESTS.get(self.part, [])]
        return tuple(path for path in dict.fromkeys([own, *more]) if path.exists())


def main() -> int:
    parser = argparse.ArgumentParser(prog="mutants", description=__doc__)
    parser.add_argument("parts", nargs="*", default=list(PARTS), help=f"of {', '.join(PARTS)}")
    parser.add_argument("--count", type=int, default=60, help="of each part; 0 = every one")
    parser.add_argument("--seed", type=int, default=1, help="another number, other changes")
    given = parser.parse_args()
    found = Counter[tuple[str, str]]()
    for mutant, outcome in _outcomes(_sample(given.parts, given.count, given.seed)):
        found[mutant.part, outcome] += 1
        if outcome == SURVIVED:
            print(mutant, flush=True)
    for part in given.parts:
        print(_score(part, found, [part]))
    print(_score(f"seed {given.seed}, all", found, given.parts))
    return 0


def _score(what: str, found: Counter[tuple[str, str]], parts: Iterable[str]) -> str:
    states = Counter[str]()
    for (part, state), count in found.items():
        states[state] += count if part in parts else 0
    total = sum(states.values())
    noticed = total - states[SURVIVED]
    return f"{what}: {noticed} of {total} noticed, {100 * noticed // max(total, 1)} %"


def _sample(parts: Iterable[str], count: int, seed: int) -> list[Mutant]:
    """As many of each part, for a small one is not worth less; the same for the same seed."""
    return [mutant for part in parts for mutant in _of_part(part, count, seed)]


def _of_part(part: str, count: int, seed: int) -> Iterator[Mutant]:
    everything = [
        Mutant(part, file, mutation)
        for glob in PARTS[part]
        for file in sorted(CHECKOUT.glob(glob))
        for mutation in mutations(file.read_text("utf-8"))
    ]
    wanted = min(len(everything), count) if count else len(everything)
    chosen = random.Random(seed).sample(range(len(everything)), wanted)  # noqa: S311
    yield from (everything[index] for index in sorted(chosen))


def _outcomes(chosen: Iterable[Mutant]) -> Iterator[tuple[Mutant, str]]:
    for module in PRELOADED:
        importlib.import_module(module)
    waiting = deque(chosen)
    limits = {part: PATIENCE * _seconds_unchanged(part) for part in {item.part for item in waiting}}
    running: dict[int, tuple[Mutant, float]] = {}
    while waiting or running:
        while waiting and len(running) < (os.cpu_count() or 1):
            mutant = waiting.popleft()
            running[_started(mutant)] = mutant, time.monotonic() + limits[mutant.part]
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid:
            yield running.pop(pid)[0], KILLED if status else SURVIVED
            continue
        for pid in [pid for pid, (_, end) in running.items() if time.monotonic() > end]:
            os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            yield running.pop(pid)[0], ENDLESS
        time.sleep(0.05)


def _started(mutant: Mutant) -> int:
    text = mutated(mutant.file.read_text("utf-8"), mutant.mutation)
    return _tested(mutant.tests, {FILE: str(mutant.file), TEXT: text})


def _seconds_unchanged(part: str) -> float:
    everything = _of_part(part, 0, 0)
    tests = dict.fromkeys(test for mutant in everything for test in mutant.tests)
    started = time.monotonic()
    if os.waitpid(_tested(tests, {}), 0)[1]:
        raise SystemExit(f"The tests of {part} fail without any change: make them pass first.")
    return time.monotonic() - started


def _tested(tests: Iterable[Path], variables: dict[str, str]) -> int:
    """A process that ends with 0 if these tests pass.

    Forked, since to import pytest and Ansible takes as long as most tests do.
    """
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(nothing, number)
        os.environ.update(variables)
        options = ["-q", "-x", "--no-header", "-p", "no:cacheprovider"]
        plugin = ["-p", "mutants.plugin"] if variables else []
        status = int(pytest.main([*options, *plugin, *map(str, tests)]))
    finally:
        os._exit(status)


if __name__ == "__main__":
    sys.exit(main())
