"""The router reads our configuration whatever its image's entrypoint is like."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.containers import (
    envoy_container,
    router_container,
)
from examples import router

OURS = "/etc/semantic-router/config.yaml"
# Those of the images up to 0.3, and of the ones that are called vllm-sr; a stand-in for the router
# prints what it is called with.
ENTRYPOINTS = {
    "reads CONFIG_FILE": """
CONFIG_FILE="${CONFIG_FILE:-/app/config/config.yaml}"
exec router --config="$CONFIG_FILE" "$@"
""",
    "starts with its own example": """
exec router --config=/app/config/config.yaml "$@"
""",
}


def config_of(entrypoint: str, container: dict[str, Any], directory: Path) -> str:
    """What the flag -config ends up as: Go's flag package takes the last one."""
    stand_in = directory / "router"
    stand_in.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    stand_in.chmod(0o755)
    script = directory / "entrypoint.sh"
    script.write_text(entrypoint)
    environment = {item["name"]: item["value"] for item in container["env"] if "value" in item}
    answer = subprocess.run(
        ["sh", script, *container["args"]],
        env={"PATH": f"{directory}:/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    flags = [line.lstrip("-") for line in answer.stdout.splitlines()]
    return [flag.removeprefix("config=") for flag in flags if flag.startswith("config=")][-1]


@pytest.mark.parametrize("entrypoint", ENTRYPOINTS)
def test_the_router_reads_our_file_whatever_the_entrypoint(entrypoint: str, tmp_path: Path) -> None:
    container = router_container(router(), Facts())
    assert config_of(ENTRYPOINTS[entrypoint], container, tmp_path) == OURS


def test_a_router_that_serves_alone_is_told_so_in_every_way_that_an_image_may_ask() -> None:
    service = {"ipFamilies": ["IPv6"]}
    alone = router_container(router(gateway={"mode": "router"}, service=service), Facts())
    behind = router_container(router(gateway={"mode": "envoy"}), Facts())

    assert {"-gateway=standalone", "-listener-address=::"} <= {*alone["args"]}
    assert {"name": "VLLM_SR_GATEWAY", "value": "standalone"} in alone["env"]
    assert [port["name"] for port in alone["ports"]] == ["api", "metrics"]
    assert behind == router_container(router(), Facts())


def test_the_certificate_is_mounted_into_the_router_and_nowhere_else() -> None:
    gateway = {"mode": "router", "tls": {"secretName": "router-tls"}}
    mounts = router_container(router(gateway=gateway), Facts())["volumeMounts"]

    assert [mount["mountPath"] for mount in mounts if mount["name"] == "listener-tls"] == [
        "/etc/semantic-router-tls"
    ]


INHERITED = {
    "RELATED_IMAGE_SEMANTIC_ROUTER": f"mirror.test/extproc@sha256:{'a' * 64}",
    "RELATED_IMAGE_ENVOY": f"mirror.test/envoy@sha256:{'b' * 64}",
}


@pytest.mark.parametrize(
    ("spec", "of_router", "of_envoy"),
    [
        ({}, True, True),
        ({"image": {"tag": "v0.3.0"}}, False, True),
        ({"image": {"repository": "registry.test/own"}}, False, True),
        ({"image": {"imageRegistry": "registry.test"}}, False, False),
        ({"accelerator": {"type": "rocm"}}, False, True),
        ({"envoy": {"image": {"tag": "v1.39.0"}}}, True, False),
    ],
)
def test_only_the_default_image_is_the_one_that_the_operator_was_told(
    spec: dict[str, Any], of_router: bool, of_envoy: bool
) -> None:
    asked, facts = router(**spec), Facts(inherited=INHERITED)
    for container, variable, replaced in (
        (router_container, "RELATED_IMAGE_SEMANTIC_ROUTER", of_router),
        (envoy_container, "RELATED_IMAGE_ENVOY", of_envoy),
    ):
        image = container(asked, facts)["image"]
        usual = container(asked, Facts())["image"]
        assert image == (INHERITED[variable] if replaced else usual)
