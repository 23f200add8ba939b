"""Every object of a SemanticRouter, built as the playbook builds it.

The roles' variables name the filters, in the playbook's order; a filter has the name of its
builder. So there is no second list of builders here.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils import crd
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.metadata import Manifest
from ansible_collections.vllm.semantic_router.plugins.module_utils.router import Router

_ROOT = Path(crd.__file__).parents[2]
_PLAYBOOK = _ROOT / "playbooks" / "render.yml"
_OBJECTS = _ROOT / "plugins" / "module_utils" / "objects"
_PACKAGE = "ansible_collections.vllm.semantic_router.plugins.module_utils.objects"

Builder = Callable[[Router, Facts], list[Manifest]]


def manifests(router: Router, facts: Facts) -> list[Manifest]:
    """What the operator would apply, in the order in which the playbook lists it."""
    return [manifest for build in builders() for manifest in build(router, facts)]


@cache
def builders() -> tuple[Builder, ...]:
    """One for each filter that the playbook's roles use."""
    known = {name: found for file in sorted(_OBJECTS.glob("*.py")) for name, found in _of(file)}
    return tuple(known[name] for name in filter_names())


@cache
def filter_names() -> tuple[str, ...]:
    """As the roles' variables ``<concern>_objects`` name them."""
    (play,) = yaml.safe_load(_PLAYBOOK.read_text(encoding="utf-8"))
    files = [_PLAYBOOK.parent / name for name in play["vars_files"]]
    variables = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in files]
    return tuple(
        str(name)
        for concern in variables
        for key, names in concern.items()
        if key.endswith("_objects")
        for name in names
    )


def _of(file: Path) -> list[tuple[str, Builder]]:
    if file.stem == "__init__":
        return []
    module = importlib.import_module(f"{_PACKAGE}.{file.stem}")
    return [
        (name, found)
        for name, found in vars(module).items()
        if callable(found) and getattr(found, "__module__", "") == module.__name__
    ]
