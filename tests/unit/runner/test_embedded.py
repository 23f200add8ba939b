"""What the embedded engine takes from its command line and its environment."""

from __future__ import annotations

import threading
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import pytest
from wrapper_runner import embedded
from wrapper_runner.problems import StartError

CHECKOUT = Path(__file__).parents[3]


@pytest.mark.parametrize(("inventory", "batch"), [(None, 16), ("hosts", 1), ("", 16)])
def test_who_says_which_hosts_there_are_gets_a_run_for_each_object(
    monkeypatch: pytest.MonkeyPatch, inventory: str | None, batch: int
) -> None:
    monkeypatch.delenv("ANSIBLE_INVENTORY", raising=False)
    if inventory is not None:
        monkeypatch.setenv("ANSIBLE_INVENTORY", inventory)
    (watch,) = embedded.watches_of(Namespace(watches_file=CHECKOUT / "watches.yaml"))
    assert watch.batch == batch
    assert watch.dependents


def test_tokens_are_not_asked_for_in_clear() -> None:
    options = Namespace(metrics_secure=False, metrics_require_rbac=True)
    with pytest.raises(StartError, match="--metrics-secure flag is required"):
        embedded.run(options)


def test_signals_that_come_together_stop_and_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nested, as two of them at once are."""
    handlers: list[Callable[[int, object], None]] = []
    monkeypatch.setattr(embedded.signal, "signal", lambda _, handler: handlers.append(handler))
    stop, hurry = threading.Event(), threading.Event()
    embedded._stop_on_signals(stop, hurry)
    with stop._cond:  # As while the thread that is interrupted begins to wait.
        handlers[0](15, None)
        handlers[0](15, None)
    assert stop.wait(10)
    assert hurry.wait(10)
