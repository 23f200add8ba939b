# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a Gateway is to ask the backends of models, and what of that its controller cannot be told.

Pure. backend.tls and trafficPolicy mean behind a Gateway what they mean in standalone mode. What a
controller has no word for is refused with its field, since nobody would do it. The words are
``objects/gateway_backends.py``'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint, Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.gateways import (
    CONTROLLER_AGENTGATEWAY,
    CONTROLLER_ENVOY_GATEWAY,
    CONTROLLER_ISTIO,
    Policy,
    is_attachable,
    model_groups,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import (
    apis,
    backend_kinds,
    backend_tls,
    traffic_policy,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.backend_tls import (
    CA_FILE,
    BackendTls,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.gateway_mode import (
    wants_ext_proc,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    backend_policy_name,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.traffic_policy import (
    TrafficPolicy,
)

REASON = "BackendPolicyNotAttached"

# Below a trafficPolicy, what Istio's DestinationRule has a word for.
_ISTIO = (("loadBalancer",), ("timeout", "connect"), ("healthCheck", "passive"))
# An HTTPRoute's own.
_OF_ROUTES = ("timeout", "request")

Beyond = Iterator[tuple[str, str]]


@dataclass(frozen=True)
class Asked:
    """A Service of the router's namespace, and how a Gateway is to ask it: what each controller is
    told of it in words of its own.

    tls: None for plain HTTP, or for what the Gateway's owner has said of it.
    """

    service: str
    host: str
    tls: BackendTls | None
    policy: TrafficPolicy


def asked(router: Router, facts: Facts) -> list[Asked]:
    """Each Service once; none where the Gateway can be told nothing."""
    if not is_attachable(router, facts) or list(problems(router, facts)):
        return []
    tls, policies = backend_tls.by_endpoint(router.spec), traffic_policy.by_model(router.spec)
    found: dict[str, Asked] = {}
    for each in facts.endpoints:
        if each.service and each.namespace == router.namespace and not each.pool:
            one = Asked(each.service, each.host, tls.get(each.name), policies.get(each.model, {}))
            found.setdefault(each.service, one)
    return list(found.values())


def policies(router: Router, facts: Facts) -> list[Policy]:
    """Those on which a controller gives its verdict. Istio writes none."""
    controller = facts.gateway.get("controller")
    if not is_attachable(router, facts) or controller == CONTROLLER_ISTIO:
        return []
    found = []
    if controller == CONTROLLER_ENVOY_GATEWAY:
        found += [
            Policy(apis.ENVOY_GATEWAY, "BackendTrafficPolicy", name)
            for name in route_policy_names(router)
        ]
    return found + [
        Policy(apis.GATEWAY, "BackendTLSPolicy", backend_policy_name(router.name, each.service))
        for each in asked(router, facts)
        if each.tls
    ]


def route_policy_names(router: Router) -> list[str]:
    """By group of models that are asked alike: of the first, the router's own, when those are the
    ones without a policy; else that of their first HTTPRoute."""
    return [
        group.routes[0] if group.policy else router.name
        for group in model_groups(router.name, router.spec)
    ]


def wants_verification(spec: Mapping[str, Any]) -> bool:
    """Whether the API server serves BackendTLSPolicies has to be known."""
    return wants_ext_proc(spec) and bool(backend_tls.by_endpoint(spec))


def problems(router: Router, facts: Facts) -> Iterator[Problem]:
    """What the Gateway's controller cannot be told of spec.vllmEndpoints."""
    controller = facts.gateway.get("controller")
    if not wants_ext_proc(router.spec) or not controller:
        return
    for field, found, remedy in (
        *_of_tls(router, facts, controller),
        *_of_policies(router, facts, controller),
        *_of_pools(router, facts, controller),
    ):
        yield Problem(REASON, field, found, remedy, retry=True)


def _of_tls(router: Router, facts: Facts, controller: str) -> Iterator[tuple[str, str, str]]:
    wanted = backend_tls.by_endpoint(router.spec)
    first: dict[str, Endpoint] = {}
    for each in _listed(router, facts):
        tls = wanted.get(each.name)
        # Such a policy is about all ports of a Service.
        other = first.setdefault(each.service, each)
        its = wanted.get(other.name)
        if each.service and _said(tls) != _said(its):
            field = tls.field if tls else its.field if its else ""
            found = f"{other.name} and {each.name} are one Service, and are asked in other ways"
            yield field, found, "Make them the same"
        if not tls:
            continue
        if each.service and each.namespace != router.namespace:
            found = f"a policy for Service {each.namespace}/{each.service} has to be in there"
            yield tls.field, found, "Move the router there, or make that policy yourself"
        if controller != CONTROLLER_ISTIO and facts.gateway.get("verifies") is False:
            found = "the API server serves no BackendTLSPolicy of gateway.networking.k8s.io/v1"
            yield (
                tls.field,
                found,
                "Install the CRDs of Gateway API 1.4 or newer, or run standalone",
            )
        for field, found in _beyond_tls(tls, controller):
            yield field, found, _OTHERWISE


_OTHERWISE = "Remove the field, or run standalone, where the Envoy in the pod does it"


def _said(tls: BackendTls | None) -> tuple[Any, ...]:
    """All of it but where it stands."""
    if tls is None:
        return ()
    return (tls.ca, tls.trusts_system, tls.is_insecure, tls.server_name, tls.client_certificate)


def _beyond_tls(tls: BackendTls, controller: str) -> Beyond:
    is_istio = controller == CONTROLLER_ISTIO
    if tls.client_certificate:
        yield (
            f"{tls.field}.clientCertificateRef",
            "which certificate a Gateway shows its backends is its owner's to say, of all of them",
        )
    if tls.is_insecure and not is_istio:
        yield f"{tls.field}.insecureSkipVerify", "a BackendTLSPolicy has no word for it"
    if not (tls.ca or tls.trusts_system or tls.is_insecure):
        yield tls.field, "nothing in it says by which CA the Gateway is to verify"
    if not tls.ca:
        return
    if is_istio and tls.ca.kind != "Secret":
        yield f"{tls.field}.caRef.kind", "Istio takes a CA from a Secret, and from no ConfigMap"
    if controller not in (CONTROLLER_ISTIO, CONTROLLER_ENVOY_GATEWAY) and tls.ca.kind == "Secret":
        yield f"{tls.field}.caRef.kind", "a BackendTLSPolicy takes a CA from a ConfigMap"
    if dict(tls.ca.keys)[CA_FILE] != CA_FILE:
        yield f"{tls.field}.caRef.key", f"a Gateway takes the key {CA_FILE}, and no other"


def _of_policies(router: Router, facts: Facts, controller: str) -> Iterator[tuple[str, str, str]]:
    policies, fields = (
        traffic_policy.by_model(router.spec),
        traffic_policy.fields(router.spec),
    )
    if controller == CONTROLLER_ENVOY_GATEWAY:
        return
    told = _ISTIO if controller == CONTROLLER_ISTIO else ()
    who = "Istio's DestinationRule" if told else f"what {controller} is told by"
    for model, policy in policies.items():
        for path in _paths(policy):
            if path != _OF_ROUTES and not any(path[: len(known)] == known for known in told):
                field = fields[model]
                at = ".".join((field, *path)) if "vllmEndpoints" in field else field
                yield at, f"{who} has no word for {'.'.join(path)} of {model}", _OTHERWISE
    first: dict[str, Endpoint] = {}
    for each in _listed(router, facts):
        policy = policies.get(each.model, {})
        other = first.setdefault(each.service, each)
        if each.service and policy != policies.get(other.model, {}):
            at = fields.get(each.model) or fields[other.model]
            found = f"{other.name} and {each.name} are one Service, which has one DestinationRule"
            yield at, found, "Make their policies the same"
        if policy and each.service and each.namespace != router.namespace:
            found = f"a DestinationRule for Service {each.namespace}/{each.service} has to be there"
            yield fields[each.model], found, "Make that DestinationRule yourself"


def _paths(policy: TrafficPolicy) -> Iterable[tuple[str, ...]]:
    """Two steps deep; of a section without any, one."""
    for section, content in policy.items():
        if isinstance(content, Mapping) and content and section != "loadBalancer":
            yield from ((section, name) for name in content)
        elif content:
            yield (section,)


def _of_pools(router: Router, facts: Facts, controller: str) -> Iterator[tuple[str, str, str]]:
    if controller == CONTROLLER_AGENTGATEWAY:
        return
    for index, each in enumerate(_listed(router, facts)):
        kind = backend_kinds.kind_of(router.spec["vllmEndpoints"][index])
        if kind.type == backend_kinds.TYPE_POOL:
            found = (
                f"{controller} asks the endpoint picker of {each.pool or each.name} before the "
                "router has chosen the model; agentgateway asks it afterwards"
            )
            remedy = "Run standalone, or name a Service of the pool's pods (type service)"
            yield f"spec.vllmEndpoints[{index}].backend.type", found, remedy


def _listed(router: Router, facts: Facts) -> list[Endpoint]:
    return facts.endpoints[: len(router.spec.get("vllmEndpoints") or [])]
