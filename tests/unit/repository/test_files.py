"""What must hold for every file under version control."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[3]
REQUIREMENTS = sorted((CHECKOUT / "requirements").glob("*.txt"))
GOLDEN = CHECKOUT / "tests" / "unit" / "golden"
# Somebody has to read what a change does to them.
GOLDEN_LINES = 12_500
# The directories of people and their machines; the pod's own home is a name like any other.
SOMEBODYS = re.compile(r"(?<![\w./{}$-])/(?:root|work|Users|home/(?!semantic-router\b))[/\w]")


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=CHECKOUT, check=True, capture_output=True, text=True
    )
    files = (CHECKOUT / name for name in listed.stdout.rstrip("\0").split("\0"))
    return [file for file in files if file.is_file() and file != Path(__file__)]


def test_no_file_names_a_directory_of_somebodys_machine() -> None:
    found = [
        f"{file.relative_to(CHECKOUT)}: {match.group()}"
        for file in tracked()
        for match in SOMEBODYS.finditer(file.read_text(encoding="utf-8", errors="replace"))
    ]
    assert not found


def test_a_directory_of_somebodys_machine_is_recognised() -> None:
    assert SOMEBODYS.search("cd /home/jo/router")
    assert SOMEBODYS.search('"/Users/jo"')
    assert not SOMEBODYS.search("mountPath: /home/semantic-router")
    assert not SOMEBODYS.search("https://example.com/work/1")


@pytest.mark.parametrize("file", REQUIREMENTS, ids=lambda file: file.name)
def test_every_requirement_is_pinned_and_says_why_it_is_there(file: Path) -> None:
    for line in file.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith(("#", "-r ")):
            assert re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9a-z.]*\s+# \S.+", line), line


def test_texts_end_with_one_newline() -> None:
    for file in tracked():
        data = file.read_bytes()
        is_text = data and b"\0" not in data
        assert not is_text or (data.endswith(b"\n") and not data.endswith(b"\n\n")), file


def test_golden_files_are_few_enough_lines_to_be_read() -> None:
    lines = {
        file: len(file.read_text(encoding="utf-8").splitlines())
        for file in GOLDEN.rglob("*")
        if file.is_file()
    }
    longest = sorted(lines.items(), key=lambda entry: -entry[1])[:3]
    assert lines
    assert sum(lines.values()) < GOLDEN_LINES, longest
