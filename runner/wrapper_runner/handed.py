"""A play that a process with Ansible loaded takes over: no ansible-runner, no process of ours.

What the engine has to know of it comes from plugins/callback/runner_events.py, through a file. What
ansible-playbook prints is kept for people, for as many runs as ansible-runner would keep.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from wrapper_runner.inputdir import PLUGINS
from wrapper_runner.last_words import last_words

PROGRAM = "ansible-playbook"
EVENTS = "WRAPPER_RUNNER_EVENTS"
CALLBACK_PLUGINS = "ANSIBLE_CALLBACK_PLUGINS"
# As ansible-runner sets them, unless the operator's environment does.
SETTINGS = {"ANSIBLE_HOST_KEY_CHECKING": "False", "ANSIBLE_RETRY_FILES_ENABLED": "False"}
LAST_WORDS_BYTES = 4096


class Run(Protocol):
    """wait: until it has ended, for its exit status. end: it and all that it has started, at once,
    from any thread, and harmless when it has ended. explanation: what may be said of its end."""

    @property
    def explanation(self) -> str: ...
    def wait(self) -> int | None: ...
    def end(self) -> None: ...


@dataclass(frozen=True)
class Command:
    """What ansible-playbook gets. output: its standard output and standard error."""

    arguments: Sequence[str]
    directory: Path
    environment: Mapping[str, str]
    stdin: int
    output: int


# None: this one has to be run by executing the program.
HandOver = Callable[[Command], Run | None]


class Handed:
    program = PROGRAM

    def __init__(self, run: Run, artifacts: Path) -> None:
        self._run = run
        self._artifacts = artifacts
        self.status: int | None = None

    def events(self) -> Iterator[dict[str, Any]]:
        self.status = self._run.wait()
        try:
            text = (self._artifacts / "events").read_bytes()
        except FileNotFoundError:
            # It did not get as far as loading plugins.
            return
        for line in text.splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                # It was killed while it wrote this.
                return

    @property
    def last_words(self) -> str:
        if self.status == 0:
            # The play has printed all of its tasks, and nothing of what kept its events back.
            return (
                f"it ended well, but its events have no end: is the disk of {self._artifacts} full?"
            )
        with (self._artifacts / "stdout").open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - LAST_WORDS_BYTES))
            text = file.read().decode(errors="replace")
        lines = text.splitlines()
        whole = lines[1:] if size > LAST_WORDS_BYTES else lines
        return last_words([*(whole or lines), self._run.explanation])

    def end(self) -> None:
        self._run.end()


def handed(
    hand_over: HandOver,
    directory: Path,
    ident: str,
    keep: int,
    arguments: Sequence[str],
    environment: Mapping[str, str],
) -> Handed | None:
    """A play of an input directory of ansible-runner; None where it has to be a cold run.

    keep: how many runs leave their artifacts. arguments: the playbook, and what is to follow those
    that the directory holds.
    """
    artifacts = directory / "artifacts" / ident
    artifacts.mkdir(parents=True)
    plugins = (str(PLUGINS / "callback"), environment.get(CALLBACK_PLUGINS, ""))
    variables = {
        **SETTINGS,
        **environment,
        CALLBACK_PLUGINS: os.pathsep.join(filter(None, plugins)),
        EVENTS: str(artifacts / "events"),
    }
    with open(os.devnull, "rb") as nothing, (artifacts / "stdout").open("wb") as output:
        run = hand_over(
            Command(
                [*_given(directory), *arguments],
                directory / "project",
                variables,
                nothing.fileno(),
                output.fileno(),
            )
        )
    if run is None:
        shutil.rmtree(artifacts)
        return None
    _rotate(artifacts.parent, keep)
    return Handed(run, artifacts)


def _given(directory: Path) -> list[str]:
    """As ansible-runner calls it."""
    further = directory / "env" / "cmdline"
    return [
        *(shlex.split(further.read_text("utf-8")) if further.exists() else []),
        *("-i", str(directory / "inventory")),
        *("-e", f"@{directory / 'env' / 'extravars'}"),
    ]


def _rotate(directory: Path, keep: int) -> None:
    """As ansible-runner does: 0 keeps all."""
    oldest_first = sorted(directory.iterdir(), key=lambda path: path.lstat().st_mtime)
    for path in oldest_first[:-keep] if keep > 0 else ():
        shutil.rmtree(path, ignore_errors=True)
