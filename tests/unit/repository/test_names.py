"""Names that would collide or say nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import crd

CHECKOUT = Path(__file__).parents[3]
YAML = sorted(
    file
    for folder in ("playbooks", "roles")
    for file in (CHECKOUT / folder).rglob("*.yml")
    if file.parent.name != "meta" or file.name == "argument_specs.yml"
)
SPEC_KEYS = set(crd.schema()["properties"]["spec"]["properties"])
MEANINGLESS = {"common", "helper", "helpers", "manager", "misc", "util", "utils"}


def variables(document: Any, file: Path) -> Iterator[str]:
    """Every variable that a file of a role, or a playbook, sets or takes."""
    if file.parent.name in ("vars", "defaults"):
        yield from document or {}
    elif file.name == "argument_specs.yml":
        for entry_point in document["argument_specs"].values():
            yield from entry_point.get("options", {})
    else:
        yield from _in_tasks(document)


def _in_tasks(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _in_tasks(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in ("register", "loop_var", "index_var"):
                yield value
            elif key == "vars" or key.endswith("set_fact"):
                yield from value
            else:
                yield from _in_tasks(value)


@pytest.mark.parametrize("file", YAML, ids=lambda file: str(file.relative_to(CHECKOUT)))
def test_no_variable_has_the_name_of_a_spec_key(file: Path) -> None:
    """The operator makes every spec key an extra var, and extra vars beat everything."""
    found = set(variables(yaml.safe_load(file.read_text(encoding="utf-8")), file))
    assert not found & SPEC_KEYS


def test_a_variable_is_found_wherever_it_is_set() -> None:
    tasks = """
    - hosts: localhost
      vars: {image: x}
      tasks:
        - block:
            - ansible.builtin.set_fact: {args: x}
              loop_control: {loop_var: env}
          rescue:
            - set_fact: {service: x}
              register: resources
    """
    found = set(variables(yaml.safe_load(tasks), Path("playbooks/any.yml")))
    assert found == {"image", "args", "env", "service", "resources"}
    assert found <= SPEC_KEYS


@pytest.mark.parametrize("folder", ["plugins", "runner", "cli", "warm", "hack", "tests", "roles"])
def test_no_file_is_named_after_nothing(folder: str) -> None:
    ours = {"module_utils", "plugin_utils"}  # Ansible's names
    for path in (CHECKOUT / folder).rglob("*"):
        words = set(path.stem.split("_")) if path.name not in ours else set()
        assert not words & MEANINGLESS, path


def files_named_in(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w/.])(?:\w+/)*[a-z]\w*\.py\b", text))


@pytest.mark.parametrize(
    "source",
    sorted((CHECKOUT / "plugins").rglob("*.py")),
    ids=lambda source: str(source.relative_to(CHECKOUT)),
)
def test_a_file_that_a_module_names_is_beside_it_or_has_its_room_before_it(source: Path) -> None:
    places = (source.parent, CHECKOUT / "plugins" / "module_utils", CHECKOUT)
    named = files_named_in(source.read_text(encoding="utf-8")) - {"contract_X_Y.py"}
    assert [name for name in named if not any((place / name).is_file() for place in places)] == []


def test_a_named_file_is_found_in_prose() -> None:
    text = "What it means is ``facts/gateways.py``; see also (rules.py), and x.py's."
    assert files_named_in(text) == {"facts/gateways.py", "rules.py", "x.py"}
