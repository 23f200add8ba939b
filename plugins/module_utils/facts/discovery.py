# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From what the cluster said to Facts: platform, capabilities, storage classes, backends.

Pure. The reads are in ``cluster/discover.py``; what makes a backend resolved is ``backends.py``'s,
whether a field makes sense ``checks/rules.py``'s.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import (
    PLATFORM_KUBERNETES,
    PLATFORM_OPENSHIFT,
    Facts,
    Rollout,
    gateway_backends,
    gateways,
    key_sets,
    live_scaling,
    verification,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.backends import (
    BackendReading,
    Sighting,
    endpoint,
    endpoint_entries,
    some,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.endpoints import (
    within_reach,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.gateways import (
    GatewayReading,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.references import (
    config_maps_digest,
    references,
    secrets_digest,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import (
    apis,
    backend_kinds,
    egress,
    wants,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.backend_kinds import Found
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.gateway_mode import (
    is_gateway_mode,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.inherited import (
    HTTP_PROXY,
    HTTPS_PROXY,
    is_withheld,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    ANNOTATION_SECRETS_SEEN,
    API_GROUP,
    CONFIG_VOLUMES,
    Manifest,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

# OpenShift's is a matter of platform, and some are of the backends.
OPTIONAL_APIS = {
    api.group: api
    for api in (
        apis.GATEWAY,
        *gateways.ATTACHMENTS.values(),
        apis.ISTIO_SECURITY,
        apis.MONITORING,
    )
}
CAPABILITY_GROUPS = (apis.ROUTE.group, *OPTIONAL_APIS, *backend_kinds.GROUPS)

# The two lines that the documentation tells users to look for in the operator's log.
PLATFORM_MESSAGES = {
    PLATFORM_OPENSHIFT: "Detected OpenShift platform - "
    "will use OpenShift-compatible security contexts",
    PLATFORM_KUBERNETES: "Detected standard Kubernetes platform - "
    "will use standard security contexts",
}
NO_BACKENDS_MESSAGE = "No backends found"
FAILED_MESSAGE = "Failed to discover backend"

# Not for another try: a cluster that is not OpenShift will not become one.
ROUTE_API_MISSING = Problem(
    reason="RouteApiMissing",
    field="spec.openshift.routes.enabled",
    found=f"only OpenShift has Routes, and this API server does not serve {apis.ROUTE.group}",
    remedy="Set it to false and give clients outside the cluster another way, e.g. spec.ingress",
    blocking=False,
)

# What the Prometheus operator turns into configuration of Prometheus, by field of spec.monitoring.
MONITORING_KINDS = {"serviceMonitor": "ServiceMonitor", "prometheusRule": "PrometheusRule"}


@dataclass(frozen=True)
class Reading:
    """Everything that one discovery read.

    groups: the ``groups`` of ``/apis``.
    storage: StorageClasses; None when nobody asked for a volume.
    claim_exists: the volume claim is there already, so its class was settled long ago.
    existing_claim: the one that the spec names; None when there is none.
    backends: one per entry of spec.vllmEndpoints, in that order.
    gateway: None in standalone mode.
    deployment: the router's; None when there is none.
    replica_sets: those of the router's pods, while a rollout is under way; denied: then all of
        own_config_maps may be in use.
    own_config_maps: hashes of their contents by name.
    budgets: PodDisruptionBudgets of the namespace; empty when the router wants none.
    autoscalers: HorizontalPodAutoscalers of the namespace.
    config_maps, secrets: those that the pods use, by name; a Secret without its data.
    missing_secrets: fields that name a Secret which is not there, as far as one may look.
    authorities: ConfigMaps with CAs of backends and with public keys of issuers, as far as they may
        be read and are there.
    """

    groups: list[Manifest]
    storage: Sighting | None = None
    claim_exists: bool = False
    existing_claim: Manifest | None = None
    backends: list[BackendReading] = field(default_factory=list)
    gateway: GatewayReading | None = None
    deployment: Manifest | None = None
    replica_sets: Sighting = field(default_factory=Sighting)
    own_config_maps: Mapping[str, str] = field(default_factory=dict)
    budgets: Sighting = field(default_factory=Sighting)
    autoscalers: Sighting = field(default_factory=Sighting)
    config_maps: dict[str, Manifest | None] = field(default_factory=dict)
    secrets: dict[str, Manifest | None] = field(default_factory=dict)
    missing_secrets: list[str] = field(default_factory=list)
    authorities: dict[str, Manifest | None] = field(default_factory=dict)


def facts(router: Router, reading: Reading, platform: str = "") -> Facts:
    """What the builders may know; ``platform`` overrides what the API server's groups say."""
    served = capabilities(reading.groups)
    # One each: among a thousand, each would be looked for a thousand times.
    known = {item.get("name"): [item] for item in router.status.get("endpoints") or []}
    return Facts(
        platform=platform or platform_of(reading.groups),
        capabilities=served,
        endpoints=within_reach(
            (
                endpoint(router.namespace, entry, backend, served, known.get(entry["name"], []))
                for entry, backend in zip(endpoint_entries(router), reading.backends, strict=True)
            ),
            outside=not is_gateway_mode(router.spec),
        ),
        gateway=gateways.facts_of(router, reading.gateway),
        scale=live_scaling.scale_of(router, reading.deployment),
        claim_modes=_access_modes(reading.existing_claim),
        foreign_budgets=live_scaling.foreign_budgets(router, reading.budgets.objects),
        foreign_autoscalers=live_scaling.foreign_autoscalers(router, reading.autoscalers.objects),
        rollout=_rollout(router, reading),
    )


def _access_modes(claim: Manifest | None) -> list[str]:
    return list(claim["spec"].get("accessModes") or []) if claim else []


def _rollout(router: Router, reading: Reading) -> Rollout:
    used = references(router.spec)
    deployment = reading.deployment or {"metadata": {}, "spec": {}}
    template = (deployment["spec"].get("template") or {}).get("metadata") or {}
    annotations = deployment["metadata"].get("annotations") or {}
    return Rollout(
        uses_config_maps=bool(used.config_maps),
        uses_secrets=bool(used.secrets),
        config_maps=config_maps_digest(used.config_maps, reading.config_maps),
        secrets=secrets_digest(used.secrets, reading.secrets),
        template={
            name: str(value)
            for name, value in (template.get("annotations") or {}).items()
            if name.startswith(f"{API_GROUP}/")
        },
        in_use=_config_maps_in_use(reading),
        secrets_seen=str(annotations.get(ANNOTATION_SECRETS_SEEN, "")),
    )


def _config_maps_in_use(reading: Reading) -> dict[str, list[str]]:
    """As Rollout.in_use; of a template that is not ours, nothing.

    A ReplicaSet that is to have pods makes them anew, whether or not it has one at this moment.
    """
    owners = [reading.deployment] if reading.deployment else []
    owners += [
        item
        for item in reading.replica_sets.objects
        if item["spec"].get("replicas") or (item.get("status") or {}).get("replicas")
    ]
    found: dict[str, list[str]] = {}
    for owner in owners:
        template = owner["spec"].get("template") or {}
        annotations = (template.get("metadata") or {}).get("annotations") or {}
        for volume in (template.get("spec") or {}).get("volumes") or []:
            annotation = CONFIG_VOLUMES.get(volume["name"])
            name = (volume.get("configMap") or {}).get("name")
            if name and annotation in annotations:
                found.setdefault(str(name), []).append(str(annotations[annotation]))
    for name in reading.own_config_maps if reading.replica_sets.denied else ():
        found.setdefault(name, [])
    # Somebody may have edited an annotation.
    written = {name: [one] for name, one in reading.own_config_maps.items()}
    return {name: [*said, *written.get(name, [])] for name, said in found.items()}


def offline_facts(
    router: Router, platform: str, served: Collection[str] = tuple(OPTIONAL_APIS)
) -> Facts:
    """What is known when no cluster is asked: the addresses that the spec itself gives.

    served: those of OPTIONAL_APIS that the cluster would serve. It would have the Gateway too.
    """
    return facts(router, _offline_reading(router, platform, served), platform)


def offline_problems(
    router: Router, platform: str, served: Collection[str] = tuple(OPTIONAL_APIS)
) -> list[Problem]:
    """What would be left out of what the spec asks for, and what stands there unseen; and why."""
    reading = _offline_reading(router, platform, served)
    known = facts(router, reading, platform)
    found = problems(router, reading, known)
    return [
        *(
            _controller_unknown(problem.field)
            if problem.reason == "GatewayControllerUnknown"
            else problem
            for problem in found
        ),
        *_unseen(router, known),
    ]


def _unseen(router: Router, known: Facts) -> Iterator[Problem]:
    remedy = "See what a cluster says of it: kubectl sr diff"
    for index, entry in enumerate(router.spec.get("vllmEndpoints") or []):
        if backend_kinds.kind_of(entry).found in (Found.OBJECT, Found.LABELS):
            address = known.endpoints[index].address
            stands = f"{address} stands here" if address else "no address stands here"
            yield Problem(
                reason="BackendUnreadable",
                field=f"spec.vllmEndpoints[{index}].backend",
                found=f"only a cluster knows where it is, and {stands}",
                remedy=remedy,
                blocking=False,
            )
    if wants.existing_claim(router.spec):
        yield Problem(
            reason="VolumeClaimNotFound",
            field="spec.persistence.existingClaim",
            found="only a cluster knows its access modes, and spec.persistence.accessMode, "
            f"{router.spec['persistence']['accessMode']}, stands for them here",
            remedy=remedy,
            blocking=False,
        )


def _offline_reading(router: Router, platform: str, served: Collection[str]) -> Reading:
    there = [OPTIONAL_APIS[group] for group in served]
    if platform == PLATFORM_OPENSHIFT:
        there.append(apis.ROUTE)
    groups = [{"name": api.group, "versions": [{"version": api.version}]} for api in there]
    unread = [BackendReading() for _ in endpoint_entries(router)]
    gateway = _offline_gateway(router, served) if is_gateway_mode(router.spec) else None
    return Reading(groups, backends=unread, gateway=gateway)


def _offline_gateway(router: Router, served: Collection[str]) -> GatewayReading:
    """One that takes the route; whose it is goes by whose API is served, if that says it."""
    listener = {
        "name": router.spec["gateway"].get("sectionName") or "http",
        "protocol": "HTTP",
        "allowedRoutes": {"namespaces": {"from": "All"}},
    }
    controllers = [name for name, api in gateways.ATTACHMENTS.items() if api.group in served]
    controller = controllers[0] if len(controllers) == 1 else ""
    return GatewayReading(
        gateway={"spec": {"listeners": [listener]}},
        gateway_class={"spec": {"controllerName": controller}},
    )


def problems(router: Router, reading: Reading, found: Facts) -> list[Problem]:
    """What the cluster lacks of what the spec asks for. found: the facts of this reading."""
    return [
        *_storage_problems(router, reading),
        *_route_problems(router, reading),
        *_budget_problems(router, reading),
        *_autoscaler_problems(router, reading),
        *_monitoring_problems(router, reading),
        *_proxy_problems(router, found),
        *(_secret_missing(router, where) for where in reading.missing_secrets),
        *gateways.problems(router, found),
        *gateway_backends.problems(router, found),
        *verification.problems(router, found, reading.authorities),
        *key_sets.problems(router, reading.authorities),
    ]


def _storage_problems(router: Router, reading: Reading) -> list[Problem]:
    if reading.storage is None or reading.claim_exists:
        return []
    if reading.storage.denied:
        return [_storage_classes_unreadable(reading.storage.denied)]
    names = sorted(item["metadata"]["name"] for item in reading.storage.objects)
    wanted = router.spec["persistence"].get("storageClassName")
    return [_storage_class_missing(wanted, names)] if wanted and wanted not in names else []


def _route_problems(router: Router, reading: Reading) -> list[Problem]:
    wanted = router.spec["openshift"]["routes"]["enabled"]
    is_there = platform_of(reading.groups) == PLATFORM_OPENSHIFT
    return [ROUTE_API_MISSING] if wanted and not is_there else []


def _budget_problems(router: Router, reading: Reading) -> list[Problem]:
    wanted = (router.spec.get("podDisruptionBudget") or {}).get("enabled")
    others = live_scaling.foreign_budgets(router, reading.budgets.objects)
    return [_covered_already(others)] if wanted and others else []


def _autoscaler_problems(router: Router, reading: Reading) -> list[Problem]:
    others = live_scaling.foreign_autoscalers(router, reading.autoscalers.objects)
    wanted = router.spec["autoscaling"]["enabled"]
    return [_scaled_already(others)] if wanted and others else []


def _monitoring_problems(router: Router, reading: Reading) -> list[Problem]:
    if apis.MONITORING.is_served(capabilities(reading.groups)):
        return []
    return [
        _monitoring_api_missing(field, kind)
        for field, kind in MONITORING_KINDS.items()
        if router.spec["monitoring"][field]["enabled"]
    ]


def _proxy_problems(router: Router, found: Facts) -> list[Problem]:
    """What the operator was told of a proxy, and does not tell the pods."""
    if router.spec.get("egressProxy"):
        return []
    theirs = {variable["name"] for variable in router.spec.get("env") or []}
    for name in (HTTPS_PROXY, HTTP_PROXY):
        if is_withheld(found.inherited.get(name, "")) and name not in theirs:
            return [_with_a_password(name)]
    way = egress.way_out(router.spec, found.inherited)
    is_asked = any(endpoint.is_outside for endpoint in found.endpoints)
    return [_not_for_envoy()] if is_asked and way.https and way.proxy is None else []


def messages(found: Facts) -> list[str]:
    """Lines for the operator's log."""
    lines = [PLATFORM_MESSAGES[found.platform]]
    unresolved = [item for item in found.endpoints if not item.ready]
    lines += [f"{FAILED_MESSAGE} {item.name}: {item.message}" for item in unresolved]
    if len(unresolved) == len(found.endpoints):
        lines.append(NO_BACKENDS_MESSAGE)
    return lines


def platform_of(groups: list[Manifest]) -> str:
    """OpenShift if and only if the API server serves route.openshift.io."""
    served = any(group["name"] == apis.ROUTE.group for group in groups)
    return PLATFORM_OPENSHIFT if served else PLATFORM_KUBERNETES


def capabilities(groups: list[Manifest]) -> dict[str, list[str]]:
    """Served versions of the API groups that an optional feature needs."""
    return {
        group["name"]: [version["version"] for version in group.get("versions") or []]
        for group in groups
        if group["name"] in CAPABILITY_GROUPS
    }


def wants_budget(router: Router) -> bool:
    """The router may get a PodDisruptionBudget; how many pods there are is not known here."""
    return (router.spec.get("podDisruptionBudget") or {}).get("enabled") is not False


def _storage_class_missing(wanted: str, names: list[str]) -> Problem:
    return Problem(
        reason="StorageClassNotFound",
        field="spec.persistence.storageClassName",
        found=f'StorageClass "{wanted}" does not exist; there are: {some(names) or "none"}',
        remedy="Name one of them, leave the field out to use the cluster's default, "
        "or create the StorageClass",
        retry=True,
    )


def _secret_missing(router: Router, where: str) -> Problem:
    name = references(router.spec).named_secrets[where]
    return Problem(
        reason="SecretNotFound",
        field=where,
        found=f'Secret "{name}" does not exist, and new pods wait for it',
        remedy="Create it, or name another",
        retry=True,
        blocking=False,
    )


def _covered_already(others: list[str]) -> Problem:
    return Problem(
        reason="PodsCoveredAlready",
        field="spec.podDisruptionBudget.enabled",
        found=f"PodDisruptionBudget {some(others)} covers the router's pods already, and "
        "Kubernetes evicts no pod that two of them cover",
        remedy="Delete that one, or remove this field",
        retry=True,
        blocking=False,
    )


def _scaled_already(others: list[str]) -> Problem:
    return Problem(
        reason="PodsScaledAlready",
        field="spec.autoscaling.enabled",
        found=f"HorizontalPodAutoscaler {some(others)} scales the router's Deployment already, and "
        "Kubernetes lets none scale pods that two of them measure",
        remedy="Delete that one, or remove this field",
        retry=True,
        blocking=False,
    )


def _monitoring_api_missing(field: str, kind: str) -> Problem:
    return Problem(
        reason="MonitoringApiMissing",
        field=f"spec.monitoring.{field}.enabled",
        found=f"there is no {kind}, for this API server does not serve {apis.MONITORING}",
        remedy="Install the Prometheus operator, or set it to false",
        retry=True,
        blocking=False,
    )


def _with_a_password(variable: str) -> Problem:
    return Problem(
        reason="ProxyNotPassedOn",
        field="spec.egressProxy",
        found=f"the operator's {variable} has a password, which is not written into other pods; "
        "they have no proxy",
        remedy=f"Name a proxy without a password here, or set {variable} in spec.env, from a "
        "Secret or empty",
        blocking=False,
    )


def _not_for_envoy() -> Problem:
    return Problem(
        reason="ProxyNotPassedOn",
        field="spec.egressProxy",
        found=f"the operator's {HTTPS_PROXY} is no http:// URL of a host, and Envoy asks no other "
        "proxy; hosted models are asked for without one",
        remedy="Name one here",
        blocking=False,
    )


def _controller_unknown(field: str) -> Problem:
    groups = " and ".join(api.group for api in gateways.ATTACHMENTS.values())
    return Problem(
        reason="GatewayControllerUnknown",
        field=field,
        found="only a cluster knows whose Gateway it is, so nothing tells it of this here",
        remedy=f"Have just one of {groups} among the capabilities",
        blocking=False,
    )


def _storage_classes_unreadable(denied: str) -> Problem:
    # Not blocking: the volume may well bind, it only could not be checked beforehand.
    return Problem(
        reason="StorageClassesUnreadable",
        field="spec.persistence.storageClassName",
        found=f"the operator may not list StorageClasses ({denied})",
        remedy="Allow its ServiceAccount to list storageclasses.storage.k8s.io",
        retry=True,
        blocking=False,
    )
