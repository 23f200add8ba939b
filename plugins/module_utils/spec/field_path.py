# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where a value stands in an object, mostly below spec, and how messages spell that."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

# As keys and list indexes.
Path = tuple[str | int, ...]

# Any other key would read as several steps.
_ONE_STEP = re.compile(r"[^\s./\[\]]+")


class Missing:
    """What stands where an object has nothing."""


MISSING: Final = Missing()


def at(value: Any, path: Path) -> Any:
    """What stands at a path of nested mappings; None when a part of it is missing."""
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def field_path(path: Path) -> str:
    """Of a place below spec, see spelled: spec.config.decisions[0].name."""
    return spelled(("spec", *path))


def spelled(path: Path) -> str:
    """The path as `kubectl explain` spells it, with list indexes.

    A key that would read as several steps is spelled as the API server does:
    spec.nodeSelector[kubernetes.io/os].
    """
    text = ""
    for step in path:
        is_name = isinstance(step, str) and _ONE_STEP.fullmatch(step)
        text += f".{step}" if is_name else f"[{step}]"
    return text.removeprefix(".")


def places(value: Any, steps: tuple[str, ...], path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every place that the steps lead to, and what stands there; * is any index."""
    if not steps:
        yield path, value
    elif steps[0] == "*":
        for index, item in enumerate(value if isinstance(value, list) else []):
            yield from places(item, steps[1:], (*path, index))
    elif isinstance(value, Mapping) and steps[0] in value:
        yield from places(value[steps[0]], steps[1:], (*path, steps[0]))


def look_up(value: Any, path: Path) -> Any:
    """What stands there; MISSING when there is nothing."""
    for step in path:
        is_index = isinstance(value, list) and isinstance(step, int) and step < len(value)
        if not is_index and not (isinstance(value, Mapping) and step in value):
            return MISSING
        value = value[step]
    return value


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Where no step leads on, and what stands there: a scalar, or an empty container."""
    if isinstance(value, dict) and value:
        for key, child in value.items():
            yield from leaves(child, (*path, key))
    elif isinstance(value, list) and value:
        for index, child in enumerate(value):
            yield from leaves(child, (*path, index))
    else:
        yield path, value


def replaced(value: Any, path: Path, new: Any) -> Any:
    """A copy with something else there; what is not on the way is shared, what is missing made."""
    if not path:
        return new
    step, *rest = path
    if isinstance(value, list):
        return [
            replaced(item, tuple(rest), new) if index == step else item
            for index, item in enumerate(value)
        ]
    return {**(value or {}), step: replaced((value or {}).get(step), tuple(rest), new)}
