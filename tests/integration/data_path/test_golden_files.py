"""Every golden bootstrap is one that Envoy starts with."""

from __future__ import annotations

import re
from pathlib import Path

import golden
import many
import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.upstream_tls import (
    AUTHORITIES,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects import config
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from examples import facts, resource
from integration.data_path.certificates import server_side
from integration.data_path.envoy_process import validate

BOOTSTRAPS = golden.bootstraps()


@pytest.mark.parametrize("name", BOOTSTRAPS)
def test_envoy_accepts_the_golden_bootstrap(name: str, tmp_path: Path) -> None:
    file = tmp_path / "envoy.yaml"
    ca = tmp_path / "ca.crt"
    server_side(ca, "issuer.example.com")
    known = rf"/etc/envoy-ca/\S+|{re.escape(AUTHORITIES)}"
    file.write_text(re.sub(known, str(ca), BOOTSTRAPS[name]), encoding="utf-8")
    result = validate(file)
    assert result.returncode == 0, result.stderr
    assert "eprecated" not in result.stderr


def test_envoy_accepts_two_hundred_models_on_a_thousand_endpoints(tmp_path: Path) -> None:
    router = Router(resource(vllmEndpoints=many.endpoints(200, 5)))
    _, found = config.config_maps(router, facts(router, "kubernetes"))
    text = found["data"]["envoy.yaml"]
    assert text.startswith("{"), "not in the form that this is about"
    (tmp_path / "envoy.yaml").write_text(text, encoding="utf-8")
    result = validate(tmp_path / "envoy.yaml")
    assert result.returncode == 0, result.stderr


def test_there_are_golden_bootstraps() -> None:
    assert len(BOOTSTRAPS) > 1


def test_envoy_refuses_a_field_it_does_not_know(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("static_resources: {listener: []}\n")
    assert validate(wrong).returncode != 0
