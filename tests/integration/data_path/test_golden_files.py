"""Every golden bootstrap is one that Envoy starts with."""

from __future__ import annotations

from pathlib import Path

import pytest
from integration.data_path.envoy_process import validate

GOLDEN = sorted((Path(__file__).parents[2] / "unit" / "golden" / "envoy").glob("*.yaml"))


@pytest.mark.parametrize("file", GOLDEN, ids=lambda file: file.stem)
def test_envoy_accepts_the_golden_bootstrap(file: Path) -> None:
    result = validate(file)
    assert result.returncode == 0, result.stderr
    assert "eprecated" not in result.stderr


def test_there_are_golden_bootstraps() -> None:
    assert GOLDEN


def test_envoy_refuses_a_field_it_does_not_know(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("static_resources: {listener: []}\n")
    assert validate(wrong).returncode != 0
