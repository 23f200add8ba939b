# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One entry of spec.vllmEndpoints, resolved by what was read for it.

Pure. The reads are in ``cluster/discover.py``.

An endpoint is *ready* when the object that the spec names exists, has the port, and an address
stands behind it. Who says so is in its message: an InferenceService's own condition Ready (KServe
may have scaled it to zero), else the EndpointSlices of the Service. How many addresses there are is
not told: a copy of that in a status would be wrong most of the time.

Addresses are found, not guessed: the port of an InferenceService is that of its predictor's
Service, and a headless Service has that of its pods. What was found once stays while the backend is
briefly gone, so that this changes a condition and never a pod. Before anything was found, it is
what KServe has by default.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import (
    apis,
    backend_tls,
    hosted,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.dns_name import service_at
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.gateway_mode import (
    wants_ext_proc,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.labels import as_selector
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import Manifest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.url import parsed

# With KServe's own TLS, and before any Service was seen.
KSERVE_PREDICTOR_PORT = 8443
HTTPS_PORTS = (443, 8443)
# A Llama Stack Service may list its metrics port first.
LLAMASTACK_PORT_NAMES = ("http", "api")

TYPE_KSERVE = "kserve"
TYPE_LLAMASTACK = "llamastack"
TYPE_SERVICE = "service"

LABEL_SERVICE_NAME = "kubernetes.io/service-name"

_NAMES_IN_A_MESSAGE = 5

# One entry of spec.vllmEndpoints.
Entry = dict[str, Any]


@dataclass(frozen=True)
class Sighting:
    """What one read returned: the objects found, or why the API server refused the read."""

    objects: list[Manifest] = field(default_factory=list)
    denied: str = ""


@dataclass(frozen=True)
class BackendReading:
    """What was read for one entry of spec.vllmEndpoints.

    named: what the spec names: an InferenceService, a Service, or the Services of some labels.
    predictor: the Service of an InferenceService.
    slices: EndpointSlices of the Services.
    """

    named: Sighting = field(default_factory=Sighting)
    predictor: Sighting = field(default_factory=Sighting)
    slices: Sighting = field(default_factory=Sighting)


def endpoint_entries(router: Router) -> list[Entry]:
    """spec.vllmEndpoints, and hosted models of spec.config.providers."""
    return hosted.model_entries(router.spec)


def endpoint(
    namespace: str,
    entry: Entry,
    reading: BackendReading,
    served: dict[str, list[str]],
    known: list[dict[str, Any]],
) -> Endpoint:
    """One entry of spec.vllmEndpoints, resolved by what was read for it.

    namespace: the router's own. served: capabilities. known: status.endpoints of the previous run.
    """
    kind = entry["backend"]["type"]
    if kind == hosted.TYPE_EXTERNAL:
        return _external(entry)
    earlier = _earlier(entry, known)
    if kind == TYPE_KSERVE:
        return _kserve(namespace, entry, reading, served, earlier)
    if kind == TYPE_LLAMASTACK:
        return _llamastack(namespace, entry, reading, earlier)
    return _service(namespace, entry, reading)


def _external(entry: Entry) -> Endpoint:
    url = parsed((entry["backend"].get("external") or {}).get("url"))
    if not url:
        return unresolved(entry, "BackendIncomplete", "backend.external has no URL of a host")
    message = f"{url.host} is outside of the cluster: whether it answers is not known here"
    return replace(
        unresolved(entry),
        port=url.port,
        scheme=url.scheme,
        ready=True,
        message=message,
        server_name=url.host,
    )


def predictor_name(entry: Entry) -> str:
    """The Service that KServe makes for an InferenceService; "" when none is named."""
    name = entry["backend"].get("inferenceServiceName")
    return f"{name}-predictor" if name else ""


def grant_namespaces(router: Router) -> list[str]:
    """Other namespaces whose Services an HTTPRoute is to use."""
    if not wants_ext_proc(router.spec):
        return []
    named = {service_namespace(router.namespace, entry) for entry in endpoint_entries(router)}
    return sorted(named - {router.namespace})


def service_namespace(namespace: str, entry: Entry) -> str:
    """Namespace of a ``service`` backend: its own when it names one, else the router's."""
    backend_service = entry["backend"].get("service") or {}
    return str(backend_service.get("namespace") or namespace)


def some(names: Iterable[Any]) -> str:
    """A few of them, and how many more there are."""
    listed = [str(name) for name in names]
    shown = ", ".join(listed[:_NAMES_IN_A_MESSAGE])
    rest = len(listed) - _NAMES_IN_A_MESSAGE
    return f"{shown} and {rest} more" if rest > 0 else shown


def _kserve(
    namespace: str,
    entry: Entry,
    reading: BackendReading,
    served: dict[str, list[str]],
    earlier: Endpoint,
) -> Endpoint:
    name = str(entry["backend"].get("inferenceServiceName") or "")
    if not name:
        return unresolved(entry, "BackendIncomplete", "backend.inferenceServiceName is not set")
    known = replace(
        earlier,
        service=predictor_name(entry),
        namespace=namespace,
        port=KSERVE_PREDICTOR_PORT,
        scheme="https",
        is_assumed=True,
    )
    # That of an earlier run, as long as it belongs to this InferenceService.
    if earlier.namespace == namespace and earlier.service in (known.service, name):
        known = replace(earlier, is_assumed=True)
    what = f"InferenceService {namespace}/{name}"
    if reading.named.denied:
        return _not_ready(known, "BackendUnreadable", f"{what}: {reading.named.denied}")
    if not apis.KSERVE.is_served(served):
        return _not_ready(
            known,
            "KServeNotInstalled",
            f"{what} cannot exist: KServe is not installed "
            f"(the API server does not serve {apis.KSERVE})",
        )
    if not reading.named.objects:
        return _not_ready(known, "InferenceServiceNotFound", f"{what} does not exist")
    if reading.predictor.denied:
        service = f"Service {namespace}/{predictor_name(entry)}"
        return _not_ready(known, "BackendUnreadable", f"{service}: {reading.predictor.denied}")
    found = _of_predictor(known, reading) or _of_url(known, reading.named.objects[0])
    if found:
        scheme = "https" if backend_tls.is_wanted(entry) else found.scheme
        found = replace(found, scheme=scheme, is_assumed=False)
    why = _why_not_ready(reading.named.objects[0])
    if why:
        return _not_ready(found or known, "InferenceServiceNotReady", f"{what} is not Ready{why}")
    if not found:
        return _not_ready(
            known,
            "PredictorNotFound",
            f"{what} is Ready, but has neither a Service {predictor_name(entry)} with a port nor a "
            "status.address.url in this cluster",
        )
    return replace(found, ready=True, message=f"{what} is Ready")


def _of_predictor(known: Endpoint, reading: BackendReading) -> Endpoint | None:
    """Where the predictor's Service says that it is. An ExternalName leads to KServe's ingress,
    which goes by the Host of the InferenceService's own URL."""
    found = next(iter(reading.predictor.objects), None)
    ports = (found["spec"].get("ports") or []) if found else []
    if not found or not ports or found["spec"].get("type") == "ExternalName":
        return None
    chosen = next((one for one in ports if int(one["port"]) == KSERVE_PREDICTOR_PORT), ports[0])
    port = _dialled(found, chosen, [])
    is_tls = int(chosen["port"]) in HTTPS_PORTS or chosen.get("appProtocol") == "https"
    name = found["metadata"]["name"]
    return replace(known, service=name, port=port, scheme="https" if is_tls else "http")


def _of_url(known: Endpoint, inference_service: Manifest) -> Endpoint | None:
    """Where the InferenceService itself says that it is reached inside the cluster."""
    address = (inference_service.get("status") or {}).get("address") or {}
    url = parsed(address.get("url"))
    at = service_at(url.host) if url else None
    if not url or not at:
        return None
    return replace(known, service=at[0], namespace=at[1], port=url.port, scheme=url.scheme)


def _why_not_ready(inference_service: Manifest) -> str:
    """Nothing ("") when Ready, else what its own condition says."""
    conditions = (inference_service.get("status") or {}).get("conditions") or []
    ready: Manifest = next((item for item in conditions if item.get("type") == "Ready"), {})
    if ready.get("status") == "True":
        return ""
    said = ready.get("message") or ready.get("reason")
    return f": {said}" if said else " yet"


def _llamastack(
    namespace: str, entry: Entry, reading: BackendReading, earlier: Endpoint
) -> Endpoint:
    labels = entry["backend"].get("discoveryLabels") or {}
    if not labels:
        return unresolved(entry, "BackendIncomplete", "backend.discoveryLabels is empty")
    known = earlier if earlier.namespace == namespace else unresolved(entry)
    if reading.named.denied:
        what = f"Services in namespace {namespace}: {reading.named.denied}"
        return _not_ready(known, "BackendUnreadable", what)
    matching = {str(item["metadata"]["name"]): item for item in reading.named.objects}
    usable = {
        name: port
        for name, item in matching.items()
        if (port := _llamastack_port(item, _slices_of(name, reading.slices)))
    }
    if not usable:
        message = _no_match(namespace, labels, reading.named.objects)
        return _not_ready(known, "NoServiceMatches", message)
    chosen = known.service if known.service in usable else min(usable)
    found = replace(
        known,
        service=chosen,
        namespace=namespace,
        port=usable[chosen],
        scheme=_scheme(entry, usable[chosen]),
    )
    proven = _proven(found, matching[chosen], reading.slices)
    return replace(proven, remark=_ambiguity(chosen, sorted(usable)))


def _proven(found: Endpoint, service: Manifest, slices: Sighting) -> Endpoint:
    """Ready if an address stands behind the Service, with what says so."""
    what = f"Service {found.namespace}/{found.service}"
    if service["spec"].get("type") == "ExternalName":
        name = str(service["spec"].get("externalName") or "")
        message = f"{what} stands for {name}, of which nobody here knows more"
        return replace(found, ready=True, server_name=name, message=message)
    if slices.denied:
        return _not_ready(found, "BackendUnreadable", f"EndpointSlices of {what}: {slices.denied}")
    if not any(_has_address(item) for item in _slices_of(found.service, slices)):
        return _not_ready(found, "NoReadyAddress", f"{what} has no ready address behind it")
    return replace(found, ready=True, message=f"{what} has ready addresses")


def _slices_of(service: str, slices: Sighting) -> list[Manifest]:
    return [
        item
        for item in slices.objects
        if (item["metadata"].get("labels") or {}).get(LABEL_SERVICE_NAME) == service
    ]


def _has_address(endpoint_slice: Manifest) -> bool:
    return any(
        # Unset means ready, by the API's own words.
        (one.get("conditions") or {}).get("ready") is not False
        for one in endpoint_slice.get("endpoints") or []
    )


def _no_match(namespace: str, labels: dict[str, str], matching: list[Manifest]) -> str:
    selector = as_selector(labels)
    if matching:
        names = some(item["metadata"]["name"] for item in matching)
        return f"the Services that match {selector} have no port: {names}"
    return f"no Service in namespace {namespace} matches {selector}"


def _ambiguity(chosen: str, usable: list[str]) -> str:
    if len(usable) == 1:
        return ""
    others = some(name for name in usable if name != chosen)
    return f"{len(usable)} Services match: uses {chosen}, not {others}"


def _llamastack_port(found: Manifest, slices: list[Manifest]) -> int:
    """The port to dial; 0 when the Service has none."""
    ports = found["spec"].get("ports") or []
    if not ports:
        return 0
    chosen = next((item for item in ports if item.get("name") in LLAMASTACK_PORT_NAMES), ports[0])
    return _dialled(found, chosen, slices)


def _service(namespace: str, entry: Entry, reading: BackendReading) -> Endpoint:
    wanted = entry["backend"].get("service") or {}
    if not wanted.get("name") or not wanted.get("port"):
        return unresolved(entry, "BackendIncomplete", "backend.service has no name or no port")
    port = int(wanted["port"])
    known = replace(
        unresolved(entry),
        service=wanted["name"],
        namespace=service_namespace(namespace, entry),
        port=port,
        scheme=_scheme(entry, port),
    )
    what = f"Service {known.namespace}/{known.service}"
    if reading.named.denied:
        return _not_ready(known, "BackendUnreadable", f"{what}: {reading.named.denied}")
    if not reading.named.objects:
        return _not_ready(known, "ServiceNotFound", f"{what} does not exist")
    found = reading.named.objects[0]
    proven = _proven(known, found, reading.slices)
    why = _why_not_dialable(found, port, _slices_of(known.service, reading.slices))
    return _not_ready(proven, "ServicePortNotFound", f"{what} {why}") if why else proven


def _why_not_dialable(found: Manifest, port: int, slices: list[Manifest]) -> str:
    """Nothing ("") when a connection to this port of the Service's name can reach its pods."""
    ports = found["spec"].get("ports") or []
    if found["spec"].get("type") == "ExternalName" and not ports:
        return ""
    # The name of a headless Service resolves to the pods themselves: nothing maps its ports.
    if _is_headless(found):
        return _why_no_pod_port(ports, port, slices)
    if any(int(item["port"]) == port for item in ports):
        return ""
    return f"has no port {port}; its ports are: {some(item['port'] for item in ports) or 'none'}"


def _why_no_pod_port(ports: list[dict[str, Any]], port: int, slices: list[Manifest]) -> str:
    known = {number for item in ports for number in _pod_ports(item, slices)}
    # Without a number for some name, nobody can say that it is not this one.
    if not ports or port in known or not all(_pod_ports(item, slices) for item in ports):
        return ""
    return f"is headless, so the pods' own port is needed: {some(sorted(known))}, not {port}"


def _dialled(found: Manifest, port: dict[str, Any], slices: list[Manifest]) -> int:
    """Behind the Service's name nothing maps the ports of a headless one."""
    if not _is_headless(found):
        return int(port["port"])
    return min(_pod_ports(port, slices), default=int(port["port"]))


def _pod_ports(port: dict[str, Any], slices: list[Manifest]) -> set[int]:
    """The pods' own numbers for a port of a Service; of a name, only their EndpointSlices know."""
    target = port.get("targetPort") or int(port["port"])
    if isinstance(target, int):
        return {target}
    return {
        int(one["port"])
        for item in slices
        for one in item.get("ports") or []
        if one.get("port") and (one.get("name") or "") == (port.get("name") or "")
    }


def _is_headless(found: Manifest) -> bool:
    return bool(found["spec"].get("clusterIP") == "None")


def _scheme(entry: Entry, port: int) -> str:
    if backend_tls.is_wanted(entry):
        return "https"
    stated = (entry["backend"].get("service") or {}).get("scheme")
    return str(stated) if stated else "https" if port in HTTPS_PORTS else "http"


def _earlier(entry: Entry, known: list[dict[str, Any]]) -> Endpoint:
    """The address that a previous run found for this endpoint, if it served the same model."""
    nothing = unresolved(entry)
    for item in known:
        if item.get("name") != entry["name"] or item.get("model") != entry["model"]:
            continue
        host, _, port = str(item.get("address") or "").rpartition(":")
        at = service_at(host)
        if at and port.isdecimal():
            return replace(
                nothing,
                service=at[0],
                namespace=at[1],
                port=int(port),
                scheme=_scheme(entry, int(port)),
            )
    return nothing


def unresolved(entry: Entry, reason: str = "", message: str = "") -> Endpoint:
    """One of which it is not even known where its backend would be."""
    return Endpoint(
        name=entry["name"],
        model=entry["model"],
        weight=int(entry["weight"]),
        service="",
        namespace="",
        port=0,
        scheme="http",
        ready=False,
        reason=reason,
        message=message,
    )


def _not_ready(known: Endpoint, reason: str, message: str) -> Endpoint:
    return replace(known, ready=False, reason=reason, message=message)
