"""The programs of a node go with those of the control plane."""

from __future__ import annotations

import re
from pathlib import Path

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


def test_every_program_that_is_started_is_built() -> None:
    built = programs.Programs(Path("/cache"))
    layout = Layout(Path("/state"), built.directory, Network(0))
    started = {command[0] for command in configuration.commands(layout).values()}
    assert started <= {str(built.path(name)) for name in programs.names()}
    assert {built.path(f"cni/{name}") for name in ("bridge", "host-local", "portmap")} <= {
        built.path(name) for name in programs.names()
    }
