"""What the real Envoy Gateway makes of the operator's objects."""

from __future__ import annotations

import json

from control_plane import Kubectl
from control_plane.process import Process
from e2e.gateway.gateways import attach, create_gateway, publish
from e2e.operator_process import Operator
from e2e.semantic_router import SemanticRouter, minimal
from eventually import eventually
from integration.data_path.stub_issuer import Issuer


def test_envoy_gateway_accepts_what_the_operator_makes(
    operator: Operator, real_controller: Process, router: SemanticRouter
) -> None:
    create_gateway(router, "eg")
    router.create_service()
    attach(router, extProc=True)
    router.apply()

    nowhere = router.wait_for("RouteReady", "False")
    eventually(
        lambda: router.condition("RouteReady")["reason"] == "GatewayPolicyNotAccepted",
        60,
        f"Envoy Gateway to miss the router's endpoints; first {nowhere}",
    )
    assert (
        f"Service {router.namespace}/my-router-headless"
        in (router.condition("RouteReady")["message"])
    )

    publish(router, f"{router.name}-headless", "grpc", "router.example.com", 50051)
    ready = router.wait_for("RouteReady", timeout=90)
    assert ready["reason"] == "HTTPRouteAccepted", real_controller.log_tail()
    router.wait_for_phase("Running")


def test_envoy_gateway_accepts_what_asks_for_tokens(
    operator: Operator, real_controller: Process, router: SemanticRouter
) -> None:
    create_gateway(router, "eg")
    router.create_service()
    attach(router)
    keys = "https://issuer.example.com/keys"
    issuer = {"issuer": "https://issuer.example.com", "audiences": ["a"], "jwksUri": keys}
    key_set = {"issuer": "https://ci.example.com", "audiences": ["a"], "jwksRef": {"name": "keys"}}
    router.spec["auth"] = {"jwt": [issuer, key_set]}
    router.spec["cors"] = {"allowOrigins": ["https://*.example.com"]}
    router.apply()
    eventually(
        lambda: router.condition("RouteReady")["reason"] == "GatewayPolicyNotAccepted",
        60,
        "Envoy Gateway to miss the ConfigMap with an issuer's keys",
    )
    keys_of_ci = json.dumps(Issuer("https://ci.example.com").jwks())
    router.kubectl(
        "create", "configmap", "keys", "-n", router.namespace, f"--from-literal=jwks={keys_of_ci}"
    )

    ready = router.wait_for("RouteReady", timeout=90)
    assert ready["reason"] == "HTTPRouteAccepted", real_controller.log_tail()

    router.patch("semanticrouter", router.name, {"spec": {"auth": None, "cors": None}})
    router.wait_until_gone("securitypolicy", router.name)


def test_what_envoy_gateway_writes_is_not_fought_over(
    operator: Operator, real_controller: Process, router: SemanticRouter
) -> None:
    create_gateway(router, "eg")
    router.create_service()
    attach(router, extProc=True)
    router.apply()
    publish(router, f"{router.name}-headless", "grpc", "router.example.com", 50051)
    router.wait_for("RouteReady", timeout=90)
    router.wait_for_phase("Running")

    assert operator.writes_of_another_run(router) == []


def test_envoy_gateway_refuses_a_listener_that_is_not_there(
    operator: Operator, real_controller: Process, router: SemanticRouter
) -> None:
    create_gateway(router, "eg")
    router.create_service()
    attach(router, hostnames=["router.example.com"])
    manifest = {"metadata": {"name": "public"}}
    listener = {"name": "http", "protocol": "HTTP", "port": 80, "hostname": "other.example.com"}
    router.patch("gateway", "public", {**manifest, "spec": {"listeners": [listener]}})
    router.apply()

    refused = router.wait_for("RouteReady", "False", timeout=90)
    eventually(
        lambda: router.condition("RouteReady")["reason"] == "HTTPRouteNotAccepted",
        60,
        f"Envoy Gateway to refuse a host name that no listener has; first {refused}",
    )


def test_a_backend_elsewhere_needs_a_reference_grant(
    operator: Operator, real_controller: Process, kubectl: Kubectl, router: SemanticRouter
) -> None:
    elsewhere = f"{router.namespace}-models"
    kubectl("create", "namespace", elsewhere)
    SemanticRouter(kubectl, elsewhere, minimal()).create_service()
    create_gateway(router, "eg")
    router.spec["vllmEndpoints"][0]["backend"]["service"]["namespace"] = elsewhere
    attach(router, extProc=True)
    router.apply()
    publish(router, f"{router.name}-headless", "grpc", "router.example.com", 50051)

    lacking = router.wait_for("RouteReady", "False")
    assert lacking["reason"] == "ReferenceGrantMissing"
    assert elsewhere in lacking["message"]

    grant = {
        "apiVersion": "gateway.networking.k8s.io/v1beta1",
        "kind": "ReferenceGrant",
        "metadata": {"name": "my-router"},
        "spec": {
            "from": [
                {
                    "group": "gateway.networking.k8s.io",
                    "kind": "HTTPRoute",
                    "namespace": router.namespace,
                }
            ],
            "to": [{"group": "", "kind": "Service", "name": "vllm-qwen"}],
        },
    }
    kubectl("apply", "-n", elsewhere, "-f", "-", stdin=json.dumps(grant))
    assert router.wait_for("RouteReady", timeout=90)["reason"] == "HTTPRouteAccepted"
    kubectl("delete", "namespace", elsewhere, "--wait=false")
