"""The proxy of a Gateway of Envoy Gateway: the real Envoy, in the place of the simulated pod.

All that it does it is told by Envoy Gateway, over xDS, as the pod would be. It starts with the
arguments of the Deployment that Envoy Gateway has made.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from control_plane import Kubectl, envoy_gateway
from eventually import eventually
from integration.data_path import envoy_process

XDS_SERVER = f"envoy-gateway.{envoy_gateway.NAMESPACE}.svc.cluster.local"
# Every proxy's pod has these.
ADMIN_PORT, STATS_PORT = 19000, 19001
_FILES = {"/certs/tls.crt": "tls.crt", "/certs/tls.key": "tls.key", "/certs/ca.crt": "ca.crt"}


@contextmanager
def running(
    kubectl: Kubectl, gateway: tuple[str, str], certificates: Path, dns_port: int, directory: Path
) -> Iterator[Path]:
    """The proxy of a Gateway (namespace and name); yields its log.

    The name server must know XDS_SERVER. Changed is only what a pod has for itself and a test does
    not: ports, names, and where the certificates are.
    """
    container = eventually(lambda: _container(kubectl, gateway), 60, "the proxy's Deployment")
    arguments = dict(zip(container["args"][::2], container["args"][1::2], strict=False))
    for name in ("xds-trusted-ca.json", "xds-certificate.json"):
        (directory / name).write_text(_secret(kubectl, gateway, name, certificates))
    admin, stats = envoy_process.free_ports(2)
    text = arguments["--config-yaml"].replace("/sds/", f"{directory}/")
    bootstrap = yaml.safe_load(text.replace("$(ENVOY_SERVICE_ZONE)", ""))
    bootstrap["node"] |= {"id": directory.name, "cluster": arguments["--service-cluster"]}
    for listener in bootstrap["static_resources"]["listeners"]:
        address = listener["address"]["socket_address"]
        assert address["port_value"] == STATS_PORT
        address |= {"address": "127.0.0.1", "port_value": stats}
    moved = envoy_process.in_this_machine(bootstrap, {ADMIN_PORT: admin}, dns_port)
    with envoy_process.running(moved, directory) as process:
        yield process.log


def _owned_by(gateway: tuple[str, str]) -> str:
    namespace, name = gateway
    label = "gateway.envoyproxy.io/owning-gateway"
    return f"--selector={label}-namespace={namespace},{label}-name={name}"


def _one(kubectl: Kubectl, kind: str, gateway: tuple[str, str]) -> dict[str, Any]:
    here = f"--namespace={envoy_gateway.NAMESPACE}"
    (found,) = json.loads(kubectl("get", kind, here, _owned_by(gateway), "-o", "json"))["items"]
    return dict(found)


def _container(kubectl: Kubectl, gateway: tuple[str, str]) -> dict[str, Any]:
    here = f"--namespace={envoy_gateway.NAMESPACE}"
    answer = kubectl("get", "deployments", here, _owned_by(gateway), "-o", "json")
    found = json.loads(answer)["items"]
    assert found, "no Deployment yet"
    containers = found[0]["spec"]["template"]["spec"]["containers"]
    return next(item for item in containers if item["name"] == "envoy")


def _secret(kubectl: Kubectl, gateway: tuple[str, str], name: str, certificates: Path) -> str:
    text = str(_one(kubectl, "configmap", gateway)["data"][name])
    for there, here in _FILES.items():
        text = text.replace(there, str(certificates / here))
    return text
