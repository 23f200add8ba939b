"""Variables that Python reads before any program does."""

from __future__ import annotations

import pytest
from warm_runner.locales import coerced, differing


@pytest.mark.parametrize(
    "environment", [{}, {"LANG": "C"}, {"LC_CTYPE": "POSIX"}, {"LC_ALL": "", "LANG": ""}]
)
def test_the_c_locale_is_coerced(environment: dict[str, str]) -> None:
    assert coerced(environment) == {**environment, "LC_CTYPE": "C.UTF-8"}


@pytest.mark.parametrize(
    "environment", [{"LANG": "en_US.UTF-8"}, {"LC_ALL": "C"}, {"PYTHONCOERCECLOCALE": "0"}]
)
def test_others_are_not(environment: dict[str, str]) -> None:
    assert coerced(environment) == environment


def test_only_what_python_reads_makes_a_difference() -> None:
    assert differing({"KUBECONFIG": "a", "LANG": "C"}, {"LANG": "C"}) == ""
    assert differing({"PYTHONPATH": "a"}, {}) == "PYTHONPATH"
    assert differing({"LC_ALL": "C"}, {"LC_ALL": "C.UTF-8"}) == "LC_ALL"
