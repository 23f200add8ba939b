"""A ground whose operator has the fault proxy before it, and what is right and honest there."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from control_plane import ControlPlane

from torture.fault_proxy import FaultProxy
from torture.ground import EMBEDDED, Ground, Manifest, Operator, router

BINDINGS = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
BINDING = "semantic-router-operator-manager-rolebinding"
ROOM = "4m"
# Read by the operator in place of its library: its time of day is what a campaign says.
CLOCK = Path(__file__).parent / "clock"


class ProxiedGround(Ground):
    """The operator talks to the proxy, which passes on as the operator's ServiceAccount."""

    def __init__(self, plane: ControlPlane, directory: Path, engine: str) -> None:
        super().__init__(plane, directory)
        self.proxy = FaultProxy(Path(self.environment["KUBECONFIG"]), directory / "proxy")
        by_proxy = str(self.proxy.kubeconfig)
        self.environment |= {"KUBECONFIG": by_proxy, "K8S_AUTH_KUBECONFIG": by_proxy}
        self.operator = Operator(directory / "operator", self.environment, engine)
        self.runs = self.operator.directory / "runs"
        self.clock = directory / "clock"
        self.set_clock(0)
        if engine == EMBEDDED:
            of_its_own = {"PYTHONPATH": str(CLOCK), "TORTURE_CLOCK": str(self.clock)}
            self.operator.environment |= of_its_own

    def set_clock(self, seconds: float) -> None:
        """How far the operator's is ahead, if it has been started with one of its own."""
        self.clock.write_text(f"{seconds:.0f}")

    def give_rights(self, binding: Manifest) -> None:
        kept = {name: binding["metadata"][name] for name in ("name", "labels")}
        self.api("POST", BINDINGS, {**binding, "metadata": kept})

    def take_rights(self) -> Manifest:
        """All but that to be the leader; what gives them back."""
        path = f"{BINDINGS}/{BINDING}"
        binding: Manifest = self.api("GET", path)
        self.api("DELETE", path)
        return binding


@contextmanager
def proxied_ground(plane: ControlPlane, engine: str = EMBEDDED) -> Iterator[ProxiedGround]:
    """No operator is started; the one that was, and all routers, are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="torture-") as name:
        made = ProxiedGround(plane, Path(name), engine)
        with made.proxy.running():
            try:
                yield made
            finally:
                made.operator.kill()
                made.tidy()


@contextmanager
def small_disk(directory: Path) -> Iterator[bool]:
    """A file system of its own in `directory`; False where that may not be had."""
    directory.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "torture", str(directory)]
    made = os.geteuid() == 0 and not subprocess.run(mount, capture_output=True).returncode
    try:
        yield made
    finally:
        if made:
            subprocess.run(["umount", "--lazy", str(directory)], check=False)


def wanted(name: str, number: int) -> Manifest:
    """A router that differs from that of any other number, in several objects."""
    made = router(name, {"replicas": number % 3 + 1, "podAnnotations": {"torture": f"n{number}"}})
    made["spec"]["vllmEndpoints"][0]["model"] = f"model-{number}"
    host = {"host": f"{name}.example.com", "paths": [{"path": "/", "pathType": "Prefix"}]}
    made["spec"]["ingress"] = {"enabled": number % 2 == 1, "hosts": [host]}
    return made


def generation_told(ground: Ground, namespace: str, name: str) -> tuple[bool, str]:
    """Whether the status says Ready of this very generation; and what it says."""
    live = ground.api.find(ground.router_path(namespace, name)) or {"metadata": {}}
    status = live.get("status") or {}
    current = status.get("observedGeneration") == live["metadata"].get("generation", 0)
    ready = next(
        (item for item in status.get("conditions", []) if item["type"] == "Ready"),
        {"status": "Unknown"},
    )
    problems = [
        f"{item['type']}={item['status']} {item.get('reason')}: {item.get('message', '')}"
        for item in status.get("conditions", [])
    ]
    told = f"generation {live['metadata'].get('generation')}, observed " + json.dumps(
        [status.get("observedGeneration"), status.get("phase"), *problems]
    )
    return current and ready["status"] == "True" and status.get("phase") == "Running", told


def differs(ground: Ground, namespace: str, name: str, number: int) -> list[str]:
    """What the cluster lacks of `wanted(name, number)`; read by an administrator."""
    asked = wanted(name, number)["spec"]

    def read(path: str) -> dict[str, Any]:
        found: dict[str, Any] = ground.api.find(path.format(namespace)) or {}
        return found

    deployment = read(f"/apis/apps/v1/namespaces/{{}}/deployments/{name}").get("spec", {})
    template = deployment.get("template", {}).get("metadata", {}).get("annotations", {})
    config = read(f"/api/v1/namespaces/{{}}/configmaps/{name}-config").get("data", {})
    ingress = read(f"/apis/networking.k8s.io/v1/namespaces/{{}}/ingresses/{name}")
    found = {
        "Service": bool(read(f"/api/v1/namespaces/{{}}/services/{name}")),
        "replicas": deployment.get("replicas") == asked["replicas"],
        "template": template.get("torture") == asked["podAnnotations"]["torture"],
        "config.yaml": f"model-{number}" in config.get("config.yaml", ""),
        "Ingress": bool(ingress) == asked["ingress"]["enabled"],
    }
    return [what for what, is_right in found.items() if not is_right]
