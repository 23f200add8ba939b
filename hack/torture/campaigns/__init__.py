"""The campaigns, by the names of their modules."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable

from control_plane import ControlPlane

from torture.outcome import Outcome

# The plane, seed, how many operations, and the time.monotonic() at which none is begun any more.
Run = Callable[[ControlPlane, int, int, float], Outcome]


def names() -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def named(name: str) -> Run:
    run: Run = importlib.import_module(f"{__name__}.{name}").run
    return run
