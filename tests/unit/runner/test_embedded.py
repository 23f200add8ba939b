"""What the embedded engine takes from its command line and its environment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from argparse import Namespace
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


# The thread that Python has handlers run by waits, and the kernel interrupts another one.
DEAF = """
import os, signal, sys, threading, time
from wrapper_runner import embedded

stop, hurry = threading.Event(), threading.Event()
embedded._stop_on_signals(stop, hurry)
threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT])
with stop._cond:  # As while some thread begins to wait.
    print("waits", flush=True)
    sys.stdin.readline()
stop.wait()
print("stops", flush=True)
hurry.wait()
os._exit(7)
"""


def test_signals_stop_and_hurry_whichever_thread_they_interrupt() -> None:
    path = os.pathsep.join(path for path in sys.path if path)
    with subprocess.Popen(
        [sys.executable, "-c", DEAF],
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdin
            assert process.stdout
            assert process.stdout.readline() == "waits\n"
            process.send_signal(signal.SIGTERM)
            process.stdin.write("sent\n")
            process.stdin.flush()
            assert process.stdout.readline() == "stops\n"
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 7
        finally:
            process.kill()
