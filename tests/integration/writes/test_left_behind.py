"""What a deleted router leaves when Kubernetes does not collect it: this plane has no collector."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import resources
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.apply import ApplyResult
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import Client
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from control_plane import ControlPlane, Kubectl
from every_kind import KINDS, NAME, Manifest, objects
from former_operator import FormerOperator
from integration.writes.cluster import Cluster, kinds, semantic_router

ROLE = Path(__file__).parents[3] / "config" / "rbac" / "role.yaml"
SHIPPED = "with-the-rights-that-are-shipped"
CLAIM = "PersistentVolumeClaim"


def make_again(cluster: Cluster) -> Router:
    """Delete the router, and give its name to another one."""
    cluster.admin.delete(f"{cluster.routers}/{NAME}")
    made = cluster.admin.post(cluster.routers, semantic_router(cluster.namespace))
    cluster.router = Router(made)
    return cluster.router


def apply_after(
    cluster: Cluster, seconds: int, wanted: list[Manifest] | None = None, **options: Any
) -> ApplyResult:
    """What a run does that many seconds after the second router was made."""
    made = datetime.fromisoformat(cluster.router.resource["metadata"]["creationTimestamp"])
    now = (made + timedelta(seconds=seconds)).isoformat()
    cluster.look_from_now_on()
    return cluster.apply(cluster.objects() if wanted is None else wanted, now=now, **options)


@pytest.fixture
def left_behind(cluster: Cluster) -> dict[str, Manifest]:
    """One of each kind."""
    assert cluster.apply(cluster.objects()).problems == []
    make_again(cluster)
    return cluster.there()


def uids(there: Iterable[Manifest]) -> set[str]:
    return {item["metadata"]["uid"] for item in there}


def test_for_ten_seconds_it_is_left_to_kubernetes_and_the_status_says_so(
    cluster: Cluster, left_behind: dict[str, Manifest]
) -> None:
    problems = apply_after(cluster, 9).problems
    assert cluster.writes() == []
    assert cluster.there() == left_behind
    assert {problem.reason for problem in problems} == {"Conflict"}
    assert all(problem.retry for problem in problems)
    assert {problem.found.split()[0] for problem in problems} == set(KINDS)
    assert all("an earlier SemanticRouter of this name" in problem.found for problem in problems)
    assert all("10 seconds" in problem.remedy for problem in problems)


def test_then_the_next_router_of_the_name_takes_it_over(
    cluster: Cluster, left_behind: dict[str, Manifest]
) -> None:
    assert apply_after(cluster, 10).problems == []
    assert kinds(cluster.writes(), "delete") == []
    there = cluster.there()
    assert uids(there.values()) == uids(left_behind.values())
    claim = there.pop(CLAIM)
    assert "ownerReferences" not in claim["metadata"], "to own it takes the right to delete it"
    for kind, item in there.items():
        assert item["metadata"]["ownerReferences"] == [cluster.router.owner_reference], kind
    assert apply_after(cluster, 11).problems == []
    assert cluster.writes() == []


def test_what_the_next_router_does_not_want_goes_but_for_the_models(
    cluster: Cluster, left_behind: dict[str, Manifest]
) -> None:
    wanted = [item for item in cluster.objects() if item["kind"] == "ServiceAccount"]
    cluster.admin.delete(resources.path(left_behind["ServiceAccount"]))
    assert apply_after(cluster, 8, wanted).objects
    # Nothing is in the way of anything, and there is something to come back for all the same.
    problems = apply_after(cluster, 9, wanted).problems
    others = set(KINDS) - {"ServiceAccount", CLAIM}
    assert {problem.found.split()[0] for problem in problems} == others
    assert cluster.writes() == []
    assert apply_after(cluster, 10, wanted).problems == []
    assert set(kinds(cluster.writes(), "delete")) == others
    assert cluster.there().keys() == {"ServiceAccount", CLAIM}


def test_a_run_of_a_router_that_is_gone_takes_nothing_from_the_next_one(cluster: Cluster) -> None:
    """A leader that was stopped has never heard of the next one, which comes later all the same."""
    gone = cluster.router
    make_again(cluster)
    assert cluster.apply(cluster.objects()).problems == []
    there = cluster.there()
    cluster.router = gone
    problems = apply_after(cluster, 60, prune=True).problems
    assert {problem.reason for problem in problems} == {"Conflict"}
    problems = apply_after(cluster, 60, []).problems
    assert {problem.reason for problem in problems} == {"Conflict"}
    assert cluster.writes() == []
    assert cluster.there() == there


def test_in_a_rehearsal_it_is_as_in_a_write(
    cluster: Cluster, left_behind: dict[str, Manifest]
) -> None:
    done = apply_after(cluster, 10, check_mode=True)
    assert done.problems == []
    assert {item["action"] for item in done.objects} == {"changed"}
    assert cluster.writes() == []
    assert cluster.there() == left_behind


def test_of_the_operator_in_go_it_is_taken_over_too(cluster: Cluster, kubectl: Kubectl) -> None:
    former = FormerOperator(kubectl, cluster.namespace, NAME, replicas=0)
    former.create(cluster.router.uid)
    make_again(cluster)
    wanted = [item for item in objects(cluster.namespace) if item["kind"] != CLAIM]
    before = cluster.there()
    assert {problem.reason for problem in apply_after(cluster, 9, wanted).problems} == {"Conflict"}
    assert cluster.there() == before
    # What the run has said in the status, it does not take for a new one any more.
    cluster.router = Router({**cluster.router.resource, "status": {"phase": "Degraded"}})
    assert apply_after(cluster, 10, wanted).problems == []
    for kind in ("Deployment", "Service", "ServiceAccount"):
        (owner,) = cluster.there()[kind]["metadata"]["ownerReferences"]
        assert owner == cluster.router.owner_reference
    (port,) = cluster.there()["Service"]["spec"]["ports"]
    assert port["port"] == 80


@pytest.fixture
def as_shipped(control_plane: ControlPlane, kubectl: Kubectl, cluster: Cluster) -> Client:
    """May not delete a claim, and so, by OwnerReferencesPermissionEnforcement, not free it."""
    role = yaml.safe_load(ROLE.read_text())
    role["metadata"]["name"] = SHIPPED
    kubectl("apply", "--filename=-", stdin=json.dumps(role))
    bind = ("create", "clusterrolebinding", cluster.namespace)
    kubectl(*bind, f"--clusterrole={SHIPPED}", f"--user={SHIPPED}")
    return Client.from_options({"kubeconfig": str(control_plane.kubeconfig_for(SHIPPED))})


def test_a_claim_that_may_not_be_freed_is_used_and_the_status_says_how_to_keep_it(
    cluster: Cluster, left_behind: dict[str, Manifest], as_shipped: Client, kubectl: Kubectl
) -> None:
    cluster.client = as_shipped
    (problem,) = apply_after(cluster, 10).problems
    assert (problem.reason, problem.blocking, problem.retry) == ("Conflict", False, True)
    assert "no right" in problem.found
    there = cluster.there()
    assert there.pop(CLAIM) == left_behind[CLAIM]
    for kind, item in there.items():
        assert item["metadata"]["ownerReferences"] == [cluster.router.owner_reference], kind

    program, *command = shlex.split(problem.remedy.partition(": ")[2].partition(";")[0])
    assert program == "kubectl"
    kubectl(*command)
    assert apply_after(cluster, 11).problems == []
    assert "ownerReferences" not in cluster.there()[CLAIM]["metadata"]
