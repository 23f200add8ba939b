"""A keeper ends what a template has left, and itself is ended in any case."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from eventually import eventually
from warm_runner import server

PATH = os.pathsep.join(path for path in sys.path if path)
# A keeper with a template that has just ended, and an orphan of another one that has too.
ENDS_ORPHANS = """
import os, subprocess, time
from warm_runner import keeper, kernel

kernel.adopt_orphans()
template = subprocess.Popen(["true"])
subprocess.run(["sh", "-c", "sleep 600 & echo"], stdin=subprocess.DEVNULL, check=True)
this = keeper.Keeper(None, [])
this._retired.append(keeper._Template(template, -1, time.monotonic()))
os.waitid(os.P_PID, template.pid, os.WEXITED | os.WNOWAIT)
assert len(this._orphans()) == 1
this._end_orphans()
assert not this._orphans()
assert template.wait() == 0
"""


def test_orphans_go_though_another_template_ends_meanwhile() -> None:
    script = [sys.executable, "-c", ENDS_ORPHANS]
    subprocess.run(script, env={**os.environ, "PYTHONPATH": PATH}, check=True, timeout=30)


def test_a_keeper_that_does_not_answer_is_ended_with_its_template(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "END_PATIENCE", 0.5)
    environment = {**os.environ, "PYTHONPATH": PATH}
    started = server.start(tmp_path / "warm", server.Options(), environment)
    children = Path(f"/proc/{started.pid}/task/{started.pid}/children")
    template = eventually(lambda: children.read_text().split(), 30, "its template")[0]
    os.kill(started.pid, signal.SIGSTOP)
    started.stop()
    assert not Path(f"/proc/{started.pid}").exists()
    eventually(lambda: not Path(f"/proc/{template}").exists(), 30, "the template to end")
