"""Every role has the same skeleton, and every playbook that builds knows every role."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

CHECKOUT = Path(__file__).parents[3]
ROLES = sorted(path.name for path in (CHECKOUT / "roles").iterdir())
BUILDING_ROLES = [name for name in ROLES if (CHECKOUT / "roles" / name / "vars").is_dir()]
PREFIX = "vllm.semantic_router."


def read(path: str) -> Any:
    return yaml.safe_load((CHECKOUT / path).read_text(encoding="utf-8"))


def filters_of(text: str) -> list[str]:
    return re.findall(rf"\|\s*{re.escape(PREFIX)}(\w+)", text)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    "file", ["README.md", "meta/main.yml", "meta/argument_specs.yml", "tasks/main.yml"]
)
def test_every_role_has_the_skeleton(role: str, file: str) -> None:
    assert (CHECKOUT / "roles" / role / file).read_text(encoding="utf-8").strip()


@pytest.mark.parametrize("role", ROLES)
def test_every_entry_point_of_a_role_describes_its_arguments(role: str) -> None:
    specs = read(f"roles/{role}/meta/argument_specs.yml")["argument_specs"]
    assert set(specs) == {file.stem for file in (CHECKOUT / "roles" / role / "tasks").glob("*")}
    for spec in specs.values():
        assert spec["short_description"]
        assert all(option["description"] for option in spec["options"].values())


@pytest.mark.parametrize("role", BUILDING_ROLES)
def test_a_role_that_builds_is_one_list_of_objects(role: str) -> None:
    assert list(read(f"roles/{role}/vars/main.yml")) == [f"{role}_objects"]
    assert f"{role}_objects" in (CHECKOUT / f"roles/{role}/tasks/main.yml").read_text()


@pytest.mark.parametrize("playbook", ["reconcile", "render"])
def test_a_playbook_that_builds_adds_up_the_objects_of_every_role(playbook: str) -> None:
    text = (CHECKOUT / f"playbooks/{playbook}.yml").read_text(encoding="utf-8")
    (play,) = yaml.safe_load(text)
    assert play["vars_files"] == [
        f"../roles/{role}/vars/main.yml" for role in _in_reading_order(play["vars_files"])
    ]
    (added,) = re.findall(r"\{\{\s*(\w+_objects(?:\s*\+\s*\w+_objects)*)\s*\}\}", text)
    assert re.split(r"\s*\+\s*", added) == [
        f"{role}_objects" for role in _in_reading_order(play["vars_files"])
    ]


def _in_reading_order(files: list[str]) -> list[str]:
    roles = [file.split("/")[2] for file in files]
    assert sorted(roles) == BUILDING_ROLES
    return roles


def test_every_filter_is_in_exactly_one_list() -> None:
    files = (CHECKOUT / f"roles/{role}/vars/main.yml" for role in BUILDING_ROLES)
    listed = [name for file in files for name in filters_of(file.read_text())]
    documented = [file.stem for file in (CHECKOUT / "plugins" / "filter").glob("*.yml")]
    assert sorted(listed) == sorted(documented)
