"""Single damaged fields of what the operator owns: repaired or reported, and never taken for true.

One flip for each of many routers at a time: a field of one of its objects, or of its status, gets
another value, goes, or comes; an object is deleted; nobody owns anything any more.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import (
    Path,
    leaves,
    look_up,
)
from control_plane import ControlPlane

from torture import objects
from torture.ground import (
    JSON_PATCH,
    Ground,
    Manifest,
    RefusedError,
    ground,
    in_time,
    router,
    until,
)
from torture.outcome import Outcome

NAMESPACE = "flips"
ROUTERS = 12
PATIENCE = 120.0
SPECS: tuple[Manifest, ...] = (
    {},
    {"replicas": 2, "networkPolicy": {"enabled": True}},
    {"autoscaling": {"enabled": True, "maxReplicas": 3}, "persistence": {"enabled": True}},
    {"ingress": {"enabled": True, "hosts": [{"host": "a.example.com"}]}},
)
# What others have a say in (docs/adr/0005-apply.md) is no damage.
OTHERS = {
    "Deployment": ("spec", "template", "spec"),
    "Service": ("spec",),
    "NetworkPolicy": ("spec",),
    "Ingress": ("spec",),
    "PodDisruptionBudget": ("spec",),
}
# A claim that nobody controls is used as it is (docs/adr/0006-models-are-kept.md).
_UNCONTROLLED = ("PersistentVolumeClaim", ("metadata", "ownerReferences", 0, "controller"))
_BY_THE_SERVER = frozenset({"clusterIP", "clusterIPs", "ipFamilies"})
ADDITIONS: tuple[tuple[str, Path, Any], ...] = (
    ("Deployment", ("spec", "template", "spec", "hostNetwork"), True),
    ("Deployment", ("spec", "template", "spec", "hostPID"), True),
    ("Deployment", ("spec", "template", "spec", "shareProcessNamespace"), True),
    (
        "Deployment",
        ("spec", "template", "spec", "containers", "-"),
        {"name": "guest", "image": "example.invalid/guest"},
    ),
    (
        "Deployment",
        ("spec", "template", "spec", "volumes", "-"),
        {"name": "node", "hostPath": {"path": "/"}},
    ),
    (
        "Deployment",
        ("spec", "template", "spec", "containers", 0, "ports", "-"),
        {"name": "guest", "containerPort": 7777},
    ),
    ("Service", ("spec", "externalIPs"), ["192.0.2.44"]),
    ("Service", ("spec", "ports", "-"), {"name": "guest", "port": 7777}),
    ("Service", ("spec", "publishNotReadyAddresses"), True),
)


@dataclass(frozen=True)
class Flip:
    """JSON patch of one object; an empty one deletes it."""

    path: str
    what: str
    patch: list[dict[str, Any]]


def run(plane: ControlPlane, seed: int, count: int, deadline: float) -> Outcome:
    outcome = Outcome()
    chance = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
    with ground(plane) as where:
        where.namespace(NAMESPACE)
        # A small count has one of each spec.
        names = [f"flip-{number}" for number in range(max(len(SPECS), min(ROUTERS, count)))]
        for number, name in enumerate(names):
            spec = SPECS[number % len(SPECS)]
            where.api("POST", where.router_path(NAMESPACE), router(name, spec))
        if not until(lambda: _all_ready(where), PATIENCE):
            raise RuntimeError("the routers do not get ready before anything is damaged")
        good = _state(where)
        slowest = 0.0
        reported = refused = 0
        while outcome.operations < count and time.monotonic() < deadline:
            flips: dict[str, Flip] = {}
            for name in names:
                flip = _flip(chance, name, where)
                try:
                    _do(where, flip)
                except RefusedError:
                    refused += 1
                else:
                    flips[name] = flip
            started = time.monotonic()
            open_ones = dict(flips)
            while open_ones and time.monotonic() - started < in_time():
                now = _state(where)
                for name in [name for name in open_ones if now.get(name) == good[name]]:
                    del open_ones[name]
                    slowest = max(slowest, time.monotonic() - started)
                time.sleep(0.5)
            outcome.operations += len(flips)
            for name, flip in open_ones.items():
                told = _trouble(where, name)
                if told:
                    reported += 1
                else:
                    now = _state(where)
                    seen = "; ".join(objects.differences(good[name], now.get(name)))
                    outcome.violated("repaired or reported within 30 s", flip.what, seen[:600])
            if open_ones:
                _made_anew(where, open_ones, names)
                good = _state(where)
        outcome.numbers = {
            "refused by the API server": refused,
            "reported instead of repaired": reported,
            "slowest repair (s)": round(slowest, 1),
        }
        where.judge(outcome, "all of it")
    return outcome


def _all_ready(where: Ground) -> bool:
    found = where.api("GET", where.router_path(NAMESPACE))["items"]
    return bool(found) and all(_condition(item, "Ready") == "True" for item in found)


def _condition(item: Manifest, name: str) -> str:
    conditions = (item.get("status") or {}).get("conditions") or []
    return next((str(each["status"]) for each in conditions if each["type"] == name), "")


def _trouble(where: Ground, name: str) -> bool:
    return _condition(where.api("GET", where.router_path(NAMESPACE, name)), "Degraded") == "True"


def _state(where: Ground) -> dict[str, Any]:
    """All that a flip may have damaged, router by router."""
    found = objects.owned(where, NAMESPACE)
    state: dict[str, Any] = {}
    for item in where.api("GET", where.router_path(NAMESPACE))["items"]:
        name = item["metadata"]["name"]
        status = dict(item.get("status") or {})
        # Its value is of live objects, versions and all: any that is right ends in a quiet router.
        has_fingerprint = len(status.pop("fingerprint", "")) == 32
        status["conditions"] = {
            each["type"]: [each["status"], each["reason"], each["message"]]
            for each in status.get("conditions") or []
        }
        state[name] = {
            "objects": objects.compared(found.get(name, {})),
            "status": {**status, "has a fingerprint": has_fingerprint},
        }
    return state


def _flip(chance: random.Random, name: str, where: Ground) -> Flip:
    mine = objects.owned(where, NAMESPACE).get(name, {})
    kind = chance.choice(("field", "field", "field", "addition", "status", "deletion", "owners"))
    if kind == "status":
        path = where.router_path(NAMESPACE, name)
        status = where.api("GET", path)["status"]
        places: list[Path] = [("status", *place) for place, _ in leaves(status)]
        place = chance.choice(places)
        change = _changed(chance, {"status": status}, place)
        return Flip(f"{path}/status", f"{name}: {change}", [change])
    if kind == "addition":
        wanted, place, value = chance.choice(ADDITIONS)
        key = next(key for key in sorted(mine) if key.startswith(f"{wanted}/"))
        change = {"op": "add", "path": objects.pointer(place), "value": value}
        return Flip(objects.path_of(NAMESPACE, key), f"{key}: {change}", [change])
    key = chance.choice(sorted(mine))
    path = objects.path_of(NAMESPACE, key)
    if kind == "deletion" and not key.startswith("PersistentVolumeClaim/"):
        return Flip(path, f"{key}: deleted", [])
    if kind == "owners":
        change = {"op": "replace", "path": "/metadata/managedFields", "value": [{}]}
        return Flip(path, f"{key}: {change}", [change])
    place = chance.choice(sorted(set(_owned_places(mine[key])), key=str))
    change = _changed(chance, mine[key], place)
    return Flip(path, f"{key}: {change}", [change])


def _owned_places(item: Manifest) -> Iterator[Path]:
    """What we have applied, and what others must not touch either."""
    for entry in item["metadata"].get("managedFields") or []:
        if (entry.get("manager"), entry.get("operation")) == (objects.FIELD_MANAGER, "Apply"):
            for place in _applied(entry["fieldsV1"], item):
                if (item["kind"], place) != _UNCONTROLLED:
                    yield place
    way = OTHERS.get(item["kind"])
    if way:
        part = look_up(item, way)
        for place, _ in leaves(part, way):
            if not _BY_THE_SERVER & set(place):
                yield place


def _applied(fields: dict[str, Any], value: Any, place: Path = ()) -> Iterator[Path]:
    if not fields:
        yield from (found for found, _ in leaves(value, place))
        return
    for key, below in fields.items():
        form, _, name = key.partition(":")
        if form == "f" and isinstance(value, dict) and name in value:
            yield from _applied(below, value[name], (*place, name))
        elif form == "k" and isinstance(value, list):
            wanted = json.loads(name)
            for index, item in enumerate(value):
                if all(item.get(step) == given for step, given in wanted.items()):
                    yield from _applied(below, item, (*place, index))


def _changed(chance: random.Random, item: Manifest, place: Path) -> dict[str, Any]:
    """Another value of the same type, or none."""
    old = look_up(item, place)
    if chance.random() < 0.3 or isinstance(old, dict | list) or old is None:
        return {"op": "remove", "path": objects.pointer(place)}
    new: Any = (
        (not old) if isinstance(old, bool) else old + 1 if isinstance(old, int) else f"{old}x"
    )
    return {"op": "replace", "path": objects.pointer(place), "value": new}


def _do(where: Ground, flip: Flip) -> None:
    if flip.patch:
        where.api("PATCH", flip.path, flip.patch, JSON_PATCH)
    else:
        where.api("DELETE", flip.path)


def _made_anew(where: Ground, damaged: dict[str, Flip], names: list[str]) -> None:
    """So that one damage is counted once."""
    for name in damaged:
        path = where.router_path(NAMESPACE, name)
        claim = objects.path_of(NAMESPACE, f"PersistentVolumeClaim/{name}-models")
        # If its owner was damaged, it stays when its router goes, and is in the way of the next.
        if where.api.find(claim):
            where.api("DELETE", claim)
        where.api("DELETE", path)

        def is_gone(name: str = name, path: str = path) -> bool:
            return not where.api.find(path) and not objects.owned(where, NAMESPACE).get(name)

        until(is_gone, PATIENCE)
        spec = SPECS[names.index(name) % len(SPECS)]
        where.api("POST", where.router_path(NAMESPACE), router(name, spec))
    if not until(lambda: _all_ready(where), PATIENCE):
        raise RuntimeError("the routers that were made anew do not get ready")
