"""What a real node needs of the machine, and what of it is missing here.

Nothing is installed and no kernel module loaded from here: what to do is said, word by word.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from real_node import cgroups
from real_node.errors import NodeError

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
# Without it there is a node, but nobody enforces NetworkPolicies.
POLICY_PROGRAM = "ipset"
# Where administrators' programs are, which others have not on their PATH.
PATH = os.pathsep.join(
    (os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin")
)
_CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_SYS_ADMIN": 21}
_BRIDGE_FILTER = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
_NAMESPACES = ("unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc")
_IN_NAMESPACES = ("--kill-child=KILL", "--propagation=private")
# containerd's store of the images, and the archives that it is filled from.
FREE_BYTES = 4 * 2**30
# kubelet, containerd and control plane, with the pods of the tests beside them.
MEMORY_BYTES = 3 * 2**30
REHEARSAL_SECONDS = 60
# Each deed of a node that a machine may forbid, whatever its capabilities say. A name goes before
# each, so that what is said last is what failed.
_REHEARSAL = """\
exec 2>&1; set -e
step() { echo "$1"; shift; "$@"; }
step "mounts that are shared" mount --make-rshared /
step "a tmpfs" mount -t tmpfs rehearsal /run
mkdir "$1/lower" "$1/upper" "$1/work" "$1/merged"
layers="lowerdir=$1/lower,upperdir=$1/upper,workdir=$1/work"
step "an overlay in the state directory" mount -t overlay -o "$layers" overlay "$1/merged"
step "loopback" ip link set lo up
step "a bridge" ip link add cni0 type bridge
step "a pair of interfaces" ip link add one type veth peer name two
step "an interface on the bridge" ip link set one master cni0
step "forwarding" sh -c "echo 1 > /proc/sys/net/ipv4/ip_forward"
step "filters of bridges" sh -c "echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables"
step "masquerading by nftables" nft -f - <<< "table ip rehearsal { chain c {
  type nat hook postrouting priority 100; ct state new masquerade; }; }"
step "masquerading by iptables" iptables -t nat -A POSTROUTING -s 10.244.0.0/24 -j MASQUERADE
mkdir "$1/bundle" "$1/bundle/root"; cd "$1/bundle"; echo "$2" > config.json
mount --bind / root
step "a container" runc --root "$1/runc" run "$3"
"""


def program(name: str) -> str:
    """Its path; whoever asks has asked `missing` before."""
    return shutil.which(name, path=PATH) or name


def enforces_policies() -> bool:
    return shutil.which(POLICY_PROGRAM, path=PATH) is not None


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
    return (
        found
        or [*_lacks_namespaces(), *_lacks_bridge_filter(), *_lacks_space(state_dir)]
        or [*_fails_rehearsal(state_dir)]
    )


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
    answer = subprocess.run([*_NAMESPACES, "true"], capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        yield f"No namespaces are given here: {answer.stderr.strip() or 'unshare failed'}"


def _lacks_bridge_filter() -> Iterable[str]:
    if not _BRIDGE_FILTER.exists():
        yield (
            "Services are out of reach for pods of the same node while bridges are not filtered: "
            "modprobe br_netfilter"
        )


def _lacks_space(state_dir: Path) -> Iterable[str]:
    free = shutil.disk_usage(existing(state_dir)).free
    if free < FREE_BYTES:
        yield (
            f"{gib(FREE_BYTES)} of disk are needed for images, and {gib(free)} are free at "
            f"{existing(state_dir)}: make room, or choose another place by TMPDIR or --state."
        )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if memory < MEMORY_BYTES:
        yield f"{gib(MEMORY_BYTES)} of memory are needed, and this machine has {gib(memory)}."


def gib(number: int) -> str:
    return f"{number / 2**30:.1f} GiB"


def _fails_rehearsal(state_dir: Path) -> Iterable[str]:
    """Everything of a node at once, in namespaces that end with it, before minutes go by."""
    directory = Path(tempfile.mkdtemp(prefix="rehearsal-", dir=existing(state_dir)))
    name = f"semantic-router-{directory.name}"
    script = ["bash", "-c", _REHEARSAL, "bash", str(directory), json.dumps(_container(name)), name]
    command = [*_NAMESPACES, *_IN_NAMESPACES, *script]
    try:
        cgroups.create(name)
        answer = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=REHEARSAL_SECONDS,
            env={**os.environ, "PATH": PATH},
        )
        if answer.returncode != 0:
            said = answer.stdout.strip().splitlines()[-3:]
            yield f"A rehearsal of what a node does failed here: {': '.join(said)}"
    except subprocess.TimeoutExpired:
        yield f"A rehearsal of what a node does did not end in {REHEARSAL_SECONDS} s."
    except NodeError as error:
        yield str(error)
    finally:
        # What could not be made cannot be removed, and has been told.
        with contextlib.suppress(OSError, NodeError):
            cgroups.remove(name)
        shutil.rmtree(directory, ignore_errors=True)


def _container(name: str) -> dict[str, Any]:
    """As little as runc takes, over this machine's own root, which it may not write to."""
    kinds = ("pid", "mount", "ipc", "uts", "network")
    return {
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": 0, "gid": 0},
            "args": ["true"],
            "env": [f"PATH={PATH}"],
            "cwd": "/",
            "noNewPrivileges": True,
        },
        "root": {"path": "root", "readonly": True},
        "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
        "linux": {
            "namespaces": [{"type": kind} for kind in kinds],
            "cgroupsPath": f"/{name}/container",
            "resources": {"memory": {"limit": 64 * 2**20}, "cpu": {"quota": 50000}},
        },
    }


def existing(directory: Path) -> Path:
    return next(path for path in (directory, *directory.parents) if path.exists())


def _file_system(directory: Path) -> str:
    """The type of the file system that a directory is on, or will be."""
    command = ("stat", "--file-system", "--format=%T", str(existing(directory)))
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return {"overlayfs": "overlay"}.get(answer.stdout.strip(), answer.stdout.strip())
