"""`kubectl sr doctor`: the troubleshooting chapter, walked by a program.

What is found comes from the same functions that the operator decides with; what they cannot know,
the operator itself among it, is looked at here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import client
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import (
    examine as examination,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.reads import Reads
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.status import (
    read_workload,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import discovery
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.containers import ROUTER
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.volumes import (
    MODELS_DIRECTORY,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import (
    apis,
    crd,
    gateway_mode,
    models,
    writing,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.credentials import (
    secret_environment,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.labels import as_selector
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    ANNOTATION_DRY_RUN,
    ANNOTATION_PAUSED,
    API_GROUP,
    PLURAL,
    Manifest,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from ansible_collections.vllm.semantic_router.plugins.module_utils.status import (
    conditions,
    live_workload,
    reasons,
)

from semantic_router_cli import log, status
from semantic_router_cli.cluster import Answer, Cluster
from semantic_router_cli.tree import Backend, State, condition_of, deletion

OPERATOR = "semantic-router-operator-controller-manager"
OPERATOR_NAMESPACE = "semantic-router-operator-system"
OLDEST_MINOR = 24

_CRD_PATH = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{PLURAL}.{API_GROUP}"
_HF_TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_HUB_TOKEN")

# The operator's problems that are of whoever asks, when a person does.
_YOU_MAY_NOT = {
    "StorageClassesUnreadable": (
        "you may not list StorageClasses: whether this one is there stays open"
    ),
    "GatewayUnreadable": "you may not read the Gateway or its class: what they lack stays open",
}

# Which chapter of the document a reason belongs to, by how it begins.
_TOPICS = {
    "Gateway": ("Gateway", "HTTPRoute", "ExtProc", "ReferenceGrant", "ManagementApi"),
    "Route": ("Route",),
    "Image": ("ImagePull",),
    "Volume": ("StorageClass", "Volume"),
    "Backends": ("Backend", "KServe", "InferenceService", "NoService", "Service"),
    "Models": ("CreateContainer",),
}


@dataclass(frozen=True)
class Finding:
    """One look. where: a field of the router, or an object. router: "" for the cluster's own.

    code: of ``findings.py``, "" only while all is well.
    """

    topic: str
    state: State
    found: str
    router: str = ""
    where: str = ""
    remedy: str = ""
    code: str = ""

    def as_dict(self) -> dict[str, str]:
        """Plain containers, empty ones left out."""
        values = {**vars(self), "state": str(self.state)}
        return {key: value for key, value in values.items() if value}


def examine(cluster: Cluster, routers: list[Manifest]) -> Iterator[Finding]:
    """Everything, the cluster first."""
    yield from _cluster(cluster)
    operator = _operator(cluster)
    yield from of_the_operator(cluster, operator, routers)
    yield from _platform(cluster, operator.first)
    for resource in routers:
        yield from _router(cluster, Router(resource))


def _cluster(cluster: Cluster) -> Iterator[Finding]:
    said = cluster.version()
    minor = "".join(filter(str.isdigit, str(said.get("minor", ""))))
    version = f"Kubernetes {said.get('gitVersion', 'of an unknown version')} at {cluster.url}"
    if minor.isdecimal() and str(said.get("major")) == "1" and int(minor) < OLDEST_MINOR:
        remedy = f"Use Kubernetes 1.{OLDEST_MINOR} or newer"
        yield Finding("Cluster", State.BROKEN, version, remedy=remedy, code="KubernetesTooOld")
    else:
        yield Finding("Cluster", State.OK, version)
    yield from _crd(cluster)


def _crd(cluster: Cluster) -> Iterator[Finding]:
    where = f"CustomResourceDefinition {PLURAL}.{API_GROUP}"
    if not cluster.serves_routers:
        remedy = "Install it: kubectl apply -f dist/install.yaml, or make install"
        found = "the CRD is not installed"
        yield Finding("Cluster", State.BROKEN, found, "", where, remedy, "CRDNotInstalled")
        return
    installed = cluster.find(_CRD_PATH)
    if installed.denied:
        found = "SemanticRouter is served; you may not look whether its CRD has every field"
        yield Finding("Cluster", State.UNKNOWN, found, "", where, code="CRDUnreadable")
        return
    if installed.first is None:
        yield Finding("Cluster", State.OK, "SemanticRouter is served")
        return
    served: dict[str, Any] = installed.first["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    ours = crd.schema()["properties"]["spec"]["properties"]
    missing = sorted(set(ours) - set(served["properties"]["spec"].get("properties") or {}))
    if missing:
        found = f"the cluster's CRD is another one: it lacks spec.{', spec.'.join(missing)}"
        remedy = "Install the CRD of this version: make install"
        yield Finding("Cluster", State.WARNING, found, "", where, remedy, "CRDOfAnotherVersion")
    else:
        yield Finding("Cluster", State.OK, "the CRD is installed, with every field")


def _operator(cluster: Cluster) -> Answer:
    """Its Deployment, wherever it was put; who may not look everywhere looks where it belongs."""
    by_name = f"metadata.name={OPERATOR}"
    everywhere = cluster.look("/apis/apps/v1/deployments", fieldSelector=by_name)
    if not everywhere.denied:
        return everywhere
    usual = cluster.find(f"/apis/apps/v1/namespaces/{OPERATOR_NAMESPACE}/deployments/{OPERATOR}")
    # It may be elsewhere, where one may not look.
    return usual if usual.first else everywhere


def of_the_operator(
    cluster: Cluster, operator: Answer, routers: list[Manifest]
) -> Iterator[Finding]:
    deployment = operator.first
    unseen = [
        f"{item['metadata']['namespace']}/{item['metadata']['name']}"
        for item in routers
        if int((item.get("status") or {}).get("observedGeneration") or 0)
        < int(item["metadata"].get("generation") or 0)
    ]
    if deployment is None and operator.denied:
        yield _operator_unseen(routers, unseen)
    elif deployment is None:
        yield _operator_missing(routers, unseen)
    else:
        yield from _operator_deployment(cluster, deployment)
    if deployment is not None:
        watched = _watched(deployment)
        others = [name for name in unseen if watched and name.partition("/")[0] not in watched]
        if others:
            found = f"it watches {', '.join(watched)} only, and not {', '.join(others)}"
            where = (
                f"WATCH_NAMESPACE of Deployment {deployment['metadata']['namespace']}/{OPERATOR}"
            )
            remedy = "Add the namespace there"
            yield Finding("Operator", State.BROKEN, found, "", where, remedy, "OperatorElsewhere")
        unseen = [name for name in unseen if name not in others]
    if unseen and deployment is not None:
        found = f"it has not looked at the current spec of {', '.join(unseen)}"
        remedy = f"kubectl logs -n {deployment['metadata']['namespace']} deployment/{OPERATOR}"
        yield Finding("Operator", State.BROKEN, found, remedy=remedy, code="OperatorBehind")


def _watched(deployment: Manifest) -> list[str]:
    """The namespaces that the operator was given; [] when it has all, or OLM says which."""
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    given = {item["name"]: item.get("value") for item in container.get("env") or []}
    return [name.strip() for name in str(given.get("WATCH_NAMESPACE") or "").split(",") if name]


def _operator_unseen(routers: list[Manifest], unseen: list[str]) -> Finding:
    """Whoever may not look for it sees its work all the same."""
    where = f"namespace {OPERATOR_NAMESPACE}"
    found = "you may not look for it"
    if unseen:
        remedy = "Ask who may: kubectl sr doctor"
        found += f"; nobody has looked at the current spec of {', '.join(unseen)}"
        return Finding("Operator", State.BROKEN, found, "", where, remedy, "OperatorBehind")
    if routers:
        return Finding("Operator", State.OK, f"{found}; every router is looked after", "", where)
    return Finding("Operator", State.UNKNOWN, found, "", where, code="OperatorUnreadable")


def _operator_missing(routers: list[Manifest], unseen: list[str]) -> Finding:
    where = f"namespace {OPERATOR_NAMESPACE}"
    if routers and not unseen:
        found = "not in this cluster, and every router is looked after: it runs outside"
        remedy = "Fine while you develop (make run); in production install it: make deploy"
        return Finding("Operator", State.WARNING, found, "", where, remedy, "OperatorOutside")
    found = "there is no operator"
    if unseen:
        found += f", and nobody has looked at {', '.join(unseen)}"
    remedy = "Install it: kubectl apply -f dist/install.yaml, or make deploy"
    return Finding("Operator", State.BROKEN, found, "", where, remedy, "OperatorMissing")


def _operator_deployment(cluster: Cluster, deployment: Manifest) -> Iterator[Finding]:
    namespace = deployment["metadata"]["namespace"]
    where = f"Deployment {namespace}/{OPERATOR}"
    image = str(deployment["spec"]["template"]["spec"]["containers"][0]["image"])
    available = live_workload.availability(deployment).rstrip(".")
    if deployment["spec"].get("replicas") == 0:
        remedy = f"kubectl scale -n {namespace} deployment/{OPERATOR} --replicas=1"
        found = "it is scaled to no pods"
        yield Finding("Operator", State.BROKEN, found, "", where, remedy, "OperatorScaledToZero")
    elif live_workload.is_rolled_out(deployment):
        yield Finding("Operator", State.OK, f"{available}, image {image}", "", where)
    else:
        pods = _operator_pods(cluster, deployment)
        troubles = live_workload.pod_troubles(list(pods.items))
        why = " ".join(dict.fromkeys(trouble.message for trouble in troubles))
        why = why or ("You may not look at its pods" if pods.denied else "It starts")
        remedy = f"kubectl describe pods -n {namespace}"
        found = f"{available}. {why}"
        yield Finding("Operator", State.BROKEN, found, "", where, remedy, "OperatorNotAvailable")
    ours = client.user_agent().rpartition("/")[2]
    tag = image.partition("@")[0].rpartition(":")[2].removeprefix("v")
    if tag[:1].isdigit() and tag != ours:
        found = f"the operator is {tag}, this plugin {ours}"
        remedy = f"Install the plugin's wheel of release {tag}"
        code = "OperatorOfAnotherVersion"
        yield Finding("Operator", State.WARNING, found, "", where, remedy, code)


def _operator_pods(cluster: Cluster, deployment: Manifest) -> Answer:
    namespace = deployment["metadata"]["namespace"]
    labels = deployment["spec"]["selector"].get("matchLabels") or {}
    return cluster.look(f"/api/v1/namespaces/{namespace}/pods", as_selector(labels))


def _platform(cluster: Cluster, deployment: Manifest | None) -> Iterator[Finding]:
    served = discovery.platform_of(cluster.groups)
    what = "serves" if served == "openshift" else "does not serve"
    yield Finding("Platform", State.OK, f"{served}: the API server {what} {apis.ROUTE.group}")
    if deployment is None:
        return
    namespace = deployment["metadata"]["namespace"]
    for pod in _operator_pods(cluster, deployment).items:
        log = cluster.log(namespace, pod["metadata"]["name"])
        said = [name for name, line in discovery.PLATFORM_MESSAGES.items() if line in log]
        if said and served not in said:
            found = f"the operator says {discovery.PLATFORM_MESSAGES[said[0]]!r}"
            remedy = f"kubectl rollout restart -n {namespace} deployment/{OPERATOR}"
            where = pod["metadata"]["name"]
            yield Finding("Platform", State.BROKEN, found, "", where, remedy, "PlatformMistaken")


def _router(cluster: Cluster, router: Router) -> Iterator[Finding]:
    name = f"{router.namespace}/{router.name}"
    found = examination.examine(Reads(cluster.client), router)
    problems = found.problems
    seen = status.view(cluster, router.resource)
    # What the person here may not read, the operator may.
    unreadable = [item for item in problems if found.denied or item.reason in _YOU_MAY_NOT]
    problems = [problem for problem in problems if problem not in unreadable]
    findings = [
        *_stopped(name, router),
        *leaving(name, [router.resource, *seen.objects]),
        *_of_problems(name, router, problems),
        *(_not_allowed(name, item) for item in unreadable),
        *_backends(name, router, seen.backends),
        *_gateway(name, router, problems),
        *_route(name, router, problems),
        *_workload(cluster, name, router, found.facts),
        *_secrets(cluster, name, router),
        *(
            Finding("Access", State.UNKNOWN, said, name, code="ObjectsUnreadable")
            for said in seen.denied
        ),
    ]
    # A finding of the operator's rules and one of ours may be the same.
    yield from sorted(dict.fromkeys(findings), key=lambda item: _order(item.topic))


def _not_allowed(router: str, problem: Problem) -> Finding:
    found = _YOU_MAY_NOT.get(problem.reason, f"you may not look: {problem.found}")
    remedy = "`kubectl sr status` has what the operator says"
    return Finding("Access", State.UNKNOWN, found, router, problem.field, remedy, problem.reason)


def _order(topic: str) -> int:
    order = ("Spec", "Backends", "Gateway", "Route", "Image", "Volume", "Models", "Pods", "Access")
    return order.index(topic)


def _topic(reason: str) -> str:
    return next((topic for topic, begins in _TOPICS.items() if reason.startswith(begins)), "Spec")


def _of_problems(name: str, router: Router, problems: list[Problem]) -> Iterator[Finding]:
    """Broken is what makes the router Degraded."""
    worse = {problem.reason for problem in conditions.degrading(problems)}
    said = condition_of(router, conditions.ROUTE_READY)
    if said and said["status"] == "False":
        worse.add(said["reason"])
    for problem in problems:
        state = State.BROKEN if problem.reason in worse else State.WARNING
        yield _of_problem(_topic(problem.reason), state, name, problem)


def _of_problem(topic: str, state: State, name: str, problem: Problem, of: str = "") -> Finding:
    """of: whose it is, where a topic has several."""
    found = f"{of}: {problem.found}" if of else problem.found
    return Finding(topic, state, found, name, problem.field, problem.remedy, problem.reason)


def leaving(name: str, objects: list[Manifest]) -> Iterator[Finding]:
    """Which of them are being deleted, and what holds them."""
    for manifest in objects:
        held = deletion(manifest)
        if held is None:
            continue
        where = f"{manifest['kind']} {manifest['metadata']['name']}"
        found = f"it is being deleted{', ' if held[0] else ''}{held[0]}"
        state = State.WARNING if held[0] else State.WAITING
        yield Finding("Spec", state, found, name, where, held[1], "BeingDeleted")


def _stopped(name: str, router: Router) -> Iterator[Finding]:
    mode = writing.mode(router)
    if mode != writing.WRITE:
        annotation = ANNOTATION_PAUSED if mode == writing.PAUSED else ANNOTATION_DRY_RUN
        found = "the operator writes nothing, as asked"
        where = f"annotation {annotation}"
        remedy = (
            f"kubectl annotate semanticrouter {router.name} -n {router.namespace} {annotation}-"
        )
        code = "Paused" if mode == writing.PAUSED else "DryRun"
        yield Finding("Spec", State.WARNING, found, name, where, remedy, code)


def _backends(name: str, router: Router, found_now: list[Backend]) -> Iterator[Finding]:
    well = 0
    for number, backend in enumerate(found_now):
        endpoint = backend.endpoint
        where = f"spec.vllmEndpoints[{number}]"
        if backend.told is not None:
            state = State.BROKEN if backend.told else State.UNKNOWN
            found = f"{endpoint.name}: you may not look; the operator says: "
            found += backend.told or "ready"
            yield Finding("Backends", state, found, name, where, code="BackendUnreadable")
        elif backend.missing:
            found = f"{endpoint.name}: {backend.missing}"
            remedy = backend.remedy()
            yield Finding("Backends", State.BROKEN, found, name, where, remedy, "ServiceNotFound")
        elif not endpoint.ready:
            problem = reasons.backend_problem(number, endpoint)
            yield _of_problem("Backends", State.BROKEN, name, problem, endpoint.name)
        elif backend.pods == 0:
            found = f"{endpoint.name}: no ready pod behind {endpoint.address}"
            remedy = "Look at the model server's pods: kubectl get endpointslices"
            yield Finding("Backends", State.WARNING, found, name, where, remedy, "NoReadyAddress")
        else:
            well += 1
    lost = models.without_route(router.spec)
    if lost:
        problem = reasons.without_route(lost)
        yield _of_problem("Backends", State.BROKEN, name, problem)
    if not found_now and not gateway_mode.has_routes_of_ours(router.spec):
        yield Finding("Backends", State.OK, "the routes to them are not the operator's", name)
    elif not found_now and not lost:
        found, where, remedy = "there are none", "spec.vllmEndpoints", "List the model servers"
        yield Finding("Backends", State.BROKEN, found, name, where, remedy, "NoBackends")
    elif found_now and well == len(found_now):
        yield Finding("Backends", State.OK, f"all {well} are there, with pods behind them", name)


def _gateway(router: str, found: Router, problems: list[Problem]) -> Iterator[Finding]:
    if not gateway_mode.is_gateway_mode(found.spec):
        return
    mode = found.status.get("gatewayMode")
    where = "status.gatewayMode"
    if mode != gateway_mode.GATEWAY_INTEGRATION:
        said = f"it is {mode or 'unset'}, should be {gateway_mode.GATEWAY_INTEGRATION}"
        remedy = "Look at the operator"
        code = "GatewayModeNotReported"
        yield Finding("Gateway", State.BROKEN, said, router, where, remedy, code)
    yield from _route_ready("Gateway", router, found, problems)


def _route(router: str, found: Router, problems: list[Problem]) -> Iterator[Finding]:
    wanted = found.spec["openshift"]["routes"]["enabled"]
    if not wanted or gateway_mode.is_gateway_mode(found.spec):
        return
    yield from _route_ready("Route", router, found, problems)


def _route_ready(
    topic: str, router: str, found: Router, problems: list[Problem]
) -> Iterator[Finding]:
    """What the operator has heard of it, unless that is a problem that was found here too."""
    said = condition_of(found, conditions.ROUTE_READY)
    if said and said["reason"] in {problem.reason for problem in problems}:
        return
    if said is None:
        remedy = "Wait, then look at the operator"
        found_out = "nothing is known of it yet"
        yield Finding(topic, State.WAITING, found_out, router, "", remedy, "WayInNotReported")
    elif said["status"] == "True":
        yield Finding(topic, State.OK, str(said["message"]), router)
    else:
        pending = said["reason"] in ("RouteMissing", "RouteNotAdmitted") or "Pending" in str(
            said["reason"]
        )
        state = State.WAITING if pending else State.BROKEN
        where = f"RouteReady={said['status']}"
        code = str(said["reason"])
        yield Finding(topic, state, str(said["message"]), router, where, code=code)


def _workload(cluster: Cluster, name: str, router: Router, facts: Any) -> Iterator[Finding]:
    try:
        workload = read_workload(cluster.client, router, facts)
    except client.ApiError as error:
        if error.status != 403:
            raise
        found = f"you may not look at its pods and objects: {error.problem.found}"
        yield Finding("Access", State.UNKNOWN, found, name, code="ObjectsUnreadable")
        return
    troubles = live_workload.troubles_of(workload)
    for trouble in troubles:
        topic = _topic(trouble.reason)
        state = State.BROKEN if trouble.failing else State.WAITING
        said = trouble.message
        if trouble.reason == "VolumePending":
            said += _last_event(cluster, router.namespace, workload.claim_name)
        topic = "Pods" if topic == "Spec" else topic
        yield Finding(topic, state, said, name, code=trouble.reason)
    if workload.claim_name and any(trouble.failing for trouble in troubles):
        yield from unwritable(cluster, name, router.namespace, workload.pods)
    if workload.deployment is None:
        found, remedy = "there is no Deployment yet", "See Spec and Operator"
        where = f"Deployment {router.name}"
        yield Finding("Pods", State.WAITING, found, name, where, remedy, "DeploymentMissing")
    elif live_workload.is_rolled_out(workload.deployment):
        yield Finding(
            "Pods", State.OK, live_workload.rollout(workload.deployment).rstrip("."), name
        )
    elif not troubles:
        found = f"{live_workload.rollout(workload.deployment)} The first start downloads models"
        remedy = f"kubectl sr wait {router.name} -n {router.namespace}"
        where = f"Deployment {router.name}"
        yield Finding("Pods", State.WAITING, found, name, where, remedy, "RolloutInProgress")
    if workload.claim and live_workload.status_of(workload.claim).get("phase") == "Bound":
        yield Finding("Volume", State.OK, f"{workload.claim_name} is bound", name)


def unwritable(
    cluster: Cluster, name: str, namespace: str, pods: list[Manifest]
) -> Iterator[Finding]:
    """Whose a volume's directory is, only the node knows, and the router that ended by it."""
    sources = [(str(pod["metadata"]["name"]), ROUTER) for pod in pods]
    query = {"previous": "true", "tailLines": "100"}
    try:
        said = log.lines(cluster, sources, query, MODELS_DIRECTORY, namespace)
    except client.ApiError:
        # Who may not read logs knows that it ends again and again.
        return
    denied = next((line for line in said if "permission denied" in line.text.lower()), None)
    if denied:
        found = f"the router may not write its models: {denied.text}"
        remedy = (
            "Give its directory to the pods' user on the node (chown 1000:1000), or take a "
            "StorageClass of another type"
        )
        where = f"Pod {denied.pod}"
        yield Finding("Volume", State.BROKEN, found, name, where, remedy, "ModelsNotWritable")


def _last_event(cluster: Cluster, namespace: str, claim: str) -> str:
    """What `kubectl describe pvc` would say, after a blank; "" when it says nothing."""
    about = f"involvedObject.kind=PersistentVolumeClaim,involvedObject.name={claim}"
    events = cluster.look(f"/api/v1/namespaces/{namespace}/events", fieldSelector=about).items
    last = max(events, key=lambda event: str(event.get("lastTimestamp") or ""), default=None)
    return f" {last['reason']}: {last['message']}" if last else ""


def _secrets(cluster: Cluster, name: str, router: Router) -> Iterator[Finding]:
    """Whether those exist that pods need. Their values are never asked for."""
    for number, item in enumerate(router.spec.get("imagePullSecrets") or []):
        field = f"spec.imagePullSecrets[{number}]"
        remedy = f"kubectl create secret docker-registry {item['name']} --docker-server=... "
        yield from _secret(cluster, "Image", name, router, field, item, remedy.strip())
    env = [*(router.spec.get("env") or []), *secret_environment(router.spec)]
    references = [
        (entry["name"], (entry.get("valueFrom") or {}).get("secretKeyRef")) for entry in env
    ]
    for variable, reference in references:
        if reference:
            key = reference.get("key", "")
            remedy = f"kubectl create secret generic {reference['name']} --from-literal={key}=..."
            field = f"spec.env {variable}"
            yield from _secret(cluster, "Models", name, router, field, reference, remedy)
    if not any(variable in _HF_TOKENS for variable, _ in references) and not any(
        entry["name"] in _HF_TOKENS for entry in env
    ):
        found = "no HF_TOKEN is set: models that ask for a login cannot be downloaded"
        yield Finding("Models", State.OK, found, name)


def _secret(
    cluster: Cluster,
    topic: str,
    name: str,
    router: Router,
    field: str,
    reference: dict[str, Any],
    remedy: str,
) -> Iterator[Finding]:
    secret = str(reference["name"])
    exists = cluster.secret_exists(router.namespace, secret)
    if exists:
        yield Finding(topic, State.OK, f"Secret {secret} exists", name, field)
    elif exists is None:
        found = f"whether Secret {secret} exists, you may not know"
        remedy = f"Ask who may: kubectl get secret {secret} -n {router.namespace}"
        yield Finding(topic, State.UNKNOWN, found, name, field, remedy, "SecretUnreadable")
    else:
        state = State.WARNING if reference.get("optional") else State.BROKEN
        found = f"Secret {secret} does not exist"
        remedy = f"{remedy} -n {router.namespace}"
        yield Finding(topic, state, found, name, field, remedy, "SecretNotFound")
