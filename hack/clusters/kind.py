"""A cluster of kind, whose nodes are containers of this machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from clusters.cluster import ClusterError, environment, find_kubectl, run, write_kubeconfig

# kind's own variable, for who has no docker.
PROVIDER = "KIND_EXPERIMENTAL_PROVIDER"


class Kind:
    """`name` is kind's; the kubeconfig is asked of kind, and KUBECONFIG of nobody."""

    nodes_are_out_of_reach = ""
    # Its own network does since 0.24, and a cluster may have another one.
    enforces_policies = None

    def __init__(self, name: str, directory: Path) -> None:
        self._name = name
        self._containers = os.environ.get(PROVIDER) or "docker"
        try:
            text = run("kind", "get", "kubeconfig", "--name", name)
        except ClusterError as error:
            raise ClusterError(f"{error}\nkind create cluster --name {name}") from error
        self._kubeconfig = write_kubeconfig(directory, text)
        self.kubectl = find_kubectl()

    @property
    def env(self) -> Mapping[str, str]:
        return environment(self._kubeconfig)

    def import_images(self, archive: Path) -> None:
        run("kind", "load", "image-archive", str(archive), "--name", self._name)

    def on_node(self, node: str, /, *command: str) -> str:
        return run(self._containers, "exec", node, *command)

    def stop_kubelet(self, node: str, /) -> None:
        self.on_node(node, "systemctl", "stop", "kubelet")

    def start_kubelet(self, node: str, /) -> None:
        self.on_node(node, "systemctl", "start", "kubelet")
