# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which field of a SemanticRouter a place in one of its manifests comes from.

No builder notes where it takes a value from. Builders are pure, so they can be asked: a place comes
from the fields whose other value makes another manifest there. That is some hundred builds of one
object, for what is rare: somebody refuses a place, and its user wants to know what to edit. Why it
is done this way: docs/adr/0018-provenance.md.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from typing import Any, NamedTuple

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint, Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects import registry
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import crd, variation
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.crd import Schema
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import (
    MISSING,
    Path,
    field_path,
    look_up,
    replaced,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import Manifest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

_ROUTER_NAME = "metadata.name"
# To find one field takes about ten builds.
_MANY = 16

# From a place to a field as `kubectl explain` spells it, with indexes; "" for a place of no one
# field. Of a place that the manifest does not have, the field that would fill it, else that of the
# nearest place around it. Of the whole manifest, (), the section that asks for it.
Source = Callable[[Path], str]

# What other values do to a place. A builder may not be able to cope with them.
_NOTHING, _ANOTHER, _GONE, _UNKNOWN = range(4)


class _Change(NamedTuple):
    """Another value for one field of spec."""

    path: Path
    node: Schema
    value: Any


def source_of(router: Router, facts: Facts, manifest: Manifest) -> Source:
    """Answers for the places of one manifest; one that no builder makes comes from no field.

    Nothing is built before the first question.
    """
    asked = cache(lambda: _asked(router, facts, manifest))

    def answer(place: Path) -> str:
        known = asked()
        return _source(known, manifest, place) if known else ""

    return answer


def _source(asked: _Asked, manifest: Manifest, place: Path) -> str:
    if not _is_as_built(look_up(manifest, place), look_up(asked.made, place)):
        return ""
    found = asked.origin(place) if place else asked.section()
    if found is not None:
        return field_path(found) if found else ""
    value = look_up(asked.made, place)
    if value is MISSING:
        return _around(asked, place)
    is_name = isinstance(value, str) and asked.is_named_after_router(place)
    return _ROUTER_NAME if is_name else ""


def _around(asked: _Asked, place: Path) -> str:
    # Not further out than to the parts of spec, which as a whole comes from everywhere.
    for end in range(len(place) - 1, 1, -1):
        if look_up(asked.made, place[:end]) is not MISSING:
            found = asked.origin(place[:end])
            return field_path(found) if found else ""
    return ""


@dataclass(frozen=True)
class _Asked:
    """One manifest of a router, and the builder that makes it."""

    builder: registry.Builder
    router: Router
    facts: Facts
    # Among how many of its kind, since its name may change with a field.
    index: int
    count: int
    made: Manifest

    def origin(self, place: Path) -> Path | None:
        """() when it comes from several fields that have little in common, None when from none."""
        value = look_up(self.made, place)
        if isinstance(value, str) and "\n" in value:
            return self._largest_part(place)
        fields = list(islice(self._fields(place, self._parts(())), _MANY))
        if len(fields) == _MANY:
            return self._part(place, ())
        return _nearest(fields or self._unset(place), place)

    def section(self) -> Path:
        """The part of spec that asks for the manifest: its switch is there, or all that goes in."""
        switched = [path[:-1] for path in self._fields((), self._parts(()), _GONE)]
        if shared := _shared(switched):
            return shared
        part = self._part((), ()) or ()
        return next((path for path in switched if part[: len(path)] == path), part)

    def is_named_after_router(self, place: Path) -> bool:
        """The place changes with the router's name."""
        resource = self.router.resource
        metadata = {**resource["metadata"], "name": f"{self.router.name}x"}
        made = self._made_of(Router({**resource, "metadata": metadata}), self.facts)
        return bool(look_up(made, place) != look_up(self.made, place))

    def _fields(
        self, place: Path, changes: list[_Change], effect: int = _ANOTHER
    ) -> Iterator[Path]:
        """Those of the fields, and of the fields below them, that have this effect on the place."""
        for path, node, _ in self._changing(place, changes, effect):
            value = look_up(self.router.spec, path)
            if isinstance(value, (dict, list)):
                yield from self._fields(place, self._parts(path), effect)
            elif any(
                self._effect(place, [_Change(path, node, other)]) == effect
                for other in variation.others(value, node)
            ):
                yield path

    def _part(self, place: Path, path: Path) -> Path | None:
        """The smallest part of spec, at or below the path, that has all the place comes from.

        It takes two fields to know, and not all of them.
        """
        found = list(islice(self._influencing(place, path), 2))
        if len(found) == 1:
            return self._part(place, found[0]) or found[0]
        return path if found else None

    def _largest_part(self, place: Path) -> Path | None:
        """The part of spec that says most of a text; to build a long one often would be slow."""
        defaults = crd.with_defaults({})
        parts = sorted(
            self._parts(()),
            key=lambda part: (
                _size(look_up(self.router.spec, part.path)) - _size(defaults.get(str(part.path[0])))
            ),
            reverse=True,
        )
        return next((part.path for part in parts if self._influences(place, part)), None)

    def _influences(self, place: Path, part: _Change) -> bool:
        effect = self._effect(place, [part])
        if effect in (_NOTHING, _ANOTHER):
            return effect == _ANOTHER
        return next(self._fields(place, [part]), None) is not None

    def _influencing(self, place: Path, path: Path) -> Iterator[Path]:
        """What is directly below the path and goes into the place, by some field."""
        for part in self._changing(place, self._parts(path)):
            if self._influences(place, part):
                yield part.path

    def _changing(
        self, place: Path, changes: list[_Change], least: int = _ANOTHER
    ) -> Iterator[_Change]:
        """Those that have an effect on the place, found by halves: most have none."""
        if not changes or self._effect(place, changes) < least:
            return
        if len(changes) == 1:
            yield from changes
            return
        middle = len(changes) // 2
        yield from self._changing(place, changes[:middle], least)
        yield from self._changing(place, changes[middle:], least)

    def _parts(self, path: Path) -> list[_Change]:
        """What is set directly below the path, with other values."""
        return [
            _Change(below, node, variation.different(value, node))
            for below, value, node in self._children(path)
            if variation.is_set(value)
        ]

    def _unset(self, place: Path) -> Iterator[Path]:
        """The fields that are not set, and that the place would come from if they were."""
        fields = list(self._unset_below(()))
        for filling in variation.FILLINGS:
            changes = [_Change(*field, variation.filled(field[1], filling)) for field in fields]
            paths = [
                path
                for change in self._changing(place, changes)
                for path in self._filled_by(change, place)
            ]
            if paths:
                yield from paths
                return

    def _unset_below(self, path: Path) -> Iterator[tuple[Path, Schema]]:
        for below, value, node in self._children(path):
            if variation.is_set(value):
                yield from self._unset_below(below)
            else:
                yield below, node

    def _filled_by(self, change: _Change, place: Path) -> list[Path]:
        router, facts = self._with([change])
        made = self._made_of(router, facts)
        if not isinstance(made, dict) or _is_another_item(self.made, made, place):
            return []
        asked = replace(self, router=router, facts=facts, made=made)
        again = variation.different(look_up(router.spec, change.path), change.node)
        return list(asked._fields(place, [change._replace(value=again)]))

    def _children(self, path: Path) -> Iterator[tuple[Path, Any, Schema]]:
        node = crd.spec_schema()
        for step in path:
            node = variation.below(node, step)
        for step, value in variation.children(look_up(self.router.spec, path), node):
            yield (*path, step), value, variation.below(node, step)

    def _effect(self, place: Path, changes: list[_Change]) -> int:
        made = self._made_of(*self._with(changes))
        if made is None:
            return _UNKNOWN
        before, after = look_up(self.made, place), look_up(made, place)
        if before == after and made is not MISSING:
            return _NOTHING
        is_gone = after is MISSING or _is_another_item(self.made, made, place)
        return _GONE if is_gone else _ANOTHER

    def _with(self, changes: list[_Change]) -> tuple[Router, Facts]:
        spec = self.router.spec
        for path, _, value in changes:
            spec = replaced(spec, path, value)
        return self.router.asking_for(spec), _found(self.facts, self.router.spec, spec)

    def _made_of(self, router: Router, facts: Facts) -> Any:
        """The manifest; MISSING where it is not wanted, None where the builder cannot cope."""
        try:
            made = registry.made_by(self.builder, router, facts)
        except Exception:
            # Checks keep such a spec from builders, and have not seen this one.
            return None
        alike = [one for one in made if one["kind"] == self.made["kind"]]
        if len(alike) == self.count:
            return alike[self.index]
        name = self.made["metadata"]["name"]
        return next((one for one in alike if one["metadata"]["name"] == name), MISSING)


def _asked(router: Router, facts: Facts, manifest: Manifest) -> _Asked | None:
    for builder in (each for concern in registry.BUILDERS.values() for each in concern):
        made = registry.made_by(builder, router, facts)
        alike = [one for one in made if one["kind"] == manifest["kind"]]
        names = [one["metadata"]["name"] for one in alike]
        if manifest["metadata"]["name"] in names:
            index = names.index(manifest["metadata"]["name"])
            return _Asked(builder, router, facts, index, len(alike), alike[index])
    return None


def _is_as_built(there: Any, built: Any) -> bool:
    """Not what a play has changed or added after the builder, nor one of our stamps."""
    if isinstance(there, (dict, list)):
        return type(there) is type(built)
    return bool(there == built)


def _size(value: Any) -> int:
    return len(json.dumps(value))


def _is_another_item(before: Any, after: Any, place: Path) -> bool:
    """A longer or shorter list has something else at an index of the place."""
    for end, step in enumerate(place):
        old, new = look_up(before, place[:end]), look_up(after, place[:end])
        if not isinstance(old, list) or not isinstance(new, list) or len(old) == len(new):
            continue
        names = [look_up(items, (step, "name")) for items in (old, new)]
        if look_up(old, (step,)) is not MISSING and (names[0] is MISSING or names[0] != names[1]):
            return True
    return False


def _nearest(paths: Iterable[Path], place: Path) -> Path | None:
    """What all have in common; of a port's number only those that are called `port`, and so on."""
    found = list(paths)
    if not found:
        return None
    alike = max(_same_end(path, place) for path in found)
    return _shared([path for path in found if _same_end(path, place) == alike])


def _same_end(path: Path, place: Path) -> int:
    pairs = zip(reversed(path), reversed(place), strict=False)
    return next((count for count, (one, other) in enumerate(pairs) if one != other), len(path))


def _shared(paths: list[Path]) -> Path:
    """The path that all begin with; when there is none, the one that more than half begin with."""
    return _begun_by(paths, len(paths)) or _begun_by(paths, len(paths) // 2 + 1)


def _begun_by(paths: list[Path], least: int) -> Path:
    """The longest path that so many begin with."""
    begun: Path = ()
    while paths:
        steps = Counter(path[: len(begun) + 1] for path in paths if path[: len(begun)] == begun)
        longer, count = steps.most_common(1)[0]
        if count < least or longer == begun:
            break
        begun = longer
    return begun


def _found(facts: Facts, before: Mapping[str, Any], after: Mapping[str, Any]) -> Facts:
    """What discovery finds for another spec, as far as an endpoint follows its entry."""
    old, new = before.get("vllmEndpoints") or [], after.get("vllmEndpoints") or []
    if not new:
        return replace(facts, endpoints=[])
    if old == new or not len(old) == len(new) == len(facts.endpoints):
        return facts
    return replace(
        facts,
        endpoints=[
            _endpoint(endpoint, *entries)
            for endpoint, *entries in zip(facts.endpoints, old, new, strict=True)
        ],
    )


def _endpoint(endpoint: Endpoint, old: Mapping[str, Any], new: Mapping[str, Any]) -> Endpoint:
    copied = {name: new[name] for name in ("name", "model", "weight") if new[name] != old[name]}
    before, after = dict(old["backend"]), dict(new["backend"])
    was, wanted = before.pop("service", None) or {}, after.pop("service", None) or {}
    for name in ("port", "scheme"):
        if wanted.get(name) != was.get(name):
            copied[name] = wanted.get(name)
    names = [{key: there.get(key) for key in ("name", "namespace")} for there in (was, wanted)]
    if endpoint.host and (before != after or names[0] != names[1]):
        # Another Service, in another namespace.
        copied |= {"service": f"x{endpoint.service}", "namespace": f"x{endpoint.namespace}"}
    return replace(endpoint, **copied)
