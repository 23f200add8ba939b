# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Values of signals that a router refuses when it starts, and that its schema lets through.

From the constructors of its classifiers (pkg/classification), which say the same in v0.3.0 and in
upstream's main of August 2026. What else a release refuses, a pod that starts with the file says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import Path, at

_OPERATORS = ("AND", "OR", "NOR")
_METHODS = ("regex", "bm25", "ngram")
_SUBJECTS = ("User", "Group")

# Place in the document, what was found, what to do.
Refused = tuple[Path, str, str]


def refused(document: Mapping[str, Any]) -> Iterator[Refused]:
    """In its routing and in that of each recipe. What has not the right shape is the schema's to
    tell."""
    routings = [((), document), *_each((), document, "recipes")]
    for place, parent in routings:
        signals = at(parent, ("routing", "signals"))
        if isinstance(signals, Mapping):
            yield from _keywords((*place, "routing", "signals"), signals)
            yield from _role_bindings((*place, "routing", "signals"), signals)


def _keywords(above: Path, signals: Mapping[str, Any]) -> Iterator[Refused]:
    for place, rule in _each(above, signals, "keywords"):
        operator, method = rule.get("operator"), str(rule.get("method") or "")
        if operator not in _OPERATORS:
            found = f"{operator!r} is not an operator by which keywords go together"
            yield _at(place, rule, "operator"), found, f"Give one of {', '.join(_OPERATORS)}"
        if method and method.lower() not in _METHODS:
            remedy = f"Give one of {', '.join(_METHODS)}, or leave it out"
            if method.lower() == "fuzzy":
                remedy = "Leave it out, and set fuzzy_match to true"
            yield (*place, "method"), f"{method!r} is not a way to look for keywords", remedy


def _role_bindings(above: Path, signals: Mapping[str, Any]) -> Iterator[Refused]:
    names: set[str] = set()
    for place, binding in _each(above, signals, "role_bindings"):
        for key in ("name", "role", "subjects"):
            if not binding.get(key):
                yield _at(place, binding, key), f"it binds nobody without {key}", f"Give {key}"
        name = str(binding.get("name") or "")
        if name in names:
            yield (*place, "name"), f"another binding is called {name}", "Give each its own name"
        names.update([name] if name else [])
        for path, subject in _each(place, binding, "subjects"):
            kind = str(subject.get("kind") or "").strip()
            if kind.lower() not in map(str.lower, _SUBJECTS):
                found = f"{kind!r} is not a kind of who can have a role"
                yield _at(path, subject, "kind"), found, f"Give one of {', '.join(_SUBJECTS)}"
            if not str(subject.get("name") or "").strip():
                yield _at(path, subject, "name"), "it is nobody without a name", "Give name"


def _each(
    above: Path, parent: Mapping[str, Any], key: str
) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    items = parent.get(key)
    for index, item in enumerate(items if isinstance(items, list) else []):
        if isinstance(item, Mapping):
            yield (*above, key, index), item


def _at(place: Path, item: Mapping[str, Any], key: str) -> Path:
    """What is missing has no place of its own."""
    return (*place, key) if key in item else place
