"""What PATH finds in place of the two programs."""

from __future__ import annotations

import os
from pathlib import Path

from warm_runner import client_scripts


def test_they_are_for_their_owner_only(tmp_path: Path) -> None:
    binaries = tmp_path / "bin"
    client_scripts.write(binaries, tmp_path / "socket")
    assert sorted(os.listdir(binaries)) == ["ansible-playbook", "ansible-runner"]
    assert {file.stat().st_mode & 0o777 for file in (binaries, *binaries.iterdir())} == {0o700}
