"""The straight line from watches.yaml to a builder, click by click, and every role's skeleton."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects import registry

CHECKOUT = Path(__file__).parents[3]
ROLES = sorted(path.name for path in (CHECKOUT / "roles").iterdir())
OBJECTS = CHECKOUT / "plugins" / "module_utils" / "objects"
ACTION = "vllm.semantic_router.reconcile"


def read(path: str) -> Any:
    return yaml.safe_load((CHECKOUT / path).read_text(encoding="utf-8"))


def concerns_of_the_playbook() -> list[str]:
    (watch,) = read("watches.yaml")
    (play,) = read(watch["playbook"])
    (task,) = [task for task in play["tasks"] if ACTION in task]
    concerns: list[str] = task[ACTION]["concerns"]
    return concerns


def test_the_playbook_of_watches_yaml_names_every_concern_of_the_registry_in_its_order() -> None:
    assert concerns_of_the_playbook() == list(registry.CONCERNS)


def test_every_concern_is_a_role_and_every_role_but_discovery_a_concern() -> None:
    assert sorted([*registry.CONCERNS, "discovery"]) == ROLES


@pytest.mark.parametrize("role", registry.CONCERNS)
def test_a_role_applies_the_objects_of_its_concern(role: str) -> None:
    (task,) = read(f"roles/{role}/tasks/main.yml")
    built = task["vllm.semantic_router.apply"]["objects"]
    assert built == f"{{{{ router | vllm.semantic_router.objects(discovery.facts, ['{role}']) }}}}"


def test_every_builder_has_the_name_of_one_object_and_stands_in_the_registry_once() -> None:
    builders = [builder for listed in registry.BUILDERS.values() for builder in listed]
    assert len({builder.__name__ for builder in builders}) == len(builders)
    for builder in builders:
        file = Path(builder.__code__.co_filename)
        assert file.parent.resolve() == OBJECTS.resolve()


def test_render_builds_what_reconcile_applies() -> None:
    (play,) = read("playbooks/render.yml")
    (task,) = [task for task in play["tasks"] if "vllm.semantic_router.render" in task]
    built = task["vllm.semantic_router.render"]["objects"]
    assert built == "{{ router | vllm.semantic_router.objects(discovery.facts) }}"


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
