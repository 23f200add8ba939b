# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One entry of spec.vllmEndpoints, resolved by what was read for it.

Pure. The reads are in ``cluster/discover.py``, the kinds of backends in ``spec/backend_kinds.py``.

An endpoint is *ready* when the object that the spec names exists, has the port, and an address
stands behind it. Who says so is in its message: an object's own condition Ready (KServe may have
scaled it to zero), else the EndpointSlices of the Service. How many addresses there are is not
told: a copy of that in a status would be wrong most of the time.

Addresses are found, not guessed: the port of an InferenceService is that of its predictor's
Service, and a headless Service has that of its pods. What was found once stays while the backend is
briefly gone, so that this changes a condition and never a pod. Before anything was found, it is
what KServe has by default.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import (
    backend_kinds,
    backend_tls,
    hosted,
    url,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.backend_kinds import (
    Found,
    Kind,
    Object,
    Proof,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.dns_name import service_at
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import (
    at as field_at,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.gateway_mode import (
    wants_ext_proc,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.labels import as_selector
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import Manifest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.url import HTTPS_PORTS, Url

LABEL_SERVICE_NAME = "kubernetes.io/service-name"

_NAMES_IN_A_MESSAGE = 5
_PATH = re.compile("[A-Za-z0-9/._~%-]*")

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

    named: what the spec names: a Service, the Services of some labels, or an object.
    service: the Service of an object.
    slices: EndpointSlices of the Services.
    """

    named: Sighting = field(default_factory=Sighting)
    service: Sighting = field(default_factory=Sighting)
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
    kind = backend_kinds.kind_of(entry)
    match kind.found:
        case Found.URL:
            return _external(entry)
        case Found.SERVICE:
            return _service(namespace, entry, reading)
        case Found.LABELS:
            return _labelled(kind, namespace, entry, reading, _earlier(entry, known))
        case Found.OBJECT:
            return _object(kind, namespace, entry, reading, served, _earlier(entry, known))


def _external(entry: Entry) -> Endpoint:
    given = url.parsed((entry["backend"].get("external") or {}).get("url"))
    if not given:
        return unresolved(entry, "BackendIncomplete", "backend.external has no URL of a host")
    message = f"{given.host} is outside of the cluster: whether it answers is not known here"
    return replace(
        unresolved(entry),
        port=given.port,
        scheme=given.scheme,
        ready=True,
        message=message,
        server_name=given.host,
    )


def service_of(namespace: str, entry: Entry, named: Sighting) -> str:
    """The Service of the object that an entry names, in the router's namespace; "" for none."""
    name = backend_kinds.object_name(entry)
    known = backend_kinds.kind_of(entry).object
    if not name or not known:
        return ""
    if known.service:
        return known.service.format(name=name)
    if known.picker:
        return str(_picker_of(known, named.objects).get("name") or "")
    at = _stated_url(known, namespace, name, named.objects)
    where = service_at(at.host) if at else None
    return where[0] if where and where[1] == namespace else ""


def needs_slices(kind: Kind, services: Sighting) -> bool:
    """They are the proof, or the only ones who know which port of the pods has a name."""
    return kind.proof is Proof.ADDRESSES or any(
        isinstance(port.get("targetPort"), str)
        for service in services.objects
        if _is_headless(service)
        for port in service["spec"].get("ports") or []
    )


def grant_namespaces(router: Router) -> list[str]:
    """Other namespaces whose Services an HTTPRoute is to use."""
    if not wants_ext_proc(router.spec):
        return []
    named = {service_namespace(router.namespace, entry) for entry in endpoint_entries(router)}
    return sorted(named - {router.namespace})


def service_namespace(namespace: str, entry: Entry) -> str:
    """Where an entry's Service is: where it says, else in the router's namespace."""
    return str(backend_kinds.stated(entry).get("namespace") or namespace)


def some(names: Iterable[Any]) -> str:
    """A few of them, and how many more there are."""
    listed = [str(name) for name in names]
    shown = ", ".join(listed[:_NAMES_IN_A_MESSAGE])
    rest = len(listed) - _NAMES_IN_A_MESSAGE
    return f"{shown} and {rest} more" if rest > 0 else shown


def _object(
    kind: Kind,
    namespace: str,
    entry: Entry,
    reading: BackendReading,
    served: dict[str, list[str]],
    earlier: Endpoint,
) -> Endpoint:
    name, its = backend_kinds.object_name(entry), kind.object
    if not name or not its:
        return unresolved(entry, "BackendIncomplete", f"backend.{kind.field} is not set")
    what = f"{its.kind} {namespace}/{name}"
    api_missing, missing, not_ready, nowhere = its.reasons
    known = _known(kind, namespace, entry, earlier)
    if reading.named.denied:
        return _not_ready(known, "BackendUnreadable", f"{what}: {reading.named.denied}")
    if not its.api(served).is_served(served):
        return _not_ready(
            known,
            api_missing,
            f"{what} cannot exist: {its.project} is not installed "
            f"(the API server does not serve {its.api(served)})",
        )
    if not reading.named.objects:
        return _not_ready(known, missing, f"{what} does not exist")
    service = service_of(namespace, entry, reading.named)
    if reading.service.denied:
        told = f"Service {namespace}/{service}: {reading.service.denied}"
        return _not_ready(known, "BackendUnreadable", told)
    if its.picker:
        return _pool(its, namespace, entry, known, reading)
    found = _of_service(kind, namespace, known, reading) or _of_url(
        its, namespace, name, known, reading
    )
    if found:
        scheme = "https" if backend_tls.is_wanted(entry) else found.scheme
        found = replace(found, scheme=scheme, is_assumed=False)
    if kind.proof is Proof.CONDITION:
        why = _why_not_ready(reading.named.objects[0])
        if why:
            return _not_ready(found or known, not_ready, f"{what} is not Ready{why}")
    if not found:
        return _not_ready(known, nowhere, f"{what} {_nowhere(kind, its, service)}")
    if kind.proof is Proof.CONDITION:
        return replace(found, ready=True, message=f"{what} is Ready")
    proven = _proven(found, reading.service.objects[0], reading.slices)
    return replace(proven, message=f"{what}: {proven.message}")


def _known(kind: Kind, namespace: str, entry: Entry, earlier: Endpoint) -> Endpoint:
    """Where an earlier run has found it, as long as that belongs to this object; else what is
    guessed."""
    name, its = backend_kinds.object_name(entry), kind.object
    if its and its.picker:
        return replace(earlier, pool=name) if earlier.namespace == namespace else unresolved(entry)
    if not its or not its.service:
        # Its status may name anything, and did.
        return replace(earlier, is_assumed=True)
    service = its.service.format(name=name)
    if earlier.namespace == namespace and earlier.service in (service, name):
        return replace(earlier, is_assumed=True)
    if not kind.guess:
        return unresolved(entry)
    return replace(
        earlier,
        service=service,
        namespace=namespace,
        port=kind.guess,
        scheme="https",
        path="",
        is_assumed=True,
    )


def _picker_of(its: Object, objects: list[Manifest]) -> dict[str, Any]:
    """What an InferencePool says of the Service that picks for it; {} when it is no Service."""
    found = dict(field_at(objects[0], its.picker) or {}) if objects else {}
    is_service = not found.get("group") and found.get("kind", "Service") == "Service"
    return found if is_service else {}


def _pool(
    its: Object, namespace: str, entry: Entry, known: Endpoint, reading: BackendReading
) -> Endpoint:
    name = backend_kinds.object_name(entry)
    what = f"{its.kind} {namespace}/{name}"
    pool = reading.named.objects[0]
    _, _, _, nowhere = its.reasons
    picker = _picker_of(its, reading.named.objects)
    port = int((picker.get("port") or {}).get("number") or 0)
    if not picker.get("name") or not port:
        told = f"{what} has no {'.'.join(its.picker)} that is a Service with a port"
        return _not_ready(known, nowhere, told)
    if (pool["spec"].get("appProtocol") or "http") != "http":
        told = f"the pods of {what} speak {pool['spec']['appProtocol']}, and Envoy HTTP/1.1 to them"
        return _not_ready(unresolved(entry), "BackendOutOfReach", told)
    found = replace(
        known,
        service=str(picker["name"]),
        namespace=namespace,
        port=port,
        scheme=str(entry["backend"].get("pickerScheme") or "https"),
        pool=name,
    )
    service = f"Service {namespace}/{found.service}"
    if not reading.service.objects:
        return _not_ready(found, nowhere, f"{what} has no endpoint picker: there is no {service}")
    slices = _slices_of(found.service, reading.slices)
    why = _why_not_dialable(reading.service.objects[0], port, slices)
    if why:
        return _not_ready(found, nowhere, f"{what} has no endpoint picker: {service} {why}")
    proven = _proven(found, reading.service.objects[0], reading.slices)
    return replace(proven, message=f"endpoint picker of {what}: {proven.message}")


def _nowhere(kind: Kind, its: Object, service: str) -> str:
    ready = "is Ready, but" if kind.proof is Proof.CONDITION else "exists, but"
    urls = " or ".join(f"status.{'.'.join(path)}" for path in its.urls)
    if not its.service:
        return f"{ready} has no {urls} with a host"
    if not urls:
        return f"{ready} has no Service {service} with a port"
    return f"{ready} has neither a Service {service} with a port nor a {urls} in this cluster"


def _of_service(
    kind: Kind, namespace: str, known: Endpoint, reading: BackendReading
) -> Endpoint | None:
    """Where the Service of an object says that it is. An ExternalName leads to KServe's ingress,
    which goes by the Host of the InferenceService's own URL."""
    found = next(iter(reading.service.objects), None)
    if not found or not (kind.object and kind.object.service):
        return None
    chosen = _preferred_port(kind, found)
    if not chosen or found["spec"].get("type") == "ExternalName":
        return None
    name = found["metadata"]["name"]
    return replace(
        known,
        service=name,
        namespace=namespace,
        port=_dialled(found, chosen, _slices_of(name, reading.slices)),
        scheme=_scheme_of_port(chosen),
    )


def _preferred_port(kind: Kind, service: Manifest) -> dict[str, Any] | None:
    ports: list[dict[str, Any]] = service["spec"].get("ports") or []
    wanted = [one for one in ports if int(one["port"]) in kind.port_numbers]
    wanted += [one for one in ports if one.get("name") in kind.port_names]
    return next(iter([*wanted, *ports]), None)


def _scheme_of_port(port: dict[str, Any]) -> str:
    is_tls = int(port["port"]) in HTTPS_PORTS or port.get("appProtocol") == "https"
    return "https" if is_tls else "http"


def _of_url(
    its: Object, namespace: str, name: str, known: Endpoint, reading: BackendReading
) -> Endpoint | None:
    """Where an object itself says that it is reached."""
    at = _stated_url(its, namespace, name, reading.named.objects)
    if not at:
        return None
    path = at.path.rstrip("/") if its.has_path else ""
    where = service_at(at.host)
    if not where:
        found = replace(known, service="", namespace="", server_name=at.host)
        return replace(found, port=at.port, scheme=at.scheme, path=path)
    found = replace(known, service=where[0], namespace=where[1], server_name="")
    # That of a Service by a rule is no part of what the status says.
    service = None if its.service else next(iter(reading.service.objects), None)
    port = _port_of(at, service, _slices_of(where[0], reading.slices)) if service else at.port
    return replace(found, port=port, scheme=at.scheme, path=path)


def _port_of(at: Url, service: Manifest, slices: list[Manifest]) -> int:
    """KServe leaves the port out of the URL of a Service that has another than a scheme's own."""
    ports: list[dict[str, Any]] = service["spec"].get("ports") or []
    if not ports:
        return at.port
    chosen = next((one for one in ports if int(one["port"]) == at.port), ports[0])
    return _dialled(service, chosen, slices)


def _stated_url(its: Object, namespace: str, name: str, objects: list[Manifest]) -> Url | None:
    """The best of the URLs in an object's status: in the cluster before one outside, and of those
    one whose path is this object's alone."""
    if not objects:
        return None
    status = objects[0].get("status") or {}
    texts = (text for path in its.urls for text in _texts(status, path))
    # What else a path can have, Envoy and a Gateway would read in ways of their own.
    stated = [at for text in texts if (at := url.parsed(text)) and _PATH.fullmatch(at.path)]
    inside = [at for at in stated if service_at(at.host)]
    if not its.has_path:
        return next(iter(inside), None)
    own = f"/{namespace}/{name}"
    usable = inside or stated
    return next((at for at in usable if at.path.startswith(own)), next(iter(usable), None))


def _texts(value: Any, path: tuple[str, ...]) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _texts(item, path)
    elif path and isinstance(value, dict):
        yield from _texts(value.get(path[0]), path[1:])
    elif isinstance(value, str):
        yield value


def _why_not_ready(found: Manifest) -> str:
    """Nothing ("") when Ready, else what its own condition says."""
    conditions = (found.get("status") or {}).get("conditions") or []
    ready: Manifest = next((item for item in conditions if item.get("type") == "Ready"), {})
    if ready.get("status") == "True":
        return ""
    said = ready.get("message") or ready.get("reason")
    return f": {said}" if said else " yet"


def _labelled(
    kind: Kind, namespace: str, entry: Entry, reading: BackendReading, earlier: Endpoint
) -> Endpoint:
    labels = backend_kinds.labels_of(entry)
    if not labels:
        return unresolved(entry, "BackendIncomplete", f"backend.{kind.field} is empty")
    there = service_namespace(namespace, entry)
    known = earlier if earlier.namespace == there else unresolved(entry)
    if reading.named.denied:
        what = f"Services in namespace {there}: {reading.named.denied}"
        return _not_ready(known, "BackendUnreadable", what)
    matching = {str(item["metadata"]["name"]): item for item in reading.named.objects}
    wanted = backend_kinds.stated(entry).get("port")
    usable = {
        name: port
        for name, item in matching.items()
        if (port := _labelled_port(kind, wanted, item, _slices_of(name, reading.slices)))
    }
    if not usable:
        message = _no_match(there, labels, wanted, reading.named.objects)
        return _not_ready(known, kind.nothing, message)
    chosen = known.service if known.service in usable else min(usable)
    found = replace(
        known,
        service=chosen,
        namespace=there,
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


def _no_match(
    namespace: str, labels: dict[str, str], port: int | str | None, matching: list[Manifest]
) -> str:
    selector = as_selector(labels)
    if matching:
        names = some(item["metadata"]["name"] for item in matching)
        which = f" {port}" if port else ""
        return f"the Services that match {selector} have no port{which}: {names}"
    return f"no Service in namespace {namespace} matches {selector}"


def _ambiguity(chosen: str, usable: list[str]) -> str:
    if len(usable) == 1:
        return ""
    others = some(name for name in usable if name != chosen)
    return f"{len(usable)} Services match: uses {chosen}, not {others}"


def _labelled_port(
    kind: Kind, wanted: int | str | None, found: Manifest, slices: list[Manifest]
) -> int:
    """The port to dial; 0 when the Service has none, or not the one that is wanted."""
    ports = found["spec"].get("ports") or []
    if wanted:
        named = (one for one in ports if wanted in (one.get("name"), int(one["port"])))
        chosen = next(named, None)
    else:
        chosen = _preferred_port(kind, found)
    return _dialled(found, chosen, slices) if chosen else 0


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
    stated = backend_kinds.stated(entry).get("scheme")
    return str(stated) if stated else url.usual_scheme(port)


def _earlier(entry: Entry, known: list[dict[str, Any]]) -> Endpoint:
    """The address that a previous run found for this endpoint, if it served the same model."""
    nothing = unresolved(entry)
    for item in known:
        if item.get("name") != entry["name"] or item.get("model") != entry["model"]:
            continue
        host, _, port = str(item.get("address") or "").rpartition(":")
        at, stated = service_at(host), url.parsed(item.get("url"))
        if not host or not port.isdecimal():
            continue
        found = replace(
            nothing,
            port=int(port),
            scheme=stated.scheme if stated else _scheme(entry, int(port)),
            path=stated.path if stated else "",
        )
        if at:
            return replace(found, service=at[0], namespace=at[1])
        if backend_kinds.kind_of(entry).object:
            return replace(found, server_name=host)
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
