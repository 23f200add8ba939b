"""What runs in the cluster beside the operator: model servers, routers, clients."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import clusters
import yaml
from control_plane import Kubectl
from e2e.semantic_router import SemanticRouter
from eventually import eventually
from real_node import images

HERE = Path(__file__).parent
OPERATOR = "semantic-router-operator-controller-manager"
# Prompts with this word are for the second model, all others for the first.
WORD = "maths"
GENERAL, SPECIAL = "general-model", "maths-model"
CLIENT = "client"
SMALL = {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}}
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "seccompProfile": {"type": "RuntimeDefault"},
}
RUNNING_SECONDS = 150.0


def router_spec() -> dict[str, Any]:
    """Two models behind one router of two pods; small, and quick to say that it is ready."""
    decision = {
        "name": WORD,
        "priority": 1,
        "rules": {"operator": "OR", "conditions": [{"type": "keyword", "name": WORD}]},
        "modelRefs": [{"model": SPECIAL, "use_reasoning": False}],
    }
    keywords = [{"name": WORD, "operator": "OR", "keywords": [WORD]}]
    return {
        "replicas": 2,
        "persistence": {"enabled": False},
        "resources": SMALL,
        "envoy": {"resources": SMALL},
        "startupProbe": {"periodSeconds": 1},
        "readinessProbe": {"initialDelaySeconds": 0, "periodSeconds": 1},
        "vllmEndpoints": [
            {
                "name": model,
                "model": model,
                "backend": {"type": "service", "service": {"name": model, "port": 8000}},
            }
            for model in (GENERAL, SPECIAL)
        ],
        "config": {
            "routing": {"signals": {"keywords": keywords}},
            "decisions": [decision],
        },
    }


@dataclass(frozen=True)
class Cluster:
    """A namespace of the cluster that all tests of this folder have."""

    whole: clusters.Cluster
    kubectl: Kubectl
    namespace: str

    def apply(self, *objects: dict[str, Any]) -> None:
        self.kubectl(
            "apply", "--server-side", "-n", self.namespace, "-f", "-",
            stdin=yaml.safe_dump_all(objects),
        )  # fmt: skip

    def start_others(self) -> None:
        models = (item for name in (GENERAL, SPECIAL) for item in _model(name))
        self.apply(client(), *models)
        for name in (GENERAL, SPECIAL):
            wanted = ("rollout", "status", f"deployment/{name}", "-n", self.namespace)
            self.kubectl(*wanted, "--timeout=90s", timeout=100)
        ready = ("wait", f"pod/{CLIENT}", "--for=condition=Ready", "-n", self.namespace)
        self.kubectl(*ready, "--timeout=90s", timeout=100)

    def wait_until_running(self, router: SemanticRouter) -> None:
        """All pods are of the newest template and ready, and the status says so."""

        def is_running() -> bool:
            found = router.get()
            status = found.get("status", {})
            assert status.get("observedGeneration") == found["metadata"]["generation"], status
            assert status.get("phase") == "Running", status
            return True

        eventually(is_running, RUNNING_SECONDS, f"{router.name} to be Running")
        command = ("rollout", "status", f"deployment/{router.name}", "-n", self.namespace)
        self.kubectl(*command, "--timeout=150s", timeout=170)

    def pods(self, router: SemanticRouter) -> list[dict[str, Any]]:
        """Those that are not on their way out."""
        selector = f"app.kubernetes.io/instance={router.name}"
        found = json.loads(
            self.kubectl("get", "pods", "-l", selector, "-n", self.namespace, "-o", "json")
        )
        return [pod for pod in found["items"] if "deletionTimestamp" not in pod["metadata"]]

    def open_nodes(self) -> list[str]:
        """Those that are Ready and take any pod."""
        found = json.loads(self.kubectl("get", "nodes", "-o", "json"))["items"]
        ready = {"type": "Ready", "status": "True"}
        return sorted(
            node["metadata"]["name"]
            for node in found
            if any(ready.items() <= each.items() for each in node["status"].get("conditions", []))
            and not node["spec"].get("unschedulable")
            and not node["spec"].get("taints")
        )

    def url(self, router: SemanticRouter, port: int = 8080) -> str:
        """By the name of its Service."""
        return f"http://{router.name}.{self.namespace}.svc.cluster.local:{port}"

    def run(self, script: str, *arguments: str, timeout: float = 60) -> str:
        """A program of this folder, as an application in the cluster."""
        done = subprocess.run(
            self._command(script, *arguments),
            env={**os.environ, **self.whole.env},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @contextmanager
    def load(self, router: SemanticRouter, *options: str) -> Iterator[dict[str, Any]]:
        """Clients of the router, as long as the block; what they got is in the result then."""
        stop = f"/tmp/{uuid.uuid4().hex}"  # noqa: S108 the pod's
        started = subprocess.Popen(
            self._command("load.py", self.url(router), stop, WORD, *options),
            env={**os.environ, **self.whole.env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        seen: dict[str, Any] = {}
        try:
            yield seen
        finally:
            try:
                self.kubectl("exec", f"pod/{CLIENT}", "-n", self.namespace, "--", "touch", stop)
                output, _ = started.communicate(timeout=60)
            finally:
                started.kill()
        assert started.returncode == 0, output
        seen.update(json.loads(output.splitlines()[-1]))
        if seen["failures"]:
            # No client knows which pod it asked; these know which were ended or probed in vain.
            columns = "custom-columns=:lastTimestamp,:reason,:involvedObject.name,:message"
            seen["events"] = self.kubectl(
                "get", "events", "-n", self.namespace, "--sort-by=.lastTimestamp", "-o", columns
            ).splitlines()

    @contextmanager
    def forwarded(self, target: str, port: int, namespace: str = "") -> Iterator[int]:
        """A port of this machine that leads to that port of a Service or a pod."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            local = probe.getsockname()[1]
        command = [str(self.kubectl.path), "port-forward", target, f"{local}:{port}"]
        command += ["-n", namespace or self.namespace]
        environment = {**os.environ, **self.whole.env}
        with subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            assert process.stdout is not None
            line = process.stdout.readline()
            try:
                assert "Forwarding from" in line, line
                yield local
            finally:
                process.terminate()

    def _command(self, script: str, *arguments: str) -> list[str]:
        where = ("exec", f"pod/{CLIENT}", "-n", self.namespace)
        program = ("python3", "-c", (HERE / script).read_text(), *arguments)
        return [str(self.kubectl.path), *where, "--", *program]


def client() -> dict[str, Any]:
    """An application in the cluster, which does what it is told by `exec`."""
    container = {
        "name": "client",
        "image": images.CLIENT,
        "imagePullPolicy": "Never",
        "resources": SMALL,
        "securityContext": RESTRICTED,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": CLIENT},
        "spec": {
            "containers": [container],
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
        },
    }


def model_container(name: str) -> dict[str, Any]:
    """A server of this model on port 8000."""
    return {
        "name": "model",
        "image": images.MODEL,
        "imagePullPolicy": "Never",
        "args": ["8000", name],
        "resources": SMALL,
        "securityContext": RESTRICTED,
    }


def _model(name: str) -> list[dict[str, Any]]:
    """A model server that has `name`, as its owners would have deployed it."""
    labels = {"app": name}
    probe = {"httpGet": {"path": "/health", "port": 8000}, "periodSeconds": 1}
    container = {**model_container(name), "readinessProbe": probe}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [container], "automountServiceAccountToken": False},
            },
        },
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": labels, "ports": [{"name": "http", "port": 8000}]},
    }
    return [deployment, service]
