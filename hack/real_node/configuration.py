"""The configuration files and command lines of a node's programs: what is switched on, and why."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from control_plane.components import POD_NETWORK

from real_node.layout import CONTAINERD_STATE, DNS_ADDRESS, NAME, PODS, SOCKET, Layout
from real_node.prerequisites import enforces_policies, program

PAUSE_IMAGE = "localhost/pause:1"
DNS_IMAGE = "localhost/coredns:1"

_CONTAINERD = """\
version = 3
root = "{root}/containerd"
state = "{state}"
disabled_plugins = ["io.containerd.nri.v1.nri"]
[grpc]
  address = "{socket}"
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "{pause}"
[plugins.'io.containerd.cri.v1.runtime']
  disable_apparmor = true
  # Root may have lost the right to lower a score, and nothing here competes for memory.
  restrict_oom_score_adj = true
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ["{plugins}"]
    conf_dir = "{network}"
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
      BinaryName = "{runc}"
      SystemdCgroup = false
"""


def write(layout: Layout, authority: Path) -> None:
    """All files but the kubeconfig. authority: the certificate of the API server's authority."""
    layout.containerd_config.write_text(
        _CONTAINERD.format(
            root=layout.root,
            state=CONTAINERD_STATE,
            socket=SOCKET,
            pause=PAUSE_IMAGE,
            plugins=layout.programs / "cni",
            network=layout.network_config,
            runc=program("runc"),
        )
    )
    layout.kubelet_config.write_text(yaml.safe_dump(_kubelet(layout, authority)))
    layout.proxy_config.write_text(yaml.safe_dump(_kube_proxy(layout)))
    layout.network_config.mkdir(exist_ok=True)
    (layout.network_config / "10-bridge.conflist").write_text(json.dumps(_pods_network()))
    search = "search svc.cluster.local cluster.local\n"
    layout.own_resolver.write_text(f"nameserver {DNS_ADDRESS}\n{search}options ndots:5\n")
    layout.upstream_resolver.write_text("nameserver 127.0.0.1\n")


def commands(layout: Layout) -> Mapping[str, Sequence[str]]:
    """In the order in which they start."""
    return {
        "containerd": [
            str(layout.programs / "containerd"),
            f"--config={layout.containerd_config}",
        ],
        "kubelet": [
            str(layout.programs / "kubelet"),
            f"--config={layout.kubelet_config}",
            f"--kubeconfig={layout.kubeconfig}",
            f"--root-dir={layout.root}/kubelet",
            f"--cert-dir={layout.root}/kubelet/pki",
            f"--hostname-override={NAME}",
            f"--node-ip={layout.network.node}",
        ],
        "kube-proxy": [
            str(layout.programs / "kube-proxy"),
            f"--config={layout.proxy_config}",
        ],
        **({"netpol": _policy_engine(layout)} if enforces_policies() else {}),
    }


def _policy_engine(layout: Layout) -> Sequence[str]:
    return [
        str(layout.programs / "netpol"),
        f"--kubeconfig={layout.kubeconfig}",
        f"--hostname-override={NAME}",
    ]


def _kubelet(layout: Layout, authority: Path) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": False},
            "x509": {"clientCAFile": str(authority)},
        },
        "authorization": {"mode": "AlwaysAllow"},
        # Version 1 is going, and machines have it still.
        "failCgroupV1": False,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{layout.cgroup}",
        "failSwapOn": False,
        "containerRuntimeEndpoint": f"unix://{SOCKET}",
        "clusterDNS": [DNS_ADDRESS],
        "clusterDomain": "cluster.local",
        "resolvConf": str(layout.upstream_resolver),
        "podLogsDir": str(layout.root / "pod-logs"),
        "volumePluginDir": str(layout.root / "volume-plugins"),
        # The machine's disk may be full of other things, and an image that goes cannot be pulled.
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "1%",
            "imagefs.available": "1%",
        },
        "imageGCHighThresholdPercent": 100,
        "serializeImagePulls": False,
        "registerNode": True,
        # Tests wait for what a kubelet notices.
        "nodeStatusUpdateFrequency": "10s",
        "syncFrequency": "10s",
        "maxPods": 60,
    }


def _kube_proxy(layout: Layout) -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clusterCIDR": POD_NETWORK,
        "clientConnection": {"kubeconfig": str(layout.kubeconfig)},
        "hostnameOverride": NAME,
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        # The machine's own limits, which no namespace has for itself, are left as they are.
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
    }


def _pods_network() -> dict[str, Any]:
    addresses = {
        "type": "host-local",
        "dataDir": "/run/cni",
        "ranges": [[{"subnet": PODS}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    return {
        "cniVersion": "1.0.0",
        "name": "pods",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "cni0",
                "isGateway": True,
                "ipMasq": True,
                # A pod reaches itself through its Service.
                "hairpinMode": True,
                "ipam": addresses,
            },
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }
