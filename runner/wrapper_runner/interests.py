"""What runs say that they have read, and what has to be watched for it: pure.

A task's result may have the key `reads`, a list of mappings:

    collection: /api/v1/namespaces/ai/services
    selector: app=llama-stack     # all objects with these labels, "" = all; without it, named ones
    seen: {stack-a: "1234"}       # name: version, "" = there is no such object
    part: spec                    # the version is uid/generation: a change of the status is no news
    watch: false                  # nobody may, or nobody should

The collection /apis has the API groups; the version of one are its versions, with commas.
`reads_suffice: true` says that nothing else is worth another look. docs/adr/0019 says what for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

# Which APIs there are, which the API server lets nobody watch: it is asked every so often.
GROUPS = "/apis"
# So many of a namespace have a watch each; more share one of the whole namespace.
FEW = 4
# So many watches of a kind; more become one of the whole cluster, where that is allowed.
MANY = 8

_IN_NAMESPACE = re.compile(r"/namespaces/[^/]+(?=/[^/]+$)")
_EQUALITY = re.compile(r"([^=!,\s()]+)(==?|!=)([^=!,\s()]*)")


class Demand(NamedTuple):
    """The object of this name, or without one all with these labels."""

    collection: str
    name: str = ""
    selector: str = ""

    @property
    def kind(self) -> str:
        """Its collection in all namespaces."""
        return _IN_NAMESPACE.sub("", self.collection)


# What is watched: as narrow as a demand, or the collection that several are of.
Scope = Demand


class Thing(NamedTuple):
    """What is known of an object: of its metadata what tells one state from another."""

    uid: str
    version: str
    generation: int
    labels: Mapping[str, str]

    @classmethod
    def of(cls, metadata: Mapping[str, Any]) -> Thing:
        return cls(
            metadata.get("uid", ""),
            metadata.get("resourceVersion", ""),
            metadata.get("generation", 0),
            metadata.get("labels") or {},
        )


@dataclass(frozen=True, slots=True)
class Interest:
    """seen: versions by name."""

    demand: Demand
    seen: Mapping[str, str]
    spec_only: bool = False

    def is_news(self, name: str, thing: Thing | None) -> bool:
        """Whether the object of this name is not what the run saw; None = there is none."""
        concerned = thing is not None and _is_meant(self.demand, name, thing)
        now = self._version(thing) if thing is not None and concerned else ""
        return now != self.seen.get(name, "")

    def differs(self, things: Mapping[str, Thing]) -> bool:
        """The same of a whole collection, by name."""
        names = {self.demand.name} if self.demand.name else {*self.seen, *things}
        return any(self.is_news(name, things.get(name)) for name in names)

    def _version(self, thing: Thing) -> str:
        if self.spec_only and thing.generation:
            return f"{thing.uid}/{thing.generation}"
        return thing.version


class Reads(NamedTuple):
    """What one run has read of others. complete: all of it can be watched."""

    interests: tuple[Interest, ...] = ()
    complete: bool = True


NOTHING = Reads()


def parse(entries: Iterable[Any]) -> Reads:
    """From a task's result; what cannot be understood is not watched."""
    interests: dict[Demand, Interest] = {}
    complete = True
    for entry in entries:
        if _is_well_formed(entry) and entry.get("watch", True):
            interests |= {found.demand: found for found in _interests(entry)}
        else:
            complete = False
    return Reads(tuple(interests.values()), complete)


def plan(demands: Iterable[Demand], kind: str, may_be_wide: bool) -> dict[Demand, Scope]:
    """What to watch for demands of one kind, so that each is met, with few watches.

    may_be_wide: nobody has refused a watch of all namespaces.
    """
    if kind == GROUPS:
        return dict.fromkeys(demands, Scope(GROUPS))
    planned: dict[Demand, Scope] = {}
    for collection, members in _by_collection(demands).items():
        whole = len(members) > FEW or Scope(collection) in members
        for demand in members:
            shares = whole and requirements(demand.selector) is not None
            planned[demand] = Scope(collection) if shares else demand
    if may_be_wide and len(set(planned.values())) > MANY:
        for demand in planned:
            if requirements(demand.selector) is not None:
                planned[demand] = Scope(kind)
    return planned


def collection_of(kind: str, metadata: Mapping[str, Any]) -> str:
    """The collection that an object of a kind is in."""
    namespace = metadata.get("namespace")
    root, _, plural = kind.rpartition("/")
    return f"{root}/namespaces/{namespace}/{plural}" if namespace else kind


@lru_cache(maxsize=1024)
def requirements(selector: str) -> tuple[tuple[str, bool, str], ...] | None:
    """Label, equal or not, value; None where it asks for anything else."""
    found = []
    for requirement in filter(None, selector.split(",")):
        match = _EQUALITY.fullmatch(requirement.strip())
        if not match:
            return None
        found.append((match[1], match[2] != "!=", match[3]))
    return tuple(found)


def _is_well_formed(entry: Any) -> bool:
    return (
        isinstance(entry, Mapping)
        and isinstance(entry.get("collection"), str)
        and entry["collection"].startswith("/")
        and isinstance(entry.get("seen"), Mapping)
        and isinstance(entry.get("selector", ""), str)
    )


def _interests(entry: Mapping[str, Any]) -> Iterator[Interest]:
    collection, spec_only = entry["collection"], entry.get("part") == "spec"
    seen = {str(name): str(version) for name, version in entry["seen"].items()}
    if "selector" in entry:
        yield Interest(Demand(collection, selector=entry["selector"]), seen, spec_only)
        return
    for name, version in seen.items():
        yield Interest(Demand(collection, name), {name: version}, spec_only)


def _is_meant(demand: Demand, name: str, thing: Thing) -> bool:
    if demand.name:
        return name == demand.name
    # What asks for anything else has a watch of its own, which selects.
    wanted = requirements(demand.selector) or ()
    return all((thing.labels.get(key) == value) == equal for key, equal, value in wanted)


def _by_collection(demands: Iterable[Demand]) -> dict[str, set[Demand]]:
    found: dict[str, set[Demand]] = {}
    for demand in demands:
        found.setdefault(demand.collection, set()).add(demand)
    return found
