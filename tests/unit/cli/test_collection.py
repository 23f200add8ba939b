"""The collection is found where ansible-galaxy puts it, and missed with words that help."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[3]
SITE = Path(sysconfig.get_path("purelib"))
ASK = (
    "from semantic_router_cli import collection; collection.make_importable();"
    "from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import crd; print(crd)"
)


def ask(tmp_path: Path, collections: Path) -> subprocess.CompletedProcess[str]:
    """A Python that has the plugin's code and its libraries, and no collection on its own path."""
    libraries = tmp_path / "libraries"
    libraries.mkdir()
    for item in SITE.iterdir():
        if item.name not in ("ansible_collections", "__pycache__"):
            (libraries / item.name).symlink_to(item)
    env = {
        **os.environ,
        "PYTHONPATH": f"{CHECKOUT / 'cli'}:{libraries}",
        "ANSIBLE_COLLECTIONS_PATH": str(collections),
    }
    command = [sys.executable, "-S", "-c", ASK]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)


def install(collections: Path, *names: str) -> None:
    for name in names:
        namespace, _, collection = name.partition(".")
        folder = collections / "ansible_collections" / namespace
        folder.mkdir(parents=True)
        source = SITE / "ansible_collections" / namespace / collection
        (folder / collection).symlink_to(source.resolve())


@pytest.mark.parametrize("last", ["", "ansible_collections"])
def test_a_collection_is_found_where_the_variable_says(tmp_path: Path, last: str) -> None:
    collections = tmp_path / "collections"
    install(collections, "vllm.semantic_router")

    done = ask(tmp_path, collections / last)

    assert done.returncode == 0, done.stderr
    assert str(collections) in done.stdout


def test_a_missing_collection_is_named_with_what_brings_it(tmp_path: Path) -> None:
    collections = tmp_path / "collections"
    collections.mkdir()

    done = ask(tmp_path, collections)

    assert done.returncode != 0
    assert "vllm.semantic_router is not installed" in done.stderr
    assert "Install the plugin's wheel" in done.stderr
    assert str(collections) in done.stderr
