"""The programs that are stood in for: which files they are, and what is found in their place."""

from __future__ import annotations

import functools
import os
import re
import sys
from pathlib import Path

from warm_runner import client
from warm_runner.request import PROGRAMS

# Linux reads no more of a script's first line (it did read 127 before 5.1).
_LONGEST_SHEBANG = 250
# pip writes the second form when the interpreter's path is too long for the first.
_INTERPRETER = re.compile(rb"\A#!(?:/bin/sh\n'''exec' \"?)?(?P<path>[^\s\"]+)")


class ScriptError(Exception):
    """There can be no client scripts here."""


def write_clients(directory: Path, address: Path) -> None:
    """ansible-runner and ansible-playbook, into a directory that goes first on PATH."""
    interpreter = f"#!{sys.executable} -ISE\n"
    if len(interpreter) > _LONGEST_SHEBANG or " " in sys.executable:
        raise ScriptError(f"{sys.executable} does not fit the first line of a script")
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    source = Path(client.__file__).read_text(encoding="utf-8")
    call = f"\n\nmain({str(address)!r}, {os.path.realpath(directory)!r})\n"
    for name in PROGRAMS:
        # Moved into place, as a run may be starting it.
        new = directory / f".{name}"
        new.write_text(interpreter + source + call, encoding="utf-8")
        new.chmod(0o700)
        new.rename(directory / name)


@functools.cache
def interpreter_of(path: str) -> str:
    """The one in a script's first line; "" if the file is no script."""
    try:
        with open(path, "rb") as file:
            found = _INTERPRETER.match(file.read(4096))
    except OSError:
        return ""
    return os.fsdecode(found["path"]) if found else ""


@functools.cache
def is_ours(path: str) -> bool:
    """Whether a program runs on this Python, so that what is loaded here is what it would load."""
    interpreter = interpreter_of(path)
    return (
        bool(interpreter)
        and os.path.realpath(interpreter) == os.path.realpath(sys.executable)
        and os.path.realpath(os.path.dirname(interpreter))
        == os.path.realpath(os.path.dirname(sys.executable))
    )
