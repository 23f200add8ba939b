# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The reads behind discovery, side by side; what they mean is ``facts/discovery.py``.

The API server's "no such object" and "you may not" are answers and become facts. Anything else is
not an answer: it ends the discovery with a problem that is tried again, and nothing is guessed.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import resources
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.active_config import (
    let_in,
    operator_namespace,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import (
    ApiError,
    Client,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.gateways import (
    read_gateway,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.reads import Reads
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.resources import (
    Resource,
    segment,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import (
    PLATFORM_OPENSHIFT,
    Endpoint,
    Facts,
    backends,
    discovery,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.backends import (
    BackendReading,
    Sighting,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.discovery import Reading
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.gateways import (
    GatewayReading,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.references import (
    references,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.config import (
    content_hash,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import (
    backend_kinds,
    gateway_mode,
    inherited,
    wants,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.backend_kinds import (
    Found,
    Proof,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.labels import as_selector
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    ANNOTATION_INHERITED,
    API_VERSION,
    KIND,
    PLURAL,
    Manifest,
    models_claim_name,
    selector,
    service_ca_config_map_name,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import (
    Problem,
    RouterError,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.live_workload import (
    is_rolled_out,
)

STORAGE_CLASSES_PATH = "/apis/storage.k8s.io/v1/storageclasses"

_CLAIM = resources.named("v1", "PersistentVolumeClaim")
_CONFIG_MAP = resources.named("v1", "ConfigMap")
_DEPLOYMENT = resources.named("apps/v1", "Deployment")
_AUTOSCALER = resources.named("autoscaling/v2", "HorizontalPodAutoscaler")
_BUDGET = resources.named("policy/v1", "PodDisruptionBudget")

# Enough to ask for everything of a usual router at once, and no more TLS handshakes than that.
_PARALLEL_READS = 4

# So many Services of a namespace are asked for by name. More are most of what is in it.
_FEW = 32


@dataclass(frozen=True)
class Discovery:
    """Facts, what is wrong with them, and what the log should say.

    live: the router's own objects and some others; None when not all of them could be listed.
    failed: the cluster could not be read; the facts are empty and mean nothing.
    denied: it was, because whoever asked may not read what is needed.
    """

    facts: Facts
    problems: list[Problem]
    messages: list[str]
    live: list[Manifest] | None = None
    failed: bool = False
    denied: bool = False


def discover(
    reads: Reads, router: Router, platform: str = "", secret_versions: bool = False
) -> Discovery:
    """Everything a reconcile wants to know.

    platform: overrides what the API server serves.
    secret_versions: look for changed Secrets; by their metadata, which is all that is asked for.
    """
    try:
        reading, own = read(reads, router, secret_versions)
    except ApiError as error:
        return _failed(error)
    facts = replace(
        discovery.facts(router, reading, platform),
        # Who runs this on a laptop shall not close what the operator has opened for itself, nor
        # give the pods another way out.
        operator_namespace=operator_namespace() or let_in(own or []),
        inherited=_told(reading.deployment),
    )
    problems = discovery.problems(router, reading, facts)
    return Discovery(facts, problems, discovery.messages(facts), own)


def _told(deployment: Manifest | None) -> dict[str, str]:
    if operator_namespace():
        return inherited.chosen(os.environ)
    annotations = deployment["metadata"].get("annotations") if deployment else None
    text = (annotations or {}).get(ANNOTATION_INHERITED, "")
    return inherited.from_text(text)


def read(
    reads: Reads, router: Router, secret_versions: bool = False
) -> tuple[Reading, list[Manifest] | None]:
    """Every read that one router needs, and its own objects.

    ApiError when a read got no answer; without the own objects if only they could not be had, for
    apply says best what then stands in its way.
    """
    used = references(router.spec)
    _ask_together(reads, router)
    with ThreadPoolExecutor(_PARALLEL_READS) as pool:
        groups = pool.submit(read_groups, reads)
        deployment = pool.submit(_read_deployment, reads, router)
        wants_budget = discovery.wants_budget(router)
        budgets = pool.submit(_read_budgets, reads, router) if wants_budget else None
        autoscalers = pool.submit(_read_autoscalers, reads, router)
        sightings = [
            pool.submit(_read_backend, reads, router.namespace, entry)
            for entry in backends.endpoint_entries(router)
        ]
        without = {_DEPLOYMENT, _AUTOSCALER, *([_BUDGET] if wants_budget else [])}
        own = _Own(reads, router, pool, without)
        config_maps = {
            name: pool.submit(_read_config_map, reads, router.namespace, name)
            for name in used.config_maps
        }
        secrets = {
            name: pool.submit(_read_secret_version, reads, router.namespace, name)
            for name in (used.secrets if secret_versions else [])
        }
        named_claim = wants.existing_claim(router.spec)
        existing_claim = (
            pool.submit(_read_claim, reads, router.namespace, named_claim) if named_claim else None
        )
        if router.spec["autoscaling"]["enabled"]:
            # Somebody else's would keep the router's own from scaling. The status of each moves
            # every 15 seconds.
            reads.leave_to_the_period(resources.collection_path(_AUTOSCALER, router.namespace))
        named = {
            field: pool.submit(_read_secret_version, reads, router.namespace, name)
            for field, name in (used.named_secrets if secret_versions else {}).items()
        }
        authorities = {
            name: pool.submit(_read_config_map, reads, router.namespace, name)
            for name in used.reread_config_maps
        }
        in_gateway_mode = gateway_mode.is_gateway_mode(router.spec)
        gateway = pool.submit(_read_gateway, reads, router) if in_gateway_mode else None
        own.list_optional(discovery.capabilities(groups.result()))
        made = service_ca_config_map_name(router.name)
        is_openshift = discovery.platform_of(groups.result()) == PLATFORM_OPENSHIFT
        by_platform = [
            item for item in (own.of(_CONFIG_MAP) if is_openshift else []) if _is_named(item, made)
        ]
        wants_claim = wants.claim(router.spec)
        claim_exists = wants_claim and _has_claim(router, own.of(_CLAIM))
        # Which class a volume is to have was settled when its claim was made.
        wants_storage = wants_claim and not claim_exists
        storage = pool.submit(_read_storage, reads) if wants_storage else None
        live_deployment = _first(deployment.result())
        replica_sets = _read_replica_sets(reads, router, live_deployment)
        reading = Reading(
            groups=groups.result(),
            storage=storage.result() if storage else None,
            claim_exists=claim_exists,
            existing_claim=_first(existing_claim.result()) if existing_claim else None,
            backends=[sighting.result() for sighting in sightings],
            gateway=gateway.result() if gateway else None,
            deployment=live_deployment,
            replica_sets=replica_sets,
            own_config_maps={
                item["metadata"]["name"]: content_hash(item.get("data") or {})
                for item in (own.if_there(_CONFIG_MAP) if live_deployment else [])
            },
            budgets=budgets.result() if budgets else Sighting(),
            autoscalers=autoscalers.result(),
            config_maps={name: _first(found.result()) for name, found in config_maps.items()},
            secrets={name: _first(found.result()) for name, found in secrets.items()},
            missing_secrets=[
                field for field, found in named.items() if found.result() == Sighting()
            ],
            authorities={
                **{item["metadata"]["name"]: item for item in by_platform},
                **{
                    name: _first(found.result())
                    for name, found in authorities.items()
                    if not found.result().denied
                },
            },
        )
        others = [deployment, autoscalers, *([budgets] if budgets else [])]
        return reading, own.all([sighting.result() for sighting in others])


class _Own:
    """The lists of a router's own objects, while they are on their way."""

    def __init__(
        self, reads: Reads, router: Router, pool: ThreadPoolExecutor, without: set[Resource]
    ) -> None:
        """`without`: kinds that discovery itself has another reason to list."""
        self._reads = reads
        self._router = router
        self._pool = pool
        self._lists = {
            kind: self._submit(kind) for kind in resources.served({}) if kind not in without
        }

    def list_optional(self, capabilities: Mapping[str, list[str]]) -> None:
        """Those of the kinds that not every cluster serves and this one does."""
        for kind in resources.served(capabilities):
            if kind.optional:
                self._lists[kind] = self._submit(kind)

    def of(self, kind: Resource) -> list[Manifest]:
        """ApiError when there is no answer; nothing where they may not be listed."""
        return _seen(self._lists[kind].result).objects

    def if_there(self, kind: Resource) -> list[Manifest]:
        """Nothing either when there is no answer."""
        try:
            return self.of(kind)
        except ApiError:
            return []

    def all(self, others: list[Sighting]) -> list[Manifest] | None:
        """With `others`, of which some may be of others; None if not all of them could be had."""
        if any(sighting.denied for sighting in others):
            return None
        lists = [sighting.objects for sighting in others]
        try:
            return list(chain(*lists, *(item.result() for item in self._lists.values())))
        except ApiError:
            return None

    def _submit(self, kind: Resource) -> Future[list[Manifest]]:
        return self._pool.submit(self._reads.own, self._router, kind)


def resolve(
    reads: Reads,
    namespace: str,
    entries: list[backends.Entry],
    known: list[dict[str, Any]],
) -> list[Endpoint]:
    """Only the backends; ApiError when the cluster does not answer."""
    served = discovery.capabilities(read_groups(reads))
    return [
        backends.endpoint(namespace, entry, _read_backend(reads, namespace, entry), served, known)
        for entry in entries
    ]


def read_groups(reads: Reads) -> list[Manifest]:
    """The API groups that the API server serves."""
    return reads.groups(discovery.CAPABILITY_GROUPS)


def read_router(client: Client, name: str, namespace: str) -> Router:
    """One SemanticRouter by name; RouterError when there is none."""
    resource = client.get(router_path(name, namespace))
    if resource is None:
        raise RouterError(_router_missing(name, namespace))
    return Router(resource)


def router_path(name: str, namespace: str) -> str:
    """Where a SemanticRouter is read."""
    return f"/apis/{API_VERSION}/namespaces/{segment(namespace)}/{PLURAL}/{segment(name)}"


def _read_storage(reads: Reads) -> Sighting:
    return _seen(lambda: reads.list(STORAGE_CLASSES_PATH))


def _has_claim(router: Router, claims: list[Manifest]) -> bool:
    return any(_is_named(claim, models_claim_name(router.name)) for claim in claims)


def _is_named(manifest: Manifest, name: str) -> bool:
    return bool(manifest["metadata"]["name"] == name)


def _read_deployment(reads: Reads, router: Router) -> Sighting:
    if reads.is_in_batch(router):
        own = [item for item in reads.own(router, _DEPLOYMENT) if _is_named(item, router.name)]
        if own:
            return Sighting(own)
    # By the verb that apply needs too: who may not read it, and would take it for missing, cannot
    # write it either.
    path = f"/apis/apps/v1/namespaces/{router.namespace}/deployments"
    return _seen(lambda: reads.own_named(path, router.name))


def _read_replica_sets(reads: Reads, router: Router, deployment: Manifest | None) -> Sighting:
    """Where all pods are of the live template, nobody need ask."""
    if deployment is None or is_rolled_out(deployment):
        return Sighting()
    # The Deployment tells of what becomes of them.
    path = f"/apis/apps/v1/namespaces/{router.namespace}/replicasets"
    return _seen(lambda: reads.list_unnoted(path, as_selector(selector(router.name))))


def _read_budgets(reads: Reads, router: Router) -> Sighting:
    path = f"/apis/policy/v1/namespaces/{router.namespace}/poddisruptionbudgets"
    return _seen(lambda: reads.list_with_own(path))


def _read_autoscalers(reads: Reads, router: Router) -> Sighting:
    # Its status moves every 15 seconds; what it does moves the Deployment, which wakes its owner.
    path = resources.collection_path(_AUTOSCALER, router.namespace)
    return _seen(lambda: reads.list_unnoted(path))


def _ask_together(reads: Reads, router: Router) -> None:
    """Where a router names many Services of a namespace, what is there is asked for at once."""
    named = Counter(
        backends.service_namespace(router.namespace, entry)
        for entry in backends.endpoint_entries(router)
        if entry["backend"]["type"] == backend_kinds.TYPE_SERVICE
    )
    for namespace, count in named.items():
        if count > _FEW:
            reads.ask_together(f"{_core(namespace)}/services")
            reads.ask_together(_slices(namespace), backends.LABEL_SERVICE_NAME)


def _read_backend(reads: Reads, namespace: str, entry: backends.Entry) -> BackendReading:
    kind = backend_kinds.kind_of(entry)
    name = backend_kinds.object_name(entry)
    if kind.object and name:
        api = kind.object.api(discovery.capabilities(read_groups(reads)))
        path = f"/apis/{api}/namespaces/{segment(namespace)}/{kind.object.plural}/{segment(name)}"
        named = _seen(lambda: _one(reads.get(path)))
        service = backends.service_of(namespace, entry, named)
        found = _read_service(reads, namespace, service) if service else Sighting()
        if kind.proof is Proof.ADDRESSES:
            return replace(_with_slices(reads, namespace, found), named=named, service=found)
        return BackendReading(named=named, service=found)
    there = backends.service_namespace(namespace, entry)
    labels = backend_kinds.labels_of(entry)
    if labels:
        selector = as_selector(labels)
        services = _seen(lambda: reads.list(f"{_core(there)}/services", selector))
        return _with_slices(reads, there, services)
    stated = backend_kinds.stated(entry)
    if kind.found is Found.SERVICE and stated.get("name"):
        return _with_slices(reads, there, _read_service(reads, there, stated["name"]))
    return BackendReading()


def _read_service(reads: Reads, namespace: str, name: str) -> Sighting:
    return _seen(lambda: _one(reads.get(f"{_core(namespace)}/services/{segment(name)}")))


def _with_slices(reads: Reads, namespace: str, services: Sighting) -> BackendReading:
    names = sorted(item["metadata"]["name"] for item in services.objects)
    if not names:
        return BackendReading(services)
    # By equality where it can be: such a watch is shared with others.
    wanted = f"={names[0]}" if len(names) == 1 else f" in ({','.join(names)})"
    selector = f"{backends.LABEL_SERVICE_NAME}{wanted}"
    return BackendReading(services, slices=_seen(lambda: reads.list(_slices(namespace), selector)))


def _slices(namespace: str) -> str:
    return f"/apis/discovery.k8s.io/v1/namespaces/{segment(namespace)}/endpointslices"


def _read_config_map(reads: Reads, namespace: str, name: str) -> Sighting:
    return _seen(lambda: _one(reads.get(f"{_core(namespace)}/configmaps/{segment(name)}")))


def _read_claim(reads: Reads, namespace: str, name: str) -> Sighting:
    path = resources.collection_path(_CLAIM, namespace)
    return _seen(lambda: reads.own_named(path, name))


def _read_secret_version(reads: Reads, namespace: str, name: str) -> Sighting:
    return _seen(lambda: _one(reads.get_metadata(f"{_core(namespace)}/secrets/{segment(name)}")))


def _read_gateway(reads: Reads, router: Router) -> GatewayReading:
    return read_gateway(reads, router, backends.grant_namespaces(router))


def _core(namespace: str) -> str:
    return f"/api/v1/namespaces/{segment(namespace)}"


def _one(found: Manifest | None) -> list[Manifest]:
    return [] if found is None else [found]


def _first(sighting: Sighting) -> Manifest | None:
    return next(iter(sighting.objects), None)


def _seen(ask: Callable[[], list[Manifest]]) -> Sighting:
    try:
        return Sighting(ask())
    except ApiError as error:
        # 400: no such name or label can exist. Which field is to blame, checks/rules.py says.
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
    denied = error.problem.reason == "Forbidden"
    return Discovery(Facts(), [problem], [str(problem)], failed=True, denied=denied)


def _router_missing(name: str, namespace: str) -> Problem:
    return Problem(
        reason="InvalidSpec",
        field="",
        found=f'{KIND} "{name}" does not exist in namespace "{namespace}"',
        remedy="Check name and namespace, and that the CustomResourceDefinition is installed",
    )
