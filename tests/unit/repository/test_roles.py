"""The straight line from watches.yaml to a builder, click by click, and every role's skeleton."""

from __future__ import annotations

import re
import subprocess
import sys
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


def play_of(role: str) -> dict[str, Any]:
    readme = (CHECKOUT / "roles" / role / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL)
    (play,) = yaml.safe_load(example)
    return dict(play)


@pytest.mark.parametrize("role", ROLES)
def test_the_readme_of_a_role_has_a_play_that_gives_it_what_it_wants(role: str) -> None:
    used = {entry["role"]: entry["vars"] for entry in play_of(role)["roles"]}
    assert f"vllm.semantic_router.{role}" in used
    # What a role sets for those after it.
    known = {"discovery"} if "vllm.semantic_router.discovery" in used else set()
    for name, given in used.items():
        spec = read(f"roles/{name.rpartition('.')[2]}/meta/argument_specs.yml")
        options = spec["argument_specs"]["main"]["options"]
        required = {key for key, option in options.items() if option.get("required")}
        assert set(given) <= set(options), name
        assert required <= {*given, *known}, name


def test_ansible_takes_the_plays_of_the_readmes(tmp_path: Path) -> None:
    file = tmp_path / "plays.yml"
    file.write_text(yaml.safe_dump([play_of(role) for role in ROLES]), encoding="utf-8")
    program = Path(sys.executable).with_name("ansible-playbook")
    done = subprocess.run(
        [program, "--syntax-check", file], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
