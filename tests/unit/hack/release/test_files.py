"""Who builds a release again gets the same bytes."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

from release import files


def test_an_archive_is_the_same_bytes_in_whatever_order_its_files_come() -> None:
    assert files.archive({"a": "1", "b/c": "2"}, "top") == files.archive(
        {"b/c": "2", "a": "1"}, "top"
    )


def test_an_archive_has_one_directory_and_nobodys_name() -> None:
    with tarfile.open(fileobj=io.BytesIO(files.archive({"b/c": "2"}, "top"))) as tar:
        (member,) = tar.getmembers()
    assert (member.name, member.mtime, member.uid, member.uname) == ("top/b/c", 0, 0, "")


def test_sums_are_read_by_sha256sum(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    (tmp_path / files.SUMS).write_text(files.sums([tmp_path / "a"]))
    check = ["sha256sum", "--check", "--strict", files.SUMS]
    assert subprocess.run(check, cwd=tmp_path, check=False).returncode == 0
    (tmp_path / "a").write_text("2")
    assert subprocess.run(check, cwd=tmp_path, check=False).returncode == 1
