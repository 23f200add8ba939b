# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One entry of spec.vllmEndpoints, resolved by what was read for it.

Pure. The reads are in ``cluster/discover.py``.

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

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import apis
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.dns_name import service_at
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.gateway_mode import (
    wants_ext_proc,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.labels import as_selector
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import Manifest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

KSERVE_PREDICTOR_PORT = 8443
HTTPS_PORTS = (443, 8443)
# A Llama Stack Service may list its metrics port first.
LLAMASTACK_PORT_NAMES = ("http", "api")

TYPE_KSERVE = "kserve"
TYPE_LLAMASTACK = "llamastack"
TYPE_SERVICE = "service"

_NAMES_IN_A_MESSAGE = 5

# One entry of spec.vllmEndpoints.
Entry = dict[str, Any]


@dataclass(frozen=True)
class Sighting:
    """What one read returned: the objects found, or why the API server refused the read."""

    objects: list[Manifest] = field(default_factory=list)
    denied: str = ""


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
    namespace: str, entry: Entry, sighting: Sighting, served: dict[str, list[str]]
) -> Endpoint:
    name = str(entry["backend"].get("inferenceServiceName") or "")
    if not name:
        return unresolved(entry, "BackendIncomplete", "backend.inferenceServiceName is not set")
    known = Endpoint(
        name=entry["name"],
        model=entry["model"],
        weight=int(entry["weight"]),
        service=f"{name}-predictor",
        namespace=namespace,
        port=KSERVE_PREDICTOR_PORT,
        scheme="https",
        ready=True,
    )
    what = f"InferenceService {namespace}/{name}"
    if sighting.denied:
        return _not_ready(known, "BackendUnreadable", f"{what}: {sighting.denied}")
    if not apis.KSERVE.is_served(served):
        return _not_ready(
            known,
            "KServeNotInstalled",
            f"{what} cannot exist: KServe is not installed "
            f"(the API server does not serve {apis.KSERVE})",
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
        return unresolved(entry, "BackendIncomplete", "backend.discoveryLabels is empty")
    if sighting.denied:
        what = f"Services in namespace {namespace}: {sighting.denied}"
        return _not_ready(earlier, "BackendUnreadable", what)
    usable = {
        str(item["metadata"]["name"]): port
        for item in sighting.objects
        if (port := _llamastack_port(item))
    }
    if not usable:
        return _not_ready(
            earlier, "NoServiceMatches", _no_match(namespace, labels, sighting.objects)
        )
    chosen = earlier.service if earlier.service in usable else min(usable)
    port = usable[chosen]
    return replace(
        earlier,
        service=chosen,
        namespace=namespace,
        port=port,
        scheme=_scheme(entry, port),
        ready=True,
        message=_ambiguity(chosen, sorted(usable)),
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
        return unresolved(entry, "BackendIncomplete", "backend.service has no name or no port")
    port = int(wanted["port"])
    known = Endpoint(
        name=entry["name"],
        model=entry["model"],
        weight=int(entry["weight"]),
        service=wanted["name"],
        namespace=service_namespace(namespace, entry),
        port=port,
        scheme=_scheme(entry, port),
        ready=True,
    )
    what = f"Service {known.namespace}/{known.service}"
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
        return f"is headless, so the pods' own port is needed: {some(pod_ports)}, not {port}"
    if match:
        return ""
    return f"has no port {port}; its ports are: {some(item['port'] for item in ports) or 'none'}"


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
    nothing = unresolved(entry)
    for item in known:
        if item.get("name") != entry["name"] or item.get("model") != entry["model"]:
            continue
        host, _, port = str(item.get("address") or "").rpartition(":")
        name, its_namespace = service_at(host) or ("", "")
        if its_namespace == namespace and port.isdecimal():
            return replace(
                nothing,
                service=name,
                namespace=namespace,
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
