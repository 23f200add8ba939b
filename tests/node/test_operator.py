"""The operator of config/default, unchanged, as a pod of a real node."""

from __future__ import annotations

import json
import ssl
from typing import Any

import pytest
import urllib3
from clusters.used import OPERATOR_NAMESPACE
from control_plane import Kubectl
from e2e.semantic_router import SemanticRouter
from eventually import eventually
from node.cluster import OPERATOR, Cluster, router_spec

SELECTOR = "-l=control-plane=controller-manager"
READER = "semantic-router-operator-metrics-reader"


def operator_pods(kubectl: Kubectl) -> list[dict[str, Any]]:
    found = json.loads(kubectl("get", "pods", "-n", OPERATOR_NAMESPACE, SELECTOR, "-o", "json"))
    return [pod for pod in found["items"] if "deletionTimestamp" not in pod["metadata"]]


def test_it_runs_under_restricted_pod_security_and_has_not_been_restarted(
    operator: str, kubectl: Kubectl
) -> None:
    labels = json.loads(kubectl("get", "namespace", operator, "-o", "json"))["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    (pod,) = operator_pods(kubectl)
    (status,) = pod["status"]["containerStatuses"]
    assert (status["ready"], status["restartCount"]) == (True, 0)


def test_its_log_has_no_error(operator: str, kubectl: Kubectl) -> None:
    log = kubectl("logs", f"deployment/{OPERATOR}", "-n", operator)
    assert "Starting workers" in log
    assert not [line for line in log.splitlines() if '"level":"error"' in line]
    assert "Traceback" not in log
    # What the document has administrators look for.
    assert "Detected standard Kubernetes platform" in log


def test_its_root_is_read_only_and_only_its_two_volumes_can_be_written_to(
    operator: str, kubectl: Kubectl
) -> None:
    def touch(path: str) -> str:
        command = ("exec", f"deployment/{OPERATOR}", "-n", operator, "--", "touch", f"{path}/x")
        return kubectl.run(*command).stderr

    assert "Read-only file system" in touch("/opt/semantic-router-operator")
    for path in ("/tmp", "/opt/ansible"):  # noqa: S108 the pod's
        assert not touch(path)


def test_metrics_are_for_those_who_have_the_reader_role(
    operator: str, kubectl: Kubectl, cluster: Cluster
) -> None:
    namespace = cluster.namespace
    for name in ("reader", "stranger"):
        kubectl("create", "serviceaccount", name, "-n", namespace)
    binding = f"metrics-of-{namespace}"
    account = f"--serviceaccount={namespace}:reader"
    kubectl("create", "clusterrolebinding", binding, f"--clusterrole={READER}", account)

    def status(token: str) -> int:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return pool.request("GET", url, headers=headers).status

    service = f"service/{OPERATOR}-metrics-service"
    with cluster.forwarded(service, 8443, operator) as port:
        url = f"https://127.0.0.1:{port}/metrics"
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        pool = urllib3.PoolManager(ssl_context=context, retries=False)
        tokens = {
            name: kubectl("create", "token", name, "-n", namespace).strip()
            for name in ("reader", "stranger")
        }
        assert status("") == 401
        assert status("nonsense") == 401
        assert status(tokens["stranger"]) == 403
        assert status(tokens["reader"]) == 200
    kubectl("delete", "clusterrolebinding", binding)


@pytest.mark.long
def test_what_olm_tells_the_pod_reaches_the_routers(
    operator: str, kubectl: Kubectl, cluster: Cluster
) -> None:
    """On a cluster with a proxy. That nobody answers there keeps the operator from nothing."""
    proxy = "http://proxy.corp.invalid:3128"
    router = SemanticRouter(kubectl, cluster.namespace)
    # The others have two pods each that they go on with.
    router.resource["metadata"]["name"] = "told"
    router.resource["spec"] = {**router_spec(), "replicas": 0}

    def tell(*variables: str) -> None:
        kubectl("set", "env", f"deployment/{OPERATOR}", "-n", operator, *variables)
        rollout = ("rollout", "status", f"deployment/{OPERATOR}", "-n", operator)
        kubectl(*rollout, "--timeout=150s", timeout=170)

    def has(value: str | None) -> bool:
        asked = ("get", "deployment", router.name, "-n", router.namespace, "-o", "json")
        answer = kubectl.run(*asked)
        assert answer.returncode == 0, answer.stderr
        (container, *_) = json.loads(answer.stdout)["spec"]["template"]["spec"]["containers"]
        found = {item["name"]: item.get("value") for item in container["env"]}
        return found.get("HTTPS_PROXY") == value

    tell(f"HTTPS_PROXY={proxy}", "NO_PROXY=10.0.0.0/8")
    try:
        router.apply()
        eventually(lambda: has(proxy), 90, "the pods to be told of the proxy")
    finally:
        tell("HTTPS_PROXY-", "NO_PROXY-")
    eventually(lambda: has(None), 90, "the pods to be told of no proxy any more")
    router.delete()


def test_any_user_may_run_it_and_the_next_pod_takes_over(operator: str, kubectl: Kubectl) -> None:
    """As OpenShift starts pods: a UID that no file belongs to, in group 0."""
    (before,) = operator_pods(kubectl)
    context = {"runAsUser": 1000720000, "runAsGroup": 0}
    patch = {"spec": {"template": {"spec": {"securityContext": context}}}}
    target = ("patch", "deployment", OPERATOR, "-n", operator)
    kubectl(*target, "--type=strategic", "-p", json.dumps(patch))
    status = ("rollout", "status", f"deployment/{OPERATOR}", "-n", operator)
    kubectl(*status, "--timeout=120s", timeout=140)

    def leader() -> str:
        lease = json.loads(
            kubectl("get", "lease", "semantic-router-operator", "-n", operator, "-o", "json")
        )
        return str(lease["spec"].get("holderIdentity") or "")

    (pod,) = operator_pods(kubectl)
    assert pod["metadata"]["name"] != before["metadata"]["name"]
    eventually(lambda: leader().startswith(pod["metadata"]["name"]), 60, "the new pod to lead")
    user = kubectl("exec", pod["metadata"]["name"], "-n", operator, "--", "id", "-u")
    assert user.strip() == "1000720000"
