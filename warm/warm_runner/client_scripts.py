"""The scripts that PATH finds in place of ansible-runner and ansible-playbook."""

from __future__ import annotations

import ast
import os
import sys
from pathlib import Path

from warm_runner import client, protocol
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
    call = f"\nmain({str(address)!r}, {os.path.realpath(directory)!r})\n"
    text = interpreter + source() + call
    for name in PROGRAMS:
        # Moved into place, as a run may be starting it.
        new = directory / f".{name}"
        new.write_text(text, encoding="utf-8")
        new.chmod(0o700)
        new.rename(directory / name)


def source() -> str:
    """The protocol and the client as one module: it runs where nothing of this package is found."""
    statements: list[ast.stmt] = []
    for module in (protocol, client):
        parsed = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
        statements += (node for node in parsed.body if not _is_in_place(node))
    return f"from __future__ import annotations\n{ast.unparse(ast.Module(statements, []))}"


def _is_in_place(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module in ("__future__", protocol.__name__)
