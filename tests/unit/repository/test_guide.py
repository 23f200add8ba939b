"""The guide, the README and SECURITY.md: examples are right, reasons complete, promises tested."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils.checks import rules
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import resources
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import crd
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from ansible_collections.vllm.semantic_router.plugins.module_utils.status import (
    conditions,
    reasons,
    router_status,
)
from guide import CHECKOUT, PAGES, commands, name, routers

TROUBLESHOOTING = CHECKOUT / "docs" / "troubleshooting.md"
PROMISES = (CHECKOUT / "SECURITY.md", CHECKOUT / "docs" / "threat-model.md")

TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_example_of_a_router_is_right(page: Path) -> None:
    for resource in routers(page):
        told = rules.check(Router(resource), Facts())
        # What its release cannot do is no fault of the example's.
        faults = [problem for problem in told if problem.reason != "PartlyInEffect"]
        assert not faults, yaml.safe_dump(resource)


def test_an_example_that_is_wrong_would_be_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("- see\n\n  ```yaml\n  spec:\n    replica: 2\n  ```\n", encoding="utf-8")
    (wrong,) = routers(page)
    assert [problem.field for problem in rules.check(Router(wrong), Facts())] == ["spec.replica"]


@pytest.mark.parametrize("field", crd.schema()["properties"]["spec"]["properties"])
def test_every_field_at_the_top_of_the_spec_is_in_the_documentation(field: str) -> None:
    assert [page for page in PAGES if re.search(rf"\b{field}\b", page.read_text("utf-8"))]


def test_the_guide_has_examples() -> None:
    assert sum(1 for page in PAGES for _ in routers(page)) > 20


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_playbooks_and_files_of_commands_exist(page: Path) -> None:
    shown = "\n".join(commands(page))
    for playbook in re.findall(r"ansible-playbook vllm\.semantic_router\.(\w+)", shown):
        assert (CHECKOUT / "playbooks" / f"{playbook}.yml").is_file(), playbook
    for file in re.findall(r"(?:-f|-k) ((?:config|bundle|deploy)/\S+)", shown):
        assert (CHECKOUT / file).exists(), file


def test_every_sample_is_listed_where_one_is_chosen() -> None:
    samples = {file.name for file in CHECKOUT.glob("config/samples/*.yaml")}
    text = (CHECKOUT / "docs" / "choosing.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \[.+\]\(\.\./config/samples/(\S+)\) \| ", text, re.MULTILINE)
    assert sorted(listed) == sorted(samples - {"kustomization.yaml"})


def test_every_kind_that_a_router_consists_of_is_listed() -> None:
    text = (CHECKOUT / "docs" / "architecture.md").read_text(encoding="utf-8")
    cells = re.findall(r"^\| ([^|]+) \| `<name>", text, re.MULTILINE)
    listed = {word for cell in cells for word in re.findall(r"[A-Z]\w+", cell)}
    assert listed == {resource.kind for resource in resources.RESOURCES}


def told_reasons() -> list[str]:
    """The reasons of the troubleshooting tables: the words behind True, False or Entry."""
    told = []
    for line in TROUBLESHOOTING.read_text(encoding="utf-8").splitlines():
        cells = line.strip("|").split("|")
        if len(cells) == 3:
            told += re.findall(r"(?:True, |False, |Unknown, |Entry |or )`([A-Z]\w+)`", cells[1])
    return told


def test_every_reason_has_its_line_in_the_troubleshooting_table() -> None:
    assert set(reasons.REASONS) - set(told_reasons()) == set()


def test_the_troubleshooting_table_knows_no_other_reason() -> None:
    assert set(told_reasons()) - set(reasons.REASONS) == set()


def test_every_phase_and_condition_is_explained() -> None:
    text = TROUBLESHOOTING.read_text(encoding="utf-8")
    for word in (*router_status.PHASES, *conditions.CONDITION_TYPES):
        assert f"\n| `{word}` | " in text, word


@pytest.mark.parametrize("page", PROMISES, ids=name)
def test_every_promise_of_security_names_tests_that_exist(page: Path) -> None:
    table = [line for line in page.read_text(encoding="utf-8").splitlines() if "::" in line]
    assert len(table) > 5
    for line in table:
        tests = TEST.findall(line)
        assert len(tests) == line.count("::"), line
        for file, test in tests:
            assert f"def {test}(" in (CHECKOUT / file).read_text(encoding="utf-8"), test
