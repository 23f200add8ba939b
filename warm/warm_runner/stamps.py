"""Notices that code which has been loaded is no longer the code on disk."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Mapping
from types import ModuleType

LOOK_EVERY = 1.0

Stamp = tuple[int, int, int] | None


class Stamps:
    """Files and directories as they were; `changed` looks at them at most once a second."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._stamps = {path: _stamp(path) for path in paths}
        self._looked = time.monotonic()
        self._changed = ""

    def changed(self) -> str:
        """The first path that is not what it was; "" if all are."""
        if not self._changed and time.monotonic() - self._looked >= LOOK_EVERY:
            differing = (path for path, stamp in self._stamps.items() if _stamp(path) != stamp)
            self._changed = next(differing, "")
            self._looked = time.monotonic()
        return self._changed


def loaded(modules: Mapping[str, ModuleType]) -> set[str]:
    """The files of modules, the interpreter, and where packages are installed."""
    files = {getattr(module, "__file__", None) for module in modules.values()}
    paths = {file for file in files if file and os.path.isabs(file)}
    # Installing, upgrading or removing a package renames its metadata there.
    installed = {path for path in sys.path if path.endswith(("site-packages", "dist-packages"))}
    return paths | installed | {os.path.realpath(sys.executable)}


def _stamp(path: str) -> Stamp:
    try:
        stat = os.stat(path)
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
