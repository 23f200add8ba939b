"""A real Kubernetes node on this machine, for the tests and the demo: kubelet, containerd, runc.

It is beside the local control plane of `control_plane`, in network, mount and pid namespaces of
its own, with a cgroup of its own. Nothing of it is left when it ends. Where none can run, `missing`
says why, and the simulated nodes of `control_plane` do for all other tests.
"""

from __future__ import annotations

from real_node.errors import NodeError
from real_node.node import Node
from real_node.prerequisites import missing

__all__ = ["Node", "NodeError", "missing"]
