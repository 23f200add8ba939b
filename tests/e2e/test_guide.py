"""The guide's commands, run as they stand there against the guide's own first router."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from control_plane import ControlPlane, Kubectl
from e2e.operator_process import Operator
from e2e.semantic_router import SemanticRouter
from guide import PAGES, commands, name, routers

# Verbs that a cluster without kubelets can do. The operator is no Deployment here.
SHOWN = re.compile(r"kubectl (get|describe|wait|scale|explain|api-resources|create secret) ")
ELSEWHERE = re.compile(r"-n \S|--namespace|<")
# What a test of Routes shows: tests/e2e/test_openshift.py.
OPENSHIFT = re.compile(r"\broute\b|route\.openshift|openshiftFeatures")


def shown() -> list[tuple[str, str]]:
    """Page and command."""
    return [
        (name(page), command)
        for page in PAGES
        for command in commands(page)
        if SHOWN.match(command) and not ELSEWHERE.search(command) and not OPENSHIFT.search(command)
    ]


def test_every_command_about_a_router_works_as_the_guide_shows_it(
    operator: Operator,
    control_plane: ControlPlane,
    kubectl: Kubectl,
    namespace: str,
    tmp_path: Path,
) -> None:
    page = next(page for page in PAGES if page.name == "getting-started.md")
    first = next(routers(page))
    first["metadata"].pop("namespace")
    router = SemanticRouter(kubectl, namespace, first)
    for endpoint in router.spec["vllmEndpoints"]:
        backend = endpoint["backend"]["service"]
        router.create_service(backend["name"], backend["port"])
    router.apply()
    router.wait_for("Ready")

    environment = {
        **os.environ,
        **control_plane.env,
        "PATH": f"{control_plane.kubectl.parent}:{os.environ['PATH']}",
        "KUBECONFIG": str(tmp_path / "kubeconfig"),
    }
    # As a user works: one namespace for all commands that name none.
    (tmp_path / "kubeconfig").write_bytes(Path(control_plane.env["KUBECONFIG"]).read_bytes())
    here = ("kubectl", "config", "set-context", "--current", f"--namespace={namespace}")
    subprocess.run(here, env=environment, check=True, capture_output=True)

    failed = []
    for where, command in shown():
        done = subprocess.run(
            ["bash", "-euc", command], env=environment, capture_output=True, text=True, timeout=60
        )
        if done.returncode != 0 or "No resources found" in done.stderr:
            failed.append(f"{where}: {command}\n{done.stdout}{done.stderr}")
    assert len(shown()) > 8
    assert not failed, "\n".join(failed)
