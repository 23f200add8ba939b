"""The quick start and every sample, as somebody types them in on a cluster that has nothing yet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from control_plane import ControlPlane, Kubectl
from examples import SAMPLE_FILES
from guide import CHECKOUT

SAMPLES = "config/samples"
COMMAND = re.compile(r"\bkubectl ((?:create namespace|apply -f) \S+)")


def quick_start() -> list[str]:
    page = (CHECKOUT / "docs" / "getting-started.md").read_text(encoding="utf-8")
    (block,) = [
        block for block in re.findall(r"```bash\n(.*?)```", page, re.DOTALL) if SAMPLES in block
    ]
    return COMMAND.findall(block)


def commands_of(sample: Path) -> list[str]:
    """What its first lines say, and then the sample itself."""
    told = re.findall(r"^# .*$", sample.read_text(encoding="utf-8"), re.MULTILINE)
    said = [command for line in told for command in COMMAND.findall(line)]
    before = [command for command in said if command.startswith("create")]
    return [*before, f"apply -f {SAMPLES}/{sample.name}"]


@pytest.fixture
def fresh(control_plane: ControlPlane) -> Iterator[Kubectl]:
    """A cluster in which nobody has made a namespace that a sample names."""
    kubectl = Kubectl(control_plane.kubectl, control_plane.env)
    names = {"vllm-serving", "llama-serving"}
    there = set(kubectl("get", "namespaces", "--output=name").split())
    assert not {f"namespace/{name}" for name in names} & there
    yield kubectl
    kubectl("delete", "semanticrouters", "--all", "--all-namespaces")
    kubectl("delete", "namespace", *names, "--ignore-not-found", timeout=120)


def typed(kubectl: Kubectl, commands: list[str]) -> list[str]:
    """What went wrong."""
    found = []
    for command in commands:
        done = kubectl.run(*command.replace(SAMPLES, str(CHECKOUT / SAMPLES)).split())
        if done.returncode:
            found.append(f"{command}: {done.stderr}")
    return found


def test_the_quick_start_can_be_typed_in_as_it_stands(fresh: Kubectl) -> None:
    commands = quick_start()
    assert sum(command.startswith("apply") for command in commands) == 4
    assert typed(fresh, commands) == []


def test_every_sample_is_taken_after_what_its_first_lines_say(fresh: Kubectl) -> None:
    created: set[str] = set()
    for sample in SAMPLE_FILES:
        commands = [command for command in commands_of(sample) if command not in created]
        assert typed(fresh, commands) == [], sample.name
        created |= {command for command in commands if command.startswith("create")}


def test_a_sample_in_a_namespace_of_its_own_says_how_to_make_it() -> None:
    for sample in SAMPLE_FILES:
        namespaces = set(
            re.findall(r"^  namespace: (\S+)", sample.read_text("utf-8"), re.MULTILINE)
        )
        told = {command for command in commands_of(sample) if command.startswith("create")}
        assert told == {f"create namespace {name}" for name in namespaces - {"default"}}
