"""Every leaf of the CRD with good and edge values, as a user edits a router.

Of a batch of routers each gets one other field: S0 -> S1. What it has then must be what a new
router with S1 has; back at S0 it must be what it was. A refused S1 must have changed nothing, or
all but the accessory that is refused.
"""

from __future__ import annotations

import copy
import math
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.resources import (
    RESOURCES,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import (
    Path,
    leaves,
    replaced,
)
from control_plane import ControlPlane

from torture import objects
from torture.ground import (
    CHECKOUT,
    JSON_PATCH,
    Ground,
    Manifest,
    RefusedError,
    ground,
    router,
    until,
)
from torture.outcome import Outcome

NAMESPACE = "operations"
BATCH = 32
# For the status of all of a batch, made and edited at once: also on a machine that does much else.
PATIENCE = 240.0
# For one run of the operator, in which there may be all of a batch.
RUN = 30.0
CRD = CHECKOUT / "config" / "crd" / "bases" / "vllm.ai_semanticrouters.yaml"
SAMPLE = CHECKOUT / "config" / "samples" / "vllm.ai_v1alpha1_semanticrouter_every_field.yaml"
# Both make objects of their own in a cluster that has what they lead to.
NOT_WITHOUT_MORE = frozenset({"openshift", "gateway", "extProc"})
# The two routers of an operation cannot both have one of this name.
OF_ONE_ROUTER = {"serviceAccount": "name"}
ACCESSORIES = tuple(f"{one.kind}/" for one in RESOURCES if one.accessory)
STRINGS = ("", "a", "0", "a" * 63, "b" * 254, "Ä/ö", "{{ 7 * 7 }}", "null", "1Gi", "10s", "-1")
INTEGERS = (-1, 0, 1, 2, 80, 65535, 65536, 2**31 - 1, 2**31)


@dataclass(frozen=True)
class Operation:
    """spec: S1, whole."""

    what: str
    spec: Manifest


def run(plane: ControlPlane, seed: int, count: int, deadline: float) -> Outcome:
    outcome = Outcome()
    chance = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
    wanted = list(operations())
    chance.shuffle(wanted)
    refused = blocked = touched = 0
    with ground(plane) as where:
        where.namespace(NAMESPACE)
        batch = 0
        while wanted and outcome.operations < count and time.monotonic() < deadline:
            # Each value is three: there, anew, and back.
            size = min(BATCH, math.ceil((count - outcome.operations) / 3))
            taken, wanted = wanted[:size], wanted[size:]
            batch += 1
            found = _batch(where, batch, taken, outcome)
            touched += len(taken)
            refused += found[0]
            blocked += found[1]
            print(f"operations: {touched} values, {len(wanted)} left", file=sys.stderr)
        outcome.numbers = {
            "leaves and values tried": touched,
            "refused by the API server": refused,
            "refused by the operator": blocked,
            "left untried": len(wanted),
            "slowest run (s)": max(where.operator.runs_took(), default=0),
        }
        if outcome.numbers["slowest run (s)"] > RUN:
            seen = outcome.numbers["slowest run (s)"]
            outcome.violated(f"no run takes {RUN:.0f} s", "all of it", seen)
        where.judge(outcome, "all of it")
    return outcome


def operations() -> Iterator[Operation]:
    """One for each leaf and value, from what the CRD's schema and the sample of every field say."""
    (version,) = yaml.safe_load(CRD.read_text())["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    least = router("any")["spec"]
    seen = set()
    for sample in yaml.safe_load_all(SAMPLE.read_text()):
        for name, section in sample["spec"].items():
            if name in NOT_WITHOUT_MORE or sample["kind"] != "SemanticRouter":
                continue
            if name in OF_ONE_ROUTER:
                del section[OF_ONE_ROUTER[name]]
            for place, given in leaves(section):
                node = _node(schema["properties"][name], place)
                for value in _values(node, given):
                    what = f"spec.{name}{''.join(f'[{s}]' for s in place)} = {str(value)[:70]!r}"
                    if what not in seen:
                        seen.add(what)
                        yield Operation(what, {**least, name: replaced(section, place, value)})


def _values(node: dict[str, Any], given: Any) -> Iterator[Any]:
    yield given
    kind = node.get("type")
    if "enum" in node:
        yield from (value for value in node["enum"] if value != given)
    elif kind == "boolean":
        yield not given
    elif kind == "integer":
        edges = [node[name] for name in ("minimum", "maximum") if name in node]
        around = [edge + step for edge in edges for step in (-1, 0, 1)]
        yield from (value for value in dict.fromkeys((*around, *INTEGERS)) if value != given)
    elif kind == "string" or isinstance(given, str):
        yield from (value for value in STRINGS if value != given)
        yield f"{given}-2"


def _node(node: dict[str, Any], place: Path) -> dict[str, Any]:
    """What the schema says of a place; nothing below what it leaves open."""
    for step in place:
        inside = node.get("items") if isinstance(step, int) else None
        inside = inside or (node.get("properties") or {}).get(step)
        more = node.get("additionalProperties")
        node = inside or (more if isinstance(more, dict) else {})
    return node


def _batch(where: Ground, number: int, taken: list[Operation], outcome: Outcome) -> tuple[int, int]:
    """How many the API server, and how many the operator refused."""
    # Both have names of one length, and neither is part of any other text.
    edited = [f"qzx{number:04d}{index:02d}a" for index in range(len(taken))]
    fresh = [f"qzx{number:04d}{index:02d}b" for index in range(len(taken))]
    path = where.router_path(NAMESPACE)
    for name in edited:
        where.api("POST", path, router(name))
    _settled(where, edited, outcome, "a new router")
    before = _state(where)
    refused, running = 0, []
    for name, other, operation in zip(edited, fresh, taken, strict=True):
        try:
            where.api("PATCH", f"{path}/{name}", _whole(operation.spec), JSON_PATCH)
        except RefusedError as error:
            refused += 1
            if error.status >= 500:
                outcome.violated("the API server takes it or says no", operation.what, error)
            continue
        try:
            where.api("POST", path, {**router(other), "spec": operation.spec})
        except RefusedError as error:
            outcome.violated("what is edited can be created", operation.what, error)
            continue
        running.append((name, other, operation))
    outcome.operations += 2 * len(running)
    names = [name for name, _, _ in running]
    _settled(where, names + [other for _, other, _ in running], outcome, "S1")
    after, blocked = _state(where), 0
    for name, other, operation in running:
        blocked += _judged(before, after, (name, other), operation, outcome)
    for name, _, _ in running:
        where.api("PATCH", f"{path}/{name}", _whole(router(name)["spec"]), JSON_PATCH)
    outcome.operations += len(running)
    _settled(where, names, outcome, "S0 again")
    again = _state(where)
    for name, _, operation in running:
        seen = _lasting(again[name], operation)
        for difference in objects.differences(_lasting(before[name], operation), seen):
            outcome.violated("S1 -> S0 is S0", operation.what, difference)
            break
        if not again[name]["applied"]:
            outcome.violated("S0 is in effect again", operation.what, again[name]["said"])
    for name in [*edited, *fresh]:
        if where.api.find(f"{path}/{name}"):
            where.api("DELETE", f"{path}/{name}")
    return refused, blocked


def _judged(
    before: dict[str, Any],
    after: dict[str, Any],
    names: tuple[str, str],
    operation: Operation,
    outcome: Outcome,
) -> bool:
    """Whether the operator has refused it; violations of what the two have and say."""
    edited, fresh = (after[name] for name in names)
    if not edited["applied"]:
        changes = list(objects.differences(before[names[0]]["objects"], edited["objects"]))
        mine, anew = (_necessary(item, operation) for item in (edited, fresh))
        if changes and list(objects.differences(mine, anew)):
            outcome.violated("a refused spec changes nothing", operation.what, changes[0])
        if edited["ready"] == "True" or not edited["said"]:
            outcome.violated("a refusal is told", operation.what, edited["said"])
        if fresh["applied"]:
            outcome.violated("what is refused is refused anew", operation.what, edited["said"])
        return True
    if not fresh["applied"]:
        outcome.violated("what is taken is taken anew", operation.what, fresh["said"])
        return False
    left, right = (_lasting(item, operation) for item in (edited, fresh))
    for difference in objects.differences(left, right):
        outcome.violated("S0 -> S1 is S1", operation.what, difference)
        break
    if edited["valid"] != fresh["valid"]:
        seen = f"{edited['valid']} / {fresh['valid']}"
        outcome.violated("the same spec is judged alike", operation.what, seen)
    return False


def _whole(spec: Manifest) -> list[Manifest]:
    """A merge would keep what was said before of the same section."""
    return [{"op": "replace", "path": "/spec", "value": spec}]


def _necessary(state: dict[str, Any], operation: Operation) -> dict[str, Any]:
    found = _lasting(state, operation)
    return {key: value for key, value in found.items() if not key.startswith(ACCESSORIES)}


def _lasting(state: dict[str, Any], operation: Operation) -> dict[str, Any]:
    """Without what an earlier spec may leave: a claim with its models, an autoscaler's pods."""
    found = {
        key: copy.deepcopy(value)
        for key, value in state["objects"].items()
        if "PersistentVolumeClaim/" not in key
    }
    if operation.what.startswith("spec.autoscaling"):
        found.get("Deployment/ROUTER", {}).get("spec", {}).pop("replicas", None)
        # Where there are several pods, there is one.
        found.pop("PodDisruptionBudget/ROUTER", None)
    return found


def _settled(where: Ground, names: list[str], outcome: Outcome, what: str) -> None:
    """The operator has said something of what they are now."""

    def behind() -> list[str]:
        items = where.api("GET", where.router_path(NAMESPACE))["items"]
        return [
            item["metadata"]["name"]
            for item in items
            if item["metadata"]["name"] in names
            and (item.get("status") or {}).get("observedGeneration")
            != item["metadata"]["generation"]
        ]

    if not until(lambda: not behind(), PATIENCE):
        seen = behind()
        outcome.violated(f"a status within {PATIENCE:.0f} s", what, ", ".join(seen))


def _state(where: Ground) -> dict[str, Any]:
    found = objects.owned(where, NAMESPACE)
    state = {}
    for item in where.api("GET", where.router_path(NAMESPACE))["items"]:
        name, status = item["metadata"]["name"], item.get("status") or {}
        conditions = {each["type"]: each for each in status.get("conditions") or []}
        valid = conditions.get("ConfigValid") or {}
        ready = conditions.get("Ready") or {}
        state[name] = {
            "objects": objects.compared(found.get(name, {}), name),
            "applied": status.get("appliedGeneration") == item["metadata"]["generation"],
            "ready": ready.get("status", ""),
            "said": ready.get("message", ""),
            "valid": (valid.get("status"), valid.get("reason")),
        }
    return state
