"""As `crashes`, in the stock engine: ansible-operator, which ANSIBLE_OPERATOR_BIN names."""

from __future__ import annotations

import os

import stock_engine
from control_plane import ControlPlane

from torture.campaigns import crashes
from torture.ground import STOCK
from torture.outcome import Outcome


def run(plane: ControlPlane, seed: int, count: int, deadline: float) -> Outcome:
    if not os.environ.get(stock_engine.BINARY):
        return Outcome(not_run=f"{stock_engine.BINARY} names no ansible-operator")
    return crashes.run(plane, seed, count, deadline, STOCK)
