"""What a template is asked for, taken out of the fields that protocol.py has put it into."""

from __future__ import annotations

import os
from dataclasses import dataclass

from warm_runner import protocol

RUNNER, PLAYBOOK = "ansible-runner", "ansible-playbook"
PROGRAMS = (RUNNER, PLAYBOOK)
_FIXED = 8


class RequestError(Exception):
    """Not a request of this version of the protocol."""


@dataclass(frozen=True)
class Request:
    """program: its name; path: the file that a cold run would execute; terminal: the client gives
    up its controlling terminal, which is its standard input."""

    program: str
    path: str
    directory: str
    umask: int
    ignored: tuple[int, ...]
    terminal: bool
    arguments: list[str]
    environment: dict[str, str]


def parse(text: bytes) -> Request:
    fields = [os.fsdecode(field) for field in text.split(b"\0")]
    try:
        version, program, path, directory, umask, ignored, terminal, count = fields[:_FIXED]
        if version != protocol.VERSION or program not in PROGRAMS:
            raise RequestError(f"unknown: version {version}, program {program}")
        end = _FIXED + int(count)
        return Request(
            program=program,
            path=path,
            directory=directory,
            umask=int(umask),
            ignored=tuple(int(number) for number in ignored.split(",") if number),
            terminal=bool(terminal),
            arguments=fields[_FIXED:end],
            environment=dict(field.split("=", 1) for field in fields[end:] if "=" in field),
        )
    except ValueError as error:
        raise RequestError(f"not a request: {error}") from error
