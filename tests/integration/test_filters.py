"""The filter as a playbook reaches it: a real playbook, with every object that it can make."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.vllm.semantic_router.plugins.filter.objects import FilterModule
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects import registry
from filters import FACTS, TEMPLATE, documentation, hostile_router

ANSIBLE_PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")

objects = FilterModule().filters()["objects"]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where one real playbook has written files: the example, and one of each concern."""
    directory = tmp_path_factory.mktemp("examples")
    (example,) = yaml.safe_load(documentation()["EXAMPLES"])
    tasks = [example, *(_copied(concern, example["vars"]) for concern in registry.CONCERNS)]
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}
    (directory / "play.yml").write_text(yaml.safe_dump([play]))
    (directory / "my-router.yaml").write_text(yaml.safe_dump(hostile_router(), sort_keys=False))
    done = subprocess.run(
        [ANSIBLE_PLAYBOOK, "play.yml"],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return directory


def _copied(concern: str, variables: dict[str, Any]) -> dict[str, Any]:
    built = f"router | vllm.semantic_router.objects({FACTS}, ['{concern}'])"
    return {
        "name": concern,
        "ansible.builtin.copy": {
            "dest": f"{concern}.yaml",
            "content": f"{{{{ {built} | to_nice_yaml }}}}",
            "mode": "0644",
        },
        "vars": variables,
    }


def test_the_documented_example_gives_what_the_builders_build(written: Path) -> None:
    found = yaml.safe_load((written / "my-router-objects.yaml").read_text())
    assert found == objects(hostile_router(), FACTS, ["workload"])


@pytest.mark.parametrize("concern", registry.CONCERNS)
def test_a_playbook_gives_what_the_builders_build(concern: str, written: Path) -> None:
    found = yaml.safe_load((written / f"{concern}.yaml").read_text())
    # Equal with types: a number that became a text, or a template that was evaluated, would differ.
    assert found == objects(hostile_router(), FACTS, [concern])


@pytest.mark.parametrize("concern", ["storage", "workload", "networking", "monitoring"])
def test_a_template_in_a_router_stays_text(concern: str, written: Path) -> None:
    assert TEMPLATE in str(yaml.safe_load((written / f"{concern}.yaml").read_text()))
