# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Does spec.vllmEndpoints make sense?"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from ansible_collections.vllm.semantic_router.plugins.module_utils.checks.finding import (
    DNS_LABEL,
    Problems,
    Spec,
    duplicates,
    invalid,
    label_problems,
    no_object_name,
)

_MODEL = re.compile(r"[!-~]+")


def _endpoint_names(spec: Spec) -> Problems:
    yield from duplicates(spec.get("vllmEndpoints") or [], "spec.vllmEndpoints")
    for index, endpoint in enumerate(spec.get("vllmEndpoints") or []):
        yield from duplicates(endpoint.get("loras") or [], f"spec.vllmEndpoints[{index}].loras")


def _models(spec: Spec) -> Problems:
    for index, endpoint in enumerate(spec.get("vllmEndpoints") or []):
        if not _MODEL.fullmatch(endpoint["model"]):
            yield invalid(
                f"spec.vllmEndpoints[{index}].model",
                f'"{endpoint["model"]}" cannot travel in an HTTP header',
                "Use printable ASCII without spaces, the name that the server serves "
                "(--served-model-name)",
            )


def _backends(spec: Spec) -> Problems:
    for index, endpoint in enumerate(spec.get("vllmEndpoints") or []):
        path = f"spec.vllmEndpoints[{index}].backend"
        yield from _BY_TYPE[endpoint["backend"]["type"]](endpoint["backend"], path)


def _kserve(backend: Spec, path: str) -> Problems:
    name = backend.get("inferenceServiceName")
    if not name:
        yield invalid(
            f"{path}.inferenceServiceName",
            "type is kserve but it is missing",
            "Name the InferenceService",
        )
    elif not DNS_LABEL.fullmatch(name):
        yield no_object_name(f"{path}.inferenceServiceName", name, "an InferenceService")


def _llamastack(backend: Spec, path: str) -> Problems:
    labels = backend.get("discoveryLabels")
    if not labels:
        yield invalid(
            f"{path}.discoveryLabels",
            "type is llamastack but it is empty",
            "Give the labels of the Service",
        )
    yield from label_problems(labels or {}, f"{path}.discoveryLabels")


def _service(backend: Spec, path: str) -> Problems:
    service = backend.get("service")
    if not service:
        yield invalid(
            f"{path}.service",
            "type is service but it is missing",
            "Give service.name and service.port",
        )
        return
    if not DNS_LABEL.fullmatch(service["name"]):
        yield no_object_name(f"{path}.service.name", service["name"], "a Service")
    namespace = service.get("namespace")
    if namespace and not DNS_LABEL.fullmatch(namespace):
        yield no_object_name(f"{path}.service.namespace", namespace, "a namespace")


_BY_TYPE: Mapping[str, Callable[[Spec, str], Problems]] = {
    "kserve": _kserve,
    "llamastack": _llamastack,
    "service": _service,
}


RULES: tuple[Callable[[Spec], Problems], ...] = (
    _endpoint_names,
    _models,
    _backends,
)
