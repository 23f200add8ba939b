"""The command line of each program of the plane: what is switched on, and what off and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from control_plane.programs import Programs

MANIFESTS = Path(__file__).resolve().parent / "manifests"

SERVICE_NETWORK = "10.96.0.0/16"
POD_NETWORK = "10.244.0.0/16"
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Ports:
    """Loopback ports of one plane."""

    api: int
    etcd: int
    etcd_peer: int


def etcd(programs: Programs, root: Path, ports: Ports) -> list[str]:
    peer = f"http://127.0.0.1:{ports.etcd_peer}"
    client = f"http://127.0.0.1:{ports.etcd}"
    return [
        str(programs.etcd),
        f"--data-dir={root}/etcd",
        # Nothing here has to survive a power cut, and waiting for the disk is most of a write.
        "--unsafe-no-fsync",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        # A single member has nobody to send heartbeats to; slower ticks keep it idle when idle.
        "--heartbeat-interval=500",
        "--election-timeout=2500",
        "--log-level=warn",
    ]


def kube_apiserver(
    programs: Programs, root: Path, ports: Ports, *, audit: bool, address: str = LOOPBACK
) -> list[str]:
    pki = root / "pki"
    return [
        str(programs.kube_apiserver),
        f"--etcd-servers=http://127.0.0.1:{ports.etcd}",
        f"--bind-address={address}",
        f"--secure-port={ports.api}",
        *(_unadvertised() if address == LOOPBACK else _for_kubelets(pki, address)),
        f"--cert-dir={pki}",
        f"--tls-cert-file={pki}/server.crt",
        f"--tls-private-key-file={pki}/server.key",
        f"--client-ca-file={pki}/ca.crt",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={pki}/service-account.key",
        f"--service-account-signing-key-file={pki}/service-account.key",
        f"--service-cluster-ip-range={SERVICE_NETWORK}",
        # As on OpenShift: to set blockOwnerDeletion one must be allowed to update the owner's
        # finalizers.
        "--enable-admission-plugins=OwnerReferencesPermissionEnforcement",
        # It taints new nodes until the node lifecycle controller, which is off here, clears them.
        "--disable-admission-plugins=TaintNodesByCondition",
        "--profiling=false",
        *(_audit(root) if audit else []),
    ]


def _unadvertised() -> list[str]:
    # Loopback may not be an endpoint of the `kubernetes` Service, so that it gets none.
    return ["--advertise-address=192.0.2.1", "--endpoint-reconciler-type=none"]


def _for_kubelets(pki: Path, address: str) -> list[str]:
    return [
        f"--advertise-address={address}",
        f"--kubelet-client-certificate={pki}/kubelet-client.crt",
        f"--kubelet-client-key={pki}/kubelet-client.key",
        "--kubelet-preferred-address-types=InternalIP",
    ]


def _audit(root: Path) -> list[str]:
    return [
        f"--audit-policy-file={MANIFESTS}/audit-policy.yaml",
        f"--audit-log-path={root}/logs/audit.log",
        # No rotation: a count over the file must see all of it.
        "--audit-log-maxsize=0",
    ]


def kube_controller_manager(
    programs: Programs, root: Path, *, heartbeats: bool, without: Sequence[str] = ()
) -> list[str]:
    off = [
        *without,
        # There are no disks to attach, no cloud and no metrics to look at every few seconds.
        "persistentvolume-attach-detach-controller",
        "persistentvolume-expander-controller",
        "service-lb-controller",
        "node-route-controller",
        "cloud-node-lifecycle-controller",
        "horizontal-pod-autoscaler-controller",
    ]
    if not heartbeats:
        # Nodes without them are dead to it.
        off.append("node-lifecycle-controller")
    return [
        str(programs.kube_controller_manager),
        f"--kubeconfig={root}/pki/kube-controller-manager.kubeconfig",
        f"--controllers=*,{','.join(f'-{name}' for name in off)}",
        f"--service-account-private-key-file={root}/pki/service-account.key",
        f"--root-ca-file={root}/pki/ca.crt",
        "--leader-elect=false",
        "--secure-port=0",
        # At the default of 20 requests a second tests would measure this limit.
        "--kube-api-qps=300",
        "--kube-api-burst=600",
        "--profiling=false",
    ]


def kube_scheduler(programs: Programs, root: Path) -> list[str]:
    return [
        str(programs.kube_scheduler),
        f"--kubeconfig={root}/pki/kube-scheduler.kubeconfig",
        "--leader-elect=false",
        "--secure-port=0",
        "--kube-api-qps=300",
        "--kube-api-burst=600",
        "--profiling=false",
    ]


def kwok(programs: Programs, root: Path) -> list[str]:
    stages = [*sorted(programs.stages.glob("*.yaml")), MANIFESTS / "volume-stages.yaml"]
    return [
        str(programs.kwok),
        f"--kubeconfig={root}/pki/kwok.kubeconfig",
        *(f"--config={stage}" for stage in stages),
        "--manage-all-nodes",
        f"--cidr={POD_NETWORK}",
        # Node leases are heartbeats too, and nobody listens: see kube_controller_manager.
        "--node-lease-duration-seconds=0",
    ]
