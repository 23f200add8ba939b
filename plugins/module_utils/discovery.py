# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From what the cluster said to Facts: platform, capabilities, storage classes, backends.

Pure. The reads are in ``cluster/discover.py``; whether a field makes sense is ``rules.py``.

An endpoint is *resolved* when the object that the spec names exists and has the port: a Service
with that port, a Service that carries the labels, an InferenceService that is Ready. Whether pods
answer behind a Service is not asked. It changes by the second and a copy of it in a status that is
written every few minutes would be wrong most of the time it matters; Envoy knows it and says so in
its 503. An InferenceService keeps its own account of that, which is why its Ready is believed.

Addresses of ``kserve`` and ``service`` come from the spec alone, so that a backend that is briefly
gone changes a condition and never a pod. ``llamastack`` has only labels: it stays with the Service
that the previous run chose for as long as that one matches, and with its address when none does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils import gateways, live_scaling
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import (
    PLATFORM_KUBERNETES,
    PLATFORM_OPENSHIFT,
    Endpoint,
    Facts,
    Rollout,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.gateway_mode import (
    wants_ext_proc,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.gateways import GatewayReading
from ansible_collections.vllm.semantic_router.plugins.module_utils.metadata import (
    ANNOTATION_SECRETS_SEEN,
    API_GROUP,
    Manifest,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.problem import Problem
from ansible_collections.vllm.semantic_router.plugins.module_utils.references import (
    config_maps_digest,
    references,
    secrets_digest,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.router import Router

GROUP_ROUTE = "route.openshift.io"
GROUP_GATEWAY = gateways.GROUP
GROUP_ENVOY_GATEWAY = gateways.GROUP_ENVOY_GATEWAY
GROUP_ISTIO = gateways.GROUP_ISTIO
GROUP_MONITORING = "monitoring.coreos.com"
GROUP_KSERVE = "serving.kserve.io"
CAPABILITY_GROUPS = (
    GROUP_ROUTE,
    GROUP_GATEWAY,
    GROUP_ENVOY_GATEWAY,
    GROUP_ISTIO,
    GROUP_MONITORING,
    GROUP_KSERVE,
)

KSERVE_VERSION = "v1beta1"
KSERVE_PREDICTOR_PORT = 8443
HTTPS_PORTS = (443, 8443)
# A Llama Stack Service may list its metrics port first.
LLAMASTACK_PORT_NAMES = ("http", "api")

TYPE_KSERVE = "kserve"
TYPE_LLAMASTACK = "llamastack"
TYPE_SERVICE = "service"

# The two lines that the documentation tells users to look for in the operator's log.
PLATFORM_MESSAGES = {
    PLATFORM_OPENSHIFT: "Detected OpenShift platform - "
    "will use OpenShift-compatible security contexts",
    PLATFORM_KUBERNETES: "Detected standard Kubernetes platform - "
    "will use standard security contexts",
}
NO_BACKENDS_MESSAGE = "No backends found"

# Not for another try: a cluster that is not OpenShift will not become one.
ROUTE_API_MISSING = Problem(
    reason="RouteApiMissing",
    field="spec.openshift.routes.enabled",
    found=f"only OpenShift has Routes, and this API server does not serve {GROUP_ROUTE}",
    remedy="Set it to false and give clients outside the cluster another way, e.g. spec.ingress",
    blocking=False,
)

MONITORING_VERSION = "v1"
# What the Prometheus operator turns into configuration of Prometheus, by field of spec.monitoring.
MONITORING_KINDS = {"serviceMonitor": "ServiceMonitor", "prometheusRule": "PrometheusRule"}

_DEFAULT_CLASS_ANNOTATIONS = (
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
)
_NAMES_IN_A_MESSAGE = 5

# One entry of spec.vllmEndpoints.
Entry = dict[str, Any]


@dataclass(frozen=True)
class Sighting:
    """What one read returned: the objects found, or why the API server refused the read."""

    objects: list[Manifest] = field(default_factory=list)
    denied: str = ""


@dataclass(frozen=True)
class Reading:
    """Everything that one discovery read.

    groups: the ``groups`` of ``/apis``.
    storage: StorageClasses; None when nobody asked for a volume.
    claim_exists: the volume claim is there already, so its class was settled long ago.
    backends: one per entry of spec.vllmEndpoints, in that order.
    gateway: None in standalone mode.
    deployment: the router's; None when there is none.
    budgets: PodDisruptionBudgets of the namespace; empty when the router wants none.
    config_maps, secrets: those that the pods use, by name; a Secret without its data.
    """

    groups: list[Manifest]
    storage: Sighting | None = None
    claim_exists: bool = False
    backends: list[Sighting] = field(default_factory=list)
    gateway: GatewayReading | None = None
    deployment: Manifest | None = None
    budgets: Sighting = field(default_factory=Sighting)
    config_maps: dict[str, Manifest | None] = field(default_factory=dict)
    secrets: dict[str, Manifest | None] = field(default_factory=dict)


def facts(router: Router, reading: Reading, platform: str = "") -> Facts:
    """What the builders may know; ``platform`` overrides what the API server's groups say."""
    served = capabilities(reading.groups)
    classes = reading.storage.objects if reading.storage else []
    return Facts(
        platform=platform or platform_of(reading.groups),
        capabilities=served,
        storage_classes=sorted(item["metadata"]["name"] for item in classes),
        default_storage_class=default_storage_class(classes),
        endpoints=[
            endpoint(
                router.namespace, entry, sighting, served, router.status.get("endpoints") or []
            )
            for entry, sighting in zip(endpoint_entries(router), reading.backends, strict=True)
        ],
        gateway=gateways.facts_of(router, reading.gateway),
        scale=live_scaling.scale_of(reading.deployment),
        foreign_budgets=live_scaling.foreign_budgets(router, reading.budgets.objects),
        rollout=_rollout(router, reading),
    )


def _rollout(router: Router, reading: Reading) -> Rollout:
    used = references(router.spec)
    deployment = reading.deployment or {"metadata": {}, "spec": {}}
    template = (deployment["spec"].get("template") or {}).get("metadata") or {}
    annotations = deployment["metadata"].get("annotations") or {}
    return Rollout(
        uses_config_maps=bool(used.config_maps),
        uses_secrets=bool(used.secrets),
        config_maps=config_maps_digest(used.config_maps, reading.config_maps),
        secrets=secrets_digest(used.secrets, reading.secrets),
        template={
            name: str(value)
            for name, value in (template.get("annotations") or {}).items()
            if name.startswith(f"{API_GROUP}/")
        },
        secrets_seen=str(annotations.get(ANNOTATION_SECRETS_SEEN, "")),
    )


def offline_facts(router: Router, platform: str) -> Facts:
    """What is known when no cluster is asked: the addresses that the spec itself gives."""
    unread = [Sighting() for _ in endpoint_entries(router)]
    return facts(router, Reading([], backends=unread), platform)


def problems(router: Router, reading: Reading) -> list[Problem]:
    """What the cluster lacks of what the spec asks for."""
    return [
        *_storage_problems(router, reading),
        *_route_problems(router, reading),
        *_budget_problems(router, reading),
        *_monitoring_problems(router, reading),
        *gateways.problems(router, facts(router, reading)),
    ]


def _storage_problems(router: Router, reading: Reading) -> list[Problem]:
    if reading.storage is None or reading.claim_exists:
        return []
    if reading.storage.denied:
        return [_storage_classes_unreadable(reading.storage.denied)]
    names = sorted(item["metadata"]["name"] for item in reading.storage.objects)
    wanted = router.spec["persistence"].get("storageClassName")
    return [_storage_class_missing(wanted, names)] if wanted and wanted not in names else []


def _route_problems(router: Router, reading: Reading) -> list[Problem]:
    wanted = router.spec["openshift"]["routes"]["enabled"]
    return [ROUTE_API_MISSING] if wanted and GROUP_ROUTE not in capabilities(reading.groups) else []


def _budget_problems(router: Router, reading: Reading) -> list[Problem]:
    wanted = (router.spec.get("podDisruptionBudget") or {}).get("enabled")
    others = live_scaling.foreign_budgets(router, reading.budgets.objects)
    return [_covered_already(others)] if wanted and others else []


def _monitoring_problems(router: Router, reading: Reading) -> list[Problem]:
    if MONITORING_VERSION in capabilities(reading.groups).get(GROUP_MONITORING, []):
        return []
    return [
        _monitoring_api_missing(field, kind)
        for field, kind in MONITORING_KINDS.items()
        if router.spec["monitoring"][field]["enabled"]
    ]


def messages(found: Facts) -> list[str]:
    """Lines for the operator's log."""
    lines = [PLATFORM_MESSAGES[found.platform]]
    unresolved = [item for item in found.endpoints if not item.ready]
    lines += [f"Failed to discover backend {item.name}: {item.message}" for item in unresolved]
    if len(unresolved) == len(found.endpoints):
        lines.append(NO_BACKENDS_MESSAGE)
    return lines


def platform_of(groups: list[Manifest]) -> str:
    """OpenShift if and only if the API server serves route.openshift.io."""
    served = any(group["name"] == GROUP_ROUTE for group in groups)
    return PLATFORM_OPENSHIFT if served else PLATFORM_KUBERNETES


def capabilities(groups: list[Manifest]) -> dict[str, list[str]]:
    """Served versions of the API groups that an optional feature needs."""
    return {
        group["name"]: [version["version"] for version in group.get("versions") or []]
        for group in groups
        if group["name"] in CAPABILITY_GROUPS
    }


def default_storage_class(classes: list[Manifest]) -> str:
    """The default StorageClass, the newest when several claim to be it, as the API server does."""
    claimants = [item for item in classes if _is_default_class(item)]
    claimants.sort(key=lambda item: str(item["metadata"]["name"]))
    claimants.sort(
        key=lambda item: str(item["metadata"].get("creationTimestamp") or ""), reverse=True
    )
    return str(claimants[0]["metadata"]["name"]) if claimants else ""


def wants_claim(router: Router) -> bool:
    """The router gets a volume claim of its own."""
    persistence = router.spec["persistence"]
    return bool(persistence["enabled"]) and not persistence.get("existingClaim")


def wants_budget(router: Router) -> bool:
    """The router may get a PodDisruptionBudget; how many pods there are is not known here."""
    return (router.spec.get("podDisruptionBudget") or {}).get("enabled") is not False


def endpoint_entries(router: Router) -> list[Entry]:
    """spec.vllmEndpoints; [] when absent."""
    return list(router.spec.get("vllmEndpoints") or [])


def endpoint(
    namespace: str,
    entry: Entry,
    sighting: Sighting,
    served: dict[str, list[str]],
    known: list[dict[str, Any]],
) -> Endpoint:
    """One entry of spec.vllmEndpoints, resolved by what was read for it.

    namespace: the router's own. served: capabilities. known: status.endpoints of the previous run.
    """
    kind = entry["backend"]["type"]
    if kind == TYPE_KSERVE:
        return _kserve(namespace, entry, sighting, served)
    if kind == TYPE_LLAMASTACK:
        return _llamastack(namespace, entry, sighting, _earlier(namespace, entry, known))
    return _service(namespace, entry, sighting)


def grant_namespaces(router: Router) -> list[str]:
    """Other namespaces whose Services an HTTPRoute is to use."""
    if not wants_ext_proc(router.spec):
        return []
    named = {service_namespace(router.namespace, entry) for entry in endpoint_entries(router)}
    return sorted(named - {router.namespace})


def service_host(name: str, namespace: str) -> str:
    """A name that resolves in a cluster of any domain, through the pod's search list."""
    return f"{name}.{namespace}.svc"


def service_namespace(namespace: str, entry: Entry) -> str:
    """Namespace of a ``service`` backend: its own when it names one, else the router's."""
    backend_service = entry["backend"].get("service") or {}
    return str(backend_service.get("namespace") or namespace)


def _kserve(
    namespace: str, entry: Entry, sighting: Sighting, served: dict[str, list[str]]
) -> Endpoint:
    name = str(entry["backend"].get("inferenceServiceName") or "")
    if not name:
        return _unresolved(entry, "BackendIncomplete", "backend.inferenceServiceName is not set")
    known = Endpoint(
        name=entry["name"],
        model=entry["model"],
        weight=int(entry["weight"]),
        host=service_host(f"{name}-predictor", namespace),
        port=KSERVE_PREDICTOR_PORT,
        scheme="https",
        ready=True,
    )
    what = f"InferenceService {namespace}/{name}"
    if sighting.denied:
        return _not_ready(known, "BackendUnreadable", f"{what}: {sighting.denied}")
    if KSERVE_VERSION not in served.get(GROUP_KSERVE, []):
        return _not_ready(
            known,
            "KServeNotInstalled",
            f"{what} cannot exist: KServe is not installed "
            f"(the API server does not serve {GROUP_KSERVE}/{KSERVE_VERSION})",
        )
    if not sighting.objects:
        return _not_ready(known, "InferenceServiceNotFound", f"{what} does not exist")
    why = _why_not_ready(sighting.objects[0])
    return (
        _not_ready(known, "InferenceServiceNotReady", f"{what} is not Ready{why}") if why else known
    )


def _why_not_ready(inference_service: Manifest) -> str:
    """Nothing ("") when Ready, else what its own condition says."""
    conditions = (inference_service.get("status") or {}).get("conditions") or []
    ready: Manifest = next((item for item in conditions if item.get("type") == "Ready"), {})
    if ready.get("status") == "True":
        return ""
    said = ready.get("message") or ready.get("reason")
    return f": {said}" if said else " yet"


def _llamastack(namespace: str, entry: Entry, sighting: Sighting, earlier: Endpoint) -> Endpoint:
    labels = entry["backend"].get("discoveryLabels") or {}
    if not labels:
        return _unresolved(entry, "BackendIncomplete", "backend.discoveryLabels is empty")
    if sighting.denied:
        what = f"Services in namespace {namespace}: {sighting.denied}"
        return _not_ready(earlier, "BackendUnreadable", what)
    usable = {
        service_host(item["metadata"]["name"], namespace): item
        for item in sorted(sighting.objects, key=lambda item: str(item["metadata"]["name"]))
        if _llamastack_port(item)
    }
    if not usable:
        return _not_ready(
            earlier, "NoServiceMatches", _no_match(namespace, labels, sighting.objects)
        )
    host = earlier.host if earlier.host in usable else next(iter(usable))
    port = _llamastack_port(usable[host])
    return replace(
        earlier,
        host=host,
        port=port,
        scheme=_scheme(entry, port),
        ready=True,
        message=_ambiguity(host, usable),
    )


def _no_match(namespace: str, labels: dict[str, str], matching: list[Manifest]) -> str:
    selector = label_selector(labels)
    if matching:
        names = _some(item["metadata"]["name"] for item in matching)
        return f"the Services that match {selector} have no port: {names}"
    return f"no Service in namespace {namespace} matches {selector}"


def _ambiguity(host: str, usable: dict[str, Manifest]) -> str:
    if len(usable) == 1:
        return ""
    others = _some(usable[other]["metadata"]["name"] for other in usable if other != host)
    chosen = usable[host]["metadata"]["name"]
    return f"{len(usable)} Services match: uses {chosen}, not {others}"


def _llamastack_port(found: Manifest) -> int:
    """The port to dial; 0 when the Service has none."""
    ports = found["spec"].get("ports") or []
    if not ports:
        return 0
    chosen = next((item for item in ports if item.get("name") in LLAMASTACK_PORT_NAMES), ports[0])
    return _pod_port(chosen) if _is_headless(found) else int(chosen["port"])


def _service(namespace: str, entry: Entry, sighting: Sighting) -> Endpoint:
    wanted = entry["backend"].get("service") or {}
    if not wanted.get("name") or not wanted.get("port"):
        return _unresolved(entry, "BackendIncomplete", "backend.service has no name or no port")
    its_namespace = service_namespace(namespace, entry)
    port = int(wanted["port"])
    known = Endpoint(
        name=entry["name"],
        model=entry["model"],
        weight=int(entry["weight"]),
        host=service_host(wanted["name"], its_namespace),
        port=port,
        scheme=_scheme(entry, port),
        ready=True,
    )
    what = f"Service {its_namespace}/{wanted['name']}"
    if sighting.denied:
        return _not_ready(known, "BackendUnreadable", f"{what}: {sighting.denied}")
    if not sighting.objects:
        return _not_ready(known, "ServiceNotFound", f"{what} does not exist")
    why = _why_not_dialable(sighting.objects[0], port)
    return _not_ready(known, "ServicePortNotFound", f"{what} {why}") if why else known


def _why_not_dialable(found: Manifest, port: int) -> str:
    """Nothing ("") when a connection to this port of the Service's name can reach its pods."""
    ports = found["spec"].get("ports") or []
    if found["spec"].get("type") == "ExternalName" and not ports:
        return ""
    match = next((item for item in ports if int(item["port"]) == port), None)
    # The name of a headless Service resolves to the pods themselves: nothing maps its ports.
    if _is_headless(found):
        pod_ports = [_pod_port(item) for item in ports]
        if not ports or port in pod_ports:
            return ""
        return f"is headless, so the pods' own port is needed: {_some(pod_ports)}, not {port}"
    if match:
        return ""
    return f"has no port {port}; its ports are: {_some(item['port'] for item in ports) or 'none'}"


def _is_headless(found: Manifest) -> bool:
    return bool(found["spec"].get("clusterIP") == "None")


def _pod_port(port: dict[str, Any]) -> int:
    # A named targetPort can differ from pod to pod: the Service's own number is the best guess.
    target = port.get("targetPort")
    return target if isinstance(target, int) and target else int(port["port"])


def _scheme(entry: Entry, port: int) -> str:
    stated = (entry["backend"].get("service") or {}).get("scheme")
    return str(stated) if stated else "https" if port in HTTPS_PORTS else "http"


def _earlier(namespace: str, entry: Entry, known: list[dict[str, Any]]) -> Endpoint:
    """The address that a previous run chose for this endpoint, if it served the same model."""
    nothing = _unresolved(entry, "", "")
    for item in known:
        if item.get("name") != entry["name"] or item.get("model") != entry["model"]:
            continue
        host, _, port = str(item.get("address") or "").rpartition(":")
        if host.endswith(service_host("", namespace)) and port.isdecimal():
            return replace(nothing, host=host, port=int(port), scheme=_scheme(entry, int(port)))
    return nothing


def _unresolved(entry: Entry, reason: str, message: str) -> Endpoint:
    return Endpoint(
        name=entry["name"],
        model=entry["model"],
        weight=int(entry["weight"]),
        host="",
        port=0,
        scheme="http",
        ready=False,
        reason=reason,
        message=message,
    )


def _not_ready(known: Endpoint, reason: str, message: str) -> Endpoint:
    return replace(known, ready=False, reason=reason, message=message)


def label_selector(labels: dict[str, str]) -> str:
    """Labels as ``kubectl get -l`` spells them."""
    return ",".join(f"{key}={labels[key]}" for key in sorted(labels))


def _some(names: Iterable[Any]) -> str:
    listed = [str(name) for name in names]
    shown = ", ".join(listed[:_NAMES_IN_A_MESSAGE])
    rest = len(listed) - _NAMES_IN_A_MESSAGE
    return f"{shown} and {rest} more" if rest > 0 else shown


def _is_default_class(storage_class: Manifest) -> bool:
    annotations = storage_class["metadata"].get("annotations") or {}
    return any(annotations.get(key) == "true" for key in _DEFAULT_CLASS_ANNOTATIONS)


def _storage_class_missing(wanted: str, names: list[str]) -> Problem:
    return Problem(
        reason="StorageClassNotFound",
        field="spec.persistence.storageClassName",
        found=f'StorageClass "{wanted}" does not exist; there are: {_some(names) or "none"}',
        remedy="Name one of them, leave the field out to use the cluster's default, "
        "or create the StorageClass",
        retry=True,
    )


def _covered_already(others: list[str]) -> Problem:
    return Problem(
        reason="PodsCoveredAlready",
        field="spec.podDisruptionBudget.enabled",
        found=f"PodDisruptionBudget {_some(others)} covers the router's pods already, and "
        "Kubernetes evicts no pod that two of them cover",
        remedy="Delete that one, or remove this field",
        retry=True,
        blocking=False,
    )


def _monitoring_api_missing(field: str, kind: str) -> Problem:
    return Problem(
        reason="MonitoringApiMissing",
        field=f"spec.monitoring.{field}.enabled",
        found=f"there is no {kind}, for this API server does not serve "
        f"{GROUP_MONITORING}/{MONITORING_VERSION}",
        remedy="Install the Prometheus operator, or set it to false",
        retry=True,
        blocking=False,
    )


def _storage_classes_unreadable(denied: str) -> Problem:
    # Not blocking: the volume may well bind, it only could not be checked beforehand.
    return Problem(
        reason="StorageClassesUnreadable",
        field="spec.persistence.storageClassName",
        found=f"the operator may not list StorageClasses ({denied})",
        remedy="Allow its ServiceAccount to list storageclasses.storage.k8s.io",
        retry=True,
        blocking=False,
    )
