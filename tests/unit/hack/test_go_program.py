"""Programs that are built once: `make test` builds each of them before a test's deadline runs."""

from __future__ import annotations

import re
from pathlib import Path

import go_program

HACK = Path(go_program.__file__).parent
CACHED = re.compile(r'\bcached\(\s*"([\w-]+)"')
# Of other minors, for `make test-kubernetes-versions`, which builds them itself.
NOT_IN_MAKE_TEST = {"kube-apiserver"}


def test_every_program_that_tests_keep_is_built_before_them() -> None:
    sources = [path.read_text(encoding="utf-8") for path in HACK.rglob("*.py")]
    kept = {name for source in sources for name in CACHED.findall(source)} - NOT_IN_MAKE_TEST
    assert kept
    assert kept | set(go_program.PACKAGES) == set(go_program.PROGRAMS)


def test_make_test_builds_programs_first() -> None:
    makefile = (HACK.parent / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"^test: .*\bprograms\b", makefile, re.MULTILINE)
    assert "-m go_program all" in makefile
