"""Finds the programs of a real node, and builds those that are missing.

They are kept beside the control plane's, keyed by everything that decides what a build yields.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from control_plane import ControlPlaneError
from control_plane.modules import module_directory
from control_plane.programs import (
    BUILD_FLAGS,
    MODULE,
    Progress,
    build,
    cache_root,
    estimating,
    file_lock,
    go_version,
    version_flags,
)

from real_node.prerequisites import existing, gib

_CONTAINERD = ("containerd", "github.com/containerd/containerd/v2")
_CNI = ("cni", "github.com/containernetworking/plugins")
# Compiled by their own go.mod, from the module's files.
_OTHERS = {
    "containerd": (_CONTAINERD, "./cmd/containerd"),
    "containerd-shim-runc-v2": (_CONTAINERD, "./cmd/containerd-shim-runc-v2"),
    "ctr": (_CONTAINERD, "./cmd/ctr"),
    "cni/bridge": (_CNI, "./plugins/main/bridge"),
    "cni/loopback": (_CNI, "./plugins/main/loopback"),
    "cni/host-local": (_CNI, "./plugins/ipam/host-local"),
    "cni/portmap": (_CNI, "./plugins/meta/portmap"),
}
# Compiled in a module of this directory.
_OURS = {
    "pause": (MODULE, "./pause"),
    "coredns": (MODULE / "coredns", "."),
    "netpol": (MODULE / "netpol", "."),
    "kubelet": (MODULE / "kubelet", "k8s.io/kubernetes/cmd/kubelet"),
    "kube-proxy": (MODULE / "kubelet", "k8s.io/kubernetes/cmd/kube-proxy"),
}
# What each takes on two cores, when the control plane has been built and nothing else of this has.
_SECONDS = {"containerd": 90, "coredns": 90, "kubelet": 70, "kube-proxy": 45, "netpol": 50}
_QUICK = 5
# The programs that debug and profile btrfs, zfs and devmapper volumes are a third of containerd.
_TAGS = "no_btrfs no_zfs no_devmapper no_tracing"
# The programs, and what the compiler keeps of them and of the modules.
BUILD_BYTES = 6 * 2**30
_SOURCES = (
    *(f"{name}/go.sum" for name in ("containerd", "cni", "coredns", "kubelet", "netpol")),
    *(f"{name}/main.go" for name in ("coredns", "netpol", "pause")),
)


@dataclass(frozen=True)
class Programs:
    """One directory with all of them, the network plugins in `cni`."""

    directory: Path

    @property
    def cni(self) -> Path:
        return self.directory / "cni"

    def path(self, name: str) -> Path:
        return self.directory / name


def names() -> Iterator[str]:
    yield from _OTHERS
    yield from _OURS


def are_built() -> bool:
    """False, too, where there is no Go: by its version the cache goes."""
    try:
        return not _missing(Programs(_cache_directory()))
    except ControlPlaneError:
        return False


def missing_for_a_build() -> list[str]:
    """Sentences; [] where all programs are there, or can be built."""
    try:
        found = Programs(_cache_directory())
    except ControlPlaneError as error:
        return [str(error)]
    directory = existing(found.directory)
    free = shutil.disk_usage(directory).free
    if _missing(found) and free < BUILD_BYTES:
        return [
            f"{gib(BUILD_BYTES)} of disk are needed for a build, and {gib(free)} are free at "
            f"{directory}: make room."
        ]
    return []


def ensure(progress: Progress) -> Programs:
    """All of them; six minutes once on two cores, when the control plane has been built before."""
    found = Programs(_cache_directory())
    if not _missing(found):
        return found
    found.cni.mkdir(parents=True, exist_ok=True)
    waiting = "another build is under way: waiting"
    with file_lock(found.directory / ".lock", lambda: progress(waiting)):
        missing = _missing(found)
        if missing:
            progress(
                f"building {len(missing)} programs of a node into {found.directory} "
                "(once; about six minutes on two cores)"
            )
        for number, name in enumerate(missing, start=1):
            later = sum(_SECONDS.get(each, _QUICK) for each in missing[number:])
            label = f"[{number}/{len(missing)}] {name}"
            _build(name, found.path(name), label, later, progress)
    return found


def _missing(found: Programs) -> list[str]:
    return [name for name in names() if not found.path(name).is_file()]


def _build(name: str, program: Path, label: str, later: float, progress: Progress) -> None:
    said = estimating(progress, label, _SECONDS.get(name, _QUICK), later)
    started = time.monotonic()
    if name in _OTHERS:
        (pins, module), package = _OTHERS[name]
        directory = module_directory(module, MODULE / pins)
        build(package, program, said, directory, tags=_TAGS)
    else:
        directory, package = _OURS[name]
        build(package, program, said, directory, linker_flags=version_flags())
    said(f"built in {time.monotonic() - started:.1f} s")


def _cache_directory() -> Path:
    digest = hashlib.sha256()
    for source in _SOURCES:
        digest.update((MODULE / source).read_bytes())
    for text in (*names(), *BUILD_FLAGS, _TAGS, go_version()):
        digest.update(text.encode())
    return cache_root() / "real-node" / digest.hexdigest()[:16]
