"""A play through the program ansible-runner, a process of its own, as ansible-operator does it."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from wrapper_runner.descendants import Process, descendants
from wrapper_runner.last_words import TAIL_LINES, last_words

# ansible-runner needs a second to notice, then ends the playbook and writes its last events.
KILL_AFTER = 10.0
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Spawned:
    program = "ansible-runner"

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # A Ctrl-C in the terminal is for the operator, which lets its runs finish.
            start_new_session=True,
        )

    def events(self) -> Iterator[dict[str, Any]]:
        """Lines that are none (before the playbook starts, or a traceback) are its last words."""
        assert self._process.stdout is not None  # noqa: S101 it is piped, which Popen's type cannot say
        with self._process.stdout as stdout:
            for line in stdout:
                try:
                    event = json.loads(line)
                except ValueError:
                    event = None
                if isinstance(event, dict) and "event" in event:
                    # What came before is ansible-playbook's banner, not what ended the play early.
                    self._tail.clear()
                    yield event
                elif line.strip():
                    self._tail.append(_COLOUR.sub("", line.decode(errors="replace")))
        self._process.wait()

    @property
    def status(self) -> int | None:
        return self._process.returncode

    @property
    def last_words(self) -> str:
        return last_words(self._tail)

    def end(self) -> None:
        """Ask ansible-runner to end its playbook; then end whatever that has left behind.

        A process group is not enough: the playbook has a session of its own (ansible-runner gives
        it a terminal), and so has each of its workers, which outlive it in the middle of a task.
        """
        process = self._process
        if process.poll() is not None:
            return
        family: set[Process] = set()
        process.terminate()
        deadline = time.monotonic() + KILL_AFTER
        while process.poll() is None and time.monotonic() < deadline:
            family |= descendants(process.pid)
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.2)
        process.kill()
        for member in family:
            member.kill()
