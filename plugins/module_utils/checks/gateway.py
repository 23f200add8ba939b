# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Does spec.gateway make sense? What the Gateway itself is like is ``facts/gateways.py``'s."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ansible_collections.vllm.semantic_router.plugins.module_utils.checks.finding import (
    Problems,
    Spec,
    host_problems,
    object_name_problems,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.gateways import (
    MODEL_ROUTES_LIMIT,
    RULES_LIMIT,
    model_routes_count,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.dns_name import (
    is_label,
    is_subdomain,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.gateway_mode import (
    is_api_open,
    is_gateway_mode,
    wants_ext_proc,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import (
    Problem,
    invalid,
)


def _reference(spec: Spec) -> Problems:
    if not is_gateway_mode(spec):
        return
    gateway = spec["gateway"]
    reference = gateway["existingRef"]
    path = "spec.gateway.existingRef"
    yield from object_name_problems(reference["name"], f"{path}.name", "a Gateway", is_subdomain)
    yield from object_name_problems(
        reference["namespace"], f"{path}.namespace", "a namespace", is_label
    )
    section = gateway.get("sectionName")
    yield from object_name_problems(section, "spec.gateway.sectionName", "a listener", is_subdomain)


def _hostnames(spec: Spec) -> Problems:
    hostnames = (spec.get("gateway") or {}).get("hostnames") or []
    for index, name in enumerate(hostnames):
        path = f"spec.gateway.hostnames[{index}]"
        if name in hostnames[:index]:
            yield invalid(path, f'"{name}" stands there twice', "Keep one")
        else:
            yield from host_problems(name, path)


def _number_of_models(spec: Spec) -> Problems:
    if not wants_ext_proc(spec):
        return
    needed = model_routes_count(spec)
    if needed > MODEL_ROUTES_LIMIT:
        yield invalid(
            "spec.gateway.extProc",
            f"spec.vllmEndpoints needs {needed} HTTPRoutes of {RULES_LIMIT} rules; a policy for "
            f"them can name {MODEL_ROUTES_LIMIT}",
            "Spread the models over several SemanticRouters, or run standalone",
        )


def _exposure(spec: Spec) -> Problems:
    if is_api_open(spec):
        yield from _left_out(spec)
        if spec["service"]["type"] != "ClusterIP":
            yield _exposed(
                "spec.service.type",
                f"in gateway mode {spec['service']['type']} hands the router's management API "
                "(its configuration, with passwords) to everybody who reaches the node or address",
                "Set it to ClusterIP",
            )


def _left_out(spec: Spec) -> Iterable[Problem]:
    for section, what, enabled in (
        ("spec.ingress", "an Ingress", spec["ingress"]["enabled"]),
        ("spec.openshift.routes", "a Route", spec["openshift"]["routes"]["enabled"]),
    ):
        if enabled:
            yield _exposed(
                f"{section}.enabled",
                f"in gateway mode {what} would hand out the router's management API (its "
                "configuration, with passwords), so none is made",
                "Set it to false and let clients come through the Gateway",
            )


def _exposed(field: str, found: str, remedy: str) -> Problem:
    others = (
        "or demand tokens with spec.config.global.services.management_api.auth, or run standalone"
    )
    return Problem("ManagementApiExposed", field, found, f"{remedy}, {others}", blocking=False)


RULES: tuple[Callable[[Spec], Problems], ...] = (
    _reference,
    _hostnames,
    _number_of_models,
    _exposure,
)
