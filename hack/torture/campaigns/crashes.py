"""The operator is killed before and after each of its writes, and started again.

What it makes of it then is compared with what an operator that nobody disturbed has made.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from torture.fault_proxy import Passing
from torture.ground import MERGE, START_DEADLINE, Operator, RefusedError, until
from torture.outcome import Outcome
from torture.proxied import (
    HEALED,
    ProxiedGround,
    differs,
    generation_told,
    proxied_ground,
    wanted,
)

NAME = "router"
REACHED = 25.0
# More than any scenario writes.
LAST_WRITE = 30
OWNED = (
    "/api/v1/namespaces/{}/serviceaccounts",
    "/api/v1/namespaces/{}/configmaps",
    "/api/v1/namespaces/{}/services",
    "/apis/apps/v1/namespaces/{}/deployments",
    "/apis/networking.k8s.io/v1/namespaces/{}/ingresses",
    "/apis/policy/v1/namespaces/{}/poddisruptionbudgets",
)
INSTANCE = "?labelSelector=app.kubernetes.io/instance%3D" + NAME
# Before which of its writes a leader stands still.
LEADERS = (1, 3)
LEADER = (
    "--leader-elect",
    "--leader-election-id=torture",
    "--leader-election-namespace=default",
    "--leader-elect-lease-duration=6s",
    "--leader-elect-renew-deadline=4s",
)
POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolic"


@dataclass(frozen=True)
class Scenario:
    """What is there before, what is done while the operator is watched, and what is to be then.

    number: of `wanted`; None = nothing is left. mend: what has to end before that.
    """

    name: str
    before: Callable[[ProxiedGround, str], object]
    deed: Callable[[ProxiedGround, str], object]
    number: int | None
    mend: Callable[[ProxiedGround, str], object] = lambda *_: None
    # Done by somebody else at the very write.
    meanwhile: Callable[[ProxiedGround, str], object] = lambda *_: None


def _create(number: int) -> Callable[[ProxiedGround, str], object]:
    return lambda ground, namespace: ground.api(
        "POST", ground.router_path(namespace), wanted(NAME, number)
    )


def _update(number: int) -> Callable[[ProxiedGround, str], object]:
    spec = wanted(NAME, number)["spec"]
    return lambda ground, namespace: ground.api(
        "PATCH", ground.router_path(namespace, NAME), {"spec": spec}, MERGE
    )


def _alone(ground: ProxiedGround, namespace: str) -> object:
    """Without Envoy's neighbours: other objects, and others go."""
    made = wanted(NAME, 2)
    made["spec"] |= {"serviceAccount": {"create": False}, "podDisruptionBudget": {"enabled": False}}
    return ground.api("POST", ground.router_path(namespace), made)


def _switch(ground: ProxiedGround, namespace: str) -> object:
    spec = {
        **wanted(NAME, 1)["spec"],
        "serviceAccount": {"create": True},
        "podDisruptionBudget": {"enabled": True},
    }
    return ground.api("PATCH", ground.router_path(namespace, NAME), {"spec": spec}, MERGE)


def _foreign(ground: ProxiedGround, namespace: str) -> None:
    """As upstream's operator in Go leaves it: owned, without a label, by the name `manager`."""
    made = wanted(NAME, 1)
    made["metadata"]["annotations"] = {"vllm.ai/paused": "true"}
    router = ground.api("POST", ground.router_path(namespace), made)
    owner = {
        "apiVersion": "vllm.ai/v1alpha1",
        "kind": "SemanticRouter",
        "name": NAME,
        "uid": router["metadata"]["uid"],
        "controller": True,
    }
    labels = {"app.kubernetes.io/name": "semantic-router", "app.kubernetes.io/instance": NAME}
    ports = [{"name": "grpc", "port": 50051}, {"name": "api", "port": 8080}]
    container = {"name": "semantic-router", "image": "example.com/theirs:1"}
    bodies: dict[str, dict[str, Any]] = {
        "/api/v1/namespaces/{}/configmaps": {"data": {"config.yaml": "version: v0.3\n"}},
        "/api/v1/namespaces/{}/serviceaccounts": {},
        "/api/v1/namespaces/{}/services": {"spec": {"selector": labels, "ports": ports}},
        "/apis/apps/v1/namespaces/{}/deployments": {
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
            }
        },
    }
    for path, body in bodies.items():
        name = f"{NAME}-config" if path.endswith("configmaps") else NAME
        metadata = {"name": name, "ownerReferences": [owner]}
        ground.api(
            "POST", path.format(namespace) + "?fieldManager=manager", {**body, "metadata": metadata}
        )


def _adopt(ground: ProxiedGround, namespace: str) -> object:
    metadata = {"annotations": {"vllm.ai/paused": None}}
    return ground.api("PATCH", ground.router_path(namespace, NAME), {"metadata": metadata}, MERGE)


def _refuse(ground: ProxiedGround, namespace: str) -> None:
    """A policy that says no to Deployments of this namespace: the last of the first objects."""
    rule = {
        "apiGroups": ["apps"],
        "apiVersions": ["*"],
        "operations": ["CREATE"],
        "resources": ["deployments"],
    }
    names = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    constraints = {"resourceRules": [rule], "namespaceSelector": names}
    validation = {"expression": "has(request.dryRun) && request.dryRun", "message": "not today"}
    spec = {"matchConstraints": constraints, "validations": [validation]}
    ground.api("POST", POLICIES + "ies", {"metadata": {"name": namespace}, "spec": spec})
    binding = {"policyName": namespace, "validationActions": ["Deny"]}
    path = POLICIES + "ybindings"
    ground.api("POST", path, {"metadata": {"name": namespace}, "spec": binding})
    probe = {
        "metadata": {"name": "probe"},
        "spec": {
            "selector": {"matchLabels": {"a": "b"}},
            "template": {
                "metadata": {"labels": {"a": "b"}},
                "spec": {"containers": [{"name": "a", "image": "a"}]},
            },
        },
    }

    def is_refused() -> bool:
        deployments = f"/apis/apps/v1/namespaces/{namespace}/deployments"
        try:
            ground.api("POST", deployments, probe)
        except RefusedError:
            return True
        ground.api("DELETE", f"{deployments}/probe")
        return False

    until(is_refused, HEALED)


def _allow(ground: ProxiedGround, namespace: str) -> None:
    ground.api("DELETE", f"{POLICIES}ybindings/{namespace}")
    ground.api("DELETE", f"{POLICIES}ies/{namespace}")


def _delete(ground: ProxiedGround, namespace: str) -> None:
    with suppress(RefusedError):
        ground.api("DELETE", ground.router_path(namespace, NAME))


def _nothing(*_: object) -> None:
    """Nothing is there before."""


SCENARIOS = (
    Scenario("create", _nothing, _create(1), 1),
    Scenario("update", _create(2), _update(3), 3),
    Scenario("switch", _alone, _switch, 1),
    Scenario("adoption", _foreign, _adopt, 1),
    Scenario("rollback", _refuse, _create(1), 1, mend=_allow),
    Scenario("delete", _create(2), _update(3), None, meanwhile=_delete),
)


class _Campaign:
    def __init__(self, ground: ProxiedGround) -> None:
        self.ground = ground
        self.outcome = Outcome()
        self.undisturbed: dict[str, str] = {}
        self.slowest = 0.0
        self.namespaces = 0

    def prepare(self, scenario: Scenario) -> str:
        self.namespaces += 1
        namespace = f"crash-{self.namespaces}"
        self.ground.namespace(namespace)
        scenario.before(self.ground, namespace)
        if scenario.before in (_nothing, _refuse, _foreign):
            return namespace
        if not until(lambda: generation_told(self.ground, namespace, NAME)[0], 2 * HEALED):
            told = generation_told(self.ground, namespace, NAME)[1]
            raise RuntimeError(f"{scenario.name}: nothing to begin with: {told}")
        return namespace

    def remember(self, scenario: Scenario) -> None:
        """What is to come out: that of an operator which is left alone."""
        namespace = self.prepare(scenario)
        scenario.deed(self.ground, namespace)
        scenario.meanwhile(self.ground, namespace)
        scenario.mend(self.ground, namespace)
        if not until(lambda: self.is_right(scenario, namespace), 2 * HEALED):
            raise RuntimeError(f"{scenario.name} by itself: {self.seen(scenario, namespace)}")
        self.undisturbed[scenario.name] = self.objects(namespace)
        self.tidy(namespace)

    def crash(self, scenario: Scenario, number: int, after: bool) -> bool:
        """False when there is no such write."""
        namespace = self.prepare(scenario)
        reached, killed = threading.Event(), threading.Event()
        writes = 0

        def at(passing: Passing) -> bool:
            nonlocal writes
            ours = passing.is_write and not passing.dry_run and passing.resource != "leases"
            writes += ours
            if not ours or writes != number or reached.is_set():
                return False
            reached.set()
            killed.wait(REACHED)
            return True

        proxy = self.ground.proxy
        setattr(proxy, "after" if after else "before", at)
        try:
            scenario.deed(self.ground, namespace)
            if not reached.wait(REACHED if number == 1 else REACHED / 3):
                scenario.mend(self.ground, namespace)
                self.tidy(namespace)
                return False
            scenario.meanwhile(self.ground, namespace)
            self.ground.operator.kill()
        finally:
            killed.set()
            proxy.before = proxy.after = lambda _: False
        scenario.mend(self.ground, namespace)
        self.ground.operator.start()
        started = time.monotonic()
        what = f"{scenario.name}, {'after' if after else 'before'} write {number}"
        if not until(lambda: self.is_right(scenario, namespace), HEALED):
            self.outcome.violated(
                "right within 30 s of the start", what, self.seen(scenario, namespace)
            )
        elif self.objects(namespace) != self.undisturbed[scenario.name]:
            seen = f"{self.objects(namespace)}\n instead of {self.undisturbed[scenario.name]}"
            self.outcome.violated("as without a crash", what, seen)
        seconds = time.monotonic() - started
        self.slowest = max(self.slowest, seconds)
        self.outcome.operations += 1
        print(f"crashes: {what}: right again after {seconds:.1f} s", file=sys.stderr)
        self.tidy(namespace)
        return True

    def change_leader(self, number: int) -> None:
        """The leader stands still before a write, another takes over, and then the write comes.

        It is of a generation that is over: the new leader has to undo it, and the old one to end.
        """
        ground = self.ground
        ground.operator.stop()
        first, second = (
            Operator(ground.operator.directory.parent / f"{name}-{number}", ground.environment)
            for name in ("first", "second")
        )
        reached, late, arrived = threading.Event(), threading.Event(), threading.Event()
        writes = 0
        held: list[Passing] = []

        def at(passing: Passing) -> bool:
            nonlocal writes
            ours = passing.is_write and not passing.dry_run and passing.resource != "leases"
            writes += ours
            if ours and writes == number and not reached.is_set():
                held.append(passing)
                reached.set()
                late.wait(START_DEADLINE + 4 * HEALED)
            return False

        def done(passing: Passing) -> bool:
            if any(passing is item for item in held):
                arrived.set()
            return False

        update, over = SCENARIOS[1], replace(SCENARIOS[1], name="leader", number=5)
        what = f"change of the leader before write {number}"
        try:
            first.start(*LEADER)
            namespace = self.prepare(update)
            ground.proxy.before, ground.proxy.after = at, done
            update.deed(ground, namespace)
            if not reached.wait(REACHED):
                return
            first.pause()
            second.start(*LEADER)
            _update(5)(ground, namespace)
            if not until(lambda: self.is_right(over, namespace), HEALED):
                self.outcome.violated("right with another leader", what, self.seen(over, namespace))
            late.set()
            arrived.wait(HEALED)
            first.resume()
            started = time.monotonic()
            if not until(lambda: first.ended and self.is_right(over, namespace), HEALED):
                seen = f"ended: {first.ended}; {self.seen(over, namespace)}"
                self.outcome.violated("a late write is undone", what, seen)
            self.slowest = max(self.slowest, time.monotonic() - started)
            self.outcome.operations += 1
            self.tidy(namespace)
        finally:
            late.set()
            ground.proxy.before = ground.proxy.after = lambda _: False
            if not first.ended:
                first.kill()
            second.stop()
            ground.operator.start()

    def is_right(self, scenario: Scenario, namespace: str) -> bool:
        if scenario.number is None:
            return self.objects(namespace) == "[]"
        ready, _ = generation_told(self.ground, namespace, NAME)
        return ready and not differs(self.ground, namespace, NAME, scenario.number)

    def seen(self, scenario: Scenario, namespace: str) -> str:
        missing = differs(self.ground, namespace, NAME, scenario.number or 1)
        return f"{missing}; {generation_told(self.ground, namespace, NAME)[1]}"

    def objects(self, namespace: str) -> str:
        """All that belongs to the router, without what differs from namespace to namespace."""
        found = [
            {
                "path": path,
                "name": item["metadata"]["name"],
                "labels": item["metadata"].get("labels"),
                "owners": len(item["metadata"].get("ownerReferences", [])),
                "managers": sorted({of["manager"] for of in item["metadata"]["managedFields"]}),
                "content": {key: item.get(key) for key in ("data", "spec")},
            }
            for path in OWNED
            for item in self.ground.api("GET", path.format(namespace) + INSTANCE)["items"]
        ]
        return json.dumps(_without_volatile(found), sort_keys=True).replace(namespace, "NAMESPACE")

    def tidy(self, namespace: str) -> None:
        _delete(self.ground, namespace)


def _without_volatile(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _without_volatile(item)
            for key, item in value.items()
            if key not in ("clusterIP", "clusterIPs", "nodePort") and "hash" not in key
        }
    if isinstance(value, list):
        return [_without_volatile(item) for item in value]
    return value


def run(seed: int, count: int, deadline: float) -> Outcome:
    """Scenario by scenario, write by write; another seed begins with another scenario."""
    first = seed % len(SCENARIOS)
    left = [*SCENARIOS[first:], *SCENARIOS[:first]]
    with proxied_ground() as ground:
        campaign = _Campaign(ground)
        ground.operator.start()
        points = [(number, after) for number in range(1, LAST_WRITE) for after in (False, True)]
        over: set[str] = set()
        for number, after in points:
            for scenario in left:
                enough = campaign.outcome.operations >= count or time.monotonic() > deadline
                if scenario.name in over or enough:
                    continue
                if scenario.name not in campaign.undisturbed:
                    campaign.remember(scenario)
                if not campaign.crash(scenario, number, after):
                    over.add(scenario.name)
        for number in LEADERS:
            if campaign.outcome.operations < count and time.monotonic() < deadline:
                campaign.change_leader(number)
        ground.operator.stop()
        outcome = campaign.outcome
        if ground.operator.tracebacks:
            outcome.violated("no traceback", "a crash", ground.operator.text[-2000:])
        outcome.numbers = {
            "scenarios": len(campaign.undisturbed),
            "seconds to be right at most": round(campaign.slowest, 1),
        }
        return outcome
