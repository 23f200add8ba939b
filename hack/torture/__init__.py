"""How much the operator survives: campaigns against it on a real API server, for anyone to rerun.

A campaign is a module of `torture.campaigns` with `run(plane, seed, count, deadline) -> Outcome`.
The same seed and count do the same things in the same order.
"""

from __future__ import annotations

from torture.outcome import Outcome, Violation

__all__ = ["Outcome", "Violation"]
