"""The Ingress: on, changed, off and on again."""

from __future__ import annotations

from typing import Any

from e2e.operator_process import Operator
from e2e.semantic_router import SemanticRouter
from eventually import eventually

DOCUMENTS = {
    "enabled": True,
    "className": "nginx",
    "annotations": {"cert-manager.io/cluster-issuer": "letsencrypt-prod"},
    "hosts": [
        {
            "host": "router.example.com",
            "paths": [{"path": "/", "pathType": "Prefix", "servicePort": 8080}],
        }
    ],
    "tls": [{"secretName": "router-tls", "hosts": ["router.example.com"]}],
}


def ingress(router: SemanticRouter) -> dict[str, Any]:
    return router.read("ingress", router.name)


def test_the_documents_ingress_is_what_the_cluster_gets(
    operator: Operator, router: SemanticRouter
) -> None:
    router.create_service()
    router.spec["ingress"] = DOCUMENTS
    router.apply()
    router.wait_for_phase("Running")
    found = ingress(router)
    assert found["metadata"]["annotations"]["cert-manager.io/cluster-issuer"] == "letsencrypt-prod"
    backend = {"service": {"name": router.name, "port": {"number": 8080}}}
    assert found["spec"] == {
        "ingressClassName": "nginx",
        "rules": [
            {
                "host": "router.example.com",
                "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]},
            }
        ],
        "tls": [{"secretName": "router-tls", "hosts": ["router.example.com"]}],
    }


def test_an_ingress_without_hosts_answers_for_all_of_them(
    operator: Operator, router: SemanticRouter
) -> None:
    router.create_service()
    router.spec.update(ingress={"enabled": True}, service={"api": {"port": 80}})
    router.apply()
    router.wait_for_phase("Running")
    (rule,) = ingress(router)["spec"]["rules"]
    assert "host" not in rule
    (path,) = rule["http"]["paths"]
    assert (path["path"], path["backend"]["service"]["port"]) == ("/", {"number": 80})


def test_an_ingress_that_was_on_off_and_on_leaves_nothing_behind(
    operator: Operator, router: SemanticRouter
) -> None:
    router.create_service()
    router.apply()
    router.wait_for("Ready")
    before = sorted(router.objects())
    for hosts in (["a.example.com", "b.example.com"], ["b.example.com"]):
        router.spec["ingress"] = {"enabled": True, "hosts": [{"host": host} for host in hosts]}
        router.apply()
        eventually(lambda: f"Ingress/{router.name}" in router.objects(), 60, "the Ingress")
        assert [rule["host"] for rule in ingress(router)["spec"]["rules"]] == hosts
        router.spec["ingress"] = {"enabled": False}
        router.apply()
        eventually(lambda: sorted(router.objects()) == before, 60, "the Ingress to go")
    router.wait_for("Ready")


def test_what_a_controller_adds_to_the_ingress_stays(
    operator: Operator, router: SemanticRouter
) -> None:
    router.create_service()
    router.spec["ingress"] = DOCUMENTS
    router.apply()
    router.wait_for("Ready")
    router.patch("ingress", router.name, {"metadata": {"annotations": {"controller": "seen"}}})
    changed = {**DOCUMENTS["hosts"][0], "host": "other.example.com"}  # type: ignore[index]
    router.spec["ingress"] = {**DOCUMENTS, "hosts": [changed]}
    router.apply()
    eventually(
        lambda: ingress(router)["spec"]["rules"][0]["host"] == "other.example.com", 60, "the host"
    )
    assert ingress(router)["metadata"]["annotations"]["controller"] == "seen"
