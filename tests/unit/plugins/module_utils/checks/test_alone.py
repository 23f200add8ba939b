"""A router that serves alone: what only Envoy reads is told of, and what is meant for it alone."""

from __future__ import annotations

from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.checks import alone
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import crd
from bad_input import problems, with_spec
from schema_walk import leaves

ALONE: dict[str, Any] = {"image": {"tag": "latest"}, "gateway": {"mode": "router"}}
TLS = {**ALONE, "gateway": {"mode": "router", "tls": {"secretName": "router-tls"}}}


def told(**spec: Any) -> dict[str, bool]:
    return {problem.field: problem.blocking for problem in problems(with_spec(**spec))}


def test_a_router_that_serves_alone_needs_no_more_than_the_word() -> None:
    assert told(**ALONE) == {}
    assert told(gateway={"mode": "envoy"}) == {}


def test_settings_of_an_envoy_that_is_not_there_are_named_and_do_not_block() -> None:
    envoy = {"failureModeAllow": True}
    assert told(**ALONE, envoy=envoy) == {"spec.envoy": False}
    assert told(envoy=envoy) == {}


def test_every_row_is_about_fields_that_the_crd_has() -> None:
    fields = {
        ".".join(step for step in steps if step not in ("[]", "*"))
        for steps, _ in leaves(crd.schema()["properties"]["spec"])
    }
    for row in alone.ENVOY_ONLY:
        name = ".".join(step for step in row.steps if step != "*")
        assert any(field == name or field.startswith(f"{name}.") for field in fields), name


def test_an_ingress_that_would_speak_http_to_https_is_told_of() -> None:
    ingress = {"enabled": True, "hosts": [{"host": "router.example.com"}]}
    annotations = {"nginx.ingress.kubernetes.io/backend-protocol": "HTTPS"}

    assert told(**TLS, ingress=ingress) == {"spec.ingress.annotations": False}
    assert told(**TLS, ingress={**ingress, "annotations": annotations}) == {}
    assert told(**ALONE, ingress=ingress) == {}


def test_a_route_that_keeps_tls_up_to_the_pods_is_right_for_a_listener_with_tls() -> None:
    routes = {"enabled": True, "tls": {"termination": "reencrypt"}}

    assert told(**TLS, openshift={"routes": routes}) == {}
    assert told(**ALONE, openshift={"routes": routes}) == {
        "spec.openshift.routes.tls.termination": False
    }


def test_the_flag_and_the_variable_of_the_mode_are_the_operators() -> None:
    env = [{"name": "VLLM_SR_GATEWAY", "value": "extproc"}]

    assert told(**ALONE, args=["-listener-address=127.0.0.1"]) == {"spec.args[0]": True}
    assert told(**ALONE, env=env) == {"spec.env[0].name": False}
    assert told(env=env, args=["-gateway=extproc"]) == {}


def test_a_pool_whose_picker_nobody_would_ask_is_refused() -> None:
    endpoint = {"name": "a", "model": "m", "backend": {"type": "inferencepool", "name": "llama"}}

    assert told(**ALONE, vllmEndpoints=[endpoint]) == {"spec.vllmEndpoints[0].backend.type": True}
    assert told(vllmEndpoints=[endpoint]) == {}
