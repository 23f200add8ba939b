from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.networking import service
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.openshift import route
from examples import router

OPENSHIFT = Facts(platform="openshift")


def built(**wanted: Any) -> dict[str, Any]:
    (found,) = route(router(openshift={"routes": {"enabled": True, **wanted}}), OPENSHIFT)
    return found


def test_route_leads_to_the_api_port_of_the_service():
    spec = built()["spec"]
    (target,) = service(router(), OPENSHIFT)

    assert (spec["to"]["kind"], spec["to"]["name"]) == ("Service", target["metadata"]["name"])
    assert spec["port"]["targetPort"] in [port["name"] for port in target["spec"]["ports"]]


def test_route_without_tls_settings_ends_tls_at_the_edge_and_redirects():
    assert built()["spec"]["tls"] == {
        "termination": "edge",
        "insecureEdgeTerminationPolicy": "Redirect",
    }


@pytest.mark.parametrize("policy", ["None", "Redirect"])
@pytest.mark.parametrize("termination", ["edge", "passthrough", "reencrypt"])
def test_route_has_the_tls_settings_that_are_asked_for(termination: str, policy: str):
    tls = {"termination": termination, "insecureEdgeTerminationPolicy": policy}

    assert built(tls=tls)["spec"]["tls"] == tls


def test_route_has_a_host_only_when_one_is_given():
    assert built(hostname="router.example.com")["spec"]["host"] == "router.example.com"
    assert "host" not in built()["spec"]
    assert "host" not in built(hostname="")["spec"]


def test_route_waits_for_an_answer_as_long_as_envoy_does():
    assert built()["metadata"]["annotations"] == {"haproxy.router.openshift.io/timeout": "1200s"}


@pytest.mark.parametrize(
    ("enabled", "facts"), [(True, Facts()), (False, OPENSHIFT)], ids=["kubernetes", "disabled"]
)
def test_route_is_built_on_openshift_alone_and_only_when_asked_for(enabled: bool, facts: Facts):
    assert route(router(openshift={"routes": {"enabled": enabled}}), facts) == []


def test_a_route_takes_labels_annotations_and_a_certificate_by_reference():
    tls = {"externalCertificate": {"name": "llm-tls"}}
    asked = {"labels": {"type": "internal"}, "annotations": {"a": "b"}, "tls": tls}

    made = built(**asked)

    assert made["metadata"]["labels"]["type"] == "internal"
    assert made["metadata"]["annotations"]["a"] == "b"
    assert "haproxy.router.openshift.io/timeout" in made["metadata"]["annotations"]
    assert made["spec"]["tls"]["externalCertificate"] == {"name": "llm-tls"}
