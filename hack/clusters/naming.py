"""What NODE_CLUSTER may say, and which cluster that is."""

from __future__ import annotations

import os
from pathlib import Path

from real_node import Node

from clusters.cluster import Cluster, ClusterError
from clusters.existing import Existing
from clusters.kind import Kind
from clusters.own import Own

VARIABLE = "NODE_CLUSTER"
KIND, DEFAULT_NAME = "kind", "kind"


def named(directory: Path, text: str | None = None) -> Cluster | None:
    """None where none is named. directory: for what is to be kept while the cluster is used."""
    given = os.environ.get(VARIABLE, "") if text is None else text
    if not given:
        return None
    driver, _, name = given.partition(":")
    if driver == KIND:
        return Kind(name or DEFAULT_NAME, directory)
    path = Path(given)
    if path.is_file():
        return Existing(path, directory)
    if path.is_dir():
        node = Node.attach(path)
        if not node.alive:
            raise ClusterError(f"{VARIABLE} is {given}, and no node is up in there: make node")
        return Own(node)
    raise ClusterError(
        f"{VARIABLE} is {given!r}. It may be {KIND}, {KIND}:NAME, the file of a kubeconfig, or the "
        "directory of a node that `make node` has started, and there is no such file or directory."
    )
