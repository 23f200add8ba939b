"""The programs of a node go with those of the control plane."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from control_plane.programs import MODULE
from real_node import configuration, programs
from real_node.layout import Layout, Network


def pinned(module: str, file: Path) -> str:
    match = re.search(rf"^\s*(?:require )?{re.escape(module)} (v\S+)$", file.read_text(), re.M)
    assert match
    return match[1]


def test_kubelet_is_of_the_control_planes_version() -> None:
    kubernetes = "k8s.io/kubernetes"
    of_plane = pinned(kubernetes, MODULE / "go.mod")
    assert pinned(kubernetes, MODULE / "kubelet" / "go.mod") == of_plane


def test_every_program_that_is_started_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configuration, "enforces_policies", lambda: True)
    built = programs.Programs(Path("/cache"))
    layout = Layout(Path("/state"), built.directory, Network(0))
    started = {command[0] for command in configuration.commands(layout).values()}
    assert started <= {str(built.path(name)) for name in programs.names()}
    assert {built.path(f"cni/{name}") for name in ("bridge", "host-local", "portmap")} <= {
        built.path(name) for name in programs.names()
    }


def test_policies_are_enforced_where_the_machine_has_what_that_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    layout = Layout(Path("/state"), Path("/cache"), Network(0))
    for there in (True, False):
        monkeypatch.setattr(configuration, "enforces_policies", lambda there=there: there)
        assert ("netpol" in configuration.commands(layout)) is there


def test_a_kubelet_starts_with_either_version_of_cgroups(tmp_path: Path) -> None:
    """It refuses version 1 unless told otherwise, and asks systemd, which may not be there."""
    layout = Layout(tmp_path, Path("/cache"), Network(0))
    configuration.write(layout, Path("/ca.crt"))
    kubelet = yaml.safe_load(layout.kubelet_config.read_text())
    assert kubelet["failCgroupV1"] is False
    assert kubelet["cgroupDriver"] == "cgroupfs"
    assert kubelet["cgroupRoot"] == f"/{layout.cgroup}"
    assert "SystemdCgroup = false" in layout.containerd_config.read_text()
