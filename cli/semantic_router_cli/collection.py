"""Makes the installed collection importable without Ansible.

Builders, rules and conditions are plain Python in the collection vllm.semantic_router, and its
folders are namespace packages: all they need is the directory that holds ``ansible_collections`` on
sys.path.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

# The plugins import kubernetes.core's names of connection options, and it is a dependency of ours.
NEEDED = ("vllm.semantic_router", "kubernetes.core")
VARIABLE = "ANSIBLE_COLLECTIONS_PATH"
# Where ansible-galaxy puts collections unless it is told otherwise.
USUAL = "~/.ansible/collections:/usr/share/ansible/collections"


class CollectionMissing(Exception):
    """Says which collection is missing, where it was looked for and how to get it."""


def make_importable() -> None:
    """Adds the collections' directories to sys.path where Python does not find them by itself."""
    for name in NEEDED:
        if _is_importable(name):
            continue
        root = _root_of(name, _search_path())
        if root is None:
            raise CollectionMissing(_advice(name))
        sys.path.append(str(root))


def _is_importable(name: str) -> bool:
    try:
        return find_spec(f"ansible_collections.{name}.plugins") is not None
    except ModuleNotFoundError:
        return False


def _search_path() -> list[Path]:
    listed = os.environ.get(VARIABLE) or USUAL
    # Like Ansible, with or without the last part.
    return [
        path.parent if path.name == "ansible_collections" else path
        for path in (Path(item).expanduser() for item in listed.split(os.pathsep) if item)
    ]


def _root_of(name: str, paths: Iterable[Path]) -> Path | None:
    folder = Path("ansible_collections", *name.split("."), "plugins")
    return next((path for path in paths if (path / folder).is_dir()), None)


def _advice(name: str) -> str:
    looked = ", ".join(["Python's own path", *map(str, _search_path())])
    return (
        f"the Ansible collection {name} is not installed (looked in {looked}). "
        f"Run `ansible-galaxy collection install {name}`, or set {VARIABLE}."
    )
