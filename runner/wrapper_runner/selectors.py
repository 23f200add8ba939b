"""Label selectors as Kubernetes writes them: for the API server to use, and for one object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "", "DoesNotExist": "!"}


@dataclass(frozen=True)
class Requirement:
    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        match self.operator:
            case "In":
                return labels.get(self.key) in self.values
            case "NotIn":
                return labels.get(self.key) not in self.values
            case "Exists":
                return self.key in labels
            case _:
                return self.key not in labels

    def __str__(self) -> str:
        if self.operator in {"In", "NotIn"}:
            return f"{self.key} {_OPERATORS[self.operator]} ({','.join(self.values)})"
        return f"{_OPERATORS[self.operator]}{self.key}"


@dataclass(frozen=True)
class Selector:
    """All requirements together; none of them = everything."""

    requirements: tuple[Requirement, ...] = ()

    @classmethod
    def parse(cls, content: Mapping[str, Any]) -> Selector:
        """From {matchLabels, matchExpressions}; ValueError says what is wrong."""
        unknown = sorted(set(content) - {"matchLabels", "matchExpressions"})
        if unknown:
            raise ValueError(f"{unknown[0]} is unknown; expected matchLabels or matchExpressions")
        equal = [
            Requirement(key, "In", (str(value),))
            for key, value in (content.get("matchLabels") or {}).items()
        ]
        return cls((*equal, *map(_expression, content.get("matchExpressions") or ())))

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(requirement.matches(labels) for requirement in self.requirements)

    @property
    def query(self) -> str:
        """For the labelSelector parameter of a list or watch."""
        return ",".join(map(str, self.requirements))


EVERYTHING = Selector()


def _expression(content: Mapping[str, Any]) -> Requirement:
    operator = content.get("operator", "")
    if operator not in _OPERATORS:
        raise ValueError(f"operator {operator!r} is not one of {', '.join(_OPERATORS)}")
    values = tuple(map(str, content.get("values") or ()))
    if (operator in {"In", "NotIn"}) != bool(values):
        raise ValueError(f"operator {operator} of {content.get('key')!r} has the wrong values")
    return Requirement(str(content.get("key", "")), operator, values)
