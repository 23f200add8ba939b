"""Molecule takes a playbook that is not there for one that is not wanted, and goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

CHECKOUT = Path(__file__).parents[3]
SCENARIOS = sorted((CHECKOUT / "molecule").glob("*/molecule.yml"))
WITHOUT_PLAYBOOK = {"idempotence"}


def read(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return found


BASE = read(CHECKOUT / ".config" / "molecule" / "config.yml")


@pytest.mark.parametrize("file", SCENARIOS, ids=lambda file: file.parent.name)
def test_every_step_of_a_scenario_has_its_playbook(file: Path) -> None:
    scenario = read(file)
    named = {**BASE["ansible"]["playbooks"], **scenario.get("ansible", {}).get("playbooks", {})}
    for step in scenario.get("scenario", BASE["scenario"])["test_sequence"]:
        action, *playbooks = step.split()
        if action not in WITHOUT_PLAYBOOK:
            # Where an action has no default, molecule drops the explicit ones as well.
            for playbook in [*playbooks, named.get(action, f"{action}.yml")]:
                assert (file.parent / playbook).is_file(), f"{step}: {playbook}"


@pytest.mark.parametrize("file", SCENARIOS, ids=lambda file: file.parent.name)
def test_every_playbook_of_a_scenario_is_played(file: Path) -> None:
    text = file.read_text(encoding="utf-8") + "molecule.yml verify.yml"
    assert [path.name for path in file.parent.glob("*.yml") if path.name not in text] == []


@pytest.mark.parametrize("file", SCENARIOS, ids=lambda file: file.parent.name)
def test_every_scenario_runs_twice_without_a_change_and_cleans_up(file: Path) -> None:
    sequence = read(file).get("scenario", BASE["scenario"])["test_sequence"]
    assert {"create", "idempotence", "cleanup", "destroy"} <= set(sequence)
