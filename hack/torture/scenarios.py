"""What users do to a router while the operator is disturbed, and what is to come of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from torture.ground import HEALED, JSON_PATCH, MERGE, Manifest, RefusedError, in_time, until
from torture.objects import KINDS, in_effect, plain
from torture.proxied import ProxiedGround, differs, generation_told, wanted

NAME = "router"
OWNED = {
    **{
        kind: KINDS[kind]
        for kind in (
            *("ServiceAccount", "ConfigMap", "Service", "Deployment", "Ingress"),
            "PodDisruptionBudget",
        )
    },
    "HTTPRoute": "/apis/gateway.networking.k8s.io/v1/namespaces/{}/httproutes",
}
INSTANCE = "?labelSelector=app.kubernetes.io/instance%3D" + NAME
POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolic"
GATEWAYS = "/apis/gateway.networking.k8s.io/v1"
# Both are even: no Ingress, which a router behind a Gateway would not have.
BEFORE_GATEWAY, BEHIND_GATEWAY = 2, 4
Deed = Callable[[ProxiedGround, str], object]


def _nothing(*_: object) -> None:
    """Nothing is there before."""


@dataclass(frozen=True)
class Scenario:
    """What is there before, what is done while the operator is watched, and what is to be then.

    number: of `wanted`; None = nothing is left. meanwhile: done by somebody else once the deed is
    under way. mend: what has to end before all can be right. is_settled: there is a router to wait
    for before the deed.
    """

    name: str
    before: Deed
    deed: Deed
    number: int | None
    meanwhile: Deed = _nothing
    mend: Deed = _nothing
    is_settled: bool = True

    @property
    def is_refused_first(self) -> bool:
        return self.mend is not _nothing


def create(number: int) -> Deed:
    return lambda ground, namespace: ground.api(
        "POST", ground.router_path(namespace), wanted(NAME, number)
    )


def update(number: int) -> Deed:
    return lambda ground, namespace: _replace(ground, namespace, wanted(NAME, number)["spec"])


def delete(ground: ProxiedGround, namespace: str) -> None:
    with suppress(RefusedError):
        ground.api("DELETE", ground.router_path(namespace, NAME))


def again(number: int) -> Deed:
    """Deleted, and another one of the same name made at once."""

    def deed(ground: ProxiedGround, namespace: str) -> None:
        delete(ground, namespace)
        create(number)(ground, namespace)

    return deed


def _replace(ground: ProxiedGround, namespace: str, spec: Manifest) -> object:
    whole = [{"op": "replace", "path": "/spec", "value": spec}]
    return ground.api("PATCH", ground.router_path(namespace, NAME), whole, JSON_PATCH)


def _behind_a_gateway(namespace: str, number: int) -> Manifest:
    made = wanted(NAME, number)
    made["spec"]["gateway"] = {"existingRef": {"name": "public", "namespace": namespace}}
    return made


def _gateway(ground: ProxiedGround, namespace: str) -> None:
    listeners = [{"name": "http", "protocol": "HTTP", "port": 80}]
    spec = {"gatewayClassName": "other", "listeners": listeners}
    ground.api(
        "POST",
        f"{GATEWAYS}/namespaces/{namespace}/gateways",
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "Gateway",
            "metadata": {"name": "public"},
            "spec": spec,
        },
    )


def _standalone_beside_a_gateway(ground: ProxiedGround, namespace: str) -> None:
    _gateway(ground, namespace)
    create(BEFORE_GATEWAY)(ground, namespace)


def _attached(ground: ProxiedGround, namespace: str) -> None:
    _gateway(ground, namespace)
    ground.api("POST", ground.router_path(namespace), _behind_a_gateway(namespace, BEFORE_GATEWAY))


def _attach(ground: ProxiedGround, namespace: str) -> object:
    return _replace(ground, namespace, _behind_a_gateway(namespace, BEHIND_GATEWAY)["spec"])


def accept_routes(ground: ProxiedGround, namespace: str) -> None:
    """As a Gateway's controller does; no real one is here."""
    path = f"{GATEWAYS}/namespaces/{namespace}/httproutes"
    for route in ground.api("GET", path)["items"]:
        if (route.get("status") or {}).get("parents"):
            continue
        conditions = [
            {
                "type": name,
                "status": "True",
                "reason": name,
                "message": "fine",
                "observedGeneration": route["metadata"]["generation"],
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }
            for name in ("Accepted", "ResolvedRefs")
        ]
        parent = {
            "controllerName": "example.com/gateway-controller",
            "parentRef": route["spec"]["parentRefs"][0],
            "conditions": conditions,
        }
        named = f"{path}/{route['metadata']['name']}/status"
        with suppress(RefusedError):
            ground.api("PATCH", named, {"status": {"parents": [parent]}}, MERGE)


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

    until(is_refused, in_time())


def _allow(ground: ProxiedGround, namespace: str) -> None:
    for path in (f"{POLICIES}ybindings", f"{POLICIES}ies"):
        if ground.api.find(f"{path}/{namespace}"):
            ground.api("DELETE", f"{path}/{namespace}")


SCENARIOS = (
    Scenario("create", _nothing, create(1), 1, is_settled=False),
    Scenario("update", create(2), update(3), 3),
    Scenario("to a Gateway", _standalone_beside_a_gateway, _attach, BEHIND_GATEWAY),
    Scenario("from a Gateway", _attached, update(BEHIND_GATEWAY), BEHIND_GATEWAY),
    Scenario("adoption", _foreign, _adopt, 1, is_settled=False),
    Scenario("rollback", _refuse, create(1), 1, mend=_allow, is_settled=False),
    Scenario("delete", create(2), update(3), None, meanwhile=delete),
    Scenario("delete and create", create(2), again(3), 3),
)


def begin(ground: ProxiedGround, scenario: Scenario, namespace: str) -> None:
    """A namespace with what is there before."""
    ground.namespace(namespace)
    scenario.before(ground, namespace)


def settle(ground: ProxiedGround, scenario: Scenario, namespace: str) -> None:
    """Until that is ready."""
    if not scenario.is_settled:
        return

    def is_ready() -> bool:
        accept_routes(ground, namespace)
        return generation_told(ground, namespace, NAME)[0]

    if not until(is_ready, in_time(4 * HEALED)):
        told = generation_told(ground, namespace, NAME)[1]
        raise RuntimeError(f"{scenario.name}: nothing to begin with: {told}")


def is_told(ground: ProxiedGround, namespace: str) -> bool:
    """The status is of the router as it is now."""
    live = ground.api("GET", ground.router_path(namespace, NAME))
    seen = (live.get("status") or {}).get("observedGeneration")
    return bool(seen == live["metadata"]["generation"])


def is_right(ground: ProxiedGround, scenario: Scenario, namespace: str) -> bool:
    if scenario.number is None:
        return objects(ground, namespace) == "[]"
    accept_routes(ground, namespace)
    ready, _ = generation_told(ground, namespace, NAME)
    return ready and not differs(ground, namespace, NAME, scenario.number)


def seen(ground: ProxiedGround, scenario: Scenario, namespace: str) -> str:
    missing = differs(ground, namespace, NAME, scenario.number or 1)
    return f"{missing}; {generation_told(ground, namespace, NAME)[1]}"


def objects(ground: ProxiedGround, namespace: str) -> str:
    """All that belongs to the router, without what differs from namespace to namespace."""
    items = {
        f"{kind}/{item['metadata']['name']}": {**item, "kind": kind}
        for kind, path in OWNED.items()
        for item in ground.api("GET", path.format(namespace) + INSTANCE)["items"]
    }
    found = [
        {
            "kind": item["kind"],
            "name": item["metadata"]["name"],
            "labels": item["metadata"].get("labels"),
            "owners": len(item["metadata"].get("ownerReferences", [])),
            "managers": sorted({of["manager"] for of in item["metadata"]["managedFields"]}),
            "content": {key: item.get(key) for key in ("data", "spec")},
        }
        for item in in_effect(items).values()
    ]
    text = json.dumps(_without_volatile(found), sort_keys=True)
    return plain(text).replace(namespace, "NAMESPACE")


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
