# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Does what becomes the pod make sense?"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from ansible_collections.vllm.semantic_router.plugins.module_utils.checks.finding import (
    Problems,
    Spec,
    annotation_problems,
    duplicates,
    label_problems,
    object_name_problems,
    source_problems,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import accelerator
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.dns_name import is_subdomain
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import field_path
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.gateway_mode import (
    is_gateway_mode,
    serves_alone,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.listener import any_address
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.ports import pod_ports
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import invalid
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.quantity import quantity

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_TAG = re.compile(rf"[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}}(@{_DIGEST.pattern})?|{_DIGEST.pattern}")
_REPOSITORY = re.compile(r"[a-z0-9][a-zA-Z0-9._:/-]*")
_ENV_SOURCES = ("configMapKeyRef", "fieldRef", "fileKeyRef", "resourceFieldRef", "secretKeyRef")
_TAINT_EFFECTS = ("", "NoSchedule", "PreferNoSchedule", "NoExecute")

# What points the router at its configuration: the operator's own value stays.
_OPERATOR_ENVIRONMENT = ("CONFIG_FILE",)
# Of a router that serves alone.
_ITS_MODE = "VLLM_SR_GATEWAY"


def _images(spec: Spec) -> Problems:
    registry = spec["image"].get("imageRegistry")
    if registry and (not _REPOSITORY.fullmatch(registry) or "://" in registry):
        yield invalid(
            "spec.image.imageRegistry",
            f'"{registry}" is no registry',
            "Give host and path without scheme, e.g. registry.example.com/mirror",
        )
    for path, image in (
        ("spec.image", spec["image"]),
        ("spec.envoy.image", spec["envoy"]["image"]),
    ):
        yield from _image(image, path)


def _image(image: Spec, path: str) -> Problems:
    repository, _, digest = image["repository"].partition("@")
    tag = image["tag"]
    if ":" in repository.rpartition("/")[2]:
        yield invalid(
            f"{path}.repository", f'"{repository}" carries a tag', f"Put the tag into {path}.tag"
        )
    elif not _REPOSITORY.fullmatch(repository) or (digest and not _DIGEST.fullmatch(digest)):
        yield invalid(
            f"{path}.repository",
            f'"{image["repository"]}" is no image name',
            "Give an image without scheme and tag, e.g. ghcr.io/example/extproc, or leave it out",
        )
    if tag and not _TAG.fullmatch(tag):
        yield invalid(f"{path}.tag", f'"{tag}" is no tag', "Give the tag of an image, e.g. v0.3.0")


def _service_account(spec: Spec) -> Problems:
    name = spec["serviceAccount"].get("name")
    yield from object_name_problems(
        name, "spec.serviceAccount.name", "a ServiceAccount", is_subdomain
    )


def _accelerator(spec: Spec) -> Problems:
    device = accelerator.device(spec)
    for section in ("limits", "requests"):
        if device and device in (spec["resources"].get(section) or {}):
            found = f"spec.accelerator asks for {device} too"
            field = field_path(("resources", section, device))
            yield invalid(field, found, "Keep one of them")


def _resources(spec: Spec) -> Problems:
    for path, resources in (
        ("spec.resources", spec["resources"]),
        ("spec.envoy.resources", spec["envoy"]["resources"]),
    ):
        limits = resources.get("limits") or {}
        for name, asked in (resources.get("requests") or {}).items():
            request, limit = quantity(asked), quantity(limits.get(name))
            if request is not None and limit is not None and request > limit:
                yield invalid(
                    f"{path}.requests.{name}",
                    f"{asked} is more than the limit of {limits[name]}",
                    "Lower the request or raise the limit",
                )


def _environment(spec: Spec) -> Problems:
    variables = spec.get("env") or []
    yield from duplicates(variables, "spec.env")
    for index, variable in enumerate(variables):
        path = f"spec.env[{index}]"
        source = variable.get("valueFrom")
        is_mode = variable["name"] == _ITS_MODE and serves_alone(spec)
        if variable["name"] in _OPERATOR_ENVIRONMENT or is_mode:
            found = f"{variable['name']} is set by the operator, so this one has no effect"
            remedy = "Remove it; spec.config configures the router"
            yield replace(invalid(f"{path}.name", found, remedy), blocking=False)
        if source is not None:
            yield from _environment_source(source, f"{path}.valueFrom")


def _environment_source(source: Spec, path: str) -> Problems:
    given = [name for name in _ENV_SOURCES if source.get(name) is not None]
    yield from source_problems(given, path, f"Give one of {', '.join(_ENV_SOURCES)}")
    for name in ("configMapKeyRef", "secretKeyRef"):
        if name in given and not source[name].get("name"):
            yield invalid(f"{path}.{name}.name", "it is missing", "Name the object")


def _arguments(spec: Spec) -> Problems:
    """Flags of the operator's own: Envoy and the Services count on its values."""
    ports = pod_ports(spec)
    remedies = {
        "port": (ports.grpc, "set spec.service.grpc.targetPort instead"),
        "metrics-port": (ports.metrics, "set spec.service.metrics.targetPort instead"),
        "api-port": (ports.api, _api_port_remedy(spec)),
        "config": (None, "spec.config configures the router"),
        "gateway": (
            "standalone" if serves_alone(spec) else "extproc",
            "spec.gateway.mode says who takes the requests",
        ),
    }
    if serves_alone(spec):
        remedies["listener-address"] = (any_address(spec), "spec.service.ipFamilies decides it")
    arguments = spec.get("args") or []
    for index, argument in enumerate(arguments):
        flag, given, value = argument.lstrip("-").partition("=")
        if not argument.startswith("-") or flag not in remedies:
            continue
        own, remedy = remedies[flag]
        value = value if given else "".join(arguments[index + 1 : index + 2])
        if value != str(own):
            found = f"-{flag} is set by the operator"
            yield invalid(f"spec.args[{index}]", found, f"Remove it; {remedy}")


def _api_port_remedy(spec: Spec) -> str:
    if is_gateway_mode(spec):
        return "set spec.service.api.targetPort instead"
    return "the operator chooses a free port for it"


def _security(spec: Spec) -> Problems:
    own = spec.get("securityContext") or {}
    if own.get("privileged") and own.get("allowPrivilegeEscalation") is False:
        yield invalid(
            "spec.securityContext.allowPrivilegeEscalation",
            "it is false but privileged is true, which always may escalate",
            "Remove privileged",
        )


def _scheduling(spec: Spec) -> Problems:
    yield from label_problems(spec.get("nodeSelector") or {}, "spec.nodeSelector")
    yield from annotation_problems(spec.get("podAnnotations"), "spec.podAnnotations")
    for index, toleration in enumerate(spec.get("tolerations") or []):
        if toleration.get("effect", "") not in _TAINT_EFFECTS:
            yield invalid(
                f"spec.tolerations[{index}].effect",
                f'"{toleration["effect"]}" is no effect of a taint',
                f"Give one of {', '.join(_TAINT_EFFECTS[1:])}, or remove it",
            )


RULES: tuple[Callable[[Spec], Problems], ...] = (
    _images,
    _service_account,
    _accelerator,
    _resources,
    _environment,
    _arguments,
    _security,
    _scheduling,
)
