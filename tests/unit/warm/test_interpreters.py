"""Programs are stood in for only where they would run on the same Python."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from warm_runner import interpreters

OURS = [
    f"#!{sys.executable}\n",
    f"#!{sys.executable} -s\n",
    f"#!/bin/sh\n'''exec' {sys.executable} \"$0\" \"$@\"\n' '''\n",
]
OTHERS = ["#!/bin/sh\necho\n", "#!/usr/bin/env python3\n", "\x7fELF", ""]


@pytest.mark.parametrize("text", OURS)
def test_a_script_of_this_python_is_ours(text: str, tmp_path: Path) -> None:
    (tmp_path / "program").write_text(text)
    assert interpreters.is_ours(str(tmp_path / "program"))


@pytest.mark.parametrize("text", OTHERS)
def test_any_other_program_is_not(text: str, tmp_path: Path) -> None:
    (tmp_path / "program").write_text(text)
    assert not interpreters.is_ours(str(tmp_path / "program"))


def test_a_program_that_is_not_there_is_not_ours(tmp_path: Path) -> None:
    assert not interpreters.is_ours(str(tmp_path / "nothing"))
