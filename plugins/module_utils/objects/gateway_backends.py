# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a Gateway asks the backends of models, in the words of its controller.

All are told the same (``facts/gateway_backends.py``). Certificates are verified by the Gateway
API's own BackendTLSPolicy, with Istio by a DestinationRule, which has the rest there as well. Envoy
Gateway has the rest for HTTPRoutes: models with another trafficPolicy have others.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy import (
    traffic_policy as envoy,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.gateway_backends import (
    Asked,
    asked,
    route_policy_names,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.gateways import (
    CONTROLLER_ENVOY_GATEWAY,
    CONTROLLER_ISTIO,
    ModelGroup,
    is_attachable,
    model_groups,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.ext_proc import (
    BODY_LIMIT,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.gateway import (
    target_refs,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import apis
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.backend_tls import (
    BackendTls,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    Manifest,
    backend_policy_name,
    metadata,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.traffic_policy import (
    TrafficPolicy,
    as_gateways_write,
)

_ISTIOS_BALANCERS = {
    "LeastRequest": "LEAST_REQUEST",
    "RoundRobin": "ROUND_ROBIN",
    "Random": "RANDOM",
}


def backend_policies(router: Router, facts: Facts) -> list[Manifest]:
    """What the Gateway is told of its backends."""
    if not is_attachable(router, facts):
        return []
    backends = asked(router, facts)
    controller = facts.gateway["controller"]
    if controller == CONTROLLER_ISTIO:
        return [_destination_rule(router, each) for each in backends if each.tls or each.policy]
    groups = model_groups(router.name, router.spec)
    of_routes = zip(route_policy_names(router), groups, strict=True)
    return [
        *(
            _backend_traffic_policy(router, name, group)
            for name, group in of_routes
            if controller == CONTROLLER_ENVOY_GATEWAY
        ),
        *(_backend_tls_policy(router, each, each.tls) for each in backends if each.tls),
    ]


def _backend_tls_policy(router: Router, backend: Asked, tls: BackendTls) -> Manifest:
    if tls.ca:
        reference = {"group": "", "kind": tls.ca.kind, "name": tls.ca.name}
        by: dict[str, Any] = {"caCertificateRefs": [reference]}
    else:
        by = {"wellKnownCACertificates": "System"}
    name = backend_policy_name(router.name, backend.service)
    return {
        "apiVersion": str(apis.GATEWAY),
        "kind": "BackendTLSPolicy",
        "metadata": metadata(router.name, router.namespace, name=name),
        "spec": {
            "targetRefs": [{"group": "", "kind": "Service", "name": backend.service}],
            "validation": {**by, "hostname": tls.server_name or backend.host},
        },
    }


def _backend_traffic_policy(router: Router, name: str, group: ModelGroup) -> Manifest:
    """Room for whole prompts and answers: ext_proc buffers both, and 32 KiB is the default.

    Beyond it a prompt gets 413 and an answer 500. The limit of the buffer filter, which this puts
    before ext_proc, becomes that of the request and of its answer.
    """
    return {
        "apiVersion": str(apis.ENVOY_GATEWAY),
        "kind": "BackendTrafficPolicy",
        "metadata": metadata(router.name, router.namespace, name=name),
        "spec": {
            "targetRefs": target_refs(group.routes),
            # Into the policy that the Gateway's owner may have for all routes, not in its place.
            "mergeType": "StrategicMerge",
            "requestBuffer": {"limit": BODY_LIMIT},
            **(_for_envoy_gateway(group.policy) if group.policy else {}),
        },
    }


def _for_envoy_gateway(policy: TrafficPolicy) -> dict[str, Any]:
    """Of a request, the HTTPRoute itself has the limit."""
    balancer, timeout = policy.get("loadBalancer") or {}, policy.get("timeout") or {}
    slow = as_gateways_write(balancer, "slowStart")
    connect, idle = (as_gateways_write(timeout, name) for name in ("connect", "idle"))
    timeouts = {
        **({"tcp": {"connectTimeout": connect}} if connect else {}),
        **({"http": {"streamIdleTimeout": idle}} if idle else {}),
    }
    checks = _health_check(policy.get("healthCheck") or {})
    budget = envoy.retry_budget(policy).get("retry_budget")
    return {
        "loadBalancer": {
            "type": balancer.get("type", "LeastRequest"),
            **({"slowStart": {"window": slow}} if slow else {}),
        },
        **({"timeout": timeouts} if timeouts else {}),
        **_retry(policy),
        **({"healthCheck": checks} if checks else {}),
        **(
            {
                "circuitBreaker": {
                    "retryBudget": {
                        "percent": _fraction(budget["budget_percent"]["value"]),
                        "minRetryConcurrency": budget["min_retry_concurrency"],
                    },
                },
            }
            if budget
            else {}
        ),
    }


def _fraction(percent: float) -> dict[str, int]:
    return {"numerator": round(percent * 100), "denominator": 10_000}


def _retry(policy: TrafficPolicy) -> dict[str, Any]:
    """The same as in standalone mode: what is tried again, and how often."""
    built = envoy.of_route(policy).get("retry_policy")
    if not built:
        return {}
    wanted = policy.get("retry") or {}
    first_byte = as_gateways_write(policy.get("timeout") or {}, "firstByte")
    wait = {
        name: as_gateways_write(wanted, key)
        for name, key in (("baseInterval", "backOffBase"), ("maxInterval", "backOffMax"))
        if wanted.get(key)
    }
    each = {
        **({"timeout": first_byte} if first_byte else {}),
        **({"backOff": wait} if wait else {}),
    }
    return {
        "retry": {
            "numRetries": built["num_retries"],
            **({"perRetry": each} if each else {}),
            "retryOn": {
                "triggers": built["retry_on"].split(","),
                "httpStatusCodes": built["retriable_status_codes"],
            },
        },
    }


def _health_check(wanted: TrafficPolicy) -> dict[str, Any]:
    active, passive = wanted.get("active"), wanted.get("passive")
    ejected = envoy.outlier_detection({"healthCheck": {"passive": passive}})
    return {
        **(
            {
                "active": {
                    "type": "HTTP",
                    "http": {"path": active["path"], "method": "GET"},
                    "interval": as_gateways_write(active, "interval"),
                    "timeout": as_gateways_write(active, "timeout"),
                    "unhealthyThreshold": active["unhealthyThreshold"],
                    "healthyThreshold": active["healthyThreshold"],
                },
            }
            if active
            else {}
        ),
        **(
            {
                "passive": {
                    "consecutive5XxErrors": ejected["consecutive_5xx"],
                    "consecutiveGatewayErrors": ejected["consecutive_gateway_failure"],
                    "interval": ejected["interval"],
                    "baseEjectionTime": as_gateways_write(passive, "baseEjectionTime")
                    or ejected["base_ejection_time"],
                    "maxEjectionPercent": ejected["max_ejection_percent"],
                },
            }
            if passive
            else {}
        ),
    }


def _destination_rule(router: Router, backend: Asked) -> Manifest:
    """host: a short name is one of the rule's own namespace; nobody knows the cluster's domain."""
    policy = backend.policy
    balancer, passive = (
        policy.get("loadBalancer") or {},
        (policy.get("healthCheck") or {}).get("passive"),
    )
    slow = as_gateways_write(balancer, "slowStart")
    connect = as_gateways_write(policy.get("timeout") or {}, "connect")
    ejected = envoy.outlier_detection(policy)
    told = {
        "loadBalancer": {
            "simple": _ISTIOS_BALANCERS[balancer.get("type", "LeastRequest")],
            **({"warmup": {"duration": slow}} if slow else {}),
        },
        **({"connectionPool": {"tcp": {"connectTimeout": connect}}} if connect else {}),
        **(
            {
                "outlierDetection": {
                    "consecutive5xxErrors": ejected["consecutive_5xx"],
                    "consecutiveGatewayErrors": ejected["consecutive_gateway_failure"],
                    "interval": ejected["interval"],
                    "baseEjectionTime": ejected["base_ejection_time"],
                    "maxEjectionPercent": ejected["max_ejection_percent"],
                },
            }
            if passive
            else {}
        ),
    }
    tls = {"tls": _client_tls(backend, backend.tls)} if backend.tls else {}
    return {
        "apiVersion": str(apis.ISTIO),
        "kind": "DestinationRule",
        "metadata": metadata(
            router.name,
            router.namespace,
            name=backend_policy_name(router.name, backend.service),
        ),
        "spec": {
            "host": backend.service,
            "trafficPolicy": {**(told if policy else {}), **tls},
        },
    }


def _client_tls(backend: Asked, tls: BackendTls) -> dict[str, Any]:
    name = tls.server_name or backend.host
    if tls.is_insecure:
        return {"mode": "SIMPLE", "sni": name, "insecureSkipVerify": True}
    by = {"credentialName": tls.ca.name} if tls.ca else {"caCertificates": "system"}
    return {"mode": "SIMPLE", "sni": name, "subjectAltNames": [name], **by}
