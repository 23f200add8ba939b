"""A real Kubernetes control plane on this machine, for the tests and the demo.

etcd, kube-apiserver, kube-controller-manager and kube-scheduler are the real programs, built from
the Go modules of the directory above. The kubelet is not: kwok says of every scheduled pod that it
runs, and makes a volume for every claim of the class `standard`. Nothing is ever executed, so a pod
with a wrong image or a missing Secret "runs" here too.
"""

from __future__ import annotations

from control_plane.errors import ControlPlaneError
from control_plane.kubectl import Kubectl, KubectlError
from control_plane.plane import ControlPlane

__all__ = ["ControlPlane", "ControlPlaneError", "Kubectl", "KubectlError"]
