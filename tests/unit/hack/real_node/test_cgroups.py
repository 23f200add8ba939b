"""The cgroup of a node, in both versions; directories stand for the kernel's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from real_node import cgroups
from real_node.errors import NodeError


def test_version_2_gives_its_controllers_to_the_nodes_group(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory pids rdma\n")
    (tmp_path / "node").mkdir()
    (tmp_path / "node" / "cgroup.controllers").write_text("cpu memory\n")
    (tmp_path / "node" / "cpu.weight").write_text("100\n")
    cgroups.create("node", tmp_path)
    assert (tmp_path / "node" / "cpu.weight").read_text() == "1600"
    given = (tmp_path / "cgroup.subtree_control").read_text()
    assert given.split() == ["+cpu", "+cpuset", "+memory", "+pids", "+io"]
    assert (tmp_path / "node" / "cgroup.subtree_control").read_text() == "+cpu +memory"


def test_version_1_has_the_group_in_each_hierarchy_with_processors(tmp_path: Path) -> None:
    for name in ("cpu", "cpuset", "memory", "unified"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "cgroup.procs").touch()
    (tmp_path / "cpuset" / "cpuset.cpus").write_text("0-1\n")
    (tmp_path / "unified" / "cgroup.controllers").touch()
    (tmp_path / "other").mkdir()
    (tmp_path / "cpu" / "node").mkdir()
    (tmp_path / "cpu" / "node" / "cpu.shares").write_text("1024\n")
    cgroups.create("node", tmp_path)
    assert (tmp_path / "cpu" / "node" / "cpu.shares").read_text() == "16384"
    assert not (tmp_path / "memory" / "node" / "cpu.shares").exists()
    assert (tmp_path / "cpuset" / "node" / "cpuset.cpus").read_text() == "0-1\n"
    assert (tmp_path / "memory" / "node").is_dir()
    assert not (tmp_path / "unified" / "node").exists()
    assert not (tmp_path / "other" / "node").exists()


@pytest.mark.parametrize("version", [1, 2])
def test_a_name_is_one_nodes_until_all_of_it_is_removed(
    version: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if version == 2:
        (tmp_path / "cgroup.controllers").write_text("memory\n")
    for name in ("cpu", "memory") if version == 1 else ():
        (tmp_path / name).mkdir()
        (tmp_path / name / "cgroup.procs").touch()
    assert cgroups.claim("node", tmp_path)
    assert not cgroups.claim("node", tmp_path)
    removed = []
    rmdir = Path.rmdir

    def remove(path: Path) -> None:
        rmdir(path)
        # Whoever has it from here on must find nothing that goes on being removed.
        removed.append(cgroups.claim("node", tmp_path))

    if version == 1:
        cgroups.create("node", tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "rmdir", remove)
        patched.setattr(cgroups, "REMOVAL_SECONDS", 0.0)
        with pytest.raises(NodeError):
            cgroups.remove("node", tmp_path)
    assert removed[: version % 2 + 1] == ([False, True] if version == 1 else [True])


def test_all_below_the_group_is_removed_and_nothing_beside(tmp_path: Path) -> None:
    (tmp_path / "memory" / "node" / "kubepods" / "pod").mkdir(parents=True)
    (tmp_path / "memory" / "kubepods").mkdir()
    (tmp_path / "memory" / "cgroup.procs").touch()
    # Of runc's making, where both versions are.
    (tmp_path / "unified" / "node").mkdir(parents=True)
    for name in ("cgroup.procs", "cgroup.controllers"):
        (tmp_path / "unified" / name).touch()
    cgroups.remove("node", tmp_path)
    assert not (tmp_path / "unified" / "node").exists()
    assert {path.name for path in (tmp_path / "memory").iterdir()} == {"cgroup.procs", "kubepods"}


def test_a_process_that_does_not_end_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(cgroups, "REMOVAL_SECONDS", 0.0)
    (tmp_path / "memory" / "node").mkdir(parents=True)
    (tmp_path / "memory" / "cgroup.procs").touch()
    # The kernel refuses such a group; a file does the same to a directory.
    (tmp_path / "memory" / "node" / "busy").touch()
    with pytest.raises(NodeError, match="Processes of the node are left"):
        cgroups.remove("node", tmp_path)


def test_a_machine_that_gives_no_group_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("memory\n")
    (tmp_path / "node").touch()
    with pytest.raises(NodeError, match="--cgroupns=host"):
        cgroups.create("node", tmp_path)


@pytest.mark.parametrize("do", [cgroups.claim, cgroups.create])
def test_a_machine_without_cgroups_is_told_so(
    do: Callable[[str, Path], object], tmp_path: Path
) -> None:
    with pytest.raises(NodeError, match="no hierarchy of either version is mounted"):
        do("node", tmp_path)
