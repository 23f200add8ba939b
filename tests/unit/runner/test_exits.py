"""A process ends with its last word said, whatever its threads are at."""

from __future__ import annotations

import os
import subprocess
import sys

# Python's own end would wait for this thread, and forget what it has not been told to write.
BUSY = """
import logging, sys, threading, time
from wrapper_runner import exits, logs

threading.Thread(target=time.sleep, args=(600,)).start()
logs.start("info", "json")
print("out", end="")
logs.Log("cmd").info("Stopped")
exits.leave(3)
"""


def test_a_process_ends_with_its_last_word_while_a_thread_goes_on() -> None:
    path = os.pathsep.join(path for path in sys.path if path)
    ended = subprocess.run(
        [sys.executable, "-c", BUSY],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (ended.returncode, ended.stdout) == (3, "out")
    assert '"Stopped"' in ended.stderr
