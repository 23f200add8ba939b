# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads the live objects, writes the status when it changed, and tells transitions as Events.

What a status says is ``status/router_status.py``. One merge patch per run at most, none when
nothing changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import (
    active_config,
    ownership,
    resources,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import (
    APPLY_PATCH,
    MERGE_PATCH,
    STRICT,
    ApiError,
    Client,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.discover import (
    router_path,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.live import by_path
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.plan import (
    differing_files,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.reads import Reads
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import (
    Facts,
    gateway_backends,
    gateways,
    references,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import (
    apis,
    gateway_mode,
    wants,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.labels import as_selector
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    FIELD_MANAGER,
    ROUTER_CONFIG_VOLUME,
    Manifest,
    config_map_name,
    selector,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from ansible_collections.vllm.semantic_router.plugins.module_utils.status import (
    conditions,
    live_workload,
    requeue_after,
    router_status,
    transitions,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.fingerprint import (
    FIELD,
    fingerprint,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.live_workload import (
    Workload,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.situation import (
    Situation,
)

EVENTS_VERSION = "events.k8s.io/v1"
# Bytes of an Event's note; longer ones are refused.
NOTE_LIMIT = 1024
# Somebody may edit the router between the run's start and the write.
_ATTEMPTS = 3


@dataclass(frozen=True)
class Report:
    """What a run found out about its router.

    changed: the status in the cluster was not this one.
    """

    changed: bool
    status: dict[str, Any]
    requeue_after: str
    messages: list[str]
    summary: str
    reads_suffice: bool = False


def report(
    client: Client,
    found: Situation,
    now: str,
    check_mode: bool = False,
    plan: Mapping[str, Any] | None = None,
    known: list[Manifest] | None = None,
    code: str = "",
) -> Report:
    """Compute the status from what is live, and write it if it differs.

    found: without a workload, which is read here.
    now: RFC 3339 with microseconds: an Event wants them, a condition drops them.
    plan: what a dry run found.
    known: the router's own objects, as apply (or else discover) of the same run left them.
    code: digest of this collection; without it, no later run can end early.
    """
    router = found.router
    workload = read_workload(client, router, found.facts, known)
    since = _seconds_before(now, live_workload.START_SECONDS)
    convergence = active_config.look(
        client,
        router,
        workload.deployment,
        _written_config(_Own(client, router, known), router, workload.deployment),
        is_blind=found.is_blind,
    )
    workload = replace(workload, start_since=since)
    situation = replace(found, workload=workload, convergence=convergence)
    # The stock engine's DependentPredicate ignores an update of values in the status.
    is_told_of_status = not client.is_ansible_operators
    period = requeue_after.period(situation, is_told_of_status)
    reads_suffice = requeue_after.reads_suffice(situation)
    seconds = f"{now[:19]}Z"
    live: Manifest | None = router.resource
    for attempt in range(_ATTEMPTS):
        if attempt:
            live = client.get(router_path(router.name, router.namespace))
        previous = Router(live).status if live else {}
        status = router_status.build(situation, seconds, previous, plan)
        if code and known is not None and _has_settled(situation, known, period):
            status[FIELD] = fingerprint(code, situation, known, status)
        changed = live is not None and _is_ours(live, router) and status != previous
        if live is None or not changed or check_mode:
            break
        if _write(client, live, status):
            _tell(client, router, transitions.between(previous, status), now)
            break
    else:
        period, reads_suffice = requeue_after.RETRY, False
    return Report(
        changed=changed,
        status=status,
        requeue_after=period,
        messages=router_status.messages(situation, status),
        summary=router_status.summary(situation.facts, status),
        reads_suffice=reads_suffice,
    )


def _seconds_before(now: str, seconds: int) -> str:
    then = datetime.fromisoformat(now[:19]) - timedelta(seconds=seconds)
    return f"{then.isoformat()}Z"


def _has_settled(situation: Situation, known: list[Manifest], period: str) -> bool:
    """A play may end early, and the fingerprint sees all that the status is made of."""
    claims = {item["metadata"]["name"] for item in known if item["kind"] == "PersistentVolumeClaim"}
    claim = situation.workload.claim_name
    return (
        situation.may_write
        and period == requeue_after.by_itself(situation.router)
        and situation.is_rolled_out
        and (situation.convergence is None or situation.convergence.is_settled)
        and (not claim or claim in claims)
    )


def read_workload(
    client: Client, router: Router, facts: Facts, known: list[Manifest] | None = None
) -> Workload:
    """The Deployment, the claim and the Routes; the pods while the Deployment is not rolled out.

    known: all of the router's own objects, if they are known; others are read.
    """
    own = _Own(client, router, known)
    deployment = own.get("apps/v1", "Deployment", router.name)
    claim_name = wants.claim_name(router)
    claim = own.get("v1", "PersistentVolumeClaim", claim_name) if claim_name else None
    pods: list[Manifest] = []
    if deployment is not None and not live_workload.is_rolled_out(deployment):
        path = f"/api/v1/namespaces/{router.namespace}/pods"
        pods = client.list(path, as_selector(selector(router.name)))
    route_name = router.name if wants.route(router.spec) else ""
    route = own.controlled(str(apis.ROUTE), "Route", route_name) if route_name else None
    http_route_names = gateways.route_names(router, facts)
    policies = [*gateways.policies(router, facts), *gateway_backends.policies(router, facts)]
    workload = Workload(
        deployment,
        claim,
        claim_name,
        pods,
        route,
        route_name,
        gateway=router.spec["gateway"] if gateway_mode.is_gateway_mode(router.spec) else {},
        http_route_names=http_route_names,
        http_routes=_own_http_routes(own, router) if http_route_names else {},
        policy_names=[str(policy) for policy in policies],
        policies=_own_policies(own, policies),
        mounted=references.mounted(router.spec),
    )
    return replace(workload, differing=_differing(own, workload))


def _differing(own: _Own, workload: Workload) -> list[str]:
    """Where the files of new pods differ from those of the pods that serve meanwhile."""
    serving = live_workload.last_good(workload)
    if not serving:
        return []
    template = ((workload.deployment or {}).get("spec") or {}).get("template")
    pairs = zip(
        live_workload.config_maps_of(serving[0]).values(),
        live_workload.config_maps_of(template).values(),
        strict=False,
    )
    found = [[own.known("v1", "ConfigMap", name) for name in pair] for pair in pairs]
    return [
        path
        for before, after in found
        if before and after
        for path in differing_files(before, after)
    ]


class _Own:
    """The objects of a router: known ones, or from the cluster."""

    def __init__(self, client: Client, router: Router, known: list[Manifest] | None) -> None:
        self._client = client
        self._router = router
        self._known = known
        self._known_by_path = by_path(known or [])

    def get(self, api_version: str, kind: str, name: str) -> Manifest | None:
        """One object, whoever it belongs to."""
        # A volume claim of the user's is not among ours.
        path = self._path(api_version, kind, name)
        return self._known_by_path.get(path) or self._client.get(path)

    def known(self, api_version: str, kind: str, name: str) -> Manifest | None:
        """One object, if it was read already."""
        return self._known_by_path.get(self._path(api_version, kind, name))

    def controlled(self, api_version: str, kind: str, name: str) -> Manifest | None:
        """None as well where the kind is unknown, and when somebody else's has the name."""
        live = self.get(api_version, kind, name)
        return live if live is not None and ownership.is_controlled_by(live, self._router) else None

    def all(self, api_version: str, kind: str) -> list[Manifest]:
        """Those that the router has of a kind."""
        resource = resources.named(api_version, kind)
        found = self._known
        if found is None:
            found = Reads(self._client).own(self._router, resource)
        return [item for item in found if resources.resource_of(item) is resource]

    def _path(self, api_version: str, kind: str, name: str) -> str:
        metadata = {"name": name, "namespace": self._router.namespace}
        return resources.path({"apiVersion": api_version, "kind": kind, "metadata": metadata})


def _written_config(own: _Own, router: Router, deployment: Manifest | None) -> Manifest | None:
    """What new pods mount.

    None as well for who may not read it: a role that is used alone need not have that right.
    """
    plain = config_map_name(router.name, gateway_mode.serves_alone(router.spec))
    mounted = live_workload.config_maps_of((deployment or {}).get("spec", {}).get("template"))
    try:
        return own.get("v1", "ConfigMap", mounted.get(ROUTER_CONFIG_VOLUME, plain))
    except ApiError as error:
        if error.status != 403:
            raise
        return None


def _own_policies(own: _Own, wanted: list[gateways.Policy]) -> dict[str, Manifest]:
    found = {str(one): own.controlled(str(one.api), one.kind, one.name) for one in wanted}
    return {name: live for name, live in found.items() if live is not None}


def _own_http_routes(own: _Own, router: Router) -> dict[str, Manifest]:
    return {
        str(item["metadata"]["name"]): item
        for item in own.all(str(apis.GATEWAY), "HTTPRoute")
        if ownership.is_controlled_by(item, router)
    }


def _is_ours(live: Manifest, router: Router) -> bool:
    """The object is the one of this run, and no later run has spoken about a newer spec."""
    if str(live["metadata"]["uid"]) != router.uid:
        return False
    said = int((live.get("status") or {}).get("observedGeneration") or 0)
    # Of a generation that there is not yet, no run has spoken.
    is_made_up = said > Router(live).generation
    return said <= router.generation or is_made_up


def _write(client: Client, live: Manifest, status: dict[str, Any]) -> bool:
    """False when the object changed since it was read, or is gone."""
    metadata = live["metadata"]
    patch = {
        # A merge patch is not held against the uid: without this, an object of the same name that
        # came in between would get the status of the one before.
        "metadata": {"resourceVersion": metadata["resourceVersion"]},
        "status": merge_patch(live.get("status") or {}, status),
    }
    path = f"{router_path(metadata['name'], metadata['namespace'])}/status"
    try:
        # Not strict: an older CRD lacks fields of this status, and is to have the others.
        client.patch(path, patch, MERGE_PATCH, {"fieldManager": FIELD_MANAGER})
    except ApiError as error:
        if error.status in (404, 409):
            return False
        raise
    return True


def merge_patch(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """The JSON merge patch (RFC 7386) that leads from one object to the other."""
    patch: dict[str, Any] = {key: None for key in before if key not in after}
    for key, value in after.items():
        known = before.get(key)
        if isinstance(value, dict) and isinstance(known, dict):
            value = merge_patch(known, value)
            if not value:
                continue
        elif value == known and key in before:
            continue
        patch[key] = value
    return patch


def _tell(client: Client, router: Router, worth: list[conditions.Condition], now: str) -> None:
    for condition in worth:
        event = _event(router, condition, now)
        name, namespace = event["metadata"]["name"], event["metadata"]["namespace"]
        path = f"/apis/{EVENTS_VERSION}/namespaces/{namespace}/events/{name}"
        try:
            # Not a POST: the proxy of ansible-operator would make the router the Event's owner,
            # start to watch Events, and reconcile for each one.
            client.patch(path, event, APPLY_PATCH, {"fieldManager": FIELD_MANAGER, **STRICT})
        except ApiError:
            # Events are a courtesy: the status, which is written by now, says the same.
            return


def _event(router: Router, condition: conditions.Condition, now: str) -> Manifest:
    told = f"{router.uid}/{condition['type']}/{condition['status']}/{now}"
    suffix = hashlib.sha256(told.encode()).hexdigest()[:16]
    return {
        "apiVersion": EVENTS_VERSION,
        "kind": "Event",
        "metadata": {"name": f"{router.name}.{suffix}", "namespace": router.namespace},
        "eventTime": now,
        "type": "Normal"
        if conditions.is_good(condition) or transitions.is_news(condition)
        else "Warning",
        "reason": condition["reason"][:128],
        "action": f"{condition['type']}{condition['status']}",
        "note": _note(condition["message"]),
        "reportingController": FIELD_MANAGER,
        "reportingInstance": FIELD_MANAGER,
        "regarding": {
            "apiVersion": str(router.resource["apiVersion"]),
            "kind": str(router.resource["kind"]),
            "name": router.name,
            "namespace": router.namespace,
            "uid": router.uid,
        },
    }


def _note(message: str) -> str:
    text = message.encode()[:NOTE_LIMIT]
    return text.decode(errors="ignore")
