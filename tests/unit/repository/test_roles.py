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
OBJECTS = re.compile(
    r"router \| vllm\.semantic_router\.objects\(discovery\.facts,\s*"
    r"(\w+_objects(?:\s*\+\s*\w+_objects)*)\)"
)


def read(path: str) -> Any:
    return yaml.safe_load((CHECKOUT / path).read_text(encoding="utf-8"))


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
    (built,) = OBJECTS.findall((CHECKOUT / f"roles/{role}/tasks/main.yml").read_text())
    assert built == f"{role}_objects"


@pytest.mark.parametrize("playbook", ["reconcile", "render"])
def test_a_playbook_that_builds_adds_up_the_objects_of_every_role(playbook: str) -> None:
    text = (CHECKOUT / f"playbooks/{playbook}.yml").read_text(encoding="utf-8")
    (play,) = yaml.safe_load(text)
    assert play["vars_files"] == [
        f"../roles/{role}/vars/main.yml" for role in _in_reading_order(play["vars_files"])
    ]
    (added,) = OBJECTS.findall(text)
    assert re.split(r"\s*\+\s*", added) == [
        f"{role}_objects" for role in _in_reading_order(play["vars_files"])
    ]


def _in_reading_order(files: list[str]) -> list[str]:
    roles = [file.split("/")[2] for file in files]
    assert sorted(roles) == BUILDING_ROLES
    return roles


def test_every_filter_of_an_object_is_in_exactly_one_list() -> None:
    lists = (read(f"roles/{role}/vars/main.yml")[f"{role}_objects"] for role in BUILDING_ROLES)
    documented = {file.stem for file in (CHECKOUT / "plugins" / "filter").glob("*.yml")}
    assert sorted(name for names in lists for name in names) == sorted(documented - {"objects"})
