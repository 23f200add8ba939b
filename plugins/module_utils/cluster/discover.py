# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The reads behind discovery, side by side; what they mean is ``discovery.py``.

The API server's "no such object" and "you may not" are answers and become facts. Anything else is
not an answer: it ends the discovery with a problem that is tried again, and nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils import (
    backends,
    discovery,
    gateway_mode,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.backends import Sighting
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import (
    ApiError,
    Client,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.gateways import (
    read_gateway,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.discovery import Reading
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint, Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.gateways import GatewayReading
from ansible_collections.vllm.semantic_router.plugins.module_utils.metadata import (
    API_VERSION,
    KIND,
    PLURAL,
    Manifest,
    models_claim_name,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.problem import (
    Problem,
    RouterError,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.references import references
from ansible_collections.vllm.semantic_router.plugins.module_utils.router import Router

GROUPS_PATH = "/apis"
STORAGE_CLASSES_PATH = "/apis/storage.k8s.io/v1/storageclasses"

# Enough to ask for everything of a usual router at once, and no more TLS handshakes than that.
_PARALLEL_READS = 4


@dataclass(frozen=True)
class Discovery:
    """Facts, what is wrong with them, and what the log should say.

    failed: the cluster could not be read; the facts are empty and mean nothing.
    """

    facts: Facts
    problems: list[Problem]
    messages: list[str]
    failed: bool = False


def discover(
    client: Client, router: Router, platform: str = "", secret_versions: bool = False
) -> Discovery:
    """Everything a reconcile wants to know.

    platform: overrides what the API server serves.
    secret_versions: look for changed Secrets; by their metadata, which is all that is asked for.
    """
    try:
        reading = read(client, router, secret_versions)
    except ApiError as error:
        return _failed(error)
    facts = discovery.facts(router, reading, platform)
    return Discovery(facts, discovery.problems(router, reading), discovery.messages(facts))


def read(client: Client, router: Router, secret_versions: bool = False) -> Reading:
    """Every read that one router needs; ApiError when one of them got no answer."""
    used = references(router.spec)
    wants_claim = discovery.wants_claim(router)
    with ThreadPoolExecutor(_PARALLEL_READS) as pool:
        groups = pool.submit(read_groups, client)
        storage = pool.submit(_read_storage, client) if wants_claim else None
        claim = pool.submit(_read_claim, client, router) if wants_claim else None
        deployment = pool.submit(_read_deployment, client, router)
        wants_budget = discovery.wants_budget(router)
        budgets = pool.submit(_read_budgets, client, router) if wants_budget else None
        sightings = [
            pool.submit(_read_backend, client, router.namespace, entry)
            for entry in backends.endpoint_entries(router)
        ]
        config_maps = {
            name: pool.submit(_read_config_map, client, router.namespace, name)
            for name in used.config_maps
        }
        secrets = {
            name: pool.submit(_read_secret_version, client, router.namespace, name)
            for name in (used.secrets if secret_versions else [])
        }
        in_gateway_mode = gateway_mode.is_gateway_mode(router.spec)
        gateway = pool.submit(_read_gateway, client, router) if in_gateway_mode else None
        return Reading(
            groups=groups.result(),
            storage=storage.result() if storage else None,
            claim_exists=bool(claim and claim.result()),
            backends=[sighting.result() for sighting in sightings],
            gateway=gateway.result() if gateway else None,
            deployment=_first(deployment.result()),
            budgets=budgets.result() if budgets else Sighting(),
            config_maps={name: _first(found.result()) for name, found in config_maps.items()},
            secrets={name: _first(found.result()) for name, found in secrets.items()},
        )


def resolve(
    client: Client,
    namespace: str,
    entries: list[backends.Entry],
    known: list[dict[str, Any]],
) -> list[Endpoint]:
    """Only the backends; ApiError when the cluster does not answer."""
    served = discovery.capabilities(read_groups(client))
    return [
        backends.endpoint(namespace, entry, _read_backend(client, namespace, entry), served, known)
        for entry in entries
    ]


def read_groups(client: Client) -> list[Manifest]:
    """The API groups that the API server serves."""
    return list((client.get(GROUPS_PATH) or {}).get("groups") or [])


def read_router(client: Client, name: str, namespace: str) -> Router:
    """One SemanticRouter by name; RouterError when there is none."""
    resource = client.get(router_path(name, namespace))
    if resource is None:
        raise RouterError(_router_missing(name, namespace))
    return Router(resource)


def router_path(name: str, namespace: str) -> str:
    """Where a SemanticRouter is read."""
    return f"/apis/{API_VERSION}/namespaces/{namespace}/{PLURAL}/{name}"


def _read_storage(client: Client) -> Sighting:
    return _seen(lambda: client.list(STORAGE_CLASSES_PATH))


def _read_claim(client: Client, router: Router) -> bool:
    name = models_claim_name(router.name)
    path = f"{_core(router.namespace)}/persistentvolumeclaims/{name}"
    return bool(_seen(lambda: _one(client.get(path))).objects)


def _read_deployment(client: Client, router: Router) -> Sighting:
    # By the verb that apply needs too: who may not read it, and would take it for missing, cannot
    # write it either.
    path = f"/apis/apps/v1/namespaces/{router.namespace}/deployments"
    selector = {"fieldSelector": f"metadata.name={router.name}"}
    return _seen(lambda: client.list(path, params=selector))


def _read_budgets(client: Client, router: Router) -> Sighting:
    path = f"/apis/policy/v1/namespaces/{router.namespace}/poddisruptionbudgets"
    return _seen(lambda: client.list(path))


def _read_backend(client: Client, namespace: str, entry: backends.Entry) -> Sighting:
    backend = entry["backend"]
    name = backend.get("inferenceServiceName")
    if backend["type"] == backends.TYPE_KSERVE and name:
        version = f"{backends.GROUP_KSERVE}/{backends.KSERVE_VERSION}"
        path = f"/apis/{version}/namespaces/{namespace}/inferenceservices/{name}"
        return _seen(lambda: _one(client.get(path)))
    labels = backend.get("discoveryLabels")
    if backend["type"] == backends.TYPE_LLAMASTACK and labels:
        selector = backends.label_selector(labels)
        return _seen(lambda: client.list(f"{_core(namespace)}/services", selector))
    service = backend.get("service") or {}
    if backend["type"] == backends.TYPE_SERVICE and service.get("name"):
        its_namespace = backends.service_namespace(namespace, entry)
        path = f"{_core(its_namespace)}/services/{service['name']}"
        return _seen(lambda: _one(client.get(path)))
    return Sighting()


def _read_config_map(client: Client, namespace: str, name: str) -> Sighting:
    return _seen(lambda: _one(client.get(f"{_core(namespace)}/configmaps/{name}")))


def _read_secret_version(client: Client, namespace: str, name: str) -> Sighting:
    return _seen(lambda: _one(client.get_metadata(f"{_core(namespace)}/secrets/{name}")))


def _read_gateway(client: Client, router: Router) -> GatewayReading:
    return read_gateway(client, router, backends.grant_namespaces(router))


def _core(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}"


def _one(found: Manifest | None) -> list[Manifest]:
    return [] if found is None else [found]


def _first(sighting: Sighting) -> Manifest | None:
    return next(iter(sighting.objects), None)


def _seen(ask: Callable[[], list[Manifest]]) -> Sighting:
    try:
        return Sighting(ask())
    except ApiError as error:
        # 400: no such name or label can exist. Which field is to blame, rules.py says.
        if error.status in (400, 403):
            return Sighting(denied=error.message.strip().rstrip("."))
        raise


def _failed(error: ApiError) -> Discovery:
    problem = Problem(
        reason="DiscoveryFailed",
        field="",
        found=f"the cluster could not be read: {error.message.strip().rstrip('.')}",
        remedy=error.problem.remedy,
        retry=True,
    )
    return Discovery(Facts(), [problem], [str(problem)], failed=True)


def _router_missing(name: str, namespace: str) -> Problem:
    return Problem(
        reason="InvalidSpec",
        field="",
        found=f'{KIND} "{name}" does not exist in namespace "{namespace}"',
        remedy="Check name and namespace, and that the CustomResourceDefinition is installed",
    )
