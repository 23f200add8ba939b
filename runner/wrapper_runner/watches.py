"""watches.yaml: what to watch, what to run for it, and how often.

The same file drives the stock ansible-operator, which silently ignores keys that it does not know:
that makes room for `dependents`, `batch`, `watchedPeriod`, `formerFinalizers` and `statusManager`,
the keys that are ours, and is also why a misspelt key is an error here instead of a setting that
quietly has no effect.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from wrapper_runner import durations
from wrapper_runner.problems import StartError
from wrapper_runner.selectors import EVERYTHING, Selector

DEFAULT_ARTIFACTS = 20
# What a run of several takes in time and memory grows with them, and the gain gets smaller.
LARGEST_BATCH = 25

_WATCH_KEYS = {
    *("group", "version", "kind", "playbook", "role", "vars", "maxRunnerArtifacts"),
    *("reconcilePeriod", "manageStatus", "watchDependentResources", "watchClusterScopedResources"),
    *("snakeCaseParameters", "watchAnnotationsChanges", "markUnsafe", "blacklist", "finalizer"),
    *("selector", "dependents", "batch", "watchedPeriod", "formerFinalizers"),
    "statusManager",
}
_DEPENDENTS_KEYS = {"selector", "kinds", "statusIgnored"}
_FINALIZER_KEYS = {"name", "playbook", "role", "vars"}
_KIND_KEYS = {"group", "version", "kind"}
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


class Kind(NamedTuple):
    """A group, version and kind; the core group is ""."""

    group: str
    version: str
    kind: str

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def __str__(self) -> str:
        return f"{self.api_version}, Kind={self.kind}"


@dataclass(frozen=True)
class Finalizer:
    name: str
    playbook: Path
    vars: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Watch:
    """One entry of the file, with ansible-operator's own defaults.

    period: seconds between runs when nothing happens; 0 = the command line's.
    watched_period: the same where all that a run has read is watched; 0 = no other.
    dependents: the kinds whose changes wake up their owner.
    status_ignored: those of them of which a change of the status alone wakes nobody.
    batch: how many objects may share a run, each a host of its play.
    former_finalizers: of operators that are gone; an object that is being deleted is freed of them.
    status_manager: under whose name runs write the status; anybody else's write calls for a run.
    """

    kind: Kind
    playbook: Path
    vars: Mapping[str, Any] = field(default_factory=dict)
    artifacts: int = DEFAULT_ARTIFACTS
    period: float = 0
    watched_period: float = 0
    finalizer: Finalizer | None = None
    annotations_matter: bool = False
    mark_unsafe: bool = False
    selector: Selector = EVERYTHING
    dependents: tuple[Kind, ...] = ()
    status_ignored: tuple[Kind, ...] = ()
    dependents_selector: Selector = EVERYTHING
    cluster_scoped_dependents: bool = False
    batch: int = 1
    former_finalizers: tuple[str, ...] = ()
    status_manager: str = ""


def load(path: Path, environment: Mapping[str, str] = os.environ) -> list[Watch]:
    """The entries of the file; relative playbooks are looked up beside it."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise StartError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        entries = yaml.safe_load(expand(text, environment))
    except yaml.YAMLError as error:
        raise StartError(f"{path}: is not YAML: {error}") from error
    if not isinstance(entries, list) or not entries:
        raise StartError(f"{path}: must be a list with an entry per kind to watch")
    watches = [_Entry(path, f"[{i}]", entry).watch() for i, entry in enumerate(entries)]
    kinds = [watch.kind for watch in watches]
    for kind in kinds:
        if kinds.count(kind) > 1:
            raise StartError(f"{path}: {kind} is there more than once; keep one entry")
    return watches


def expand(text: str, environment: Mapping[str, str]) -> str:
    """Replace ${NAME} and $NAME that the environment has, as ansible-operator does."""
    return _VARIABLE.sub(
        lambda match: environment.get(match[1] or match[2], f"${{{match[1] or match[2]}}}"), text
    )


class _Entry:
    """One mapping of the file, and where it stands, so that every complaint can say so."""

    def __init__(self, path: Path, where: str, content: Any, known: set[str] = _WATCH_KEYS) -> None:
        self._path = path
        self._where = where
        if not isinstance(content, Mapping):
            raise StartError(f"{path}: {where}: must be a mapping, not {content!r}")
        self._content: Mapping[str, Any] = content
        unknown = sorted(str(key) for key in content if key not in known)
        if unknown:
            expected = ", ".join(sorted(known))
            raise self._error(unknown[0], f"is not a key of watches.yaml; expected {expected}")

    def watch(self) -> Watch:
        self._refuse_what_only_the_stock_engine_does()
        kind = self._kind()
        playbook = self._playbook()
        if playbook is None:
            raise self._error("playbook", "is missing; name the playbook to run")
        dependents, status_ignored, dependents_selector = self._dependents()
        return Watch(
            kind=kind,
            playbook=playbook,
            vars=self._typed("vars", dict, {}),
            artifacts=self._typed("maxRunnerArtifacts", int, 0) or DEFAULT_ARTIFACTS,
            period=self._duration("reconcilePeriod"),
            watched_period=self._duration("watchedPeriod"),
            finalizer=self._finalizer(playbook),
            annotations_matter=self._typed("watchAnnotationsChanges", bool, False),
            mark_unsafe=self._typed("markUnsafe", bool, False),
            selector=self._selector(),
            dependents=dependents,
            status_ignored=status_ignored,
            dependents_selector=dependents_selector,
            cluster_scoped_dependents=self._typed("watchClusterScopedResources", bool, False),
            batch=self._batch(),
            former_finalizers=self._names("formerFinalizers"),
            status_manager=self._typed("statusManager", str, ""),
        )

    def _refuse_what_only_the_stock_engine_does(self) -> None:
        for key, reason in (
            ("manageStatus", "let the playbook write the status"),
            ("snakeCaseParameters", "the playbook gets the spec's keys as they are written"),
        ):
            if self._typed(key, bool, True):
                raise self._error(
                    key,
                    "is true (its default), which the embedded engine does not support: "
                    f"set it to false ({reason}), or use the stock ansible-operator",
                )
        if "role" in self._content:
            raise self._error(
                "role",
                "is not supported by the embedded engine: name a playbook that imports the role, "
                "or use the stock ansible-operator",
            )

    def _kind(self) -> Kind:
        kind = Kind(
            *(self._typed(key, str, "") for key in ("group", "version", "kind")),
        )
        for key in ("version", "kind"):
            if not getattr(kind, key):
                raise self._error(key, "is missing")
        return kind

    def _playbook(self) -> Path | None:
        name = self._typed("playbook", str, "")
        if not name:
            return None
        playbook: Path = (self._path.parent / name).resolve()
        if not playbook.is_file():
            raise self._error("playbook", f"{name}: there is no such file ({playbook})")
        return playbook

    def _finalizer(self, main_playbook: Path) -> Finalizer | None:
        content = self._content.get("finalizer")
        if content is None:
            return None
        entry = _Entry(self._path, f"{self._where}.finalizer", content, _FINALIZER_KEYS)
        name = entry._typed("name", str, "")
        if not name:
            raise entry._error("name", "is missing")
        if "role" in entry._content:
            raise entry._error("role", "is not supported by the embedded engine: name a playbook")
        playbook = entry._playbook()
        variables = entry._typed("vars", dict, {})
        if playbook is None and not variables:
            raise entry._error("playbook", "is missing; name a playbook, or vars for the main one")
        return Finalizer(name, playbook or main_playbook, variables)

    def _dependents(self) -> tuple[tuple[Kind, ...], tuple[Kind, ...], Selector]:
        """All kinds, those whose status is ignored, and which objects of them."""
        watched = self._typed("watchDependentResources", bool, True)
        content = self._content.get("dependents")
        if content is None or not watched:
            return (), (), EVERYTHING
        entry = _Entry(self._path, f"{self._where}.dependents", content, _DEPENDENTS_KEYS)
        blacklist = self._kinds("blacklist")
        kinds = tuple(kind for kind in entry._kinds("kinds") if kind not in blacklist)
        # Whatever the blacklist has: it is there for the stock engine, which knows no such key.
        ignored = tuple(entry._kinds("statusIgnored"))
        for kind in ignored:
            if kind in kinds:
                raise entry._error("statusIgnored", f"{kind} is in kinds too; keep one")
        return kinds + ignored, ignored, entry._selector()

    def _batch(self) -> int:
        size: int = self._typed("batch", int, 1)
        if not 1 <= size <= LARGEST_BATCH:
            raise self._error("batch", f"must be from 1 to {LARGEST_BATCH}, not {size}")
        if size > 1 and not self._typed("markUnsafe", bool, False):
            raise self._error(
                "batch",
                "needs markUnsafe: true, as the variables of a host are never templates",
            )
        return size

    def _names(self, key: str) -> tuple[str, ...]:
        names = self._typed(key, list, [])
        for name in names:
            if not isinstance(name, str) or not name:
                raise self._error(key, f"must be a list of names, not {name!r} in it")
        return tuple(names)

    def _kinds(self, key: str) -> list[Kind]:
        return [
            _Entry(self._path, f"{self._where}.{key}[{i}]", item, _KIND_KEYS)._kind()
            for i, item in enumerate(self._typed(key, list, []))
        ]

    def _selector(self) -> Selector:
        try:
            return Selector.parse(self._typed("selector", dict, {}))
        except ValueError as error:
            raise self._error("selector", str(error)) from error

    def _duration(self, key: str) -> float:
        try:
            return durations.seconds(self._typed(key, str, "0"))
        except ValueError as error:
            raise self._error(key, str(error)) from error

    def _typed(self, key: str, expected: type, default: Any) -> Any:
        value = self._content.get(key)
        if value is None:
            return default
        # bool is an int in Python, not in YAML.
        if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
            raise self._error(key, f"must be a {_YAML_NAMES[expected]}, not {value!r}")
        return value

    def _error(self, key: str, problem: str) -> StartError:
        return StartError(f"{self._path}: {self._where}.{key}: {problem}")


_YAML_NAMES: Mapping[type, str] = {
    str: "string",
    int: "whole number",
    bool: "boolean",
    dict: "mapping",
    list: "list",
}
