"""Any cluster: the one of a kubeconfig, in the context that is the current one when it is read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from clusters.cluster import ClusterError, environment, find_kubectl, run, write_kubeconfig

# A shell command that reads one OCI archive from its standard input.
IMPORT = "NODE_IMPORT"
NO_IMPORT = (
    f"{IMPORT} says how images get into this cluster: a command that reads an OCI archive, as "
    "'docker exec -i NODE ctr -n k8s.io images import -' or 'sudo k3s ctr images import -' does; "
    "'true' if all images of an earlier run are there."
)


class Existing:
    """`kubeconfig` is a file that somebody named for this."""

    nodes_are_out_of_reach = "nothing is known of this cluster's nodes but what its API says"
    enforces_policies = None

    def __init__(self, kubeconfig: Path, directory: Path) -> None:
        self.kubectl = find_kubectl()
        view = ("config", "view", "--minify", "--flatten", "--kubeconfig", str(kubeconfig))
        self._kubeconfig = write_kubeconfig(directory, run(str(self.kubectl), *view))
        self._import = os.environ.get(IMPORT, "")

    @property
    def env(self) -> Mapping[str, str]:
        return environment(self._kubeconfig)

    def import_images(self, archive: Path) -> None:
        if not self._import:
            raise ClusterError(NO_IMPORT)
        run("sh", "-c", self._import, stdin=archive)

    def on_node(self, _: str, /, *__: str) -> str:
        raise ClusterError(self.nodes_are_out_of_reach)

    def stop_kubelet(self, node: str, /) -> None:
        self.on_node(node)

    def start_kubelet(self, node: str, /) -> None:
        self.on_node(node)
