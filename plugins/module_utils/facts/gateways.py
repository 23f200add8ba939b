# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From what the cluster said about spec.gateway.existingRef to plain facts, and to problems.

Pure. The reads are in ``cluster/gateways.py``; what the Gateway's controller makes of the
HTTPRoute is ``status/live_http_route.py``. Pods and models need no Gateway, and the HTTPRoute may
wait for it: so nothing of this blocks, but for what spec.auth asks of a Gateway that cannot do it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import (
    apis,
    auth,
    traffic_policy,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.apis import Api
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.gateway_mode import (
    is_gateway_mode,
    wants_ext_proc,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.labels import selects
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    LABEL_NAMESPACE,
    Manifest,
    door_name,
    health_route_name,
    models_route_name,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.models import (
    default_model,
    names_by_model,
    served_by,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.traffic_policy import (
    TrafficPolicy,
)

# What one HTTPRoute, and one rule of it, may have in the oldest Gateway API that has v1.
RULES_LIMIT = 16
MATCHES_LIMIT = 8
# As many as a policy of the Gateway's controller can name.
MODEL_ROUTES_LIMIT = 16

CONTROLLER_ENVOY_GATEWAY = "gateway.envoyproxy.io/gatewayclass-controller"
CONTROLLER_ISTIO = "istio.io/gateway-controller"
CONTROLLER_KGATEWAY = "kgateway.dev/kgateway"
CONTROLLER_AGENTGATEWAY = "agentgateway.dev/agentgateway"
# Controller -> the API of what attaches ext_proc to it.
ATTACHMENTS = {
    CONTROLLER_ENVOY_GATEWAY: apis.ENVOY_GATEWAY,
    CONTROLLER_ISTIO: apis.ISTIO,
    CONTROLLER_KGATEWAY: apis.KGATEWAY,
    CONTROLLER_AGENTGATEWAY: apis.AGENTGATEWAY,
}
# Told for a whole Gateway, and only from its own namespace. The others are told for HTTPRoutes.
# Controller -> its name and what it takes.
_OF_WHOLE_GATEWAYS = {
    CONTROLLER_ISTIO: "Istio takes {taken}",
    CONTROLLER_AGENTGATEWAY: "agentgateway takes a policy that comes before routes",
}

# Proxies carry it, with the name of their Gateway; not those of Envoy Gateway.
LABEL_GATEWAY_NAME = f"{apis.GATEWAY.group}/gateway-name"

# Controller -> the kind of policy for spec.auth and spec.cors ("" = it is told nothing of them),
# and the kinds that have the router asked. Istio writes no verdict. How backends are asked is
# gateway_backends.py's.
_VERDICTS = {
    CONTROLLER_ENVOY_GATEWAY: ("SecurityPolicy", ("EnvoyExtensionPolicy",)),
    CONTROLLER_KGATEWAY: ("TrafficPolicy", ("TrafficPolicy",)),
    CONTROLLER_AGENTGATEWAY: ("", ("AgentgatewayPolicy",)),
}


class Policy(NamedTuple):
    """An object into which a Gateway's controller writes its verdict."""

    api: Api
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


# Where Envoy Gateway looks for public keys in a ConfigMap.
KEY_SET_KEY = "jwks"

# The problems here: while one stands, not everything that was asked for is reachable.
REASONS = (
    "GatewayApiNotInstalled",
    "GatewayUnreadable",
    "GatewayNotFound",
    "GatewayRefusesRoutes",
    "GatewayControllerUnknown",
    "ExtProcNotAttached",
    "AuthNotAttached",
    "BackendPolicyNotAttached",
    "ReferenceGrantMissing",
)

_REF = "spec.gateway.existingRef"
_EXT_PROC = "spec.gateway.extProc"
_HTTP_PROTOCOLS = ("HTTP", "HTTPS")


@dataclass(frozen=True)
class _Attachment:
    """What a Gateway's controller is told by objects of an API of its own.

    apis: controller -> that API. The rest are words of its problems.
    """

    apis: Mapping[str, Api]
    reason: str
    what: str
    told: str
    taken: str
    without: str
    with_others: str


_ASKING = _Attachment(
    apis=ATTACHMENTS,
    reason="ExtProcNotAttached",
    what="ext_proc",
    told="to ask the router",
    taken="an EnvoyFilter",
    without="set the field to false",
    with_others="Set the field to false and attach the router's gRPC port",
)
# In front of the HTTPRoutes, for spec.auth and spec.cors.
_DOOR = _Attachment(
    # agentgateway authenticates after its routes are chosen unless the whole Gateway is told.
    apis={
        CONTROLLER_ENVOY_GATEWAY: apis.ENVOY_GATEWAY,
        CONTROLLER_ISTIO: apis.ISTIO_SECURITY,
        CONTROLLER_KGATEWAY: apis.KGATEWAY,
    },
    reason="AuthNotAttached",
    what="it",
    told="of it",
    taken="policies",
    without="run standalone",
    with_others="Remove the field and give the Gateway a policy",
)


@dataclass(frozen=True)
class GatewayReading:
    """What was read for spec.gateway.

    gateway, gateway_class: None when there is none. denied: why the API server refused a read.
    namesakes: namespaces with a Gateway of that name, read when there is none in the right one.
    namespace_labels: labels of the router's namespace, read only when a listener selects by them.
    grants: namespace of a backend -> its ReferenceGrants, only for other namespaces.
    verifies: the API server serves BackendTLSPolicies; None when nobody had to know.
    """

    gateway: Manifest | None = None
    gateway_class: Manifest | None = None
    denied: str = ""
    class_denied: str = ""
    namesakes: list[str] = field(default_factory=list)
    namespace_labels: Mapping[str, str] = field(default_factory=dict)
    grants: Mapping[str, list[Manifest]] = field(default_factory=dict)
    verifies: bool | None = None


def facts_of(router: Router, reading: GatewayReading | None) -> dict[str, Any]:
    """Facts.gateway; {} in standalone mode."""
    if reading is None:
        return {}
    spec = (reading.gateway or {}).get("spec") or {}
    class_spec = (reading.gateway_class or {}).get("spec") or {}
    return {
        "found": reading.gateway is not None,
        "denied": reading.denied,
        "namesakes": list(reading.namesakes),
        "className": str(spec.get("gatewayClassName") or ""),
        "classDenied": reading.class_denied,
        "controller": str(class_spec.get("controllerName") or ""),
        "listeners": [
            _listener(router.namespace, item, spec_namespace(router), reading.namespace_labels)
            for item in spec.get("listeners") or []
        ],
        "granted": {
            namespace: _granted(router.namespace, grants)
            for namespace, grants in reading.grants.items()
        },
        **({} if reading.verifies is None else {"verifies": reading.verifies}),
    }


def spec_namespace(router: Router) -> str:
    """The Gateway's namespace."""
    return str(router.spec["gateway"]["existingRef"]["namespace"])


def described(router: Router) -> str:
    """The Gateway, as messages call it."""
    return f"Gateway {spec_namespace(router)}/{router.spec['gateway']['existingRef']['name']}"


def selects_namespaces(gateway: Manifest) -> bool:
    """A listener lets routes in by their namespace's labels."""
    listeners = (gateway.get("spec") or {}).get("listeners") or []
    return any(_allowed(item, "namespaces").get("from") == "Selector" for item in listeners)


def is_attachable(router: Router, facts: Facts) -> bool:
    """ext_proc can be put in front of the models' HTTPRoute."""
    return (
        wants_ext_proc(router.spec)
        and _is_known(facts)
        and not list(_ext_proc_problems(router, facts))
    )


def _is_known(facts: Facts) -> bool:
    return facts.serves(apis.GATEWAY) and bool(facts.gateway.get("found"))


def route_names(router: Router, facts: Facts) -> list[str]:
    """Names of the HTTPRoutes that there should be."""
    if not (is_gateway_mode(router.spec) and facts.serves(apis.GATEWAY)):
        return []
    if auth.is_guarded(router.spec) and not has_door(router, facts):
        return []
    return [*guarded_route_names(router, facts), *health_route_names(router)]


def guarded_route_names(router: Router, facts: Facts) -> list[str]:
    """Those that spec.auth and spec.cors are about."""
    return [router.name, *model_route_names(router, facts)]


def model_route_names(router: Router, facts: Facts) -> list[str]:
    """Those of the models, which come with what makes the Gateway ask the router."""
    if not is_attachable(router, facts):
        return []
    return [name for group in model_groups(router.name, router.spec) for name in group.routes]


class ModelGroup(NamedTuple):
    """Models that are asked alike, and the HTTPRoutes that they have for themselves.

    A policy is about whole HTTPRoutes. models: "" is for what no model is chosen for.
    """

    policy: TrafficPolicy
    models: list[str]
    routes: list[str]


def model_groups(name: str, spec: Mapping[str, Any]) -> list[ModelGroup]:
    """Those without a trafficPolicy first. name: the router's."""
    policies, names = traffic_policy.by_model(spec), names_by_model(spec)
    default = served_by(spec).get(default_model(spec), "")
    alike: dict[str, list[str]] = {"{}": []}
    for model in (*names, ""):
        policy = policies.get(model or default, {})
        alike.setdefault(json.dumps(policy, sort_keys=True), []).append(model)
    groups: list[ModelGroup] = []
    for policy_text, models in alike.items():
        count = sum(-(-len(names.get(model, [""])) // MATCHES_LIMIT) for model in models)
        first = 1 + sum(len(group.routes) for group in groups)
        numbers = range(first, first + -(-count // RULES_LIMIT))
        routes = [models_route_name(name, number) for number in numbers]
        groups += [ModelGroup(json.loads(policy_text), models, routes)] if routes else []
    return groups


def model_routes_count(spec: Mapping[str, Any]) -> int:
    """How many HTTPRoutes the models take. A Gateway merges them."""
    return sum(len(group.routes) for group in model_groups("", spec))


def health_route_names(router: Router) -> list[str]:
    """That of health alone, where not everyone gets further."""
    return [health_route_name(router.name)] if auth.is_wanted(router.spec) else []


def has_door(router: Router, facts: Facts) -> bool:
    """Something can stand in front of the HTTPRoutes for spec.auth and spec.cors, and is to."""
    return (
        is_gateway_mode(router.spec)
        and auth.is_guarded(router.spec)
        and _is_known(facts)
        and not list(_door_problems(router, facts))
    )


def policies(router: Router, facts: Facts) -> list[Policy]:
    """The policies that there should be, and on which a controller gives its verdict."""
    controller = str(facts.gateway.get("controller") or "")
    if controller not in _VERDICTS:
        return []
    door, asking = _VERDICTS[controller]
    found = [(door, door_policy_name(router, controller))] if has_door(router, facts) else []
    if is_attachable(router, facts):
        found += [(kind, router.name) for kind in asking]
    return [Policy(ATTACHMENTS[controller], kind, name) for kind, name in found]


def door_policy_name(router: Router, controller: str) -> str:
    """The router's own, unless the policy that has it asked is of the same kind."""
    door, asking = _VERDICTS[controller]
    return door_name(router.name) if door in asking else router.name


def problems(router: Router, facts: Facts) -> list[Problem]:
    """What the cluster lacks for spec.gateway."""
    if not is_gateway_mode(router.spec):
        return []
    if not facts.serves(apis.GATEWAY):
        return [_api_missing()]
    if problem := _gateway_problem(router, facts.gateway):
        return [problem]
    found = list(_listener_problems(router, facts.gateway))
    if auth.is_guarded(router.spec):
        found += _door_problems(router, facts)
    if wants_ext_proc(router.spec):
        found += _ext_proc_problems(router, facts)
        found += _grant_problems(facts)
    return found


def _api_missing() -> Problem:
    return _waiting(
        "GatewayApiNotInstalled",
        "spec.gateway",
        f"the API server does not serve {apis.GATEWAY}",
        "Install the Gateway API's CRDs and a Gateway, or remove spec.gateway to run standalone",
    )


def _gateway_problem(router: Router, known: Mapping[str, Any]) -> Problem | None:
    what = described(router)
    if known.get("denied"):
        return _waiting(
            "GatewayUnreadable",
            _REF,
            f"the operator may not read {what} ({known['denied']})",
            f"Allow its ServiceAccount to get and list gateways.{apis.GATEWAY.group}",
        )
    if known.get("found"):
        return None
    elsewhere = known.get("namesakes") or []
    if elsewhere:
        remedy = f"Set {_REF}.namespace to {' or '.join(elsewhere)}, where there is one"
    else:
        remedy = "Create it, or name another: kubectl get gateway --all-namespaces lists them"
    return _waiting("GatewayNotFound", _REF, f"{what} does not exist", remedy)


def _listener_problems(router: Router, known: Mapping[str, Any]) -> Iterable[Problem]:
    what, listeners = described(router), list(known.get("listeners") or [])
    section = router.spec["gateway"].get("sectionName")
    if section:
        names = ", ".join(item["name"] for item in listeners) or "none"
        listeners = [item for item in listeners if item["name"] == section]
        if not listeners:
            yield _waiting(
                "GatewayRefusesRoutes",
                "spec.gateway.sectionName",
                f'{what} has no listener "{section}"; its listeners are: {names}',
                "Name one of them, or leave the field out to attach to all",
            )
            return
    if not any(item["allows"] for item in listeners):
        why = "; ".join(f"{item['name']} {item['why']}" for item in listeners)
        yield _waiting(
            "GatewayRefusesRoutes",
            _REF,
            f"no listener of {what} takes an HTTPRoute from namespace {router.namespace}: "
            f"{why or 'it has none'}",
            "Ask its owner to set allowedRoutes of a listener (namespaces and kinds)",
        )


def _ext_proc_problems(router: Router, facts: Facts) -> Iterable[Problem]:
    return _attachment_problems(router, facts, _EXT_PROC, _ASKING)


def _door_problems(router: Router, facts: Facts) -> Iterable[Problem]:
    """Why not all of spec.auth and spec.cors can stand in front of the HTTPRoutes."""
    where = "spec.auth" if auth.is_wanted(router.spec) else "spec.cors"
    yield from _attachment_problems(router, facts, where, _DOOR)
    beyond = _BEYOND.get(facts.gateway.get("controller", ""))
    for field_, found in beyond(router.spec) if beyond else ():
        yield Problem(_DOOR.reason, field_, found, _OTHERWISE, retry=True)


def _attachment_problems(
    router: Router, facts: Facts, where: str, wanted: _Attachment
) -> Iterable[Problem]:
    """Why the Gateway's controller can be told nothing of it."""
    known = facts.gateway
    controller = known.get("controller", "")
    if controller not in wanted.apis:
        yield _unknown_controller(known, where, wanted)
        return
    api = wanted.apis[controller]
    if not facts.serves(api):
        yield _waiting(
            wanted.reason,
            where,
            f"the API server does not serve {api}, by which {controller} is told {wanted.told}",
            f"Install that controller's CRDs, or {wanted.without}",
        )
    elif controller in _OF_WHOLE_GATEWAYS and spec_namespace(router) != router.namespace:
        takes = _OF_WHOLE_GATEWAYS[controller].format(taken=wanted.taken)
        yield _waiting(
            wanted.reason,
            where,
            f"{takes} only from the Gateway's own namespace, and "
            f"{described(router)} is not in {router.namespace}",
            f"Attach to a Gateway in namespace {router.namespace}, or {wanted.without}",
        )


def _beyond_envoy_gateway(spec: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    keys, issuers = auth.key_secrets(spec), auth.issuers(spec)
    if keys and issuers:
        yield "spec.auth.jwt", "Envoy Gateway would ask for a token beside the key, not for either"
    for each in keys:
        if each.groups:
            yield f"{each.field}.groups", "Envoy Gateway passes on a client's name and no groups"
    for issuer in issuers:
        if issuer.ca:
            yield f"{issuer.field}.caRef", "Envoy Gateway trusts the CAs of its proxies' image here"
        if issuer.key_set and issuer.key_set[1] != KEY_SET_KEY:
            found = f"Envoy Gateway takes the key {KEY_SET_KEY} of the ConfigMap, and no other"
            yield f"{issuer.field}.jwksRef.key", found


def _beyond_istio(spec: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    if auth.key_secrets(spec):
        yield "spec.auth.apiKeys", "Istio knows tokens only"
    for issuer in auth.issuers(spec):
        if issuer.ca:
            yield f"{issuer.field}.caRef", "Istio trusts the CAs of its control plane here"
        if issuer.key_set:
            yield f"{issuer.field}.jwksRef", "Istio takes public keys from no ConfigMap"
    if spec.get("cors"):
        yield "spec.cors", "Istio has no policy for it that an HTTPRoute could have"


def _beyond_kgateway(spec: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for each in auth.key_secrets(spec)[1:]:
        yield each.field, "kgateway reads the keys of one Secret"
    for each in auth.key_secrets(spec):
        if each.groups:
            yield f"{each.field}.groups", "kgateway passes on a client's name and no groups"
    cors = spec.get("cors")
    if cors and not cors.get("allowHeaders"):
        yield (
            "spec.cors",
            "kgateway has no word for all headers with authorization among them, as allowHeaders "
            "says that names none",
        )
    for issuer in auth.issuers(spec):
        yield issuer.field, "kgateway finds an issuer's keys only behind a Service or a Backend"
    # The router's own API has one too.
    routes = 1 + (model_routes_count(spec) if wants_ext_proc(spec) else 0)
    if routes > MODEL_ROUTES_LIMIT:
        yield (
            "spec.auth" if auth.is_wanted(spec) else "spec.cors",
            f"kgateway's policy can name {MODEL_ROUTES_LIMIT} HTTPRoutes, and there are {routes}",
        )


_OTHERWISE = "Remove the field, or run standalone, where the Envoy in the pod does it"
# What a controller's policies cannot say, by field.
_BEYOND = {
    CONTROLLER_ENVOY_GATEWAY: _beyond_envoy_gateway,
    CONTROLLER_ISTIO: _beyond_istio,
    CONTROLLER_KGATEWAY: _beyond_kgateway,
}


def _unknown_controller(known: Mapping[str, Any], where: str, wanted: _Attachment) -> Problem:
    *others, last = wanted.apis
    names = f"{', '.join(others)} and {last}"
    if known.get("classDenied"):
        return _waiting(
            "GatewayUnreadable",
            where,
            f"the operator may not read GatewayClass {known['className']}, which says whose "
            f"Gateway it is ({known['classDenied']})",
            f"Allow its ServiceAccount to get gatewayclasses.{apis.GATEWAY.group}",
        )
    if not known.get("controller"):
        found = f"GatewayClass {known.get('className') or '(none)'} does not exist"
    else:
        found = f"the Gateway belongs to {known['controller']}, and {wanted.what} can be attached "
        found += f"to those of {names} only"
    remedy = f"{wanted.with_others} by that gateway's own means"
    return _waiting("GatewayControllerUnknown", where, found, remedy)


def _grant_problems(facts: Facts) -> Iterable[Problem]:
    granted = facts.gateway.get("granted") or {}
    for index, endpoint in enumerate(facts.endpoints):
        name, namespace = endpoint.service, endpoint.namespace
        allowed = granted.get(namespace)
        if not name or allowed is None or "" in allowed or name in allowed:
            continue
        yield _waiting(
            "ReferenceGrantMissing",
            f"spec.vllmEndpoints[{index}].backend",
            f"no ReferenceGrant in namespace {namespace} lets an HTTPRoute use Service {name}",
            f"Create one there, from HTTPRoute of this router's namespace to Service {name}",
        )


def _waiting(reason: str, where: str, found: str, remedy: str) -> Problem:
    return Problem(reason, where, found, remedy, retry=True, blocking=False)


def _listener(
    namespace: str, listener: Manifest, gateway_namespace: str, labels: Mapping[str, str]
) -> dict[str, Any]:
    why = _why_not(namespace, listener, gateway_namespace, labels)
    return {"name": str(listener.get("name")), "allows": not why, "why": why}


def _why_not(
    namespace: str, listener: Manifest, gateway_namespace: str, labels: Mapping[str, str]
) -> str:
    """Nothing ("") when the listener takes HTTPRoutes from the namespace."""
    kinds = (listener.get("allowedRoutes") or {}).get("kinds") or []
    if kinds and not any(_is_http_route(kind) for kind in kinds):
        return f"takes only {', '.join(str(kind.get('kind')) for kind in kinds)}"
    if listener.get("protocol") not in _HTTP_PROTOCOLS:
        return f"speaks {listener.get('protocol')}, not HTTP"
    allowed = _allowed(listener, "namespaces")
    source = allowed.get("from") or "Same"
    if source == "All":
        return ""
    if source == "Same":
        return "" if namespace == gateway_namespace else f"takes only those of {gateway_namespace}"
    if source != "Selector":
        return f"takes routes from {source}"
    selected = selects(allowed.get("selector") or {}, {LABEL_NAMESPACE: namespace, **labels})
    return "" if selected else "selects other namespaces by their labels"


def _allowed(listener: Manifest, key: str) -> Manifest:
    return (listener.get("allowedRoutes") or {}).get(key) or {}


def _is_http_route(kind: Manifest) -> bool:
    group = apis.GATEWAY.group
    return (kind.get("group", group), kind.get("kind")) == (group, "HTTPRoute")


def _granted(namespace: str, grants: list[Manifest]) -> list[str]:
    """Services that an HTTPRoute of the namespace may use; "" stands for all of them."""
    return sorted(
        {
            str(to.get("name") or "")
            for grant in grants
            if any(_is_from(item, namespace) for item in grant["spec"].get("from") or [])
            for to in grant["spec"].get("to") or []
            if (to.get("group", ""), to.get("kind")) == ("", "Service")
        }
    )


def _is_from(item: Manifest, namespace: str) -> bool:
    wanted = (apis.GATEWAY.group, "HTTPRoute", namespace)
    return (item.get("group"), item.get("kind"), item.get("namespace")) == wanted
