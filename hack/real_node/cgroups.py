"""The cgroup of one node, below which are those of its pods: made before it, removed after it.

A node of its own name in every hierarchy, so that another kubelet of the machine is not touched.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from real_node.errors import NodeError

ROOT = Path("/sys/fs/cgroup")
REMOVAL_SECONDS = 10.0
# In either version: that of sixteen processes of the machine's.
_WEIGHTS = {"cpu.shares": "16384", "cpu.weight": "1600"}
# What a kubelet limits, and asks usage of.
_CONTROLLERS = ("cpu", "cpuset", "memory", "pids", "io", "hugetlb")


def claim(name: str, root: Path = ROOT) -> bool:
    """Whether this name is the caller's from now on, until it is removed; somebody may have it."""
    with _told(root):
        try:
            (_limiting(root)[0] / name).mkdir()
        except FileExistsError:
            return False
    return True


def create(name: str, root: Path = ROOT) -> None:
    """In the one hierarchy of version 2, or in each of version 1."""
    with _told(root):
        if _is_version_2(root):
            _delegate(root)
        for hierarchy in _limiting(root):
            (hierarchy / name).mkdir(exist_ok=True)
            if _is_version_2(root):
                _delegate(hierarchy / name)
            else:
                _inherit_processors(hierarchy, hierarchy / name)
            _weigh(hierarchy / name)


def remove(name: str, root: Path = ROOT) -> None:
    """With all below, once their processes have ended: they are on their way when this starts."""
    deadline = time.monotonic() + REMOVAL_SECONDS
    # The claim goes last: who has it next must find none of the others.
    for hierarchy in reversed([root] if _is_version_2(root) else _hierarchies(root)):
        top = hierarchy / name
        while top.is_dir():
            for directory in sorted(_below(top), key=lambda path: -len(path.parts)):
                with contextlib.suppress(OSError):
                    directory.rmdir()
            if top.is_dir() and time.monotonic() > deadline:
                raise NodeError(f"Processes of the node are left in {top}.")
            time.sleep(0.05)


@contextlib.contextmanager
def _told(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise NodeError(
            f"A node needs cgroups of its own below {root}, and there are none for it: {error}. "
            "In a container it takes one with the machine's cgroup namespace (--cgroupns=host)."
        ) from error


def _limiting(root: Path) -> list[Path]:
    """The one of version 2, or those of version 1.

    One of version 2 beside them has no controllers; runc makes a group there itself.
    """
    if _is_version_2(root):
        return [root]
    found = [path for path in _hierarchies(root) if not _is_version_2(path)]
    if not found:
        raise FileNotFoundError("no hierarchy of either version is mounted there")
    return found


def _is_version_2(root: Path) -> bool:
    return (root / "cgroup.controllers").exists()


def _hierarchies(root: Path) -> list[Path]:
    """Of version 1, and then one of version 2 beside them; several names may be links to one."""
    found = {path.resolve() for path in root.iterdir() if (path / "cgroup.procs").exists()}
    return sorted(found, key=lambda path: (_is_version_2(path), path))


def _delegate(directory: Path) -> None:
    offered = (directory / "cgroup.controllers").read_text().split()
    wanted = " ".join(f"+{name}" for name in _CONTROLLERS if name in offered)
    (directory / "cgroup.subtree_control").write_text(wanted)


def _inherit_processors(parent: Path, child: Path) -> None:
    """Of version 1: a new group has no processors, and takes no process until it has."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        if (parent / name).exists():
            (child / name).write_text((parent / name).read_text())


def _weigh(directory: Path) -> None:
    """A group weighs as much as one process beside it, however many pods are in it: not here."""
    for name, weight in _WEIGHTS.items():
        if (directory / name).exists():
            (directory / name).write_text(weight)


def _below(directory: Path) -> Iterator[Path]:
    yield directory
    for path in directory.rglob("*"):
        if path.is_dir():
            yield path
