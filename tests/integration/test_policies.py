"""The example policies for SemanticRouters, on a real API server: what they refuse and what not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from control_plane import Kubectl
from eventually import eventually

POLICIES = Path(__file__).parents[2] / "config" / "policies"
ADMISSION = POLICIES / "validating_admission_policies.yaml"

GOOD: dict[str, Any] = {
    "image": {"tag": "v0.4.0", "imageRegistry": "registry.example.com"},
    "vllmEndpoints": [
        {
            "name": "a",
            "model": "a",
            "backend": {"type": "service", "service": {"name": "a", "port": 8000}},
        }
    ],
}
HOSTED = {"type": "external", "external": {"url": "https://api.example.com/v1"}}
TRUSTING = {
    "type": "service",
    "service": {"name": "a", "port": 443, "scheme": "https"},
    "tls": {"insecureSkipVerify": True},
}


def to(backend: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"name": "a", "model": "a", "backend": backend}]


REFUSED = {
    "spec.image.tag must name a release": {"image": {**GOOD["image"], "tag": "latest"}},
    "spec.image.imageRegistry must be": {"image": {"tag": "v0.4.0"}},
    "insecureSkipVerify is not allowed": {"vllmEndpoints": to(TRUSTING)},
    "prompts must not leave the cluster": {"vllmEndpoints": to(HOSTED)},
}


def documents(file: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(file.read_text(encoding="utf-8")))


def answer(kubectl: Kubectl, namespace: str, **spec: Any) -> str:
    """What the API server says against such a router; nothing is stored."""
    router = {
        "apiVersion": "vllm.ai/v1alpha1",
        "kind": "SemanticRouter",
        "metadata": {"name": "my-router", "namespace": namespace},
        "spec": {**GOOD, **spec},
    }
    done = kubectl.run("create", "--dry-run=server", "--filename=-", stdin=json.dumps(router))
    return done.stderr


@pytest.fixture(scope="module")
def policies(kubectl: Kubectl, shared_namespace: str) -> Iterator[str]:
    """The policies at work in a namespace that wants them."""
    kubectl("label", "namespace", shared_namespace, "vllm.ai/policies=enforced")
    kubectl("apply", f"--filename={ADMISSION}")
    try:
        # The API server takes up a policy some seconds after it is there.
        for said, spec in REFUSED.items():
            eventually(
                lambda said=said, spec=spec: said in answer(kubectl, shared_namespace, **spec)
            )
        yield shared_namespace
    finally:
        kubectl("delete", f"--filename={ADMISSION}")


@pytest.mark.parametrize("said", REFUSED)
def test_a_policy_refuses_what_it_is_about_and_says_what_to_do(
    kubectl: Kubectl, policies: str, said: str
) -> None:
    told = answer(kubectl, policies, **REFUSED[said])
    assert said in told
    assert "ValidatingAdmissionPolicy" in told
    assert not [other for other in REFUSED if other != said and other in told]


def test_the_policies_take_a_router_that_keeps_to_them(kubectl: Kubectl, policies: str) -> None:
    assert answer(kubectl, policies) == ""


def test_a_namespace_that_does_not_ask_for_the_policies_has_none(
    kubectl: Kubectl, policies: str, namespace: str
) -> None:
    assert policies
    for spec in REFUSED.values():
        assert answer(kubectl, namespace, **spec) == ""


def test_the_policies_of_kyverno_have_the_rules_that_were_tried() -> None:
    tried = {
        policy["metadata"]["name"]: policy["spec"]["validations"]
        for policy in documents(ADMISSION)
        if policy["kind"] == "ValidatingAdmissionPolicy"
    }
    assert {
        policy["metadata"]["name"]: policy["spec"]["validations"]
        for policy in documents(POLICIES / "kyverno.yaml")
    } == tried
