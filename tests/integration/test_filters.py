"""The filters as a playbook reaches them: one real playbook of the documented examples."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from filters import FACTS, FILTERS, documentation, hostile_router

ANSIBLE_PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where one real playbook, made of the documented examples, has written its files."""
    directory = tmp_path_factory.mktemp("examples")
    names = [*FILTERS, "objects"]
    tasks = [task for name in names for task in yaml.safe_load(documentation(name)["EXAMPLES"])]
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


@pytest.mark.parametrize("name", FILTERS)
def test_the_documented_example_gives_what_the_builder_builds(name: str, written: Path):
    (file,) = written.glob(f"my-router-{name.replace('_', '-')}.yaml")

    found = yaml.safe_load(file.read_text())

    # Equal with types: a number that became a text, or a template that was evaluated, would differ.
    assert found == FILTERS[name](hostile_router(), FACTS)


@pytest.mark.parametrize(
    "name",
    [
        "deployment",
        "grafana_dashboard",
        "ingress",
        "service_account",
        "persistent_volume_claim",
    ],
)
def test_a_template_in_a_router_stays_text(name: str, written: Path):
    (file,) = written.glob(f"my-router-{name.replace('_', '-')}.yaml")

    assert "ansible.builtin.pipe" in file.read_text()
    assert "uid=" not in file.read_text()


def test_many_objects_are_what_their_own_filters_give(written: Path):
    found = yaml.safe_load((written / "my-router-objects.yaml").read_text())

    names = ("service_account", "deployment")
    assert found == [m for name in names for m in FILTERS[name](hostile_router(), FACTS)]
