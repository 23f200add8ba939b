"""What users install, on a control plane of its own; and whether its rights are the right ones.

The plane serves every kind that the operator can own. Where no registry has a kind's CRD, a
stand-in without a schema is enough: authorization comes before it.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import (
    resources,
    takeover,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.apply import (
    ApplyResult,
    apply,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import Client
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.discover import (
    discover,
    read_router,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.reads import Reads
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.resources import Resource
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.status import report
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import (
    backend_kinds,
    metadata,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.situation import (
    Situation,
)
from control_plane import ControlPlane, Kubectl, audit
from control_plane.modules import module_directory
from e2e.operator_process import ENGINES, Operator
from e2e.semantic_router import SemanticRouter
from eventually import eventually
from olm_bundle import CHANNEL, PACKAGE, validator
from operator_account import NAMESPACE, SERVICE_ACCOUNT, USER, write_kubeconfig
from wrapper_runner import interests, watches
from wrapper_runner.cluster import Cluster, connect
from wrapper_runner.informer import Informer
from wrapper_runner.leader import LeaderElection
from wrapper_runner.observer import Observer
from wrapper_runner.schedule import Key
from wrapper_runner.selectors import EVERYTHING
from wrapper_runner.watches import Kind

CHECKOUT = Path(__file__).parents[2]
ROLES = [
    CHECKOUT / "config" / "rbac" / f"{name}.yaml"
    for name in ("role", "leader_election_role", "metrics_auth_role")
]
IMAGE = "registry.example.com:5000/operator:dev"
DEPLOYMENT = "deployment/semantic-router-operator-controller-manager"
PART_OF = f"-l=app.kubernetes.io/name={PACKAGE}"
ROTATION_RIGHTS = "semantic-router-operator-secret-rotation"

Manifest = dict[str, Any]

# Beyond those that the operator can own.
READ_KINDS = (
    Resource("discovery.k8s.io/v1", "EndpointSlice", "endpointslices", 0),
    *(
        Resource(f"{kind.object.group}/{version}", kind.object.kind, kind.object.plural, 0)
        for kind in backend_kinds.KINDS
        if kind.object
        for version in kind.object.versions
    ),
    Resource("gateway.networking.k8s.io/v1", "Gateway", "gateways", 0),
    Resource("gateway.networking.k8s.io/v1", "GatewayClass", "gatewayclasses", 0, namespaced=False),
    Resource("gateway.networking.k8s.io/v1beta1", "ReferenceGrant", "referencegrants", 0),
)
CLUSTER_KINDS = (
    Resource("v1", "Namespace", "namespaces", 0, namespaced=False),
    Resource("storage.k8s.io/v1", "StorageClass", "storageclasses", 0, namespaced=False),
)
LABELS = {"app": "any"}
POD = {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "any", "image": "any"}]}}
# What the API server insists on, of its own kinds.
SPECS: dict[str, Manifest] = {
    "Deployment": {"selector": {"matchLabels": LABELS}, "template": POD},
    "Service": {"ports": [{"port": 80}]},
    "PersistentVolumeClaim": {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
    },
    "HorizontalPodAutoscaler": {
        "maxReplicas": 2,
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "any"},
    },
    "Ingress": {"defaultBackend": {"service": {"name": "any", "port": {"number": 80}}}},
}


@pytest.fixture(scope="module")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    directory = tmp_path_factory.mktemp("installation")
    crds = directory / "crds.yaml"
    crds.write_text(yaml.safe_dump_all(stand_ins()))
    with ControlPlane.start(directory / "plane", crds=[crds, *olm_crds()]) as plane:
        yield plane


@pytest.fixture(scope="module")
def kubectl(control_plane: ControlPlane) -> Kubectl:
    return Kubectl(control_plane.kubectl, control_plane.env)


@pytest.fixture(scope="module")
def installed(control_plane: ControlPlane, kubectl: Kubectl) -> None:
    """As a user would: one file, and a plain kubectl."""
    make(control_plane, "build-installer", f"IMG={IMAGE}")
    kubectl("apply", "-f", str(CHECKOUT / "dist" / "install.yaml"))
    eventually(lambda: is_served(kubectl), 30, "the CRD to be served")


def is_served(kubectl: Kubectl) -> bool:
    return kubectl.run("get", "semanticrouters", "-A").returncode == 0


def make(plane: ControlPlane, *arguments: str) -> str:
    done = subprocess.run(
        ["make", "--silent", *arguments, f"KUBECTL={plane.kubectl}"],
        cwd=CHECKOUT,
        # Whoever names a kubectl needs no other one: to look for it would fail.
        env={**os.environ, **plane.env, "KUBEBUILDER_ASSETS": "/nowhere"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def olm_crds() -> list[Path]:
    directory = module_directory("github.com/operator-framework/api", validator.SOURCE) / "crds"
    plurals = ("catalogsources", "operatorgroups", "subscriptions")
    return [directory / f"operators.coreos.com_{plural}.yaml" for plural in plurals]


def stand_ins() -> list[Manifest]:
    """A CRD for each kind that is not the API server's own."""
    kinds = [kind for kind in (*resources.RESOURCES, *READ_KINDS) if "." in kind.api_version]
    versions: dict[tuple[str, str], list[Resource]] = {}
    for kind in kinds:
        group = kind.api_version.partition("/")[0]
        is_built_in = group.endswith((".k8s.io", "policy"))
        if not is_built_in or group.startswith(("gateway.", "inference.")):
            versions.setdefault((group, kind.plural), []).append(kind)
    return [_crd(group, found) for (group, _), found in versions.items()]


def _crd(group: str, versions: list[Resource]) -> Manifest:
    kind = versions[0]
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{kind.plural}.{group}",
            "annotations": {"api-approved.kubernetes.io": "unapproved, a stand-in for tests"},
        },
        "spec": {
            "group": group,
            "names": {"kind": kind.kind, "plural": kind.plural, "singular": kind.kind.lower()},
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "versions": [
                {
                    "name": version.api_version.rpartition("/")[2],
                    "served": True,
                    "storage": version is kind,
                    "schema": {"openAPIV3Schema": schema},
                }
                for version in versions
            ],
        },
    }


def test_one_file_installs_the_operator_and_its_pods_run(installed: None, kubectl: Kubectl) -> None:
    kubectl("wait", DEPLOYMENT, "-n", NAMESPACE, "--for=condition=Available", "--timeout=60s")
    pods = json.loads(kubectl("get", "pods", "-n", NAMESPACE, PART_OF, "-o", "json"))["items"]
    assert [pod["spec"]["containers"][0]["image"] for pod in pods] == [IMAGE]


def test_the_namespace_admits_only_restricted_pods(installed: None, kubectl: Kubectl) -> None:
    """So the test before this one shows that the operator's pods are that."""
    answer = kubectl.run("run", "any", "--image=any", "-n", NAMESPACE)
    assert 'violates PodSecurity "restricted' in answer.stderr


def test_the_metrics_service_finds_the_pods(installed: None, kubectl: Kubectl) -> None:
    selector = (
        "kubernetes.io/service-name=semantic-router-operator-controller-manager-metrics-service"
    )

    def look() -> bool:
        found = json.loads(
            kubectl("get", "endpointslices", "-n", NAMESPACE, f"-l={selector}", "-o", "json")
        )
        return [
            (len(item["endpoints"] or []), [port["port"] for port in item["ports"] or []])
            for item in found["items"]
        ] == [(1, [8443])]

    eventually(look, 30, "the Service to have the pod as its endpoint")


# What the roles for people are enough for. All verbs are the admin's, made-up ones too.
VERBS = ("list", "create", "own")
MAY = {"viewer": VERBS[:1], "editor": VERBS[:2], "admin": VERBS}


@pytest.mark.parametrize("role", MAY)
def test_a_role_for_people_is_enough_for_what_its_name_says(
    installed: None, kubectl: Kubectl, role: str
) -> None:
    bind(kubectl, f"semantic-router-operator-semanticrouter-{role}-role", f"only-{role}")
    eventually(lambda: can(kubectl, f"only-{role}", "get", "--subresource=status"), 30, "the right")
    assert tuple(verb for verb in VERBS if can(kubectl, f"only-{role}", verb)) == MAY[role]


@pytest.mark.parametrize(
    ("built_in", "role"), [("view", "viewer"), ("edit", "editor"), ("admin", "admin")]
)
def test_built_in_roles_cover_semantic_routers(
    installed: None, kubectl: Kubectl, built_in: str, role: str
) -> None:
    bind(kubectl, built_in, built_in)

    def allowed() -> bool:
        return tuple(verb for verb in VERBS if can(kubectl, built_in, verb)) == MAY[role]

    eventually(allowed, 30, f"{built_in} to include {MAY[role]} of semanticrouters, and no more")


def bind(kubectl: Kubectl, role: str, user: str) -> None:
    kubectl(
        "create", "rolebinding", user, f"--clusterrole={role}", f"--user={user}", "-n", "default"
    )


def can(kubectl: Kubectl, user: str, verb: str, *more: str) -> bool:
    question = ("auth", "can-i", verb, "semanticrouters.vllm.ai", "-n", "default", *more)
    return kubectl.run(*question, f"--as={user}").stdout.strip() == "yes"


def test_the_metrics_reader_may_read_metrics_and_nothing_else(
    installed: None, kubectl: Kubectl
) -> None:
    kubectl(
        "create", "clusterrolebinding", "reader", "--user=reader",
        "--clusterrole=semantic-router-operator-metrics-reader",
    )  # fmt: skip

    def allowed(path: str) -> bool:
        answer = kubectl.run("auth", "can-i", "get", path, "--as=reader")
        return answer.stdout.strip() == "yes"

    eventually(lambda: allowed("/metrics"), 30, "the right")
    assert not allowed("/logs")
    assert not can(kubectl, "reader", "list")


class Right(NamedTuple):
    group: str
    resource: str
    verb: str


# What no request of these tests shows, and why it is needed.
NOT_IN_THE_LOG = {
    Right("vllm.ai", "semanticrouters/finalizers", "update"): "admission looks it up by itself",
    Right("route.openshift.io", "routes/custom-host", "create"): "OpenShift's admission asks",
    Right("route.openshift.io", "routes/custom-host", "update"): "OpenShift's admission asks",
    Right("", "events", "create"): "the stock engine tells of a new leader",
    Right("", "events", "patch"): "the stock engine tells of a new leader",
    Right("authentication.k8s.io", "tokenreviews", "create"): "the stock engine: who reads metrics",
    Right("authorization.k8s.io", "subjectaccessreviews", "create"): "the same: who may",
}


def granted() -> list[Right]:
    rules = [rule for file in ROLES for rule in yaml.safe_load(file.read_text())["rules"]]
    rights = {
        Right(group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    return sorted(rights)


@pytest.fixture(scope="module")
def as_operator(
    installed: None, control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A kubeconfig with a token of the operator's ServiceAccount."""
    path = tmp_path_factory.mktemp("operator") / "kubeconfig"
    write_kubeconfig(control_plane, path, NAMESPACE)
    return path


@pytest.fixture(scope="module")
def log(control_plane: ControlPlane, kubectl: Kubectl, as_operator: Path) -> list[audit.Request]:
    """The operator's requests, after everything that its two halves do to a cluster was done."""
    kubectl("create", "namespace", "work")
    kubectl("create", "namespace", "elsewhere")
    client = Client.from_options({"kubeconfig": str(as_operator)})
    collection_at_work(client, kubectl)
    runner_at_work(connect(str(as_operator)))
    requests = audit.requests(control_plane.audit_log)
    return [request for request in requests if request.user == USER and request.resource]


def collection_at_work(client: Client, kubectl: Kubectl) -> None:
    create(
        kubectl,
        *gateway_objects(),
        semantic_router("standalone"),
        semantic_router("gateway", gateway="public"),
        semantic_router("lost", gateway="missing"),
        marked(semantic_router("former")),
        *(manifest(kind, "taken") for kind in kinds()),
    )
    for name in ("standalone", "gateway", "lost"):
        discover(Reads(client), read_router(client, name, "work"))
    router = read_router(client, "standalone", "work")
    done = apply(client, router, [manifest(kind, "any") for kind in kinds()])
    assert not done.problems
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    deployment = manifest(_kind("Deployment"), "standalone")
    # Its rollout comes to no end.
    deployment["spec"]["paused"] = True
    apply(client, router, [deployment], prune=False)
    # While pods are replaced, it wants to know what others start with.
    discover(Reads(client), router)
    report(client, Situation(router, Facts()), now=now)
    assert takeover.release(client, read_router(client, "former", "work")) == []
    # What is somebody else's is looked at, and what is not wanted any more goes.
    taken = apply(client, router, [manifest(kind, "taken") for kind in kinds()], prune=False)
    assert len(taken.problems) == len(kinds())
    apply(client, router, [])


def runner_at_work(cluster: Cluster) -> None:
    (watch,) = watches.load(CHECKOUT / "watches.yaml")
    for kind in (watch.kind, *watch.dependents):
        keep_up(cluster, kind)
    for resource in (*READ_KINDS, *CLUSTER_KINDS):
        observe(cluster, resources.collection_path(resource))
    election = LeaderElection(cluster, NAMESPACE, "semantic-router-operator", 15, 10)
    assert election.attempt()
    assert election.attempt()


def keep_up(cluster: Cluster, kind: Kind) -> None:
    """List, and watch until the first news."""
    stop = threading.Event()
    informer = Informer(cluster, kind, "", EVERYTHING, lambda _: None)
    threading.Thread(target=informer.run, args=(stop,), daemon=True).start()
    assert informer.looked.wait(30)
    resource = cluster.resource(kind)
    assert resource
    query = {"resourceVersion": "0", "timeoutSeconds": "1"}
    for _ in cluster.watch(resource.path(), query, 10):
        break
    stop.set()


def observe(cluster: Cluster, collection: str) -> None:
    """As keep_up, of what runs read of others."""
    reads = interests.parse([{"collection": collection, "selector": "", "seen": {"gone": "1"}}])
    heard = threading.Event()
    observer = Observer(cluster, lambda _: heard.set())
    assert observer.follow(Key("work", "any"), reads)
    assert heard.wait(30), collection
    observer.stop()
    query = {"resourceVersion": "0", "timeoutSeconds": "1"}
    for _ in cluster.watch(collection, query, 10):
        break


def kinds() -> tuple[Resource, ...]:
    return resources.RESOURCES


def _kind(name: str) -> Resource:
    return next(kind for kind in kinds() if kind.kind == name)


def manifest(kind: Resource, name: str) -> Manifest:
    spec = (
        {} if kind.kind in ("ConfigMap", "ServiceAccount") else {"spec": SPECS.get(kind.kind, {})}
    )
    own = metadata.metadata("standalone", "work", name)
    found = own if name != "taken" else {"name": name, "namespace": "work"}
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": found, **spec}


def semantic_router(name: str, gateway: str = "") -> Manifest:
    backends = {
        "plain": {"type": "service", "service": {"name": "b", "namespace": "elsewhere", "port": 1}},
        "stack": {"type": "llamastack", "discoveryLabels": {"app": "stack"}},
        "kserve": {"type": "kserve", "inferenceServiceName": "any"},
        **{
            kind.type: {"type": kind.type, "name": "any"}
            for kind in backend_kinds.KINDS
            if kind.field == "name"
        },
    }
    reference = {"name": gateway, "namespace": "work"}
    endpoints = [
        {"name": key, "model": key, "backend": backend} for key, backend in backends.items()
    ]
    return {
        "apiVersion": metadata.API_VERSION,
        "kind": metadata.KIND,
        "metadata": {"name": name, "namespace": "work"},
        "spec": {
            "vllmEndpoints": endpoints,
            **({"gateway": {"existingRef": reference, "extProc": True}} if gateway else {}),
        },
    }


def marked(router: Manifest) -> Manifest:
    """As the former operator leaves it."""
    router["metadata"]["finalizers"] = [metadata.FORMER_FINALIZER]
    return router


def gateway_objects() -> list[Manifest]:
    listener = {"name": "http", "allowedRoutes": {"namespaces": {"from": "Selector"}}}
    return [
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "GatewayClass",
            "metadata": {"name": "any"},
            "spec": {"controllerName": "gateway.envoyproxy.io/gatewayclass-controller"},
        },
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "Gateway",
            "metadata": {"name": "public", "namespace": "work"},
            "spec": {"gatewayClassName": "any", "listeners": [listener]},
        },
    ]


def create(kubectl: Kubectl, *objects: Manifest) -> None:
    kubectl("create", "-f", "-", stdin=yaml.safe_dump_all(objects))


def test_the_operator_lacks_no_right(log: list[audit.Request]) -> None:
    assert log
    assert not [request for request in log if not request.authorized]


@pytest.mark.parametrize("right", granted(), ids=lambda right: f"{right.verb} {right.resource}")
def test_the_operator_uses_its_right_to(right: Right, log: list[audit.Request]) -> None:
    """Without the right, the request that is found here is refused, and the test above fails."""
    used = any(
        (request.group, request.resource) == (right.group, right.resource)
        # Applying what is not there yet is a patch to the audit log, and needs both.
        and (request.verb == right.verb or (request.code, right.verb) == (201, "create"))
        for request in log
    )
    assert used != (right in NOT_IN_THE_LOG)


@pytest.mark.parametrize(
    "right", NOT_IN_THE_LOG, ids=lambda right: f"{right.verb} {right.resource}"
)
def test_the_operator_has_its_right_to(right: Right) -> None:
    """Where no request here would miss it."""
    assert right in granted(), NOT_IN_THE_LOG[right]


@pytest.fixture
def claim(
    as_operator: Path, kubectl: Kubectl, namespace: str
) -> Callable[[dict[str, str]], ApplyResult]:
    """Apply a router's claim where one is that nobody owns; with the rights that are shipped.

    OwnerReferencesPermissionEnforcement is on, as on OpenShift.
    """
    wanted = manifest(_kind("PersistentVolumeClaim"), "any")
    wanted["metadata"]["namespace"] = namespace
    resource = semantic_router("standalone")
    resource["metadata"]["namespace"] = namespace
    client = Client.from_options({"kubeconfig": str(as_operator)})

    def apply_over(labels: dict[str, str]) -> ApplyResult:
        there = {**wanted, "metadata": {**wanted["metadata"], "labels": labels}}
        create(kubectl, resource, there)
        return apply(client, read_router(client, "standalone", namespace), [wanted], facts=Facts())

    return apply_over


def test_a_claim_that_was_left_behind_is_used_with_the_rights_that_are_shipped(
    claim: Callable[[dict[str, str]], ApplyResult], kubectl: Kubectl, namespace: str
) -> None:
    done = claim(metadata.labels("standalone"))
    assert done.problems == []
    assert [item["action"] for item in done.objects] == ["changed"]
    found = json.loads(kubectl("get", "pvc", "any", "-n", namespace, "-o", "json"))
    assert "ownerReferences" not in found["metadata"]


def test_all_else_that_was_left_behind_is_owned_again_with_the_rights_that_are_shipped(
    as_operator: Path, kubectl: Kubectl, namespace: str
) -> None:
    """As OwnerReferencesPermissionEnforcement wants it: a right to delete each of them."""
    left = [manifest(kind, "any") for kind in kinds() if kind.prune]
    for item in left:
        item["metadata"] |= {"namespace": namespace, "labels": metadata.labels("standalone")}
    resource = semantic_router("standalone")
    resource["metadata"]["namespace"] = namespace
    create(kubectl, resource, *left)
    client = Client.from_options({"kubeconfig": str(as_operator)})
    router = read_router(client, "standalone", namespace)

    assert apply(client, router, left, facts=Facts()).problems == []
    for item in left:
        found = client.get(resources.path(item))
        assert found is not None
        (owner,) = found["metadata"]["ownerReferences"]
        assert (owner["uid"], owner["controller"]) == (router.uid, True), item["kind"]


def test_a_claim_of_somebody_else_is_a_conflict_and_no_missing_right(
    claim: Callable[[dict[str, str]], ApplyResult],
) -> None:
    (problem,) = claim({}).problems
    assert problem.reason == "Conflict"
    assert "belongs to nobody" in problem.found


@pytest.fixture
def team(
    installed: None, control_plane: ControlPlane, kubectl: Kubectl, namespace: str
) -> Iterator[str]:
    """A namespace with the operator installed for it alone."""
    cluster_roles = kubectl("get", "clusterroles,clusterrolebindings", "-o", "name")
    make(control_plane, "deploy", f"NAMESPACE={namespace}", f"IMG={IMAGE}")
    assert kubectl("get", "clusterroles,clusterrolebindings", "-o", "name") == cluster_roles
    yield namespace
    make(control_plane, "undeploy", f"NAMESPACE={namespace}")
    left = kubectl("get", "roles,deployments,serviceaccounts", PART_OF, "-n", namespace)
    assert not left.strip()


def test_the_operator_can_be_installed_for_one_namespace(team: str, kubectl: Kubectl) -> None:
    kubectl("wait", DEPLOYMENT, "-n", team, "--for=condition=Available", "--timeout=60s")
    account = f"--as=system:serviceaccount:{team}:{SERVICE_ACCOUNT}"
    for namespace, answer in ((team, "yes"), ("default", "no")):
        question = ("auth", "can-i", "patch", "deployments.apps", "-n", namespace, account)
        assert kubectl.run(*question).stdout.strip() == answer


@pytest.mark.parametrize("engine", ENGINES)
def test_with_the_rights_of_one_namespace_its_routers_run_and_others_are_left_alone(
    engine: str, team: str, control_plane: ControlPlane, kubectl: Kubectl, tmp_path: Path
) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    write_kubeconfig(control_plane, kubeconfig, team)
    access = {"KUBECONFIG": str(kubeconfig), "K8S_AUTH_KUBECONFIG": str(kubeconfig)}
    operator = Operator(tmp_path / "operator", control_plane, engine, access)
    # As the Deployment has it. Outside of a pod, the Lease's namespace is said besides.
    deployment = json.loads(kubectl("get", DEPLOYMENT, "-n", team, "-o", "json"))
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    operator.program += [*container["args"], f"--leader-election-namespace={team}"]
    elsewhere = SemanticRouter(kubectl, "default")
    router = SemanticRouter(kubectl, team)
    for each in (elsewhere, router):
        each.spec["persistence"] = {"enabled": True}
        each.create_service()
        each.apply()

    operator.start(WATCH_NAMESPACE=namespace_of_the_pod(container, team))
    router.wait_for_phase("Running")
    assert operator.stop() == 0, operator.text[-4000:]

    assert elsewhere.get()["status"] == {"observedGeneration": -1}
    assert not elsewhere.objects()
    user = f"system:serviceaccount:{team}:{SERVICE_ACCOUNT}"
    asked = [item for item in audit.requests(control_plane.audit_log) if item.user == user]
    assert asked
    # What is outside of namespaces is asked for, and that there is no answer is expected.
    refused = {item.resource for item in asked if not item.authorized}
    assert refused == {"storageclasses"}
    elsewhere.delete()
    router.delete()


def namespace_of_the_pod(container: Manifest, namespace: str) -> str:
    """WATCH_NAMESPACE, as a kubelet fills it in."""
    (source,) = (
        item["valueFrom"] for item in container["env"] if item["name"] == "WATCH_NAMESPACE"
    )
    assert source["fieldRef"]["fieldPath"] == "metadata.namespace"
    return namespace


@pytest.fixture
def secret_rotation(
    installed: None, kubectl: Kubectl, tmp_path: Path
) -> Iterator[Callable[[], None]]:
    """Adds the component to what is installed, when it is called."""

    def build(*components: str) -> str:
        config = os.path.relpath(CHECKOUT / "config", tmp_path)
        overlay: Manifest = {
            "resources": [f"{config}/default"],
            "components": [f"{config}/components/{name}" for name in components],
        }
        (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
        return kubectl("kustomize", str(tmp_path))

    def add() -> None:
        kubectl("apply", "-f", "-", stdin=build("secret-rotation"))

    yield add
    kubectl("delete", "clusterrole,clusterrolebinding", ROTATION_RIGHTS, "--ignore-not-found")
    kubectl("apply", "-f", "-", stdin=build())


def test_with_secret_rotation_a_changed_secret_replaces_the_pods_and_without_none_is_read(
    secret_rotation: Callable[[], None],
    control_plane: ControlPlane,
    kubectl: Kubectl,
    namespace: str,
    tmp_path: Path,
) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    write_kubeconfig(control_plane, kubeconfig, NAMESPACE)
    access = {"KUBECONFIG": str(kubeconfig), "K8S_AUTH_KUBECONFIG": str(kubeconfig)}
    operator = Operator(tmp_path / "operator", control_plane, "embedded", access)
    router = SemanticRouter(kubectl, namespace)
    token = {"name": "hf-token-secret", "key": "token"}
    router.spec["env"] = [{"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": token}}]
    offset = control_plane.audit_log.stat().st_size

    def start() -> None:
        """With the variables of the Deployment as it is now."""
        deployment = json.loads(kubectl("get", DEPLOYMENT, "-n", NAMESPACE, "-o", "json"))
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        variables = {item["name"]: item["value"] for item in container["env"] if "value" in item}
        operator.start(**variables, WATCH_NAMESPACE=namespace)

    def change_the_secret(value: str) -> None:
        secret = {"kind": "Secret", "metadata": {"name": token["name"]}, "apiVersion": "v1"}
        secret |= {"stringData": {token["key"]: value}}
        kubectl("apply", "-n", namespace, "-f", "-", stdin=json.dumps(secret))

    def template() -> Manifest:
        found: Manifest = router.read("deployment", router.name)["spec"]["template"]
        return found

    def look_again(replicas: int) -> None:
        """A change of the router's own, which is seen when the run has ended."""
        router.spec["replicas"] = replicas
        router.apply()
        router.wait_for("Ready")

    def secrets_asked_for() -> set[tuple[str, str, str]]:
        return {
            (request.verb, request.namespace, request.name)
            for request in audit.requests(control_plane.audit_log, offset)
            if request.user == USER and request.resource == "secrets"
        }

    change_the_secret("canary-1")
    router.create_service()
    start()
    router.apply()
    router.wait_for("Ready")
    before = template()
    change_the_secret("canary-2")
    look_again(2)
    assert template() == before
    assert operator.stop() == 0, operator.text[-4000:]
    assert secrets_asked_for() == set()

    secret_rotation()
    start()
    look_again(3)
    assert template() == before, "allowing it replaces no pods"
    assert secrets_asked_for() == {("get", namespace, token["name"])}
    change_the_secret("canary-3")
    look_again(2)
    assert template() != before
    after = template()
    look_again(3)
    assert template() == after, "one change, one rollout"
    assert operator.stop() == 0, operator.text[-4000:]

    assert secrets_asked_for() == {("get", namespace, token["name"])}
    assert "canary" not in operator.text
    router.delete()


def test_undeploy_leaves_nothing(
    installed: None, control_plane: ControlPlane, kubectl: Kubectl
) -> None:
    """After all that needs the operator: the CRD goes, and every SemanticRouter with it."""
    make(control_plane, "undeploy")
    kinds = "clusterroles,clusterrolebindings,customresourcedefinitions,namespaces"
    assert not kubectl("get", kinds, PART_OF, "-o", "name")
    make(control_plane, "install")
    eventually(lambda: is_served(kubectl), 30, "the CRD to be served")
    make(control_plane, "uninstall")
    make(control_plane, "undeploy", "ignore-not-found=true")


def test_openshift_deploy_subscribes_to_what_the_bundle_offers(
    control_plane: ControlPlane, kubectl: Kubectl
) -> None:
    """OLM's own CRDs, and nobody who acts on their objects."""

    def read(kind: str, name: str) -> Manifest:
        text = kubectl("get", f"{kind}.operators.coreos.com", name, "-n", NAMESPACE, "-o", "json")
        found: Manifest = json.loads(text)
        return found

    make(control_plane, "openshift-deploy")
    subscription = read("subscriptions", PACKAGE)["spec"]
    assert (subscription["name"], subscription["channel"]) == (PACKAGE, CHANNEL)
    assert subscription["sourceNamespace"] == NAMESPACE
    assert read("catalogsources", subscription["source"])["spec"]["sourceType"] == "grpc"
    assert kubectl("get", "operatorgroups", "-n", NAMESPACE, "-o", "name").count("\n") == 1
    make(control_plane, "openshift-undeploy")
    assert kubectl.run("get", "namespace", NAMESPACE).returncode != 0
