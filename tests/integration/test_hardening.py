"""What kube-score has against the manifests is what docs/security.md explains, and no more."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import go_program
import pytest
import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects import registry
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from control_plane.plane import progress_to_stderr

CHECKOUT = Path(__file__).resolve().parents[2]
# What it has set is its user's, and everything is set there.
OF_ITS_USER = "every_field"
SAMPLES = [
    file
    for file in sorted((CHECKOUT / "config" / "samples").glob("vllm*.yaml"))
    if OF_ITS_USER not in file.name
]
INSTALLATION = CHECKOUT / "playbooks" / "files" / "operator.yaml"
EXPLAINED = re.compile(r"^\| `([a-z-]+)` \|", re.MULTILINE)
ALL_IS_WELL = 10


@pytest.fixture(scope="module")
def kube_score(pytestconfig: pytest.Config) -> Path:
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    # Uncaptured: the first run builds the program.
    with capture.global_and_fixture_disabled():
        return go_program.ensure("kube-score", progress_to_stderr)


def manifests() -> Iterator[dict[str, Any]]:
    yield from yaml.safe_load_all(INSTALLATION.read_text(encoding="utf-8"))
    for file in SAMPLES:
        for resource in yaml.safe_load_all(file.read_text(encoding="utf-8")):
            if resource["kind"] == "SemanticRouter":
                yield from registry.build(Router(resource), Facts(), registry.CONCERNS)


def complaints(program: Path, files: list[dict[str, Any]]) -> set[str]:
    """Names of the checks that some manifest does not pass."""
    answer = subprocess.run(
        [str(program), "score", "--kubernetes-version=v1.36", "--all-default-optional",
         "--output-format=json", "-"],
        input=yaml.safe_dump_all(files), capture_output=True, text=True, check=False,
    )  # fmt: skip
    return {
        result["check"]["id"]
        for scored in json.loads(answer.stdout)
        for result in scored["checks"]
        if not result["skipped"] and result["grade"] < ALL_IS_WELL
    }


def test_each_complaint_of_kube_score_is_explained_and_no_other(kube_score: Path) -> None:
    page = (CHECKOUT / "docs" / "security.md").read_text(encoding="utf-8")
    assert complaints(kube_score, list(manifests())) == set(EXPLAINED.findall(page))


def test_a_privileged_pod_would_be_told_of(kube_score: Path) -> None:
    files = list(manifests())
    pod = next(one for one in files if one["kind"] == "Deployment")["spec"]["template"]["spec"]
    pod["containers"][0]["securityContext"] = {"privileged": True}
    assert "container-security-context-privileged" in complaints(kube_score, files)
