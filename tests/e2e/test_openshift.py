"""The operator where Routes are served: a control plane of its own, with OpenShift's CRD of Routes.

Nothing of OpenShift runs here. The tests do what its router would do, which is to write its verdict
into a Route's status.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from control_plane import crds
from e2e.operator_process import BY_EVENT, Operator
from e2e.semantic_router import SemanticRouter
from eventually import eventually

HOST = "my-router.apps.openshift.example.com"
DETECTED = "Detected OpenShift platform - will use OpenShift-compatible security contexts"


@pytest.fixture(scope="module")
def extra_crds() -> list[Path]:
    return [crds.module_file(*crds.OPENSHIFT_ROUTES)]


@pytest.fixture
def exposed(operator: Operator, router: SemanticRouter) -> SemanticRouter:
    """A router with a Route, its pods rolled out, its Route unanswered."""
    router.spec["openshift"] = {"routes": {"enabled": True}}
    router.create_service()
    router.apply()
    router.wait_for("Ready")
    return router


def route_of(router: SemanticRouter) -> dict[str, Any] | None:
    """The Route as the document's command finds it."""
    selector = f"-l=app.kubernetes.io/instance={router.name}"
    answer = router.kubectl("get", "route", selector, "-n", router.namespace, "-o", "json")
    found = json.loads(answer)["items"]
    assert len(found) <= 1
    return found[0] if found else None


def answer(router: SemanticRouter, admitted: str, reason: str = "", message: str = "") -> None:
    """What OpenShift's router writes when it has looked at the Route."""
    condition = {"type": "Admitted", "status": admitted, "reason": reason, "message": message}
    ingress = {"host": HOST, "routerName": "default", "conditions": [condition]}
    router.patch("route", router.name, {"status": {"ingress": [ingress]}}, "--subresource=status")


def features(router: SemanticRouter) -> dict[str, Any]:
    path = "jsonpath={.status.openshiftFeatures}"
    answer = router.kubectl(
        "get", "semanticrouter", router.name, "-n", router.namespace, "-o", path
    )
    found: dict[str, Any] = json.loads(answer)
    return found


def test_openshift_is_detected_and_chooses_users_and_groups_itself(
    operator: Operator, exposed: SemanticRouter
) -> None:
    assert operator.said(DETECTED)
    # What the troubleshooting chapter asks, and what the operator goes by.
    assert "route.openshift.io" in exposed.kubectl("api-resources")
    pods = exposed.kubectl(
        "get", "deployment,pods", "-l", f"app.kubernetes.io/instance={exposed.name}",
        "-n", exposed.namespace, "-o", "json",
    )  # fmt: skip
    assert json.loads(pods)["items"]
    for key in ("runAsUser", "runAsGroup", "fsGroup"):
        assert key not in pods
    assert "allowPrivilegeEscalation" in pods


def test_a_route_leads_to_the_service_and_waits_for_openshifts_router(
    exposed: SemanticRouter,
) -> None:
    route = route_of(exposed)
    assert route is not None
    assert route["spec"]["to"]["name"] == exposed.name
    assert route["spec"]["port"] == {"targetPort": "api"}
    assert route["spec"]["tls"] == {
        "termination": "edge",
        "insecureEdgeTerminationPolicy": "Redirect",
    }
    owner = route["metadata"]["ownerReferences"][0]
    assert owner["uid"] == exposed.get()["metadata"]["uid"]
    assert exposed.wait_for("RouteReady", "False")["reason"] == "RouteNotAdmitted"
    exposed.wait_for_phase("Progressing")
    assert features(exposed) == {"routesEnabled": True}


def test_an_admitted_route_is_ready_and_its_host_is_in_the_status(exposed: SemanticRouter) -> None:
    exposed.wait_for("RouteReady", "False")
    answer(exposed, "True")
    condition = exposed.wait_for("RouteReady", timeout=BY_EVENT)
    assert condition["reason"] == "RouteAdmitted"
    assert f"https://{HOST}" in condition["message"]
    exposed.wait_for_phase("Running")
    assert features(exposed) == {"routesEnabled": True, "routeHostname": HOST}


def test_a_refused_route_degrades_the_router_until_it_is_admitted(
    operator: Operator, exposed: SemanticRouter
) -> None:
    exposed.wait_for("RouteReady", "False")
    answer(exposed, "False", "HostAlreadyClaimed", f"route other/web already exposes {HOST}")
    degraded = exposed.wait_for("Degraded", timeout=BY_EVENT)
    refused = exposed.condition("RouteReady")
    for condition in (degraded, refused):
        assert condition["reason"] == "RouteRefused"
        assert (
            f"(HostAlreadyClaimed): route other/web already exposes {HOST}" in condition["message"]
        )
    exposed.wait_for_phase("Degraded")
    assert exposed.condition("Ready")["status"] == "True"
    answer(exposed, "True")
    exposed.wait_for("RouteReady", timeout=operator.hears_of_status_within)
    exposed.wait_for_phase("Running")
    answer(exposed, "False", "HostAlreadyClaimed", "taken over")
    exposed.wait_for("RouteReady", "False", timeout=operator.hears_of_status_within)


def test_switching_routes_off_removes_the_route_and_what_was_said_of_it(
    exposed: SemanticRouter,
) -> None:
    answer(exposed, "True")
    exposed.wait_for("RouteReady")
    exposed.spec["openshift"] = {"routes": {"enabled": False}}
    exposed.apply()
    eventually(lambda: route_of(exposed) is None, 60, "the Route to go")
    exposed.wait_for("Ready")
    assert "RouteReady" not in {item["type"] for item in exposed.get()["status"]["conditions"]}
    assert features(exposed) == {"routesEnabled": False}


def test_deleting_the_router_removes_the_route(exposed: SemanticRouter) -> None:
    exposed.delete()
    eventually(lambda: route_of(exposed) is None, 60, "the garbage collector to remove the Route")


def test_a_host_that_openshift_made_up_is_left_alone(
    operator: Operator, exposed: SemanticRouter
) -> None:
    generated = {
        "metadata": {"annotations": {"openshift.io/host.generated": "true"}},
        "spec": {"host": HOST},
    }
    exposed.patch("route", exposed.name, generated, "--field-manager=openshift-apiserver")
    answer(exposed, "True")
    exposed.wait_for("RouteReady")
    exposed.wait_for_phase("Running")

    assert operator.writes_of_another_run(exposed) == []
    route = route_of(exposed)
    assert route is not None
    assert route["spec"]["host"] == HOST


@pytest.mark.parametrize("termination", ["passthrough", "reencrypt"])
def test_tls_that_the_pods_do_not_speak_is_built_as_asked_and_said(
    exposed: SemanticRouter, termination: str
) -> None:
    exposed.spec["openshift"]["routes"]["tls"] = {"termination": termination}
    exposed.apply()

    def tls() -> dict[str, Any]:
        route = route_of(exposed)
        assert route is not None
        found: dict[str, Any] = route["spec"]["tls"]
        return found

    eventually(lambda: tls()["termination"] == termination, 60, "the Route to change")
    answer(exposed, "True")
    degraded = exposed.wait_for("Degraded")
    assert degraded["reason"] == "FeatureNotAvailable"
    assert "spec.openshift.routes.tls.termination" in degraded["message"]
    eventually(
        lambda: exposed.condition("RouteReady")["reason"] == "FeatureNotAvailable",
        BY_EVENT,
        "RouteReady to say it too",
    )


@pytest.mark.parametrize("sample", ["openshift", "route"])
def test_the_samples_for_openshift_become_running(
    operator: Operator, router: SemanticRouter, sample: str
) -> None:
    router.use_sample(f"vllm.ai_v1alpha1_semanticrouter_{sample}.yaml")
    for entry in router.spec["vllmEndpoints"]:
        backend = entry["backend"]
        if backend["type"] == "kserve":
            router.create_inference_service(backend["inferenceServiceName"])
        elif backend["type"] == "llamastack":
            router.create_service("llama-stack", 8321, backend["discoveryLabels"])
        else:
            # Every test has a namespace of its own.
            backend["service"]["namespace"] = router.namespace
            router.create_service(backend["service"]["name"], backend["service"]["port"])
    router.apply()
    router.wait_for("Ready")
    route = route_of(router)
    assert route is not None
    wanted = router.spec["openshift"]["routes"].get("hostname")
    assert route["spec"].get("host") == wanted
    condition = {"type": "Admitted", "status": "True"}
    ingress = {"host": wanted or HOST, "routerName": "default", "conditions": [condition]}
    router.patch("route", router.name, {"status": {"ingress": [ingress]}}, "--subresource=status")
    router.wait_for_phase("Running")
    assert features(router) == {"routesEnabled": True, "routeHostname": wanted or HOST}
