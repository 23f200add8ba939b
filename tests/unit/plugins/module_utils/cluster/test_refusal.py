from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import compare, refusal
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import (
    ApiError,
    Cause,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects import (
    provenance,
    registry,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import Manifest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from examples import facts, router

POD = "spec.template.spec."
SPEC: dict[str, Any] = {
    "vllmEndpoints": [
        {
            "name": "llama",
            "model": "llama",
            "backend": {"type": "service", "service": {"name": "llama", "port": 8000}},
        }
    ],
    "args": ["-verbose"],
    "env": [{"name": "ONE", "value": "1"}],
    "envFrom": [{"configMapRef": {"name": "more"}}],
    "podAnnotations": {"first key": "1", "second": "2"},
    "tolerations": [{"key": "gpu"}, {"key": "arm", "operator": "Maybe"}],
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "topologySpreadConstraints": [
        {"maxSkew": 0, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
    ],
    "priorityClassName": "High",
    "extraVolumes": [{"name": "certificates", "secret": {"secretName": "certificates"}}],
    "extraVolumeMounts": [{"name": "certificates", "mountPath": "/certificates"}],
    "extraContainers": [{"name": "proxy", "image": "proxy"}],
    "service": {"type": "LoadBalancer"},
    "serviceAccount": {"annotations": {"one": "1", "two": "2"}},
    "autoscaling": {"enabled": True, "minReplicas": 3},
    "podDisruptionBudget": {"maxUnavailable": "200%"},
    "ingress": {
        "enabled": True,
        "className": "Nginx",
        "hosts": [
            {"host": "a.example.com", "paths": [{"path": "/v1", "pathType": "Exact"}]},
            {"host": "b.example.com"},
        ],
        "tls": [{"hosts": ["a.example.com"], "secretName": "A"}],
    },
    "networkPolicy": {
        "enabled": True,
        "ingress": [{"ipBlock": {"cidr": "10.0.0.0/8"}}],
        "egress": [{"ports": [{"port": 443}]}],
    },
    "monitoring": {"serviceMonitor": {"enabled": True, "interval": "often"}},
}


def asked(**spec: Any) -> Router:
    resource = router(**{**SPEC, **spec}).resource
    return Router({**resource, "metadata": {**resource["metadata"], "uid": "a-uid"}})


def manifest(kind: str, of: Router | None = None) -> Manifest:
    """The first of the kind, as it is sent."""
    of = of or asked()
    built = registry.build(of, facts(of, "openshift" if kind == "Route" else "kubernetes"))
    return compare.stamped(next(one for one in built if one["kind"] == kind), of)


def invalid(*causes: Cause, message: str = "the whole story") -> ApiError:
    return ApiError(422, "Invalid", message, causes)


def problems(
    error: ApiError, kind: str, live: Manifest | None = None, of: Router | None = None
) -> list[Problem]:
    of = of or asked()
    sent = manifest(kind, of)
    found = facts(of, "openshift" if kind == "Route" else "kubernetes")
    return refusal.problems(error, sent, live, provenance.source_of(of, found, sent))


@pytest.mark.parametrize(
    ("kind", "place", "field"),
    [
        ("Deployment", POD + "tolerations[1].operator", "spec.tolerations[1].operator"),
        ("Deployment", POD + "tolerations[0].operator", "spec.tolerations[0].operator"),
        ("Deployment", POD + "nodeSelector", "spec.nodeSelector[kubernetes.io/os]"),
        ("Deployment", POD + "securityContext.fsGroup", "spec.podSecurityContext.fsGroup"),
        ("Deployment", POD + "priorityClassName", "spec.priorityClassName"),
        (
            "Deployment",
            POD + "topologySpreadConstraints[0].maxSkew",
            "spec.topologySpreadConstraints[0].maxSkew",
        ),
        (
            "Deployment",
            POD + "containers[0].resources.requests[memory]",
            "spec.resources.requests.memory",
        ),
        (
            "Deployment",
            POD + "containers[0].livenessProbe.periodSeconds",
            "spec.livenessProbe.periodSeconds",
        ),
        ("Deployment", POD + "containers[0].env[2].name", "spec.env[0].name"),
        (
            "Deployment",
            POD + 'containers[name="semantic-router"].env[name="ONE"].value',
            "spec.env[0].value",
        ),
        (
            "Deployment",
            POD + "containers[0].envFrom[0].configMapRef.name",
            "spec.envFrom[0].configMapRef.name",
        ),
        ("Deployment", POD + "containers[0].args[4]", "spec.args[0]"),
        ("Deployment", POD + "containers[0].image", "spec.image"),
        (
            "Deployment",
            POD + "containers[0].volumeMounts[8].name",
            "spec.extraVolumeMounts[0].name",
        ),
        ("Deployment", POD + "volumes[9].name", "spec.extraVolumes[0].name"),
        ("Deployment", POD + "containers[2].name", "spec.extraContainers[0].name"),
        ("Deployment", POD + "containers[0].name", ""),
        ("Deployment", POD + 'containers[name="envoy-proxy"].command[0]', ""),
        ("Deployment", "spec.selector", ""),
        ("Service", "spec.ports[0].port", "spec.service.api.port"),
        ("Service", "spec.type", "spec.service.type"),
        ("Service", "metadata.ownerReferences[0].uid", ""),
        ("Service", "metadata.annotations[vllm.ai/applied-hash]", ""),
        ("Ingress", "spec.rules[0].host", "spec.ingress.hosts[0].host"),
        ("Ingress", "spec.rules[0].http.paths[0].path", "spec.ingress.hosts[0].paths[0].path"),
        ("Ingress", "spec.tls[0].secretName", "spec.ingress.tls[0].secretName"),
        ("Ingress", "spec.ingressClassName", "spec.ingress.className"),
        ("HorizontalPodAutoscaler", "spec.minReplicas", "spec.autoscaling.minReplicas"),
        ("HorizontalPodAutoscaler", "spec.maxReplicas", "spec.autoscaling.maxReplicas"),
        ("PodDisruptionBudget", "spec.maxUnavailable", "spec.podDisruptionBudget.maxUnavailable"),
        (
            "NetworkPolicy",
            "spec.ingress[0].from[0].ipBlock.cidr",
            "spec.networkPolicy.ingress[0].ipBlock.cidr",
        ),
        (
            "NetworkPolicy",
            "spec.egress[2].ports[0].port",
            "spec.networkPolicy.egress[0].ports[0].port",
        ),
        ("ServiceMonitor", "spec.endpoints[0].interval", "spec.monitoring.serviceMonitor.interval"),
        ("PersistentVolumeClaim", "spec.resources.requests[storage]", "spec.persistence.size"),
        ("ServiceAccount", "metadata.annotations", "spec.serviceAccount.annotations"),
        ("ServiceAccount", "metadata.name", "spec.serviceAccount.name"),
    ],
)
def test_a_refused_place_is_blamed_on_the_field_it_comes_from(
    kind: str, place: str, field: str
) -> None:
    (problem,) = problems(invalid(Cause("", "is wrong", place)), kind)
    assert problem.field == field
    assert f"{kind} my-router" in problem.found
    assert f"is refused: {place}: is wrong" in problem.found
    assert (problem.reason, problem.retry) == ("ApplyRefused", False)


@pytest.mark.parametrize(
    ("place", "field"),
    [
        ("spec.host", "spec.openshift.routes.hostname"),
        ("spec.tls.termination", "spec.openshift.routes.tls.termination"),
    ],
)
def test_a_refused_route_is_blamed_on_its_field(place: str, field: str) -> None:
    of = asked(openshift={"routes": {"enabled": True, "hostname": "a.example.com"}})
    (problem,) = problems(invalid(Cause("", "is wrong", place)), "Route", of=of)
    assert problem.field == field


def test_a_key_that_is_quoted_is_part_of_the_field() -> None:
    message = 'Invalid value: "first key": name part must consist of alphanumeric characters'
    cause = Cause("FieldValueInvalid", message, "spec.template.metadata.annotations")
    (problem,) = problems(invalid(cause), "Deployment")
    assert problem.field == "spec.podAnnotations[first key]"


@pytest.mark.parametrize(
    ("kind", "message", "field"),
    [
        (
            "Ingress",
            "failed expression: object.spec.rules[0].host != 'x'",
            "spec.ingress.hosts[0].host",
        ),
        ("Ingress", "hosts are assigned by the platform team", "spec.ingress"),
        (
            "Deployment",
            "no image without digest at /spec/template/spec/containers/0/image/",
            "spec.image",
        ),
        ("Deployment", "not on a Friday", ""),
    ],
)
@pytest.mark.parametrize("place", ["", "[]", "<nil>"])
def test_a_refusal_without_a_place_is_blamed_on_what_it_speaks_of_or_the_object_s_section(
    kind: str, message: str, field: str, place: str
) -> None:
    (problem,) = problems(invalid(Cause("", message, place)), kind)
    assert problem.field == field
    assert problem.found == f"{kind} my-router is refused: {message}"


def test_the_remedy_names_the_field() -> None:
    cause = Cause("", "must be a class of the cluster", POD + "priorityClassName")
    (problem,) = problems(invalid(cause), "Deployment")
    assert problem.remedy == "Correct spec.priorityClassName as the message says"


def test_each_cause_is_a_problem_once() -> None:
    twice = Cause("", "is wrong", POD + "priorityClassName")
    other = Cause("", "is wrong", POD + "tolerations")
    found = problems(invalid(twice, twice, other), "Deployment")
    assert [problem.field for problem in found] == ["spec.priorityClassName", "spec.tolerations"]


def test_a_refusal_without_causes_tells_the_whole_story() -> None:
    (problem,) = problems(invalid(), "Deployment")
    assert "the whole story" in problem.found


def test_a_long_story_is_cut() -> None:
    cause = Cause("", "x" * 10_000, "spec.replicas")
    (problem,) = problems(invalid(cause), "Deployment")
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
    of = asked(persistence={"accessMode": access_mode})
    live = manifest("PersistentVolumeClaim", asked(persistence={"accessMode": "ReadWriteOnce"}))
    (problem,) = problems(invalid(cause), "PersistentVolumeClaim", live, of)
    assert problem.field == field
    assert problem.found.endswith("spec is immutable after creation")
    assert problem.remedy.startswith(f"Set {field} back")
    assert "existingClaim" in problem.remedy
    assert "delete PersistentVolumeClaim my-router-models" in problem.remedy


def test_a_selector_that_cannot_change_is_cured_by_deleting_the_deployment() -> None:
    cause = Cause("", "field is immutable", "spec.selector")
    (problem,) = problems(invalid(cause), "Deployment", manifest("Deployment"))
    assert "delete Deployment my-router: the operator creates it anew" in problem.remedy


def test_a_volume_that_cannot_grow_is_blamed_on_its_size() -> None:
    error = ApiError(403, "Forbidden", "only dynamically provisioned pvc can be resized")
    (problem,) = problems(error, "PersistentVolumeClaim")
    assert problem.field == "spec.persistence.size"


def test_a_policy_that_forbids_a_place_names_the_field_too() -> None:
    message = "ValidatingAdmissionPolicy 'ports' denied request: spec.type must be ClusterIP"
    (problem,) = problems(ApiError(403, "Forbidden", message), "Service")
    assert (problem.reason, problem.field) == ("Forbidden", "spec.service.type")


def test_what_others_made_of_an_object_is_blamed_on_no_field() -> None:
    cause = Cause("FieldValueDuplicate", 'Duplicate value: "api"', "spec.ports[1].name")
    sent = manifest("Service")
    (problem,) = refusal.problems(
        invalid(cause, cause), sent, sent, lambda _: "spec.service", is_live_to_blame=True
    )
    assert (problem.reason, problem.field, problem.retry) == ("ApplyRefused", "", True)
    assert problem.found.endswith('spec.ports[1].name: Duplicate value: "api"')
    assert "delete it: the operator creates it anew" in problem.remedy


def test_nobody_is_told_to_delete_the_models() -> None:
    sent = manifest("PersistentVolumeClaim")
    (problem,) = refusal.problems(
        invalid(), sent, sent, lambda _: "spec.persistence", is_live_to_blame=True
    )
    assert "delete" not in problem.remedy


@pytest.mark.parametrize("status", [0, 401, 403, 409, 429, 500, 503])
def test_what_may_pass_by_itself_is_tried_again(status: int) -> None:
    (problem,) = problems(ApiError(status, "", "busy"), "Service")
    assert problem.retry
    assert problem.found == "Service my-router cannot be written: busy"


@pytest.mark.parametrize(
    ("spec", "key", "field"),
    [
        ({"toolsDb": [{"name": "x" * 1_100_000}]}, "tools_db.json", "spec.toolsDb"),
        ({"config": {"strategy": "x" * 1_100_000}}, "config.yaml", "spec.config"),
    ],
)
def test_too_much_text_is_blamed_on_what_most_of_it_was_made_of(
    spec: dict[str, Any], key: str, field: str
) -> None:
    limit = "Too long: may not be more than 1048576 bytes"
    error = invalid(Cause("FieldValueTooLong", limit, "[]"))
    (problem,) = problems(error, "ConfigMap", of=asked(**spec))
    assert problem.field == field
    assert f"{key} has 1,10" in problem.found
    assert problem.remedy.startswith(f"Shorten {field}")


def test_the_longest_of_too_many_annotations_is_blamed() -> None:
    annotations = {"short": "x", "example.com/long": "x" * 300_000}
    limit = "Too long: may not be more than 262144 bytes"
    error = invalid(Cause("FieldValueTooLong", limit, "metadata.annotations"))
    of = asked(serviceAccount={"annotations": annotations})
    (problem,) = problems(error, "ServiceAccount", of=of)
    assert problem.field == "spec.serviceAccount.annotations[example.com/long]"
