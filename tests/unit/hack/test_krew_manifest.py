"""What krew installs the plugin from."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import krew_manifest
import pytest
from krew_manifest import PROGRAM

GALAXY = {"version": "1.2.3", "repository": "https://example.com/repository"}


@pytest.fixture
def lib(tmp_path: Path) -> Path:
    (tmp_path / "package").mkdir()
    for name in ("b.py", "a.py"):
        (tmp_path / "package" / name).write_text(name)
    return tmp_path


def test_the_archive_is_the_same_whenever_it_is_made(lib: Path) -> None:
    first = krew_manifest._tar(lib)
    (lib / "package" / "a.py").touch()
    assert krew_manifest._tar(lib) == first


def test_the_launcher_may_be_started_and_stands_where_the_manifest_says(lib: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(krew_manifest._tar(lib))) as archive:
        members = {member.name: member for member in archive.getmembers()}
    assert members[PROGRAM].mode & 0o111
    assert "lib/package/a.py" in members
    (platform,) = krew_manifest.manifest(GALAXY, "u", "d")["spec"]["platforms"]
    assert platform["bin"] == PROGRAM


def test_the_manifest_is_of_the_release() -> None:
    found = krew_manifest.manifest(GALAXY, "https://example.com/a.tar.gz", "abc")
    assert found["spec"]["version"] == "v1.2.3"
    (platform,) = found["spec"]["platforms"]
    assert (platform["uri"], platform["sha256"]) == ("https://example.com/a.tar.gz", "abc")
