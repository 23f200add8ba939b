# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The validation rules of the CRD, for objects that no API server has held against them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import cel, crd
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import (
    look_up,
    places,
    spelled,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import (
    Problem,
    invalid,
)


@dataclass(frozen=True)
class Rule:
    """What has to hold for every value at a place.

    place: from the object's root; * is any index. field: what is blamed, below the value.
    """

    place: tuple[str, ...]
    field: tuple[str, ...]
    expression: str
    found: str
    remedy: str

    @cached_property
    def holds(self) -> Callable[[Any], bool]:
        """Of a value at the place."""
        return cel.predicate(self.expression)

    def problems(self, resource: Mapping[str, Any]) -> Iterator[Problem]:
        """Of an object whose structure is right."""
        for path, value in places(resource, self.place):
            if value is not None and not self.holds(value):
                field = spelled((*path, *self.field))
                yield invalid(field, self._found(look_up(value, self.field)), self.remedy)

    def _found(self, given: Any) -> str:
        is_telling = isinstance(given, (str, int, float)) and not isinstance(given, bool)
        return f"it is {json.dumps(given)}: {self.found}" if is_telling else self.found


@cache
def rules() -> tuple[Rule, ...]:
    """All of them."""
    return tuple(_rules(crd.schema(), ()))


def _rules(node: crd.Schema, place: tuple[str, ...]) -> Iterator[Rule]:
    for rule in node.get("x-kubernetes-validations", []):
        found, remedy = rule["message"].split("; ")
        yield Rule(
            place,
            tuple(rule["x-field"].split(".")) if "x-field" in rule else (),
            rule["rule"],
            found,
            remedy[0].upper() + remedy[1:],
        )
    for name, child in node.get("properties", {}).items():
        yield from _rules(child, (*place, name))
    if "items" in node:
        yield from _rules(node["items"], (*place, "*"))
