"""routes, ask, top and ui: through the API server to real Envoy and the router's stand-in."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils import router_config
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import (
    PLATFORM_KUBERNETES,
    Facts,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.config import yaml_text
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import metadata
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.ports import pod_ports
from control_plane import ControlPlane, Kubectl
from integration.data_path import data_path as around
from integration.data_path import decisions, real_router, wait
from integration.data_path.data_path import DataPath, endpoint
from integration.data_path.decisions import BLOCKED, MATHS
from integration.data_path.envoy_process import free_ports
from integration.data_path.stub_backend import Call, StubBackend
from integration.live import kubelet
from stand_ins import router as program
from stand_ins.ext_proc import StubRouter

pytestmark = real_router.needs_stub

NAME = "my-router"
POD = "my-router-1"
SMALL, LARGE, ADAPTER = "small-model", "large-model", "small-model-maths"
BINARIES = Path(sys.executable).parent
USAGE = {"prompt_tokens": 7, "completion_tokens": 3}
Plugin = Callable[..., subprocess.CompletedProcess[str]]


class Talking(StubBackend):
    """Says how many tokens it took, as vLLM does."""

    def answer(self, call: Call) -> tuple[int, dict[str, Any]]:
        status, said = super().answer(call)
        return status, {**said, "usage": USAGE}


@dataclass
class Site:
    """One pod of a router: its processes, and where the cluster has it."""

    data_path: DataPath
    small: StubBackend
    namespace: str


@pytest.fixture(scope="module")
def site(
    control_plane: ControlPlane,
    kubectl: Kubectl,
    shared_namespace: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("pod")
    with ExitStack() as stack:
        small = stack.enter_context(Talking("small", "127.0.0.2", models=[SMALL, ADAPTER]))
        data_path = around.start(
            stack,
            directory,
            [endpoint("small", SMALL, small.port), endpoint("large", LARGE, 0)],
            {"small": [small.address]},
            config=decisions.config((SMALL, ADAPTER), (SMALL, LARGE)),
            loras={"small": [ADAPTER]},
        )
        metrics = _answer_as_the_router(data_path, directory)
        access_log = kubelet.ContainerLog(data_path.envoy.log, directory / "envoy.cri")
        stack.enter_context(access_log)
        (directory / "router.cri").touch()
        stack.enter_context(
            kubelet.serving(
                control_plane,
                kubectl,
                kubelet.program(),
                directory,
                _ports(data_path, metrics),
                {"envoy-proxy": access_log.path, "semantic-router": directory / "router.cri"},
            )
        )
        _create(kubectl, shared_namespace, data_path)
        yield Site(data_path, small, shared_namespace)


def _config_text(data_path: DataPath) -> str:
    endpoints = [endpoint("small", SMALL, 1), endpoint("large", LARGE, 0)]
    facts = Facts(platform=PLATFORM_KUBERNETES, endpoints=endpoints)
    return yaml_text(router_config.render(data_path.resource, facts))


def _answer_as_the_router(data_path: DataPath, directory: Path) -> int:
    """The stand-in's API, where Envoy has it, and its metrics, at the port that is returned."""
    router = data_path.router
    assert isinstance(router, StubRouter)
    file = directory / "config.yaml"
    file.write_text(_config_text(data_path))
    metrics, state = program.Metrics(), program.State(active=program.digest(file))
    router.tell, router.answered = metrics.tell, metrics.answered
    router.evaluated = metrics.evaluated

    def answer(call: Call) -> tuple[int, dict[str, Any]]:
        status, body, _ = program.api(call.path, call.body, state, file, router)
        return status, json.loads(body)

    data_path.api.answer = answer  # type: ignore[method-assign]
    (port,) = free_ports(1)
    program.serve("127.0.0.1", port, lambda _path, _body: (200, metrics.text(), "text/plain"))
    return port


def _ports(data_path: DataPath, metrics: int) -> dict[int, int]:
    """Of the pod, as the operator gives them, and what has them here."""
    there, here = pod_ports(data_path.resource.spec), data_path.ports
    names = ("listener", "api", "admin")
    return {getattr(there, name): getattr(here, name) for name in names} | {there.metrics: metrics}


def _create(kubectl: Kubectl, namespace: str, data_path: DataPath) -> None:
    """What operator, controllers and kubelet would have made."""
    resource = {**data_path.resource.resource, "metadata": {"name": NAME}}
    config = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": metadata.config_map_name(NAME)},
        "data": {"config.yaml": _config_text(data_path)},
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": POD, "labels": metadata.selector(NAME)},
        "spec": {
            "nodeName": kubelet.NODE,
            "containers": [
                {"name": name, "image": "none"} for name in ("semantic-router", "envoy-proxy")
            ],
        },
    }
    for manifest in (resource, config, pod):
        kubectl("apply", "-n", namespace, "-f", "-", stdin=json.dumps(manifest))
    kubectl("wait", "--for=condition=Ready", f"pod/{POD}", "-n", namespace, "--timeout=60s")


GATEWAYS = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {
        "name": "gateways.gateway.networking.k8s.io",
        "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"},
    },
    "spec": {
        "group": "gateway.networking.k8s.io",
        "names": {"kind": "Gateway", "plural": "gateways"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1", "served": True, "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object", "x-kubernetes-preserve-unknown-fields": True,
                    },
                },
            },
        ],
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def gateway_api(kubectl: Kubectl) -> Iterator[None]:
    # Others of this cluster are tested without the Gateway API.
    kubectl("apply", "-f", "-", stdin=json.dumps(GATEWAYS))
    name = GATEWAYS["metadata"]["name"]  # type: ignore[index]
    kubectl("wait", "--for=condition=Established", f"crd/{name}", "--timeout=60s")
    yield
    kubectl("delete", "crd", name)


@pytest.fixture
def gateway(gateway_api: None, kubectl: Kubectl, site: Site) -> Iterator[str]:
    """A router behind a Gateway, whose Envoy is the one of the site's pod."""
    where = ("-n", site.namespace)
    listener = {"name": "http", "port": 80, "protocol": "HTTP"}
    reference = {"name": "public", "namespace": site.namespace}
    port = pod_ports(site.data_path.resource.spec).listener
    labels = {"gateway.networking.k8s.io/gateway-name": "public"}
    manifests: list[dict[str, Any]] = [
        {
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
            "metadata": {"name": "public"},
            "spec": {"gatewayClassName": "none", "listeners": [listener]},
        },
        {
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "public-envoy", "labels": labels},
            "spec": {
                "selector": metadata.selector(NAME), "ports": [{"port": 80, "targetPort": port}],
            },
        },
        {
            **site.data_path.resource.resource, "metadata": {"name": "behind"},
            "spec": {
                **site.data_path.resource.spec,
                "gateway": {"existingRef": reference, "extProc": True},
            },
        },
    ]  # fmt: skip
    for manifest in manifests:
        kubectl("apply", *where, "-f", "-", stdin=json.dumps(manifest))
    yield "behind"
    # Who names no router has to mean the other one.
    kubectl("delete", "semanticrouter", "behind", *where)


@pytest.fixture(scope="module")
def plugin(control_plane: ControlPlane, site: Site) -> Plugin:
    env = {**os.environ, **control_plane.env, "COLUMNS": "120"}
    env["PATH"] = f"{control_plane.kubectl.parent}:{env['PATH']}"

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(BINARIES / "kubectl-sr"), "-n", site.namespace, *arguments]
        return subprocess.run(
            command, env=env, capture_output=True, text=True, check=False, timeout=120
        )

    return run


def test_ask_tells_decision_model_backend_and_how_long_each_took(
    plugin: Plugin, site: Site
) -> None:
    before = len(site.small.calls)
    done = plugin("ask", f"What of {MATHS}?", "-o", "json")

    said = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert len(site.small.calls) == before + 1
    assert said["decision"] == MATHS
    assert said["model"] == ADAPTER
    assert said["backend"] == f"127.0.0.2:{site.small.port}"
    assert said["answer"] == "I am small"
    assert said["path"] == "upstream"
    assert 0 <= said["milliseconds"]["backend"] <= said["milliseconds"]["whole"]


def test_a_router_behind_a_gateway_is_asked_through_the_gateways_service(
    plugin: Plugin, site: Site, gateway: str
) -> None:
    before = len(site.small.calls)
    done = plugin("ask", f"What of {MATHS}?", "--router", gateway, "-o", "json")

    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert len(site.small.calls) == before + 1
    assert said["pod"] == f"public-envoy of Gateway {site.namespace}/public"
    assert (said["decision"], said["model"], said["answer"]) == (MATHS, ADAPTER, "I am small")
    assert said["backend"] == f"127.0.0.2:{site.small.port}"
    assert "unseen" not in said


def test_who_may_not_see_what_the_gateway_logs_is_told_so(
    plugin: Plugin, control_plane: ControlPlane, kubectl: Kubectl, site: Site, gateway: str
) -> None:
    where = ("-n", site.namespace)
    readable = "semanticrouters.vllm.ai,services,gateways.gateway.networking.k8s.io"
    for name, verbs, kinds in (
        ("asker", "get,list", readable),
        ("asker-pods", "get,list,create", "pods,pods/portforward"),
    ):
        kubectl("create", "role", name, f"--verb={verbs}", f"--resource={kinds}", *where)
        kubectl("create", "rolebinding", name, f"--role={name}", "--user=asker", *where)
    kubeconfig = str(control_plane.kubeconfig_for("asker"))
    done = plugin("ask", "Hello", "--router", gateway, "-o", "json", "--kubeconfig", kubeconfig)

    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert "backend" not in said
    (missing,) = said["unseen"]
    assert missing.startswith("backend: you may not read what the Envoy of Gateway")


def test_a_gateway_that_nobody_sees_a_way_into_is_an_error_with_what_to_do(
    plugin: Plugin, kubectl: Kubectl, site: Site, gateway: str
) -> None:
    label = "gateway.networking.k8s.io/gateway-name"
    kubectl("label", "service", "public-envoy", f"{label}-", "-n", site.namespace)
    try:
        done = plugin("ask", "Hello", "--router", gateway)
    finally:
        kubectl("label", "service", "public-envoy", f"{label}=public", "-n", site.namespace)
    assert done.returncode == 3
    assert f"{label}=public" in done.stderr


def test_its_log_lines_are_found_by_the_id_that_it_gives(plugin: Plugin) -> None:
    said = json.loads(plugin("ask", f"More of {MATHS}", "-o", "json").stdout)
    lines = json.loads(plugin("logs", NAME, "--request", said["request"], "-o", "json").stdout)
    (line,) = lines
    assert line["container"] == "envoy-proxy"
    assert json.loads(line["text"])["model"] == ADAPTER


def test_ask_shows_an_answer_that_no_model_gave(plugin: Plugin, site: Site) -> None:
    before = len(site.small.calls)
    done = plugin("ask", f"Is it {BLOCKED}?")
    assert done.returncode == 0, done.stderr
    assert "This is not discussed here" in done.stdout
    assert len(site.small.calls) == before


def test_ask_fails_with_the_words_of_whoever_refused(plugin: Plugin) -> None:
    done = plugin("ask", "Hello", "--model", LARGE)
    assert done.returncode == 1
    assert "HTTP 503" in done.stdout
    assert LARGE in done.stdout


def test_a_dry_run_asks_no_model(plugin: Plugin, site: Site) -> None:
    before = len(site.small.calls)
    said = json.loads(plugin("ask", f"What of {MATHS}?", "--dry-run", "-o", "json").stdout)
    assert (said["decision"], said["model"]) == (MATHS, ADAPTER)
    assert said["signals"] == {"keywords": MATHS}
    assert len(site.small.calls) == before
    assert "status" not in said


def test_routes_are_what_envoy_and_router_have_now(plugin: Plugin, site: Site) -> None:
    done = plugin("routes", NAME, "-o", "json")

    (said,) = json.loads(done.stdout)
    models = {model["name"]: model for model in said["models"]}
    # One model has no backend.
    assert done.returncode == 1
    assert models[LARGE]["hosts"] == []
    (host,) = models[SMALL]["hosts"]
    assert (host["address"], host["why"]) == (f"127.0.0.2:{site.small.port}", "")
    # By which the page knows the entry of the spec that it is of.
    assert host["name"] == "small.models.svc"
    assert MATHS in models[ADAPTER]["decisions"]
    (pod,) = said["pods"]
    assert (pod["name"], pod["config"]) == (POD, said["wanted"])
    everywhere = json.loads(plugin("routes", "-A", "-o", "json").stdout)
    assert said["name"] in [router["name"] for router in everywhere]


def test_routes_follow_a_backend_to_another_address(plugin: Plugin, site: Site) -> None:
    records = site.data_path.dns.records
    before = records["small.models.svc"]
    records["small.models.svc"] = ["127.0.0.9"]
    try:
        wait.until(lambda: "127.0.0.9:" in plugin("routes", NAME).stdout, "Envoy goes there", 60)
    finally:
        records["small.models.svc"] = before
    wait.until(lambda: "127.0.0.2:" in plugin("routes", NAME).stdout, "Envoy is back", 60)


def test_top_counts_requests_and_tokens_of_each_model(plugin: Plugin) -> None:
    def traffic() -> dict[str, float]:
        (said,) = json.loads(plugin("top", NAME, "-o", "json").stdout)
        (model,) = (item for item in said["models"] if item["name"] == ADAPTER)
        return dict(model["traffic"])

    before = traffic()
    plugin("ask", f"Of {MATHS}")
    after = traffic()
    came = {name: after[name] - before[name] for name in after}
    assert (came["requests"], came["timed"]) == (1, 1)
    assert (came["tokens_in"], came["tokens_out"]) == (7, 3)
    assert came["seconds"] > 0


def test_top_counts_the_matches_of_each_decision(plugin: Plugin) -> None:
    def matches() -> dict[str, float]:
        (said,) = json.loads(plugin("top", NAME, "-o", "json").stdout)
        return dict(said["matches"])

    before = matches()
    plugin("ask", f"Of {MATHS}")
    after = matches()
    assert {name for name in after if after[name] > before[name]} == {MATHS}
    assert after[MATHS] == before[MATHS] + 1


def test_the_page_shows_what_runs_and_leaves_no_kubectl_behind(
    control_plane: ControlPlane, site: Site
) -> None:
    env = {**os.environ, **control_plane.env}
    env["PATH"] = f"{control_plane.kubectl.parent}:{env['PATH']}"
    command = [str(BINARIES / "kubectl-sr"), "-n", site.namespace, "ui", "--no-browser"]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            process.stdout.readline()
            address = process.stdout.readline().strip()
            (listed,) = _read(f"{address}routers.json")
            assert (listed["namespace"], listed["name"]) == (site.namespace, NAME)
            seen = _read(f"{address}router.json?namespace={site.namespace}&name={NAME}")
            forwards = _children(process.pid)
            assert forwards
        finally:
            process.terminate()
            process.wait(20)
    assert not [child for child in forwards if Path(f"/proc/{child}").exists()]

    vertices = {vertex["id"]: vertex for vertex in seen["vertices"]}
    ways = {(edge["source"], edge["target"]) for edge in seen["edges"]}
    assert vertices[f"model/{SMALL}"]["state"] == "ok"
    assert vertices[f"model/{LARGE}"]["state"] == "broken"
    assert {
        ("router", f"decision/{MATHS}"),
        (f"decision/{MATHS}", f"model/{ADAPTER}"),
        (f"model/{ADAPTER}", f"address/127.0.0.2:{site.small.port}"),
    } <= ways


def _read(url: str) -> Any:
    with urlopen(url, timeout=60) as answer:
        return json.loads(answer.read())


def _children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for file in found for child in file.read_text().split()]


def test_who_may_not_forward_ports_is_told_so_and_nothing_is_claimed(
    plugin: Plugin, control_plane: ControlPlane, kubectl: Kubectl, site: Site
) -> None:
    where = ("-n", site.namespace)
    rule = ("--verb=get,list", "--resource=semanticrouters.vllm.ai,pods,configmaps")
    kubectl("create", "role", "reader", *rule, *where)
    kubectl("create", "rolebinding", "reader", "--role=reader", "--user=reader", *where)
    kubeconfig = str(control_plane.kubeconfig_for("reader"))

    done = plugin("routes", "--kubeconfig", kubeconfig)
    assert "pods/portforward" in done.stdout
    assert "nobody says" in done.stdout
    assert "no route" not in done.stdout
    asked = plugin("ask", "Hello", "--kubeconfig", kubeconfig)
    assert asked.returncode == 3
    assert "pods/portforward" in asked.stderr


def test_kubectl_carries_what_the_plugin_does_not_read_itself(
    plugin: Plugin, control_plane: ControlPlane, tmp_path: Path
) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    content = yaml.safe_load(control_plane.kubeconfig.read_text())
    user = content["users"][0]["user"]
    status = {
        "clientCertificateData": base64.b64decode(user["client-certificate-data"]).decode(),
        "clientKeyData": base64.b64decode(user["client-key-data"]).decode(),
    }
    version = "client.authentication.k8s.io/v1"
    credential = tmp_path / "credential.json"
    credential.write_text(
        json.dumps({"apiVersion": version, "kind": "ExecCredential", "status": status})
    )
    how = {"apiVersion": version, "command": "cat", "args": [str(credential)]}
    content["users"][0]["user"] = {"exec": {**how, "interactiveMode": "Never"}}
    kubeconfig.write_text(yaml.safe_dump(content))

    done = plugin("ask", "Hello", "--dry-run", "--kubeconfig", str(kubeconfig))
    assert done.returncode == 0, done.stderr
    assert SMALL in done.stdout
