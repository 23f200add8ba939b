"""Reads what `kubectl sr status` shows; what it means is ``tree.py``."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import chain

from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import (
    discover,
    ownership,
    resources,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import ApiError
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.reads import Reads
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.resources import segment
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import (
    Endpoint,
    backends,
    discovery,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import metadata
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.labels import as_selector
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import Manifest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.live_workload import (
    Workload,
)

from semantic_router_cli.cluster import Cluster
from semantic_router_cli.tree import Backend, View

_PARALLEL_READS = 4
_SERVICE_NAME = "kubernetes.io/service-name"


def view(cluster: Cluster, resource: Manifest) -> View:
    """One router and what hangs on it. What one may not read is said and left out."""
    router = Router(resource)
    core = f"/api/v1/namespaces/{router.namespace}"
    kinds = resources.served(discovery.capabilities(cluster.groups))
    selector = ownership.label_selector([router.name])
    pod_selector = as_selector(metadata.selector(router.name))
    with ThreadPoolExecutor(_PARALLEL_READS) as pool:
        listed = [
            pool.submit(cluster.look, resources.collection_path(kind, router.namespace), selector)
            for kind in kinds
        ]
        pods = pool.submit(cluster.look, f"{core}/pods", pod_selector)
        events = pool.submit(cluster.look, f"{core}/events", fieldSelector="type=Warning")
        behind = pool.submit(_backends, cluster, router)
        answers = [item.result() for item in listed]
    objects = _in_order(chain.from_iterable(answer.items for answer in answers))
    every = [*answers, pods.result(), events.result()]
    return View(
        router=router,
        objects=objects,
        workload=_workload(router, objects, list(pods.result().items)),
        pods=list(pods.result().items),
        events=list(events.result().items),
        backends=behind.result(),
        denied=list(dict.fromkeys(answer.denied for answer in every if answer.denied)),
        hidden=frozenset(
            kind.kind for kind, answer in zip(kinds, answers, strict=True) if answer.denied
        ),
        nodes=_nodes(cluster, list(pods.result().items)),
    )


def _nodes(cluster: Cluster, pods: list[Manifest]) -> list[Manifest]:
    """Those of the pods. That one may not read them is no news: most people may not."""
    names = dict.fromkeys(pod["spec"].get("nodeName") for pod in pods)
    found = (cluster.find(f"/api/v1/nodes/{name}").first for name in names if name)
    return [node for node in found if node is not None]


def _in_order(objects: chain[Manifest]) -> list[Manifest]:
    return sorted(
        objects, key=lambda item: (resources.resource_of(item).rank, item["kind"] != "Service")
    )


def _workload(router: Router, objects: list[Manifest], pods: list[Manifest]) -> Workload:
    by_kind = {(item["kind"], item["metadata"]["name"]): item for item in objects}
    claim_name = metadata.models_claim_name(router.name)
    claim = by_kind.get(("PersistentVolumeClaim", claim_name))
    return Workload(
        deployment=by_kind.get(("Deployment", router.name)),
        claim=claim,
        claim_name=claim_name if claim else "",
        pods=pods,
    )


def _backends(cluster: Cluster, router: Router) -> list[Backend]:
    entries = backends.endpoint_entries(router)
    known = router.status.get("endpoints") or []
    found = discover.resolve(Reads(cluster.client), router.namespace, entries, known)
    told = {item.get("name"): item for item in known}
    return [
        _backend(cluster, endpoint, entry["backend"]["type"], told.get(endpoint.name))
        for endpoint, entry in zip(found, entries, strict=True)
    ]


def _backend(cluster: Cluster, endpoint: Endpoint, kind: str, told: Manifest | None) -> Backend:
    if endpoint.reason == "BackendUnreadable" and told is not None:
        # Who asks here may read less than the operator does.
        said = "" if told.get("ready") else str(told.get("message") or "it is not ready")
        return Backend(endpoint, kind, told=said)
    if not endpoint.ready:
        return Backend(endpoint, kind)
    name, namespace = endpoint.service, endpoint.namespace
    try:
        service = cluster.find(f"/api/v1/namespaces/{segment(namespace)}/services/{segment(name)}")
        pods = _ready_addresses(cluster, namespace, name)
    except ApiError:
        return Backend(endpoint, kind)
    if service.denied:
        return Backend(endpoint, kind, pods)
    if service.first is None:
        return Backend(endpoint, kind, missing=f"Service {namespace}/{name} does not exist")
    is_outside = service.first["spec"].get("type") == "ExternalName"
    return Backend(endpoint, kind, None if is_outside else pods)


def _ready_addresses(cluster: Cluster, namespace: str, name: str) -> int | None:
    """Behind the Service; None when one may not know."""
    path = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
    slices = cluster.look(path, f"{_SERVICE_NAME}={name}")
    if slices.denied:
        return None
    return sum(_is_ready(item) for found in slices.items for item in found.get("endpoints") or [])


def _is_ready(endpoint: Manifest) -> bool:
    # The API: an unknown state (null) counts as ready.
    return bool((endpoint.get("conditions") or {}).get("ready", True)) and bool(
        endpoint.get("addresses")
    )
