"""The scripts that PATH finds in place of ansible-runner and ansible-playbook."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from warm_runner import client
from warm_runner.request import PROGRAMS

# Linux reads no more of a script's first line (it did read 127 before 5.1).
_LONGEST_SHEBANG = 250


class ScriptError(Exception):
    """There can be none here."""


def write(directory: Path, address: Path) -> None:
    """Into a directory that goes first on PATH."""
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
