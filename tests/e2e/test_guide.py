"""The guide's commands, run as they stand there against the guide's own first router."""

from __future__ import annotations

import re

from control_plane import Kubectl
from e2e.operator_process import Operator
from e2e.semantic_router import SemanticRouter
from e2e.shell import Shell
from guide import PAGES, commands, name, routers

# Verbs that a cluster without kubelets can do. The operator is no Deployment here.
SHOWN = re.compile(r"kubectl (get|describe|wait|scale|explain|api-resources|create secret) ")
ELSEWHERE = re.compile(r"-n \S|--namespace|<")
# What is shown where these APIs are served: test_openshift.py and gateway/.
OPTIONAL = re.compile(r"\broute\b|route\.openshift|openshiftFeatures|\bhttproute\b")
# Only an operator in the cluster can ask the pods, which here have no network.
IN_CLUSTER = re.compile(r"condition=Converged")


def shown() -> list[tuple[str, str]]:
    """Page and command."""
    return [
        (name(page), command)
        for page in PAGES
        for command in commands(page)
        if SHOWN.match(command)
        and not any(other.search(command) for other in (ELSEWHERE, OPTIONAL, IN_CLUSTER))
    ]


def test_every_command_about_a_router_works_as_the_guide_shows_it(
    operator: Operator, kubectl: Kubectl, namespace: str, shell: Shell
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

    failed = []
    for where, command in shown():
        done = shell.run(command)
        if done.returncode != 0 or "No resources found" in done.stderr:
            failed.append(f"{where}: {command}\n{done.stdout}{done.stderr}")
    assert len(shown()) > 8
    assert not failed, "\n".join(failed)
