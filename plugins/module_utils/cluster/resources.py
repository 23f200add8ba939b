# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The kinds of objects that a SemanticRouter can own: one line each, and how to address them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import apis


@dataclass(frozen=True)
class Resource:
    """One kind.

    rank: objects are written in ascending order, so that what a pod needs is there before it.
    prune: False keeps an object that is no longer wanted until its SemanticRouter is deleted.
    optional: not every cluster serves it.
    accessory: the router serves as well without, and nothing leans on it. What is refused of it
        holds up nothing else (docs/adr/0029-what-is-atomic.md).
    """

    api_version: str
    kind: str
    plural: str
    rank: int
    namespaced: bool = True
    prune: bool = True
    optional: bool = False
    accessory: bool = False


RESOURCES = (
    Resource("v1", "ServiceAccount", "serviceaccounts", rank=10),
    Resource("v1", "ConfigMap", "configmaps", rank=10),
    # An edit of one field must not delete gigabytes of downloaded models.
    Resource("v1", "PersistentVolumeClaim", "persistentvolumeclaims", rank=10, prune=False),
    Resource("v1", "Service", "services", rank=20),
    Resource(str(apis.ROUTE), "Route", "routes", rank=20, optional=True),
    # Before the pods that it covers.
    Resource("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", rank=20, accessory=True),
    # Before the HTTPRoute of the models, which is never there without what asks the router.
    Resource(
        str(apis.ENVOY_GATEWAY),
        "EnvoyExtensionPolicy",
        "envoyextensionpolicies",
        rank=20,
        optional=True,
    ),
    Resource(
        str(apis.ENVOY_GATEWAY),
        "BackendTrafficPolicy",
        "backendtrafficpolicies",
        rank=20,
        optional=True,
    ),
    # Before a request can go there unverified.
    Resource(str(apis.GATEWAY), "BackendTLSPolicy", "backendtlspolicies", rank=20, optional=True),
    Resource(str(apis.ISTIO), "DestinationRule", "destinationrules", rank=20, optional=True),
    Resource(str(apis.ISTIO), "EnvoyFilter", "envoyfilters", rank=20, optional=True),
    Resource(str(apis.KGATEWAY), "GatewayExtension", "gatewayextensions", rank=20, optional=True),
    Resource(str(apis.KGATEWAY), "TrafficPolicy", "trafficpolicies", rank=20, optional=True),
    Resource(
        str(apis.AGENTGATEWAY),
        "AgentgatewayPolicy",
        "agentgatewaypolicies",
        rank=20,
        optional=True,
    ),
    # Before any HTTPRoute, for the same reason.
    Resource(str(apis.ENVOY_GATEWAY), "SecurityPolicy", "securitypolicies", rank=20, optional=True),
    Resource(
        str(apis.ISTIO_SECURITY),
        "RequestAuthentication",
        "requestauthentications",
        rank=20,
        optional=True,
    ),
    Resource(
        str(apis.ISTIO_SECURITY),
        "AuthorizationPolicy",
        "authorizationpolicies",
        rank=20,
        optional=True,
    ),
    # Closed before there is anything behind it.
    Resource("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies", rank=20),
    Resource("apps/v1", "Deployment", "deployments", rank=30),
    # After the Deployment, which first has to let go of its number of pods.
    Resource("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", rank=40),
    Resource("networking.k8s.io/v1", "Ingress", "ingresses", rank=40, accessory=True),
    Resource(str(apis.GATEWAY), "HTTPRoute", "httproutes", rank=40, optional=True),
    # Who watches comes last: an alert must not speak of what is not there yet.
    Resource(
        str(apis.MONITORING),
        "ServiceMonitor",
        "servicemonitors",
        rank=50,
        optional=True,
        accessory=True,
    ),
    Resource(
        str(apis.MONITORING),
        "PrometheusRule",
        "prometheusrules",
        rank=50,
        optional=True,
        accessory=True,
    ),
)

_NO_SEGMENT = re.compile(r"[^A-Za-z0-9._:-]")

_BY_KIND = {(resource.api_version, resource.kind): resource for resource in RESOURCES}


def served(capabilities: Mapping[str, list[str]] | None) -> list[Resource]:
    """Without the optional kinds that a cluster lacks; all kinds when nobody asked it."""
    if capabilities is None:
        return list(RESOURCES)
    return [
        resource
        for resource in RESOURCES
        if not resource.optional or _is_served(resource, capabilities)
    ]


def _is_served(resource: Resource, capabilities: Mapping[str, list[str]]) -> bool:
    group, _, version = resource.api_version.rpartition("/")
    return version in capabilities.get(group, [])


def named(api_version: str, kind: str) -> Resource:
    """The line of the table for a kind; KeyError when there is none."""
    return _BY_KIND[api_version, kind]


def resource_of(manifest: Mapping[str, Any]) -> Resource:
    """The line of the table for an object; KeyError for a kind that is not in it."""
    return named(manifest["apiVersion"], manifest["kind"])


def collection_path(resource: Resource, namespace: str = "") -> str:
    """Where a kind is listed; "" = in all namespaces, or a kind that has none."""
    group = "/api" if "/" not in resource.api_version else "/apis"
    scope = f"/namespaces/{segment(namespace)}" if resource.namespaced and namespace else ""
    return f"{group}/{resource.api_version}{scope}/{resource.plural}"


def path(manifest: Mapping[str, Any]) -> str:
    """Where an object is read, applied and deleted."""
    metadata = manifest["metadata"]
    collection = collection_path(resource_of(manifest), metadata.get("namespace", ""))
    return f"{collection}/{segment(metadata['name'])}"


def segment(name: str) -> str:
    """A name as one step of a path. What no object can be called is asked for by another such name:
    a slash or dots in a SemanticRouter would lead to what it does not name, and escaped ones too,
    which the API server reads as such.
    """
    return "_" if name in ("", ".", "..") else _NO_SEGMENT.sub("_", name)
