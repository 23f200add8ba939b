"""Makes the collection importable without Ansible.

Builders, rules and conditions are plain Python in the collection vllm.semantic_router, and its
folders are namespace packages: all they need is the directory that holds ``ansible_collections`` on
sys.path. A wheel has its own, which is of the plugin's version; a checkout, and whoever installs
the plugin without it, has the one that is installed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

NAME = "vllm.semantic_router"
BUNDLED = Path(__file__).with_name("bundled")
VARIABLE = "ANSIBLE_COLLECTIONS_PATH"
# Where ansible-galaxy puts collections unless it is told otherwise.
USUAL = "~/.ansible/collections:/usr/share/ansible/collections"


class CollectionMissing(Exception):
    """Says where the collection was looked for and how to get it."""


def make_importable() -> None:
    """Puts the collection's directory on sys.path where Python does not find it by itself."""
    if BUNDLED.is_dir():
        sys.path.insert(0, str(BUNDLED))
        return
    if _is_importable():
        return
    root = _root(_search_path())
    if root is None:
        raise CollectionMissing(_advice())
    sys.path.append(str(root))


def _is_importable() -> bool:
    try:
        return find_spec(f"ansible_collections.{NAME}.plugins") is not None
    except ModuleNotFoundError:
        return False


def _search_path() -> list[Path]:
    listed = os.environ.get(VARIABLE) or USUAL
    # Like Ansible, with or without the last part.
    return [
        path.parent if path.name == "ansible_collections" else path
        for path in (Path(item).expanduser() for item in listed.split(os.pathsep) if item)
    ]


def _root(paths: Iterable[Path]) -> Path | None:
    folder = Path("ansible_collections", *NAME.split("."), "plugins")
    return next((path for path in paths if (path / folder).is_dir()), None)


def _advice() -> str:
    looked = ", ".join(["Python's own path", *map(str, _search_path())])
    return (
        f"the Ansible collection {NAME} is not installed (looked in {looked}). "
        f"Install the plugin's wheel, which has it, or set {VARIABLE}."
    )
