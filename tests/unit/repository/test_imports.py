"""Which part may know which, read from the imports."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[3]
PLUGINS = CHECKOUT / "plugins"
MODULE_UTILS = PLUGINS / "module_utils"
OURS = "ansible_collections.vllm.semantic_router.plugins."

CLIENT_LIBRARIES = {"kubernetes", "urllib3", "requests", "openshift"}
# What gives another answer at another time, on another machine or in another process.
IMPURE = {
    "datetime", "getpass", "locale", "os", "platform", "random", "secrets", "socket", "subprocess",
    "tempfile", "time", "uuid",
}  # fmt: skip
IMPURE_CALLS = {"open", "input", "id", "hash"}

# A part of what images/ansible-operator/Pipfile of operator-framework/ansible-operator-plugins has.
BASE_IMAGE = {
    "ansible", "ansible_runner", "durationpy", "kubernetes", "requests", "urllib3", "yaml",
}  # fmt: skip

# From the bottom: a room knows those of the floors below, and its own. What is asked, what is
# there, what shall be, whether it is right and what to say of it, and last who makes it so.
FLOORS = (
    {"spec"},
    {"facts"},
    {"envoy", "router_config"},
    {"objects"},
    {"checks", "status"},
    {"cluster"},
)
BUILDERS = ("envoy", "objects", "router_config")


def sources(*under: Path) -> list[Path]:
    files = {file for path in under for file in (path.rglob("*.py") if path.is_dir() else [path])}
    return sorted(files)


@cache
def imports(source: Path) -> frozenset[str]:
    """Full names; of `from a import b`, both `a` and `a.b`, since `b` may be a module."""
    return frozenset(_imports(ast.parse(source.read_text(encoding="utf-8"))))


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import says nothing about layers"
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def ours(source: Path) -> set[str]:
    """The rooms of module_utils that it imports from: `spec`, `objects`, ..."""
    prefix = f"{OURS}module_utils."
    return {name.removeprefix(prefix).split(".")[0] for name in imports(source) if prefix in name}


def pure() -> list[Path]:
    return [source for source in sources(MODULE_UTILS) if "cluster" not in source.parts]


def named(source: Path) -> str:
    return str(source.relative_to(PLUGINS))


@pytest.mark.parametrize(
    "source",
    [source for source in sources(PLUGINS) if source.parent != MODULE_UTILS / "cluster"],
    ids=named,
)
def test_only_the_cluster_package_imports_a_client_library(source: Path) -> None:
    assert CLIENT_LIBRARIES.isdisjoint(name.split(".")[0] for name in imports(source))


def test_commands_are_argparses_and_those_of_the_plugin_typers() -> None:
    libraries = {"argparse", "click", "docopt", "fire", "typer"}
    found: dict[str, set[str]] = {}
    for part in ("cli", "benchmarks", "hack", "runner", "warm"):
        for source in sources(CHECKOUT / part):
            used = libraries & {name.split(".")[0] for name in imports(source)}
            found.setdefault(part, set()).update(used)
    assert found.pop("cli") == {"typer"}
    assert set(found) == {"benchmarks", "hack", "runner", "warm"}
    assert set().union(*found.values()) == {"argparse"}


@pytest.mark.parametrize("source", pure(), ids=named)
def test_thinking_imports_no_clock_no_chance_and_no_environment(source: Path) -> None:
    assert IMPURE.isdisjoint(name.split(".")[0] for name in imports(source))


@pytest.mark.parametrize(
    "source", [source for name in BUILDERS for source in sources(MODULE_UTILS / name)], ids=named
)
def test_builders_open_nothing_and_depend_on_no_memory_address(source: Path) -> None:
    tree = ast.parse(source.read_text(encoding="utf-8"))
    calls = {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert IMPURE_CALLS.isdisjoint(calls)


def test_every_module_is_in_a_room_and_every_room_on_a_floor() -> None:
    rooms = {path.name for path in MODULE_UTILS.iterdir() if path.name != "__pycache__"}
    assert rooms == set().union(*FLOORS)


@pytest.mark.parametrize("source", sources(MODULE_UTILS), ids=named)
def test_a_room_knows_only_the_floors_below(source: Path) -> None:
    room = source.relative_to(MODULE_UTILS).parts[0]
    (floor,) = [number for number, rooms in enumerate(FLOORS) if room in rooms]
    assert ours(source) <= {room}.union(*FLOORS[:floor])


@pytest.mark.parametrize("source", sources(PLUGINS / "filter"), ids=named)
def test_filters_know_builders_and_no_cluster(source: Path) -> None:
    assert "cluster" not in ours(source)


@pytest.mark.parametrize("source", sources(MODULE_UTILS), ids=named)
def test_module_utils_know_no_plugin_and_no_ansible(source: Path) -> None:
    for name in imports(source):
        assert not name.startswith("ansible.")
        assert not name.startswith(OURS) or name.startswith(f"{OURS}module_utils")


def at_once(source: Path) -> set[str]:
    """What it imports whenever it is imported, and not only when one of its functions runs."""
    tree = ast.parse(source.read_text(encoding="utf-8"))
    first = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    return set(_imports(ast.Module(first, [])))


def up_to_the_stock_engine() -> set[Path]:
    """The modules that the wrapper runner is made of before it becomes ansible-operator."""
    reached, new = set[Path](), {CHECKOUT / "runner" / "wrapper_runner" / "__main__.py"}
    while new:
        reached |= new
        names = {name.replace(".", "/") for source in new for name in at_once(source)}
        new = {CHECKOUT / "runner" / f"{name}.py" for name in names if "wrapper_runner" in name}
        new = {file for file in new if file.is_file()} - reached
    return reached


def test_what_runs_in_the_image_imports_nothing_that_the_image_does_not_have() -> None:
    pinned = (CHECKOUT / "requirements" / "schema.txt").read_text(encoding="utf-8")
    there = {
        *sys.stdlib_module_names, *BASE_IMAGE, *re.findall(r"^(\w+)==", pinned, re.MULTILINE),
        "ansible_collections", "warm_runner", "wrapper_runner",
    }  # fmt: skip
    runner = up_to_the_stock_engine()
    assert {"cli.py", "stock.py", "platform.py"} <= {source.name for source in runner}
    asked = {
        name.split(".")[0]: source
        for source in sources(PLUGINS, CHECKOUT / "warm" / "warm_runner")
        for name in imports(source)
    } | {name.split(".")[0]: source for source in runner for name in at_once(source)}
    assert {name: source for name, source in asked.items() if name not in there} == {}


def test_imports_sees_every_way_to_import(tmp_path: Path) -> None:
    source = tmp_path / "all.py"
    source.write_text(
        "import os.path\nfrom time import sleep\ndef f():\n    import kubernetes\n"
        f"from {OURS}module_utils.spec import crd\n"
        f"from {OURS}module_utils.objects.config import x\n"
    )
    assert {"os.path", "time", "time.sleep", "kubernetes"} <= imports(source)
    assert ours(source) == {"spec", "objects"}
