"""Changed code is noticed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from warm_runner import stamps


@pytest.fixture(autouse=True)
def look_always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stamps, "LOOK_EVERY", 0.0)


def test_nothing_changed(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("a")
    looked = stamps.Stamps([str(tmp_path / "a.py"), str(tmp_path / "missing.py")])
    assert looked.changed() == ""


def test_a_changed_a_removed_and_a_new_file(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    for change in (
        lambda: file.write_text("ab"),
        lambda: os.utime(file, (1, 1)),
        file.unlink,
        lambda: file.write_text("ab"),
    ):
        looked = stamps.Stamps([str(file)])
        change()
        assert looked.changed() == str(file)


def test_a_change_is_not_forgotten_when_it_is_taken_back(tmp_path: Path) -> None:
    looked = stamps.Stamps([str(tmp_path / "a.py")])
    (tmp_path / "a.py").write_text("a")
    assert looked.changed()
    (tmp_path / "a.py").unlink()
    assert looked.changed()
