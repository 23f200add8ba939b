"""What a real node needs of the machine, and what of it is missing here.

Nothing is installed and no kernel module loaded from here: what to do is said, word by word.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

# By Debian's and Ubuntu's names of the packages.
PACKAGES = {
    "runc": "runc",
    "iptables": "iptables",
    "nft": "nftables",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "tini": "tini",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "mount": "mount",
}
# Where administrators' programs are, which others have not on their PATH.
PATH = os.pathsep.join(
    (os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin")
)
_CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_SYS_ADMIN": 21}
_BRIDGE_FILTER = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
_NAMESPACES = ("unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc", "true")


def program(name: str) -> str:
    """Its path; whoever asks has asked `missing` before."""
    return shutil.which(name, path=PATH) or name


def missing(state_dir: Path) -> list[str]:
    """Sentences, each with its remedy; [] where a node can run."""
    if not sys.platform.startswith("linux"):
        return [f"A node needs Linux, and this is {sys.platform}."]
    if os.geteuid() != 0:
        return ["A node needs root, for namespaces, mounts and cgroups of its own: use sudo."]
    found = [
        *_lacks_capabilities(Path("/proc/self/status").read_text()),
        *_lacks_programs({name: shutil.which(name, path=PATH) for name in PACKAGES}),
        *_lacks_file_systems(Path("/proc/filesystems").read_text(), _file_system(state_dir)),
    ]
    return found or [*_lacks_namespaces(), *_lacks_bridge_filter()]


def _lacks_capabilities(status: str) -> Iterable[str]:
    line = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    effective = int(line.split()[1], 16)
    lacking = [name for name, bit in _CAPABILITIES.items() if not effective >> bit & 1]
    if lacking:
        yield (
            f"This root has no {' and no '.join(lacking)}, as in a container that is not "
            "privileged: run it on the machine, or in a privileged container."
        )


def _lacks_programs(found: Mapping[str, str | None]) -> Iterable[str]:
    lacking = [name for name, path in found.items() if path is None]
    if lacking:
        packages = " ".join(dict.fromkeys(PACKAGES[name] for name in lacking))
        yield (
            f"There is no {', no '.join(lacking)} on PATH. On Debian or Ubuntu: "
            f"apt-get install --no-install-recommends {packages}"
        )


def _lacks_file_systems(known: str, of_state: str) -> Iterable[str]:
    if "\toverlay\n" not in known:
        yield "The kernel has no overlay file system (now): modprobe overlay"
    if of_state == "overlay":
        yield (
            "The state directory is on an overlay file system, where containers cannot have "
            "theirs: choose one on a disk, by TMPDIR or --state."
        )


def _lacks_namespaces() -> Iterable[str]:
    answer = subprocess.run(_NAMESPACES, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        yield f"No namespaces are given here: {answer.stderr.strip() or 'unshare failed'}"


def _lacks_bridge_filter() -> Iterable[str]:
    if not _BRIDGE_FILTER.exists():
        yield (
            "Services are out of reach for pods of the same node while bridges are not filtered: "
            "modprobe br_netfilter"
        )


def _file_system(directory: Path) -> str:
    """The type of the file system that a directory is on, or will be."""
    existing = next(path for path in (directory, *directory.parents) if path.exists())
    command = ("stat", "--file-system", "--format=%T", str(existing))
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return {"overlayfs": "overlay"}.get(answer.stdout.strip(), answer.stdout.strip())
