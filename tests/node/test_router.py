"""A router with two pods on a real node: what its users and its administrators do with it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import urllib.request

import pytest
from e2e.semantic_router import SemanticRouter
from eventually import eventually
from node.cluster import GENERAL, SPECIAL, Cluster, router_spec

ROUTER, ENVOY = "semantic-router", "envoy-proxy"


def metrics(cluster: Cluster, pod: str) -> str:
    with cluster.forwarded(f"pod/{pod}", 9190) as port:
        url = f"http://127.0.0.1:{port}/metrics"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return str(answer.read().decode())


def test_an_application_chats_streams_and_calls_tools_through_the_services_name(
    cluster: Cluster, router: SemanticRouter
) -> None:
    got = json.loads(cluster.run("ask.py", cluster.url(router)))
    assert got["general"].startswith(f"{GENERAL} at {GENERAL}-")
    assert got["special"].startswith(f"{SPECIAL} at {SPECIAL}-")
    assert "one two" in got["stream"]
    # Word by word, not all at the end.
    assert got["stream_seconds"] > 0.5
    assert got["tools"] == ["get_weather"]
    assert got["models"]


def test_metrics_of_both_pods_count_the_models_requests(
    cluster: Cluster, router: SemanticRouter
) -> None:
    cluster.run("ask.py", cluster.url(router))
    counted = [metrics(cluster, pod["metadata"]["name"]) for pod in cluster.pods(router)]
    assert len(counted) == 2
    assert any(f'llm_model_requests_total{{model="{SPECIAL}"}}' in text for text in counted)


def test_logs_show_the_router_and_envoy_when_asked(
    cluster: Cluster, router: SemanticRouter
) -> None:
    target = ("logs", f"deployment/{router.name}", "-n", cluster.namespace)
    assert "startup_complete" in cluster.kubectl(*target)
    assert "all dependencies initialized" in cluster.kubectl(*target, "-c", ENVOY)


def test_the_router_serves_the_operators_configuration_and_not_the_images_example(
    cluster: Cluster, router: SemanticRouter
) -> None:
    target = ("exec", f"deployment/{router.name}", "-n", cluster.namespace, "-c", ROUTER, "--")
    command = cluster.kubectl(*target, "cat", "/proc/1/cmdline")
    assert "-config=/etc/semantic-router/config.yaml" in command.split("\0")


@pytest.mark.parametrize("tag", ["v0.3.0", "latest"])
def test_an_image_of_another_generation_serves_the_operators_configuration(
    cluster: Cluster, tag: str
) -> None:
    """Whatever its entrypoint makes of arguments and variables; the default's has all others."""
    other = SemanticRouter(cluster.kubectl, cluster.namespace)
    other.resource["metadata"]["name"] = "other-image"
    other.resource["spec"] = {**router_spec(), "replicas": 1, "image": {"tag": tag}}
    other.apply()
    cluster.wait_until_running(other)
    got = json.loads(cluster.run("ask.py", cluster.url(other)))
    assert got["general"].startswith(GENERAL)
    assert got["special"].startswith(SPECIAL)
    other.delete()
    eventually(lambda: not cluster.pods(other), 60, "its pods to go")


def test_both_routers_tell_the_operator_that_they_go_by_its_configuration(
    cluster: Cluster, router: SemanticRouter
) -> None:
    assert "2 pods go by" in router.wait_for("Converged")["message"]


def test_port_forward_leads_to_an_answer(cluster: Cluster, router: SemanticRouter) -> None:
    body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": "Hello"}]})
    with cluster.forwarded(f"service/{router.name}", 8080) as port:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/v1/chat/completions",
            body.encode(),
            {"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            assert json.load(answer)["model"] == GENERAL


def test_both_containers_run_as_nobody_in_particular_and_envoys_root_is_read_only(
    cluster: Cluster, router: SemanticRouter
) -> None:
    target = ("exec", f"deployment/{router.name}", "-n", cluster.namespace, "-c")
    for container in (ROUTER, ENVOY):
        assert cluster.kubectl(*target, container, "--", "id", "-u").strip() == "1000"
    touched = cluster.kubectl.run(*target, ENVOY, "--", "touch", "/x")
    assert "Read-only file system" in touched.stderr


def test_a_router_runs_under_any_user_with_a_root_that_is_read_only(
    cluster: Cluster, router: SemanticRouter
) -> None:
    other = SemanticRouter(cluster.kubectl, cluster.namespace)
    other.resource["metadata"]["name"] = "any-user"
    other.resource["spec"] = {
        **router.spec,
        "replicas": 1,
        "podSecurityContext": {
            "runAsNonRoot": True,
            "runAsUser": 1000720000,
            "runAsGroup": 0,
            "fsGroup": 1000720000,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
    }
    other.apply()
    cluster.wait_until_running(other)
    assert json.loads(cluster.run("ask.py", cluster.url(other)))["tools"] == ["get_weather"]
    other.delete()
    eventually(lambda: not cluster.pods(other), 60, "its pods to go")


def test_the_documents_commands_for_logs_and_metrics_show_them(
    cluster: Cluster, router: SemanticRouter
) -> None:
    """`kubectl logs -f deployment/my-router`, and curl after `port-forward svc/my-router 9190`."""
    follow = [str(cluster.kubectl.path), "logs", "-f", f"deployment/{router.name}"]
    with subprocess.Popen(
        [*follow, "-n", cluster.namespace],
        env={**os.environ, **cluster.whole.env},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        # What has been said before comes first, and then it waits for more.
        assert process.stdout is not None
        assert any("startup_complete" in line for line in process.stdout)
        assert process.poll() is None
        process.terminate()
    with cluster.forwarded(f"svc/{router.name}", 9190) as port:
        url = f"http://localhost:{port}/metrics"
        with urllib.request.urlopen(url, timeout=10) as answer:
            assert "# TYPE llm_model_requests_total counter" in answer.read().decode()


def test_describe_shows_what_a_kubelet_did(cluster: Cluster, router: SemanticRouter) -> None:
    """`kubectl describe pod`, of the document's troubleshooting."""
    (pod, *_) = cluster.pods(router)
    shown = cluster.kubectl("describe", "pod", pod["metadata"]["name"], "-n", cluster.namespace)
    assert re.search(r"Normal +Started .* kubelet ", shown), shown
