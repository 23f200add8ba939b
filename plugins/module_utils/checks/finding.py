# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Words shared by the checks: how a problem is stated, and what names and numbers look like."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import labels
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem

Spec = dict[str, Any]
Problems = Iterator[Problem]

DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
DNS_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9]([-.a-z0-9]*[a-z0-9])?")
LABEL_KEY = re.compile(
    r"((?=[^/]{1,253}/)[a-z0-9]([-.a-z0-9]*[a-z0-9])?/)?"
    r"[A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?"
)
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?)?")

_QUANTITY = re.compile(r"([+-]?[0-9.]+)([numkMGTPE]|[KMGTPE]i)?")
_BINARY = {f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", start=1)}
_DECIMAL = {unit: Decimal(1000) ** power for power, unit in enumerate("kMGTPE", start=1)}
_SMALL = {unit: Decimal(1000) ** -power for power, unit in enumerate("mun", start=1)}
_UNITS = {"": Decimal(1), **_BINARY, **_DECIMAL, **_SMALL}


def invalid(field: str, found: str, remedy: str) -> Problem:
    """A mistake that only an edit of the SemanticRouter cures."""
    reason = "InvalidConfig" if field.startswith("spec.config.") else "InvalidSpec"
    return Problem(reason, field, found, remedy)


def no_object_name(field: str, name: str, kind: str) -> Problem:
    """No object can have this name, so a reference to it leads nowhere."""
    remedy = "Use lower-case letters, digits and hyphens, as kubectl get shows the name"
    return invalid(field, f'"{name}" cannot be the name of {kind}', remedy)


def duplicates(entries: list[Spec], path: str) -> Problems:
    """Entries of a list that share a name."""
    seen: dict[str, int] = {}
    for index, entry in enumerate(entries):
        first = seen.setdefault(entry["name"], index)
        if first != index:
            found = f'"{entry["name"]}" is the name of {path}[{first}] too'
            yield invalid(f"{path}[{index}].name", found, "Choose another one")


def further_labels(value: Spec, name: str, path: str) -> Problems:
    """Labels of the user's beside the operator's own."""
    wanted = value.get(name) or {}
    for key in labels("any"):
        if key in wanted:
            found = f"{key} is the operator's own label, by which it finds what is the router's"
            yield invalid(f"{path}.{name}", found, "Choose another key")
    yield from label_problems(wanted, f"{path}.{name}")


def label_problems(wanted: Mapping[str, str], path: str) -> Problems:
    """Labels that no object can carry."""
    for key, value in wanted.items():
        if not LABEL_KEY.fullmatch(key) or not LABEL_VALUE.fullmatch(value):
            yield invalid(path, f'"{key}: {value}" is no label', "Copy it from the object's labels")


def at(value: Any, path: tuple[str, ...]) -> Any:
    """What stands at a path of nested mappings; None when a part of it is missing."""
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def quantity(value: Any) -> Decimal | None:
    """A Kubernetes quantity as a number; None when there is none or it has another form."""
    match = _QUANTITY.fullmatch(str(value)) if value is not None else None
    try:
        return Decimal(match[1]) * _UNITS[match[2] or ""] if match else Decimal(str(value))
    except InvalidOperation:
        return None
