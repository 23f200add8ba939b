"""The filters, as a playbook reaches them. What they build is tested with the builders."""

from __future__ import annotations

import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.vllm.semantic_router.plugins.filter.monitoring import (
    FilterModule as Monitoring,
)
from ansible_collections.vllm.semantic_router.plugins.filter.networking import (
    FilterModule as Networking,
)
from ansible_collections.vllm.semantic_router.plugins.filter.objects import FilterModule as Objects
from ansible_collections.vllm.semantic_router.plugins.filter.storage import FilterModule as Storage
from ansible_collections.vllm.semantic_router.plugins.filter.workload import (
    FilterModule as Workload,
)
from examples import SAMPLES

DIRECTORY = Path(__file__).parents[4] / "plugins" / "filter"
ANSIBLE_PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
TEMPLATE = "{{ lookup('ansible.builtin.pipe', 'id') }}"

MY_ROUTER = SAMPLES["vllm.ai_v1alpha1_semanticrouter_my-router"]
MONITORING = {
    part: {"enabled": True} for part in ("serviceMonitor", "prometheusRule", "grafanaDashboard")
}
# What my-router does not ask for.
ASKED = {
    "horizontal_pod_autoscaler": {
        "autoscaling": {
            "enabled": True,
            "minReplicas": 2,
            "targetCPUUtilizationPercentage": 70,
            "targetMemoryUtilizationPercentage": 80,
        }
    },
    "ingress": {
        "ingress": {
            "enabled": True,
            "className": "nginx",
            "hosts": [{"host": "router.example.com"}],
            "tls": [{"secretName": "router-tls", "hosts": ["router.example.com"]}],
        }
    },
    "network_policy": {"networkPolicy": {"enabled": True}},
    "service_monitor": {"monitoring": MONITORING},
    "prometheus_rule": {"monitoring": MONITORING},
    "grafana_dashboard": {"monitoring": MONITORING},
}
FACTS = {"platform": "kubernetes", "capabilities": {"monitoring.coreos.com": ["v1"]}}
FILTERS = {
    name: build
    for module in (Storage, Workload, Networking, Monitoring)
    for name, build in module().filters().items()
}


def documentation(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((DIRECTORY / f"{name}.yml").read_text(encoding="utf-8")))


def hostile_router() -> dict[str, Any]:
    """my-router with a template wherever these filters read free text."""
    router = deepcopy(MY_ROUTER)
    router["spec"].update(
        args=[TEMPLATE],
        env=[{"name": "NOTE", "value": TEMPLATE}],
        podAnnotations={"note": TEMPLATE},
        serviceAccount={"annotations": {"note": TEMPLATE}},
    )
    router["spec"]["persistence"]["annotations"] = {"note": TEMPLATE}
    for asked in ASKED.values():
        router["spec"].update(deepcopy(asked))
    router["spec"]["ingress"]["annotations"] = {"note": TEMPLATE}
    router["spec"]["monitoring"]["grafanaDashboard"]["annotations"] = {"note": TEMPLATE}
    return router


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where one real playbook, made of the documented examples, has written its files."""
    directory = tmp_path_factory.mktemp("examples")
    names = [*FILTERS, "objects"]
    tasks = [task for name in names for task in yaml.safe_load(documentation(name)["EXAMPLES"])]
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}
    (directory / "play.yml").write_text(yaml.safe_dump([play]))
    (directory / "my-router.yaml").write_text(yaml.safe_dump(hostile_router(), sort_keys=False))
    done = subprocess.run(
        [ANSIBLE_PLAYBOOK, "play.yml"],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return directory


def assert_contains(whole: Any, part: Any) -> None:
    if isinstance(part, dict):
        for key, value in part.items():
            assert_contains(whole[key], value)
    elif isinstance(part, list):
        assert len(whole) == len(part)
        for item, value in zip(whole, part, strict=True):
            assert_contains(item, value)
    else:
        assert whole == part


@pytest.mark.parametrize("name", FILTERS)
def test_the_documented_example_gives_what_the_builder_builds(name: str, written: Path):
    (file,) = written.glob(f"my-router-{name.replace('_', '-')}.yaml")

    found = yaml.safe_load(file.read_text())

    # Equal with types: a number that became a text, or a template that was evaluated, would differ.
    assert found == FILTERS[name](hostile_router(), FACTS)


@pytest.mark.parametrize(
    "name",
    [
        "deployment",
        "grafana_dashboard",
        "ingress",
        "service_account",
        "persistent_volume_claim",
    ],
)
def test_a_template_in_a_router_stays_text(name: str, written: Path):
    (file,) = written.glob(f"my-router-{name.replace('_', '-')}.yaml")

    assert "ansible.builtin.pipe" in file.read_text()
    assert "uid=" not in file.read_text()


@pytest.mark.parametrize("name", FILTERS)
def test_the_documentation_shows_what_is_returned(name: str):
    documented = documentation(name)

    assert documented["DOCUMENTATION"]["name"] == name
    asked = {**MY_ROUTER, "spec": {**MY_ROUTER["spec"], **ASKED.get(name, {})}}

    assert_contains(FILTERS[name](asked, FACTS), documented["RETURN"]["_value"]["sample"])


@pytest.mark.parametrize("name", FILTERS)
def test_the_router_is_left_as_it_was(name: str):
    before = deepcopy(MY_ROUTER)

    for manifest in FILTERS[name](MY_ROUTER, {}):
        manifest["metadata"]["labels"]["changed"] = "yes"
        manifest.clear()

    assert before == MY_ROUTER


def test_a_platform_decides_the_security_context():
    (on_openshift,) = FILTERS["deployment"](MY_ROUTER, {"platform": "openshift"})

    assert "securityContext" not in on_openshift["spec"]["template"]["spec"]


def test_facts_that_do_not_exist_are_refused():
    with pytest.raises(TypeError, match="plattform"):
        FILTERS["service"](MY_ROUTER, {"plattform": "kubernetes"})


def test_many_objects_are_what_their_own_filters_give(written: Path):
    found = yaml.safe_load((written / "my-router-objects.yaml").read_text())

    names = ("service_account", "deployment")
    assert found == [m for name in names for m in FILTERS[name](hostile_router(), FACTS)]


def test_an_object_that_there_is_not_is_refused_with_those_that_there_are():
    with pytest.raises(AnsibleFilterError, match=r"no object servise; there are .*service"):
        Objects().filters()["objects"](MY_ROUTER, FACTS, ["servise"])
