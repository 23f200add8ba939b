"""The control plane behaves like a cluster where the other tests rely on it, and cleans up."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from control_plane import ControlPlane, ControlPlaneError, Kubectl, KubectlError, audit, programs
from control_plane.process import Process
from eventually import eventually

COMPONENTS = {"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"}


def claim(storage_class: str | None = None) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "models"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "10Gi"}},
            **({"storageClassName": storage_class} if storage_class else {}),
        },
    }


def deployment() -> dict[str, Any]:
    labels = {"app": "sleeper"}
    container = {
        "name": "sleeper",
        "image": "example.invalid/sleeper",
        "volumeMounts": [{"name": "models", "mountPath": "/models"}],
    }
    volume = {"name": "models", "persistentVolumeClaim": {"claimName": "models"}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "sleeper"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [container], "volumes": [volume]},
            },
        },
    }


def config_map(name: str, **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}}


def create(kubectl: Kubectl, namespace: str, *objects: dict[str, Any]) -> None:
    kubectl("create", "-n", namespace, "--filename=-", stdin=yaml.safe_dump_all(objects))


def names(kubectl: Kubectl, *arguments: str) -> set[str]:
    return set(kubectl("get", *arguments, "--output=name").split())


def test_deployment_with_a_claim_becomes_available(kubectl: Kubectl, namespace: str) -> None:
    create(kubectl, namespace, claim(), deployment())
    kubectl("rollout", "status", "deployment/sleeper", "-n", namespace, "--timeout=30s")
    pods = json.loads(kubectl("get", "pods", "-n", namespace, "--output=json"))["items"]
    assert {pod["status"]["phase"] for pod in pods} == {"Running"}
    assert len({pod["status"]["podIP"] for pod in pods}) == 2


def test_claim_of_the_default_class_is_bound_and_its_volume_goes_with_it(
    kubectl: Kubectl, namespace: str
) -> None:
    create(kubectl, namespace, claim())
    kubectl(
        *("wait", "--for=jsonpath={.status.phase}=Bound", "pvc/models", "-n", namespace),
        "--timeout=30s",
    )
    volume = kubectl(
        *("get", "pvc/models", "-n", namespace, "--output=jsonpath={.spec.volumeName}")
    )
    assert f"persistentvolume/{volume}" in names(kubectl, "persistentvolumes")
    kubectl("delete", "pvc/models", "-n", namespace)
    eventually(
        lambda: f"persistentvolume/{volume}" not in names(kubectl, "persistentvolumes"),
        message="the released volume to be removed",
    )


def test_claim_of_a_class_with_another_provisioner_stays_pending(
    kubectl: Kubectl, namespace: str
) -> None:
    foreign = f"foreign-{namespace}"
    storage_class = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": foreign},
        "provisioner": "example.invalid/none",
    }
    create(kubectl, namespace, storage_class, claim(foreign))

    def events() -> str:
        return kubectl("get", "events", "-n", namespace, "--output=jsonpath={.items[*].reason}")

    try:
        eventually(lambda: "ExternalProvisioning" in events(), message="the controller's event")
        phase = kubectl(
            *("get", "pvc/models", "-n", namespace, "--output=jsonpath={.status.phase}")
        )
        assert phase == "Pending"
    finally:
        kubectl("delete", "storageclass", foreign)


def test_dependents_are_collected_after_their_owner(kubectl: Kubectl, namespace: str) -> None:
    create(kubectl, namespace, config_map("owner"))
    uid = kubectl(*("get", "configmap/owner", "-n", namespace, "--output=jsonpath={.metadata.uid}"))
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid}
    create(kubectl, namespace, config_map("child", ownerReferences=[reference]))
    kubectl("delete", "configmap/owner", "-n", namespace)
    eventually(
        lambda: "configmap/child" not in names(kubectl, "configmaps", "-n", namespace),
        message="the dependent to be collected",
    )


def test_dependents_of_a_custom_resource_are_collected_without_delay(
    kubectl: Kubectl, namespace: str
) -> None:
    """Holds from the start only because the plane had the CRD before its garbage collector."""
    owner = {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService"}
    create(kubectl, namespace, {**owner, "metadata": {"name": "owner"}, "spec": {}})
    uid = kubectl(
        *("get", "inferenceservice/owner", "-n", namespace, "--output=jsonpath={.metadata.uid}")
    )
    reference = {**owner, "name": "owner", "uid": uid}
    create(kubectl, namespace, config_map("child", ownerReferences=[reference]))
    kubectl("delete", "inferenceservice/owner", "-n", namespace)
    eventually(
        lambda: "configmap/child" not in names(kubectl, "configmaps", "-n", namespace),
        timeout=10,
        message="the dependent to be collected",
    )


def test_audit_log_tells_writes_from_reads_and_users_apart(
    control_plane: ControlPlane, kubectl: Kubectl, namespace: str
) -> None:
    start = control_plane.audit_log.stat().st_size
    create(kubectl, namespace, config_map("written"))
    kubectl("get", "configmap/written", "-n", namespace)

    def writes() -> list[tuple[str, str, str]]:
        return [
            (write.verb, write.resource, write.user)
            for write in audit.writes(control_plane.audit_log, start)
            if write.namespace == namespace and write.user == "admin"
        ]

    eventually(writes, message="the write to be in the audit log")
    assert writes() == [("create", "configmaps", "admin")]


def test_another_user_may_do_nothing_until_rbac_says_so(
    control_plane: ControlPlane, kubectl: Kubectl, namespace: str
) -> None:
    stranger = f"stranger-{namespace}"
    theirs = f"--kubeconfig={control_plane.kubeconfig_for(stranger)}"
    with pytest.raises(KubectlError, match=f'User "{stranger}" cannot list resource "pods"'):
        kubectl("get", "pods", "-n", namespace, theirs)
    kubectl(
        *("create", "rolebinding", "viewer", "-n", namespace),
        *("--clusterrole=view", f"--user={stranger}"),
    )
    eventually(
        lambda: kubectl.run("get", "pods", "-n", namespace, theirs).returncode == 0,
        message="the role binding to take effect",
    )


def test_two_planes_do_not_disturb_each_other(
    control_plane: ControlPlane, kubectl: Kubectl, namespace: str, tmp_path: Path
) -> None:
    with ControlPlane.start(tmp_path, audit=False) as other:
        others = Kubectl(other.kubectl, other.env)
        assert other.url != control_plane.url
        create(others, "default", config_map("only-there"))
        assert f"namespace/{namespace}" not in names(others, "namespaces")
        assert "configmap/only-there" not in names(kubectl, "configmaps", "-n", "default")
        assert set(other.processes) == COMPONENTS
    assert control_plane.ready
    assert not other.processes


def run_cli(*arguments: str) -> subprocess.CompletedProcess[str]:
    hack = str(programs.MODULE)
    return subprocess.run(
        [sys.executable, "-m", "control_plane", *arguments],
        env={**os.environ, "PYTHONPATH": hack},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_down_ends_exactly_what_up_started(control_plane: ControlPlane, tmp_path: Path) -> None:
    state = f"--state={tmp_path}"
    try:
        first = run_cli("up", state)
        assert first.returncode == 0, first.stderr
        up = ControlPlane.attach(tmp_path)
        started = up.processes
        assert set(started) == COMPONENTS
        again = run_cli("up", state)
        assert "up already" in again.stdout
        assert ControlPlane.attach(tmp_path).processes == started
        with pytest.raises(ControlPlaneError, match=r"is up in .* already"):
            ControlPlane.start(tmp_path)
        assert run_cli("status", state).returncode == 0
    finally:
        ended = run_cli("down", state)
    assert ended.returncode == 0, ended.stderr
    assert up.processes == {}
    assert control_plane.ready
    assert "nothing is running" in run_cli("down", state).stdout
    assert run_cli("status", state).returncode == 1


def test_stop_leaves_a_process_alone_that_got_the_pid_of_ours(tmp_path: Path) -> None:
    run = tmp_path / "control-plane" / "run"
    run.mkdir(parents=True)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        (run / "etcd.pid").write_text(f"{stranger.pid}\n")
        plane = ControlPlane.attach(tmp_path)
        assert plane.processes == {}
        plane.stop()
        assert stranger.poll() is None
        stranger.communicate(b"\n")
    assert stranger.returncode == 0


def test_plane_that_fails_half_way_leaves_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Process] = []
    launch = Process.start

    def recording(name: str, command: list[str], root: Path, *, detached: bool) -> Process:
        broken = [*command, "--no-such-flag"] if name == "kube-scheduler" else command
        started.append(launch(name, broken, root, detached=detached))
        return started[-1]

    monkeypatch.setattr(Process, "start", recording)
    with pytest.raises(ControlPlaneError, match=r"(?s)kube-scheduler ended.*no-such-flag"):
        ControlPlane.start(tmp_path)
    assert [process.name for process in started if process.alive] == []
    assert {"etcd", "kube-apiserver", "kube-scheduler"} <= {process.name for process in started}


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv of util-linux")
def test_plane_of_a_killed_test_run_ends_with_it(tmp_path: Path) -> None:
    program = (
        "import os, pathlib, signal, sys; from control_plane import ControlPlane;"
        "ControlPlane.start(pathlib.Path(sys.argv[1]), kubelet=False);"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(programs.MODULE)},
        timeout=120,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    left = ControlPlane.attach(tmp_path)
    recorded = {file.stem for file in (tmp_path / "control-plane" / "run").iterdir()}
    assert recorded == COMPONENTS - {"kwok"}
    eventually(lambda: not left.processes, timeout=10, message="its programs to be gone")


def test_builds_at_the_same_time_share_one_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a stand-in for the compiler, which would take minutes; every test run tries the real."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    built: list[str] = []

    def compiled(_: str, program: Path, *__: object, **___: object) -> None:
        built.append(program.name)
        program.write_text("a program")

    monkeypatch.setattr(programs, "build", compiled)
    with ThreadPoolExecutor(2) as both:
        results = list(both.map(lambda _: programs.ensure(lambda _: None), range(2)))
    assert results[0] == results[1]
    assert sorted(built) == sorted(programs.PACKAGES)
    assert all((results[0].stages / Path(stage).name).is_file() for stage in programs.KWOK_STAGES)


def test_assets_directory_of_the_user_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assets = tmp_path / "assets"
    assets.mkdir()
    for name in ("etcd", "kube-apiserver", "kubectl"):
        (assets / name).write_text("a program")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))
    found = programs.ensure(lambda _: None)
    assert (found.etcd, found.kubectl) == (assets / "etcd", assets / "kubectl")
    assert found.kwok.parent != assets


def test_missing_go_is_said_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ControlPlaneError, match=r"no `go` on PATH. Install Go 1\.26"):
        programs.ensure(lambda _: None)


def test_go_that_is_too_old_is_said_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "go"
    fake.write_text("#!/bin/sh\nprintf 'go1.21.5\\nlinux\\namd64\\n'\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ControlPlaneError, match=r"go is go1\.21\.5\. Install Go 1\.26"):
        programs.ensure(lambda _: None)
