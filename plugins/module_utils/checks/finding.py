# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Words shared by the checks: how a problem is stated, and what names and numbers look like."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.dns_name import (
    is_host_or_wildcard,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.labels import (
    is_annotation_key,
    is_label_key,
    is_label_value,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import (
    Problem,
    invalid,
)

Spec = dict[str, Any]
Problems = Iterator[Problem]
NameRule = Callable[[str], bool]


def object_name_problems(name: str | None, path: str, kind: str, is_name: NameRule) -> Problems:
    """A name that no object can have, so that a reference to it leads nowhere."""
    if name and not is_name(name):
        remedy = "Use lower-case letters, digits and hyphens, as kubectl get shows the name"
        yield invalid(path, f'"{name}" cannot be the name of {kind}', remedy)


def host_problems(name: str | None, path: str) -> Problems:
    """A host by which requests cannot be told apart."""
    if name and not is_host_or_wildcard(name):
        found = f'"{name}" is no host name'
        remedy = "Give one without scheme, port and path, e.g. router.example.com or *.example.com"
        yield invalid(path, found, remedy)


def duplicates(entries: list[Spec], path: str) -> Problems:
    """Entries of a list that share a name."""
    seen: dict[str, int] = {}
    for index, entry in enumerate(entries):
        first = seen.setdefault(entry["name"], index)
        if first != index:
            found = f'"{entry["name"]}" is the name of {path}[{first}] too'
            yield invalid(f"{path}[{index}].name", found, "Choose another one")


def label_problems(wanted: Mapping[str, str], path: str) -> Problems:
    """Labels that no object can carry."""
    for key, value in wanted.items():
        if not is_label_key(key) or not is_label_value(value):
            yield invalid(path, f'"{key}: {value}" is no label', "Copy it from the object's labels")


def annotation_problems(annotations: Mapping[str, str] | None, path: str) -> Problems:
    """Annotations that no object can carry."""
    for key in annotations or {}:
        if not is_annotation_key(key):
            yield invalid(path, f'"{key}" is no annotation key', "Use a key like example.com/name")


def source_problems(given: list[str], path: str, remedy: str) -> Problems:
    """Not exactly one of several fields that exclude each other."""
    if len(given) != 1:
        found = f"it has {' and '.join(given) if given else 'no source'}"
        yield invalid(path, found, remedy)
