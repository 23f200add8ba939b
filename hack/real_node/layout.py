"""Where everything of one node is: below one directory, and in its own namespaces."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

NAME = "real-node"
INTERFACE = "eth0"
DNS_ADDRESS = "10.96.0.10"
PODS = "10.244.0.0/24"
# Only the node's own mount namespace has these.
CONTAINERD_STATE = Path("/run/containerd")
SOCKET = CONTAINERD_STATE / "containerd.sock"
# Programs of a node write to these whatever they are told. In its namespace they are empty.
HIDDEN = (Path("/run"), Path("/var/lib"), Path("/var/log"))


@dataclass(frozen=True)
class Network:
    """The two ends of the cable between the machine and the node."""

    number: int

    @property
    def machine(self) -> str:
        return f"198.18.{self.number}.1"

    @property
    def node(self) -> str:
        return f"198.18.{self.number}.2"

    @property
    def cable(self) -> str:
        """The machine's end."""
        return f"srnode{self.number}"


@dataclass(frozen=True)
class Layout:
    """root: the directory; programs: where they are, network plugins in `cni`."""

    root: Path
    programs: Path
    network: Network

    @property
    def cgroup(self) -> str:
        return f"semantic-router-node-{self.network.number}"

    @property
    def containerd_config(self) -> Path:
        return self.root / "containerd.toml"

    @property
    def kubelet_config(self) -> Path:
        return self.root / "kubelet.yaml"

    @property
    def proxy_config(self) -> Path:
        return self.root / "kube-proxy.yaml"

    @property
    def kubeconfig(self) -> Path:
        """Written last: whoever waits for it may start."""
        return self.root / "kubeconfig"

    @property
    def network_config(self) -> Path:
        return self.root / "net.d"

    @property
    def own_resolver(self) -> Path:
        """resolv.conf of processes in the node's namespaces: the cluster's DNS."""
        return self.root / "resolv.conf"

    @property
    def upstream_resolver(self) -> Path:
        """resolv.conf of pods that ask for the node's: there is nobody outside to ask."""
        return self.root / "upstream-resolv.conf"

    @property
    def volumes(self) -> Path:
        return self.root / "volumes"

    @property
    def pids(self) -> Path:
        """A file for each of its programs, with the pid that it has in there."""
        return self.root / "pids"

    @property
    def logs(self) -> Path:
        return self.root / "logs"
