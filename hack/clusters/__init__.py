"""Clusters with real pods that the tests and the demo did not make: the one that is asked for.

`NODE_CLUSTER` names it, and nothing else does: KUBECONFIG may lead to somebody's production, and
the tests cordon nodes and make namespaces.
"""

from __future__ import annotations

from clusters.cluster import Cluster, ClusterError, environment, write_kubeconfig
from clusters.naming import VARIABLE, named

__all__ = ["VARIABLE", "Cluster", "ClusterError", "environment", "named", "write_kubeconfig"]
