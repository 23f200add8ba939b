# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every kind of backend that an entry of spec.vllmEndpoints can have: one row each.

What is read, what is granted, which field is needed and which port is dialled all follow from the
row. Another kind of object is another row, a CRD in tests/crds and a paragraph of the guide, where
the table of docs/guide/discovery.md is compared with this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import apis
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.hosted import TYPE_EXTERNAL


class Found(StrEnum):
    """How a backend is found."""

    SERVICE = "a Service by its name"
    LABELS = "a Service by its labels"
    OBJECT = "an object by its name"
    URL = "a URL"


class Proof(StrEnum):
    """Who says that a backend is there."""

    ADDRESSES = "ready addresses in the Service's EndpointSlices"
    CONDITION = "its condition Ready"
    NOBODY = "nobody: it is outside of the cluster"


@dataclass(frozen=True)
class Object:
    """A kind of object that stands for model servers.

    project: who brings it. versions: the newest first. service: its Service's name, with {name} for
    its own; "" where its status says where it is. urls: fields below status that do. has_path: what
    is in front of the API is part of that. picker: the field of the endpoint picker, which says for
    each request where it is to go. reasons: why it is not resolved: the API is not served,
    there is none, it is not ready, it says nowhere.
    """

    project: str
    group: str
    versions: tuple[str, ...]
    kind: str
    plural: str
    service: str = ""
    urls: tuple[tuple[str, ...], ...] = ()
    has_path: bool = False
    picker: tuple[str, ...] = ()
    reasons: tuple[str, str, str, str] = (
        "BackendApiNotInstalled",
        "BackendObjectNotFound",
        "BackendObjectNotReady",
        "BackendAddressUnknown",
    )

    def api(self, served: Mapping[str, list[str]]) -> apis.Api:
        """The newest version that is served; the newest of all where none is."""
        known = served.get(self.group, [])
        version = next((one for one in self.versions if one in known), self.versions[0])
        return apis.Api(self.group, version)


@dataclass(frozen=True)
class Kind:
    """A row.

    type: of spec.vllmEndpoints[].backend. field: of it, what says which one. port_names,
    port_numbers: the Service's ports that are looked for, in that order, before its first one is
    taken. guess: the port, with TLS, before anything was found. nothing: the reason when no Service
    has the labels.
    """

    type: str
    field: str
    found: Found
    proof: Proof
    object: Object | None = None
    port_names: tuple[str, ...] = ()
    port_numbers: tuple[int, ...] = ()
    guess: int = 0
    nothing: str = ""


TYPE_KSERVE = "kserve"
TYPE_SERVICE = "service"
TYPE_POOL = "inferencepool"

_KSERVE = "serving.kserve.io"
_PRODUCTION_STACK = "production-stack.vllm.ai"
# With KServe's own TLS.
_PREDICTOR_PORT = 8443
# A Service may list its metrics port first.
_API_PORTS = ("http", "api")

KINDS = (
    Kind(
        TYPE_KSERVE,
        "inferenceServiceName",
        Found.OBJECT,
        Proof.CONDITION,
        Object(
            "KServe",
            _KSERVE,
            ("v1beta1",),
            "InferenceService",
            "inferenceservices",
            service="{name}-predictor",
            urls=(("address", "url"),),
            reasons=(
                "KServeNotInstalled",
                "InferenceServiceNotFound",
                "InferenceServiceNotReady",
                "PredictorNotFound",
            ),
        ),
        port_numbers=(_PREDICTOR_PORT,),
        guess=_PREDICTOR_PORT,
    ),
    Kind(
        "llminferenceservice",
        "name",
        Found.OBJECT,
        Proof.CONDITION,
        Object(
            "KServe",
            _KSERVE,
            ("v1alpha2", "v1alpha1"),
            "LLMInferenceService",
            "llminferenceservices",
            urls=(("addresses", "url"), ("url",)),
            has_path=True,
        ),
    ),
    Kind(
        TYPE_POOL,
        "name",
        Found.OBJECT,
        Proof.ADDRESSES,
        Object(
            "the Gateway API Inference Extension",
            "inference.networking.k8s.io",
            ("v1",),
            "InferencePool",
            "inferencepools",
            picker=("spec", "endpointPickerRef"),
        ),
    ),
    Kind(
        "vllmrouter",
        "name",
        Found.OBJECT,
        Proof.ADDRESSES,
        Object(
            "vLLM's production stack",
            _PRODUCTION_STACK,
            ("v1alpha1",),
            "VLLMRouter",
            "vllmrouters",
            service="{name}",
        ),
        port_names=("http",),
    ),
    Kind(
        "vllmruntime",
        "name",
        Found.OBJECT,
        Proof.ADDRESSES,
        Object(
            "vLLM's production stack",
            _PRODUCTION_STACK,
            ("v1alpha1",),
            "VLLMRuntime",
            "vllmruntimes",
            service="{name}",
        ),
        port_names=("http",),
    ),
    Kind(
        "llamastack",
        "discoveryLabels",
        Found.LABELS,
        Proof.ADDRESSES,
        port_names=_API_PORTS,
        nothing="NoServiceMatches",
    ),
    Kind(
        "selector",
        "selector",
        Found.LABELS,
        Proof.ADDRESSES,
        port_names=_API_PORTS,
        nothing="NothingSelected",
    ),
    Kind(
        TYPE_SERVICE,
        "service",
        Found.SERVICE,
        Proof.ADDRESSES,
    ),
    Kind(TYPE_EXTERNAL, "external", Found.URL, Proof.NOBODY),
)
BY_TYPE = {kind.type: kind for kind in KINDS}
# The API groups that they need.
GROUPS = tuple(dict.fromkeys(kind.object.group for kind in KINDS if kind.object))


def kind_of(entry: Mapping[str, Any]) -> Kind:
    """That of an entry of spec.vllmEndpoints."""
    return BY_TYPE[entry["backend"]["type"]]


def object_name(entry: Mapping[str, Any]) -> str:
    """The object that an entry names; "" where it names none."""
    kind = kind_of(entry)
    return str(entry["backend"].get(kind.field) or "") if kind.object else ""


def labels_of(entry: Mapping[str, Any]) -> dict[str, str]:
    """The labels by which its Service is found; none where it is found in another way."""
    kind = kind_of(entry)
    if kind.found is not Found.LABELS:
        return {}
    given = entry["backend"].get(kind.field) or {}
    return dict((given.get("labels") or {}) if kind.field == "selector" else given)


def stated(entry: Mapping[str, Any]) -> dict[str, Any]:
    """What an entry says of its Service itself: name, namespace, port, scheme."""
    kind = kind_of(entry)
    given = entry["backend"].get(kind.field) if kind.field in ("service", "selector") else None
    return dict(given or {})
