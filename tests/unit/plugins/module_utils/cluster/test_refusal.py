from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import refusal
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import (
    ApiError,
    Cause,
)

POD = "spec.template.spec."


def manifest(kind: str, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "my-router"}, "spec": spec}


def invalid(*causes: Cause) -> ApiError:
    return ApiError(422, "Invalid", "the whole story", causes)


@pytest.mark.parametrize(
    ("kind", "place", "field"),
    [
        ("Deployment", "spec.replicas", "spec.replicas"),
        ("Deployment", POD + "tolerations[1].operator", "spec.tolerations[1].operator"),
        ("Deployment", POD + "nodeSelector", "spec.nodeSelector"),
        ("Deployment", POD + "affinity.foo", "spec.affinity.foo"),
        ("Deployment", POD + "imagePullSecrets[0].name", "spec.imagePullSecrets[0].name"),
        ("Deployment", POD + "securityContext.fsGroup", "spec.podSecurityContext.fsGroup"),
        ("Deployment", POD + "containers[0].resources.requests", "spec.resources.requests"),
        ("Deployment", POD + "containers[0].securityContext", "spec.securityContext"),
        (
            "Deployment",
            POD + "containers[0].livenessProbe.periodSeconds",
            "spec.livenessProbe.periodSeconds",
        ),
        ("Deployment", POD + "containers[0].env[7].name", "spec.env"),
        ("Deployment", POD + 'containers[name="semantic-router"].env', "spec.env"),
        ("Deployment", POD + "containers[0].args[2]", "spec.args"),
        ("Deployment", POD + "containers[0].image", "spec.image"),
        ("Deployment", POD + "containers[1].resources", ""),
        ("Deployment", POD + 'containers[name="envoy-proxy"].image', ""),
        ("Deployment", "spec.template.metadata.annotations", "spec.podAnnotations"),
        ("Service", "spec.ports[0].port", "spec.service"),
        ("Service", "spec.type", "spec.service.type"),
        (
            "PersistentVolumeClaim",
            "spec.resources.requests.storage",
            "spec.persistence.size",
        ),
        ("ServiceAccount", "metadata.annotations", "spec.serviceAccount.annotations"),
        ("Route", "spec.host", "spec.openshift.routes.hostname"),
        ("Route", "spec.tls.termination", "spec.openshift.routes.tls.termination"),
        ("ConfigMap", "[]", ""),
    ],
)
def test_a_refused_field_is_blamed_on_the_router_s_field(kind: str, place: str, field: str) -> None:
    (problem,) = refusal.problems(invalid(Cause("", "is wrong", place)), manifest(kind), None)
    assert problem.field == field
    assert f"{kind} my-router is refused" in problem.found
    assert (place in problem.found) == (place != "[]")
    assert (problem.reason, problem.retry) == ("ApplyRefused", False)


def test_the_remedy_names_the_field() -> None:
    cause = Cause("", "must be positive", "spec.replicas")
    (problem,) = refusal.problems(invalid(cause), manifest("Deployment"), None)
    assert problem.remedy == "Correct spec.replicas as the message says"


def test_each_cause_is_a_problem_once() -> None:
    twice = Cause("", "is wrong", "spec.replicas")
    other = Cause("", "is wrong", POD + "nodeSelector")
    found = refusal.problems(invalid(twice, twice, other), manifest("Deployment"), None)
    assert [problem.field for problem in found] == ["spec.replicas", "spec.nodeSelector"]


def test_a_refusal_without_causes_tells_the_whole_story() -> None:
    (problem,) = refusal.problems(invalid(), manifest("Deployment"), None)
    assert "the whole story" in problem.found


def test_a_long_story_is_cut() -> None:
    cause = Cause("", "x" * 10_000, "spec.replicas")
    (problem,) = refusal.problems(invalid(cause), manifest("Deployment"), None)
    assert len(problem.found) < 1_000


@pytest.mark.parametrize(
    ("access_mode", "field"),
    [
        ("ReadWriteOnce", "spec.persistence.storageClassName"),
        ("ReadWriteMany", "spec.persistence.accessMode"),
    ],
)
def test_a_claim_that_cannot_change_comes_with_a_way_out(access_mode: str, field: str) -> None:
    cause = Cause("", "Forbidden: spec is immutable after creation\n@@ -1 +1 @@", "spec")
    wanted = manifest("PersistentVolumeClaim", accessModes=[access_mode])
    live = manifest("PersistentVolumeClaim", accessModes=["ReadWriteOnce"])
    (problem,) = refusal.problems(invalid(cause), wanted, live)
    assert problem.field == field
    assert problem.found.endswith("spec is immutable after creation")
    assert problem.remedy.startswith(f"Set {field} back")
    assert "existingClaim" in problem.remedy
    assert "delete PersistentVolumeClaim my-router" in problem.remedy


def test_a_selector_that_cannot_change_is_cured_by_deleting_the_deployment() -> None:
    cause = Cause("", "field is immutable", "spec.selector")
    wanted = manifest("Deployment")
    (problem,) = refusal.problems(invalid(cause), wanted, wanted)
    assert "delete Deployment my-router: the operator creates it anew" in problem.remedy


def test_a_volume_that_cannot_grow_is_blamed_on_its_size() -> None:
    error = ApiError(403, "Forbidden", "only dynamically provisioned pvc can be resized")
    (problem,) = refusal.problems(error, manifest("PersistentVolumeClaim"), None)
    assert problem.field == "spec.persistence.size"


@pytest.mark.parametrize("status", [0, 401, 403, 409, 429, 500, 503])
def test_what_may_pass_by_itself_is_tried_again(status: int) -> None:
    (problem,) = refusal.problems(ApiError(status, "", "busy"), manifest("Service"), None)
    assert problem.retry
    assert problem.found == "Service my-router cannot be written: busy"


@pytest.mark.parametrize(
    ("key", "field"),
    [
        ("tools_db.json", "spec.toolsDb"),
        ("config.yaml", "spec.config"),
        ("envoy.yaml", "spec.vllmEndpoints"),
    ],
)
def test_too_much_text_is_blamed_on_what_most_of_it_was_made_of(key: str, field: str) -> None:
    limit = "Too long: may not be more than 1048576 bytes"
    config_map = {**manifest("ConfigMap"), "data": {"other": "short", key: "x" * 1_100_000}}
    error = invalid(Cause("FieldValueTooLong", limit, "[]"))
    (problem,) = refusal.problems(error, config_map, None)
    assert problem.field == field
    assert "1,100,000 bytes" in problem.found
    assert problem.remedy.startswith(f"Shorten {field}")
