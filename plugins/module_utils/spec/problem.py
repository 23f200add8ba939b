# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is wrong, where, and what to do about it: the shape of every message to a user."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Problem:
    """One thing that keeps a SemanticRouter from its desired state.

    reason: CamelCase; becomes a condition reason, so it comes from the closed list in
        status/reasons.py.
    field: path as `kubectl explain` spells it (``spec.vllmEndpoints[0].backend.service``), or ""
        when no field is to blame.
    found: what was found there, without a trailing dot. Never a Secret's value.
    remedy: what to do, an imperative sentence without a trailing dot.
    retry: True when waiting may cure it (a missing StorageClass may appear); False when only an
        edit of the SemanticRouter can.
    blocking: True when nothing may be written while it stands, so that the last good objects stay.
    """

    reason: str
    field: str
    found: str
    remedy: str
    retry: bool = False
    blocking: bool = True

    def __str__(self) -> str:
        where = f"{self.field}: " if self.field else ""
        return f"{where}{self.found}. {self.remedy}."

    def as_dict(self) -> dict[str, Any]:
        """Plain containers: what crosses Jinja between two tasks."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Problem:
        """The inverse of as_dict."""
        return cls(**value)


def invalid(field: str, found: str, remedy: str) -> Problem:
    """A mistake that only an edit of the SemanticRouter cures."""
    reason = "InvalidConfig" if field.startswith("spec.config.") else "InvalidSpec"
    return Problem(reason, field, found, remedy)


def joined(problems: Iterable[Problem]) -> str:
    """All of them as one text."""
    return " ".join(str(problem) for problem in problems)


def explained(error: Exception) -> str:
    """Why something was not done, for a user: a Problem, what is to be installed, or the place of a
    defect of ours."""
    if isinstance(error, RouterError):
        return str(error)
    if isinstance(error, ModuleNotFoundError):
        return f"The Python package {error.name} is missing where Ansible runs: install it."
    # Not str(error): it may quote a value, and values come from connection options too.
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{last.filename.rpartition('/')[2]}:{last.lineno} in {last.name}"
    return f"{type(error).__name__} at {place}. This is a defect of the collection: report it."


class RouterError(Exception):
    """Carries one Problem up to the plugin that reports it."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem
