"""What is written for users is what the code does: plugins, examples, links, commands."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

CHECKOUT = Path(__file__).parents[3]
COLLECTION = "vllm.semantic_router"
PLUGINS = f"ansible_collections.{COLLECTION}.plugins"
ACTIONS = sorted(file.stem for file in (CHECKOUT / "plugins" / "action").glob("*.py"))
MODULES = sorted(file.stem for file in (CHECKOUT / "plugins" / "modules").glob("*.py"))
MARKDOWN = sorted(
    file
    for pattern in (
        *("*.md", "docs/**/*.md", "roles/*/README.md"),
        *("runner/*.md", "cli/*.md", "warm/*.md"),
    )
    for file in CHECKOUT.glob(pattern)
)
_GALAXY = yaml.safe_load((CHECKOUT / "galaxy.yml").read_text(encoding="utf-8"))
_REPOSITORY = re.escape(_GALAXY["repository"].removeprefix("https://github.com/"))
# A file of the main branch, as a page of GitHub or as it is.
OURS = re.compile(
    rf"https://(github\.com/{_REPOSITORY}/(blob|tree)|raw\.githubusercontent\.com/{_REPOSITORY})/main/"
)
TASK_KEYWORDS = {"name", "register", "when", "loop", "failed_when", "vars", "delegate_to", "until"}
# The operator compares this very spelling.
SHORT_NAMES = {"requeue_after"}


@cache
def ansible_doc() -> dict[str, dict[str, Any]]:
    """What ansible-doc can load, by kind of plugin and name, fragments filled in."""
    command = [Path(sys.executable).with_name("ansible-doc"), "--metadata-dump", COLLECTION]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    return {
        kind: {name.removeprefix(f"{COLLECTION}."): found for name, found in plugins.items()}
        for kind, plugins in json.loads(done.stdout)["all"].items()
    }


def filters() -> set[str]:
    names: set[str] = set()
    for file in (CHECKOUT / "plugins" / "filter").glob("*.py"):
        names |= set(
            importlib.import_module(f"{PLUGINS}.filter.{file.stem}").FilterModule().filters()
        )
    return names


def test_ansible_doc_can_tell_of_every_plugin_and_role() -> None:
    found = ansible_doc()
    assert set(found["module"]) == {*MODULES, *ACTIONS}
    assert set(found["filter"]) == filters()
    assert set(found["role"]) == {path.name for path in (CHECKOUT / "roles").iterdir()}
    for plugin in (*found["module"].values(), *found["filter"].values()):
        assert plugin["doc"]["description"]
        assert plugin["examples"]
        assert plugin["return"]


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_takes_the_options_that_its_documentation_names(action: str) -> None:
    spec = importlib.import_module(f"{PLUGINS}.action.{action}").ActionModule.ARGUMENT_SPEC
    documented = ansible_doc()["module"][action]["doc"]["options"]
    assert set(documented) == set(spec)
    for name, option in spec.items():
        assert _comparable(documented[name]) == _comparable(option), name
        assert set(documented[name].get("aliases", [])) == set(option.get("aliases", [])), name


def _comparable(option: dict[str, Any]) -> dict[str, Any]:
    # Either may leave out what holds anyway.
    implied = {"type": "str", "elements": None, "required": False, "choices": None, "default": None}
    return {key: option.get(key) or value for key, value in implied.items()}


@pytest.mark.parametrize("module", MODULES)
def test_examples_are_tasks_with_full_names_and_existing_options(module: str) -> None:
    found = ansible_doc()["module"]
    tasks = list(_tasks(yaml.safe_load(found[module]["examples"])))
    assert any(module in (name, name.removeprefix(f"{COLLECTION}.")) for name, _ in tasks)
    for name, arguments in tasks:
        assert name.count(".") == 2 or name in SHORT_NAMES
        ours = name.removeprefix(f"{COLLECTION}.")
        if ours in found:
            assert set(arguments or {}) <= set(found[ours]["doc"]["options"]), name


def _tasks(items: list[dict[str, Any]]) -> Iterator[tuple[str, Any]]:
    for item in items:
        if "tasks" in item:
            yield from _tasks(item["tasks"])
        else:
            assert item["name"]
            (action,) = set(item) - TASK_KEYWORDS
            yield action, item[action]


@pytest.mark.parametrize("file", MARKDOWN, ids=lambda file: str(file.relative_to(CHECKOUT)))
def test_links_lead_somewhere_in_the_repository(file: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", file.read_text(encoding="utf-8")):
        if (ours := OURS.match(target)) is not None:
            assert (CHECKOUT / target[ours.end() :]).exists(), target
        elif "://" not in target:
            assert (file.parent / target).exists(), target


def test_the_links_and_pictures_of_the_readme_work_on_galaxy_too() -> None:
    targets = re.findall(r"\]\(([^)\s]+)", (CHECKOUT / "README.md").read_text(encoding="utf-8"))
    assert len(targets) > 10
    assert [target for target in targets if not target.startswith("https://")] == []


@pytest.mark.parametrize("file", MARKDOWN, ids=lambda file: str(file.relative_to(CHECKOUT)))
def test_make_targets_that_are_named_exist(file: Path) -> None:
    makefile = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z0-9-]+):", makefile, flags=re.MULTILINE))
    named = re.findall(r"(?:^|`)make ([a-z][a-z0-9-]*)", file.read_text(), flags=re.MULTILINE)
    assert set(named) <= targets


@pytest.mark.parametrize("folder", ["docs/adr"])
def test_decisions_are_numbered_without_gaps(folder: str) -> None:
    numbers = sorted(int(file.name[:4]) for file in (CHECKOUT / folder).glob("*.md"))
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_comparison_quotes_the_numbers_of_the_chapter_on_performance() -> None:
    def rows(page: str) -> list[str]:
        text = (CHECKOUT / "docs" / page).read_text(encoding="utf-8")
        return [line for line in text.splitlines() if line.startswith("|")]

    measured = rows("performance.md")
    quoted = [row for row in rows("why.md") if re.search(r"\| [\d.]+ (s|MiB) \|$", row)]
    assert len(quoted) > 3
    for row in quoted:
        numbers = re.findall(r"\| ([\d.]+) ", row)
        assert any(set(numbers) <= set(re.findall(r"[\d.]+", other)) for other in measured), row


def test_the_security_baseline_answers_what_it_lists_and_leads_to_what_there_is() -> None:
    page = (CHECKOUT / "docs" / "osps-baseline.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([A-Z]{2}-[^|]+) \| [^|]+ \| ([^|]+) \|(.*)\|$", page, re.MULTILINE)
    assert len(rows) > 30
    targets = set(
        re.findall(r"^([a-z-]+):", (CHECKOUT / "Makefile").read_text("utf-8"), re.MULTILINE)
    )
    for requirements, answer, where in rows:
        assert re.fullmatch(r"[A-Z]{2}-\d\d\.\d\d(, [A-Z]{2}-\d\d\.\d\d)*", requirements)
        assert re.match(r"met|not met|in part|setting|none is known", answer), requirements
        for named in re.findall(r"`([^`]+)`", where):
            known = named.startswith("make ") and named.removeprefix("make ") in targets
            assert known or (CHECKOUT / named).exists(), f"{requirements}: {named}"


def test_the_readme_tells_of_the_last_long_torture_what_its_page_does() -> None:
    told = re.search(
        r"the last time by ([\d,]+) edits of fields, (\d+) kills and (\d+) faults",
        (CHECKOUT / "README.md").read_text(encoding="utf-8"),
    )
    assert told
    page = (CHECKOUT / "docs" / "torture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| [\d, ]+ \| ([\d,]+)", page, flags=re.MULTILINE)
    done = {campaign: int(number.replace(",", "")) for campaign, number in rows}
    wanted = [done["operations"], done["crashes"] + done["crashes_stock"], done["faults"]]
    assert [int(number.replace(",", "")) for number in told.groups()] == wanted
