"""What a newer operator makes of a router that the last release made."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects import workload
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from examples import facts

UPGRADE = Path(__file__).parents[2] / "molecule" / "upgrade"
RELEASED = sorted((UPGRADE / "released").glob("*.yaml"))
RENDER = (
    "ansible-playbook vllm.semantic_router.render "
    "-e cr_file=$PWD/molecule/upgrade/manifests/20-router.yaml -e render_output=$PWD/{file}"
)


@pytest.mark.parametrize("file", RELEASED, ids=lambda file: file.stem)
def test_an_upgrade_of_the_operator_replaces_no_pods(file: Path) -> None:
    (before,) = (
        manifest["spec"]["template"]
        for manifest in yaml.safe_load_all(file.read_text(encoding="utf-8"))
        if manifest["kind"] == "Deployment"
    )
    router = Router(yaml.safe_load((UPGRADE / "manifests" / "20-router.yaml").read_text()))
    (deployment,) = workload.deployment(router, facts(router, "kubernetes"))
    command = RENDER.format(file=file.relative_to(UPGRADE.parents[1]))
    assert deployment["spec"]["template"] == before, (
        "every router's pods would be replaced when the operator is upgraded; "
        f"if this release is not out yet, make its file anew: {command}"
    )
