# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Does spec.vllmEndpoints make sense?"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.checks.finding import (
    Problems,
    Spec,
    duplicates,
    label_problems,
    object_name_problems,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import (
    backend_kinds,
    backend_tls,
    hosted,
    reliability,
    traffic_policy,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.credentials import (
    is_credential,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.dns_name import (
    is_host_name,
    is_label,
    is_subdomain,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.duration import seconds
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import field_path
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.gateway_mode import (
    is_gateway_mode,
    serves_alone,
    wants_ext_proc,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import invalid
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.url import parsed

# The router says in a header which adapter it selects.
_HEADER_VALUE = re.compile(r"[!-~]+")


def _endpoint_names(spec: Spec) -> Problems:
    yield from duplicates(spec.get("vllmEndpoints") or [], "spec.vllmEndpoints")
    for index, endpoint in enumerate(spec.get("vllmEndpoints") or []):
        yield from duplicates(endpoint.get("loras") or [], f"spec.vllmEndpoints[{index}].loras")


def _lora_names(spec: Spec) -> Problems:
    for index, endpoint in enumerate(spec.get("vllmEndpoints") or []):
        for number, lora in enumerate(endpoint.get("loras") or []):
            if not _HEADER_VALUE.fullmatch(lora["name"]):
                path = f"spec.vllmEndpoints[{index}].loras[{number}].name"
                found = f'"{lora["name"]}" cannot travel in an HTTP header'
                remedy = (
                    "Use printable ASCII without spaces, the name that the server loads "
                    "(--lora-modules)"
                )
                yield invalid(path, found, remedy)


def _adapters(spec: Spec) -> Problems:
    """An adapter is selected by its name alone, so that must tell whose it is."""
    endpoints = spec.get("vllmEndpoints") or []
    owners = {endpoint["model"]: endpoint["model"] for endpoint in endpoints}
    for index, endpoint in enumerate(endpoints):
        for number, lora in enumerate(endpoint.get("loras") or []):
            owner = owners.setdefault(lora["name"], endpoint["model"])
            if owner == lora["name"]:
                found = f"{owner} is a model too, which gets the requests for this adapter"
            elif owner != endpoint["model"]:
                found = (
                    f"the model {owner} has an adapter {lora['name']} too, and gets its requests"
                )
            else:
                continue
            path = f"spec.vllmEndpoints[{index}].loras[{number}].name"
            yield replace(invalid(path, found, "Give the adapter another name"), blocking=False)


def _backends(spec: Spec) -> Problems:
    for index, endpoint in enumerate(spec.get("vllmEndpoints") or []):
        kind = backend_kinds.kind_of(endpoint)
        path = f"spec.vllmEndpoints[{index}].backend.{kind.field}"
        if given := endpoint["backend"].get(kind.field):
            yield from _CHECKS[kind.field](given, path)


def _unread(spec: Spec) -> Problems:
    """What says where a backend of another type is."""
    for index, endpoint in enumerate(spec.get("vllmEndpoints") or []):
        kind = backend_kinds.kind_of(endpoint)
        read = {kind.field, *(("pickerScheme",) if kind.type == backend_kinds.TYPE_POOL else ())}
        for name in _ONE_TYPE_EACH:
            if endpoint["backend"].get(name) and name not in read:
                path = f"spec.vllmEndpoints[{index}].backend.{name}"
                found = f"nothing reads it, since type is {kind.type}"
                yield replace(invalid(path, found, "Remove it, or correct type"), blocking=False)


def _inference_service(name: str, path: str) -> Problems:
    yield from object_name_problems(name, path, "an InferenceService", is_label)


def _object(name: str, path: str) -> Problems:
    yield from object_name_problems(name, path, "an object", is_subdomain)


def _selector(selector: Spec, path: str) -> Problems:
    yield from label_problems(selector["labels"], f"{path}.labels")
    yield from object_name_problems(
        selector.get("namespace"), f"{path}.namespace", "a namespace", is_label
    )


def _service(service: Spec, path: str) -> Problems:
    yield from object_name_problems(service["name"], f"{path}.name", "a Service", is_label)
    yield from object_name_problems(
        service.get("namespace"), f"{path}.namespace", "a namespace", is_label
    )


def _external(external: Spec, path: str) -> Problems:
    if not parsed(external["url"]):
        # What is in the way may be a key, and a status is for more eyes than a spec.
        found = "it is no URL of a host, a port and a path alone"
        remedy = "Give one such as https://api.openai.com/v1, and keys in apiKeySecretRef"
        yield invalid(f"{path}.url", found, remedy)
    for name, value in (external.get("headers") or {}).items():
        if is_credential(name, value):
            found = "a ConfigMap would hold this key"
            remedy = (
                "Name its Secret in apiKeySecretRef, or write ${NAME} of a variable in spec.env"
            )
            yield invalid(f"{path}.headers.{name}", found, remedy)
    if external.get("apiVersion") and external["provider"] != "azure-openai":
        found = f"{external['provider']} has no versions of its API"
        yield invalid(f"{path}.apiVersion", found, "Remove it")
    secret = (external.get("apiKeySecretRef") or {}).get("name")
    yield from object_name_problems(
        secret, f"{path}.apiKeySecretRef.name", "a Secret", is_subdomain
    )


_CHECKS: dict[str, Callable[[Any, str], Problems]] = {
    "inferenceServiceName": _inference_service,
    "name": _object,
    "discoveryLabels": label_problems,
    "selector": _selector,
    "service": _service,
    "external": _external,
}
_ONE_TYPE_EACH = (*dict.fromkeys(kind.field for kind in backend_kinds.KINDS), "pickerScheme")


def _untold(spec: Spec, path: str) -> Problems:
    """How backends are asked, where a Gateway that the operator tells nothing asks them."""
    if is_gateway_mode(spec) and not wants_ext_proc(spec):
        found = "the Gateway asks backends, by routes that are not the operator's"
        remedy = (
            "Set spec.gateway.extProc, remove it and give the Gateway a policy, or run standalone"
        )
        yield invalid(path, found, remedy)


def _tls(spec: Spec) -> Problems:
    for index, entry in enumerate(spec.get("vllmEndpoints") or []):
        backend, path = entry["backend"], f"spec.vllmEndpoints[{index}].backend"
        if not backend_tls.is_wanted(entry):
            continue
        yield from _untold(spec, f"{path}.tls")
        if is_gateway_mode(spec) and backend_kinds.kind_of(entry).type == backend_kinds.TYPE_POOL:
            found = "a Gateway asks an endpoint picker in its own way"
            yield invalid(f"{path}.tls", found, "Remove it, or run standalone")
        if backend.get("pickerScheme") == "http":
            yield invalid(f"{path}.tls", "pickerScheme is http", "Remove one of them")
        yield from _tls_problems(backend["tls"], f"{path}.tls")


def _tls_problems(tls: Spec, path: str) -> Problems:
    name = tls.get("serverName")
    if name and not is_host_name(name):
        found = f'"{name}" is no DNS name'
        yield invalid(f"{path}.serverName", found, "Give one that the certificate has")
    ca, client = tls.get("caRef") or {}, tls.get("clientCertificateRef") or {}
    kind = f"a {ca.get('kind')}"
    yield from object_name_problems(ca.get("name"), f"{path}.caRef.name", kind, is_subdomain)
    yield from object_name_problems(
        client.get("name"), f"{path}.clientCertificateRef.name", "a Secret", is_subdomain
    )


def _traffic_policies(spec: Spec) -> Problems:
    first: dict[str, tuple[str, Any]] = {}
    for index, entry in enumerate(spec.get("vllmEndpoints") or []):
        policy, path = entry.get("trafficPolicy"), f"spec.vllmEndpoints[{index}].trafficPolicy"
        if not policy:
            continue
        name, other = first.setdefault(entry["model"], (entry["name"], policy))
        if other != policy:
            found = f"{name} has another one, and both serve {entry['model']}"
            yield invalid(path, found, "Keep it at one of them, or make them the same")
        yield from _untold(spec, path)
        yield from _no_time(policy, path)
        balancer = policy.get("loadBalancer") or {}
        if balancer.get("slowStart") and balancer["type"] == "Random":
            found = "type is Random, which knows no shares"
            yield invalid(f"{path}.loadBalancer.slowStart", found, "Remove one of them")


def _failovers(spec: Spec) -> Problems:
    entries = spec.get("vllmEndpoints") or []
    models = {entry["model"] for entry in hosted.model_entries(spec)}
    for index, entry in enumerate(entries):
        other = traffic_policy.failover_model(entry.get("trafficPolicy") or {})
        path = f"spec.vllmEndpoints[{index}].trafficPolicy.failover"
        if not other:
            continue
        if other == entry["model"]:
            found = f"{other} is the model itself, whose endpoints are all tried anyway"
            yield invalid(f"{path}.model", found, "Name another model, or remove it")
        elif other not in models:
            found = f'no entry of spec.vllmEndpoints serves a model "{other}"'
            yield invalid(f"{path}.model", found, "Add the entry, or name one of the models there")
        if is_gateway_mode(spec):
            found = "a Gateway cannot make a request for one model a request for another"
            yield invalid(path, found, "Remove it, or run standalone")
        if backend_kinds.kind_of(entry).type == backend_kinds.TYPE_POOL:
            found = "an endpoint picker alone says where the requests of an InferencePool go"
            yield invalid(path, found, "Remove it")


def _reliability(spec: Spec) -> Problems:
    """The same in the words of the router's own document."""
    if serves_alone(spec):
        return
    policies = traffic_policy.fields_of_endpoints(spec)
    for path, model, block in reliability.by_model(spec):
        yield from _untold(spec, field_path(path))
        if model in policies:
            found = f"{policies[model]} says it of {model} too"
            yield invalid(field_path(path), found, "Keep one of them")
        for key, found, remedy in reliability.problems(block):
            yield invalid(field_path((*path, key)), found, remedy)


# What may last for no time; it then has no limit.
_UNLIMITED = ("firstByte", "idle", "request")


def _no_time(section: Spec, path: str) -> Problems:
    for name, value in section.items():
        if isinstance(value, dict):
            yield from _no_time(value, f"{path}.{name}")
        elif isinstance(value, str) and seconds(value) == 0 and name not in _UNLIMITED:
            yield invalid(f"{path}.{name}", f"{value} is no time", "Give more, or leave it out")


def _hosted(spec: Spec) -> Problems:
    """The router tells models apart, not their endpoints: all of one model get the same key."""
    entries = spec.get("vllmEndpoints") or []
    inside = {entry["model"] for entry in entries if not hosted.is_external(entry)}
    for index, entry in enumerate(entries):
        path = f"spec.vllmEndpoints[{index}]"
        if hosted.is_external(entry) and entry["model"] in inside:
            found = f"{entry['model']} is served in the cluster too"
            remedy = "Give the hosted one a name of its own, and let decisions choose"
            yield invalid(f"{path}.model", found, remedy)
        if hosted.is_external(entry) and is_gateway_mode(spec):
            found = "behind a Gateway nothing leads out of the cluster"
            yield invalid(f"{path}.backend.type", found, "Run standalone, or leave the entry out")


def _pools(spec: Spec) -> Problems:
    entries = spec.get("vllmEndpoints") or []
    models = [entry["model"] for entry in entries]
    for index, entry in enumerate(entries):
        if backend_kinds.kind_of(entry).type != backend_kinds.TYPE_POOL:
            continue
        path = f"spec.vllmEndpoints[{index}]"
        if models.count(entry["model"]) > 1:
            found = (
                f"{entry['model']} has other endpoints, which an endpoint picker knows nothing of"
            )
            yield invalid(f"{path}.model", found, "Give each a model of its own, or one pool")


RULES: tuple[Callable[[Spec], Problems], ...] = (
    _endpoint_names,
    _lora_names,
    _adapters,
    _backends,
    _tls,
    _traffic_policies,
    _failovers,
    _reliability,
    _unread,
    _hosted,
    _pools,
)
