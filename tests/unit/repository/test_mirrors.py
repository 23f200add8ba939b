"""A unit test has the name of the module that it is about, in the same folder below tests/unit."""

from __future__ import annotations

from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[3]
UNIT = CHECKOUT / "tests" / "unit"
# Folder of tests -> what it mirrors. tests/unit itself and repository are about the whole.
SOURCES = {
    "benchmarks": "benchmarks",
    "cli": "cli/semantic_router_cli",
    "hack": "hack",
    "plugins": "plugins",
    "runner": "runner/wrapper_runner",
    "warm": "warm/warm_runner",
}
ABOUT_ALL_OF_A_ROOM = {
    "plugins/module_utils/router_config/test_every_field.py",
    "plugins/module_utils/router_config/test_golden_files.py",
    "runner/test_plugins.py",
}
TESTS = [file for folder in SOURCES for file in sorted((UNIT / folder).rglob("test_*.py"))]


def modules_of(test: Path) -> list[Path]:
    """Where the module may be: a file, a package, or the package that is the folder itself."""
    top, *below = test.relative_to(UNIT).parent.parts
    folder = CHECKOUT.joinpath(SOURCES[top], *below)
    name = test.stem.removeprefix("test_")
    itself = [folder / "__init__.py"] if folder.name == name else []
    return [folder / f"{name}.py", folder / name / "__init__.py", *itself]


@pytest.mark.parametrize("test", TESTS, ids=lambda test: str(test.relative_to(UNIT)))
def test_a_unit_test_mirrors_a_module(test: Path) -> None:
    if str(test.relative_to(UNIT)) not in ABOUT_ALL_OF_A_ROOM:
        assert any(module.is_file() for module in modules_of(test))


def test_what_is_left_out_is_there() -> None:
    assert all((UNIT / name).is_file() for name in ABOUT_ALL_OF_A_ROOM)


def test_a_test_of_no_module_is_noticed() -> None:
    rooms = UNIT / "plugins" / "module_utils"
    assert any(module.is_file() for module in modules_of(rooms / "envoy" / "test_envoy.py"))
    assert not any(module.is_file() for module in modules_of(rooms / "envoy" / "test_other.py"))
    assert not any(module.is_file() for module in modules_of(rooms / "facts" / "test_envoy.py"))


def test_every_folder_of_tests_is_known() -> None:
    known = {*SOURCES, "data", "golden", "repository", "__pycache__"}
    assert {path.name for path in UNIT.iterdir() if path.is_dir()} <= known
