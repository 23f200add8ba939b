# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the router's and Envoy's containers find on their file systems, and where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.upstream_tls import (
    ENVOY_DIRECTORY,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.verification import (
    service_ca,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.config import (
    mounted_config_maps,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config.places import (
    STATE_DIRECTORY,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import (
    auth,
    backend_tls,
    listener,
    wants,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.backend_tls import Mounted
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.compact import compact
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    CONFIG_VOLUMES,
    ENVOY_CONFIG_VOLUME,
    ROUTER_CONFIG_VOLUME,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

# Not /app/config: a mount there hides the knowledge bases that the image brings.
CONFIG_DIRECTORY = "/etc/semantic-router"
# The image's working directory is /app, and models/... is where its configuration points.
MODELS_DIRECTORY = "/app/models"
HOME_DIRECTORY = "/home/semantic-router"

# The image is made for root; the pod runs under a UID that owns nothing in it. In .vllm-sr of its
# working directory the router keeps state whose place its configuration gives as a relative path.
_WRITABLE_DIRECTORIES = {
    "state": STATE_DIRECTORY,
    "home": HOME_DIRECTORY,
    "cache": "/.cache",
    "logs": "/var/log",
    "run": "/var/run",
    "tmp": "/tmp",  # noqa: S108 - a mount of its own, private to the pod
}

_LISTENER_TLS = "listener-tls"
_OWN_VOLUMES = frozenset({*CONFIG_VOLUMES, "models", *_WRITABLE_DIRECTORIES})


def volumes(router: Router, facts: Facts) -> list[dict[str, Any]]:
    """The pod's volumes."""
    files = zip(CONFIG_VOLUMES, mounted_config_maps(router, facts), strict=False)
    return [
        *({"name": volume, "configMap": {"name": name}} for volume, name in files),
        *_listener_tls(router),
        *(volume for volume, _ in auth.volumes(router.spec)),
        *(each.pod_volume() for each in _of_backends(router, facts)),
        {"name": "models", **_models(router, facts)},
        *({"name": name, "emptyDir": {}} for name in _WRITABLE_DIRECTORIES),
        *compact(router.spec.get("extraVolumes") or []),
    ]


def _listener_tls(router: Router) -> list[dict[str, Any]]:
    secret = listener.tls_secret(router.spec)
    return [{"name": _LISTENER_TLS, "secret": {"secretName": secret}}] if secret else []


def router_mounts(router: Router) -> list[dict[str, Any]]:
    """Whole directories: a file mounted with subPath never changes, and the router reloads it."""
    return [
        {"name": ROUTER_CONFIG_VOLUME, "mountPath": CONFIG_DIRECTORY, "readOnly": True},
        *(
            {"name": volume["name"], "mountPath": listener.TLS_DIRECTORY, "readOnly": True}
            for volume in _listener_tls(router)
        ),
        {"name": "models", "mountPath": MODELS_DIRECTORY},
        *({"name": name, "mountPath": path} for name, path in _WRITABLE_DIRECTORIES.items()),
        *compact(router.spec.get("extraVolumeMounts") or []),
    ]


def own_mount_paths(spec: Mapping[str, Any]) -> set[str]:
    """Directories of the router container that are taken."""
    certificate = {listener.TLS_DIRECTORY} if listener.tls_secret(spec) else set()
    return {CONFIG_DIRECTORY, MODELS_DIRECTORY, *_WRITABLE_DIRECTORIES.values(), *certificate}


def own_volumes(spec: Mapping[str, Any]) -> frozenset[str]:
    """Names that are taken."""
    certificate = {_LISTENER_TLS} if listener.tls_secret(spec) else set()
    of_auth = {volume["name"] for volume, _ in auth.volumes(spec)}
    return _OWN_VOLUMES | certificate | of_auth | {*backend_tls.own_volumes(spec)}


def envoy_mounts(router: Router, facts: Facts) -> list[dict[str, Any]]:
    """Envoy writes nothing."""
    directories = [(ENVOY_CONFIG_VOLUME, ENVOY_DIRECTORY)]
    directories += [(volume["name"], path) for volume, path in auth.volumes(router.spec)]
    directories += [(each.volume, each.directory) for each in _of_backends(router, facts)]
    return [{"name": name, "mountPath": path, "readOnly": True} for name, path in directories]


def _of_backends(router: Router, facts: Facts) -> list[Mounted]:
    """CAs, and certificates that backends are shown."""
    by_platform = service_ca(router, facts)
    named = backend_tls.mounted(router.spec).values()
    return [*([by_platform] if by_platform else []), *named]


def _models(router: Router, facts: Facts) -> dict[str, Any]:
    name = wants.claim_name(router)
    if not name:
        return {"emptyDir": {}}
    claim: dict[str, Any] = {"claimName": name}
    modes = facts.claim_modes or [router.spec["persistence"]["accessMode"]]
    if modes == ["ReadOnlyMany"]:
        # Several drivers attach such a volume to a second node only when the pod says so too.
        claim["readOnly"] = True
    return {"persistentVolumeClaim": claim}
