# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The containers of the pod: the router, and the Envoy in front of it where there is to be one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.upstream_tls import (
    ENVOY_DIRECTORY,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.drain import (
    envoy_drain,
    router_drain,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.probes import (
    envoy_probes,
    router_probes,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.security import (
    container_security_context,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.volumes import (
    CONFIG_DIRECTORY,
    HOME_DIRECTORY,
    envoy_mounts,
    router_mounts,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config import contract
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import (
    accelerator,
    egress,
    inherited,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.auth import key_environment
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.compact import (
    compact,
    given,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.credentials import (
    secret_environment,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.gateway_mode import (
    has_envoy,
    is_gateway_mode,
    serves_alone,
    serves_ext_proc,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.listener import any_address
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.ports import (
    PodPorts,
    pod_ports,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

ROUTER = "semantic-router"
CONFIG_FILE = f"{CONFIG_DIRECTORY}/config.yaml"
ENVOY = "envoy-proxy"

# Envoy starts a worker per core of the node, whatever its CPU limit is, each with its own pools.
_ENVOY_WORKERS = 2


def router_container(router: Router, facts: Facts) -> dict[str, Any]:
    """The router: ExtProc gRPC and metrics for others, its HTTP API for Envoy, or the Gateway.

    Where it serves alone, clients' requests come in here.
    """
    spec = router.spec
    ports = pod_ports(spec)
    return {
        "name": ROUTER,
        "image": _as_told(facts, image(spec["image"], accelerator.router_image(spec))),
        "imagePullPolicy": spec["image"]["pullPolicy"],
        # -config too: the entrypoint of older images reads CONFIG_FILE, that of newer ones none,
        # and starts the router with the image's own example. The user's come last and win.
        "args": [
            f"-config={CONFIG_FILE}",
            f"-port={ports.grpc}",
            f"-api-port={ports.api}",
            *_api_bind(spec),
            *_serving_alone(spec),
            f"-metrics-port={ports.metrics}",
            *compact(spec.get("args") or []),
        ],
        "env": _environment(spec, facts),
        **given(spec, "envFrom"),
        "ports": [
            *_api_port(spec, ports),
            *_grpc_port(spec, ports),
            *_metrics_port(spec, ports),
        ],
        **router_probes(spec, ports),
        "lifecycle": router_drain(spec, ports),
        "resources": compact(accelerator.resources(spec)),
        "securityContext": container_security_context(router, facts),
        "volumeMounts": router_mounts(router),
    }


def envoy_container(router: Router, facts: Facts) -> dict[str, Any]:
    """Envoy: where clients' requests come in."""
    wanted = router.spec["envoy"]
    ports = pod_ports(router.spec)
    return {
        "name": ENVOY,
        "image": _as_told(facts, image(router.spec["image"], wanted["image"])),
        "imagePullPolicy": wanted["image"]["pullPolicy"],
        # Not the image's entrypoint, which wants to be root to change its user.
        "command": ["/usr/local/bin/envoy"],
        "args": [
            "--config-path",
            f"{ENVOY_DIRECTORY}/envoy.yaml",
            "--service-cluster",
            router.name,
            "--concurrency",
            str(_ENVOY_WORKERS),
            # It needs shared memory, and a container has no second Envoy to hand over to.
            "--disable-hot-restart",
            # While it drains, all answers ask for another connection, not more and more of them.
            "--drain-strategy",
            "immediate",
        ],
        "ports": [{"name": "api", "containerPort": ports.listener, "protocol": "TCP"}],
        **envoy_probes(ports),
        "lifecycle": envoy_drain(router.spec, ports),
        "resources": compact(wanted["resources"]),
        "securityContext": _envoy_security_context(router, facts),
        "volumeMounts": envoy_mounts(router, facts),
    }


def image(defaults: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """[imageRegistry/]repository:tag, or @digest.

    The registry goes in front of a repository that names a registry too: mirrors keep the whole
    name (registry.example.com/ghcr.io/vllm-project/...), and existing SemanticRouters rely on it.
    """
    registry = str(defaults.get("imageRegistry") or "").rstrip("/")
    name = f"{registry}/{wanted['repository']}" if registry else str(wanted["repository"])
    tag = str(wanted["tag"])
    if not tag or "@" in name:
        return name
    return f"{name}@{tag}" if tag.startswith("sha256:") else f"{name}:{tag}"


def _as_told(facts: Facts, name: str) -> str:
    """The image, or what the operator was told to start for it. What a SemanticRouter chooses is
    not replaced: only the CRD's defaults are among them."""
    for variable, default in inherited.images().items():
        if name == default:
            return facts.inherited.get(variable, name)
    return name


def _environment(spec: dict[str, Any], facts: Facts) -> list[dict[str, Any]]:
    # What points the router at spec.config and at its passwords is not open to an override.
    ours = [
        {"name": "CONFIG_FILE", "value": CONFIG_FILE},
        *_api_consent(spec),
        *_mode(spec),
        *secret_environment(spec),
        *key_environment(spec),
    ]
    taken = {variable["name"] for variable in ours}
    theirs = [
        compact(variable) for variable in spec.get("env") or [] if variable["name"] not in taken
    ]
    named = {variable["name"] for variable in theirs}
    way = egress.way_out(spec, facts.inherited).environment
    if not spec.get("egressProxy"):
        # Of two spellings, programs prefer the one that the user has not chosen.
        way = [variable for variable in way if variable["name"].lower() not in named]
    defaults = [{"name": "HOME", "value": HOME_DIRECTORY}, *way]
    ours += [variable for variable in defaults if variable["name"] not in named]
    return [*ours, *theirs]


def _api_bind(spec: dict[str, Any]) -> list[str]:
    # On all addresses of the pod, as `kubectl port-forward` comes in by 127.0.0.1. In standalone
    # mode it stays there, which is the default. A router 0.3 does not know the flag and would not
    # start; it listens on all addresses anyway.
    return ["-api-bind=0.0.0.0"] if _binds_api(spec) else []


def _api_consent(spec: dict[str, Any]) -> list[dict[str, Any]]:
    # Without it the router refuses to listen on more than 127.0.0.1 unless it demands tokens, also
    # of those who only classify. What keeps strangers out is the HTTPRoute's list of paths.
    name = "VLLM_SR_MANAGEMENT_INTERNAL_LISTENER"
    return [{"name": name, "value": "true"}] if _binds_api(spec) else []


def _binds_api(spec: dict[str, Any]) -> bool:
    return is_gateway_mode(spec) and contract(spec) != "0.3"


def _serving_alone(spec: Mapping[str, Any]) -> list[str]:
    if not serves_alone(spec):
        return []
    return ["-gateway=standalone", f"-listener-address={any_address(spec)}"]


def _mode(spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    # What the image's entrypoint goes by, which may do more than to pass the flag on.
    return [{"name": "VLLM_SR_GATEWAY", "value": "standalone"}] if serves_alone(spec) else []


def _api_port(spec: Mapping[str, Any], ports: PodPorts) -> list[dict[str, Any]]:
    if has_envoy(spec):
        return []
    # In gateway mode it is the port of the router's HTTP API too.
    return [{"name": "api", "containerPort": ports.listener, "protocol": "TCP"}]


def _grpc_port(spec: Mapping[str, Any], ports: PodPorts) -> list[dict[str, Any]]:
    if not serves_ext_proc(spec):
        return []
    return [{"name": "grpc", "containerPort": ports.grpc, "protocol": "TCP"}]


def _metrics_port(spec: Mapping[str, Any], ports: PodPorts) -> list[dict[str, Any]]:
    if not spec["service"]["metrics"]["enabled"]:
        return []
    return [{"name": "metrics", "containerPort": ports.metrics, "protocol": "TCP"}]


def _envoy_security_context(router: Router, facts: Facts) -> dict[str, Any]:
    context = container_security_context(router, facts)
    if router.spec.get("securityContext") is not None:
        return context
    return {**context, "readOnlyRootFilesystem": True}
