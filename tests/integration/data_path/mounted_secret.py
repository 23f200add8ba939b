"""A Secret as a kubelet mounts it: all files are replaced at once, by one symbolic link."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

_DATA = "..data"


class MountedSecret:
    """The directory, and what it takes to replace what is in it."""

    def __init__(self, directory: Path, data: Mapping[str, str]) -> None:
        self._directory = directory
        directory.mkdir(parents=True)
        self.replace(data)

    def replace(self, data: Mapping[str, str]) -> None:
        """As the kubelet's AtomicWriter does."""
        link = self._directory / _DATA
        old = link.resolve() if link.exists() else None
        new = Path(tempfile.mkdtemp(prefix="..2026_", dir=self._directory))
        for name, value in data.items():
            (new / name).write_text(value)
        fresh = self._directory / "..data_tmp"
        fresh.symlink_to(new.name)
        fresh.replace(link)
        for name in data:
            if not (self._directory / name).is_symlink():
                (self._directory / name).symlink_to(f"{_DATA}/{name}")
        for shown in self._directory.iterdir():
            if not shown.name.startswith("..") and shown.name not in data:
                shown.unlink()
        if old:
            shutil.rmtree(old)
