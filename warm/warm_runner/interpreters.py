"""Which Python a program runs on."""

from __future__ import annotations

import functools
import os
import re
import sys

# pip writes the second form when the interpreter's path is too long for the first.
_INTERPRETER = re.compile(rb"\A#!(?:/bin/sh\n'''exec' \"?)?(?P<path>[^\s\"]+)")


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
