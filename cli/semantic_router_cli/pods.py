"""Asks what runs in a router's pods, by ports that kubectl forwards with one's own rights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, Self

import urllib3
import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.routes import (
    ACTIVE_CONFIG_PATH,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import (
    gateway_mode,
    metadata,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.labels import as_selector
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import Manifest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.ports import (
    PodPorts,
    pod_ports,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import RouterError
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from ansible_collections.vllm.semantic_router.plugins.module_utils.status import live_workload

from semantic_router_cli import live
from semantic_router_cli.cluster import Cluster
from semantic_router_cli.door import Door
from semantic_router_cli.live import Answers, Live

_AT_ONCE = 8
_SECONDS = 10.0
_CLUSTERS = "/clusters?format=json"
_ROUTES = "/config_dump?resource=static_route_configs"
_METRICS = "/metrics"


def ready(cluster: Cluster, name: str, namespace: str = "") -> tuple[list[str], list[str]]:
    """Names of the router's pods: those that are ready, and the others."""
    path = f"/api/v1/namespaces/{namespace or cluster.namespace}/pods"
    found = cluster.look(path, as_selector(metadata.selector(name)), must=True).items
    names = {str(pod["metadata"]["name"]): live_workload.is_ready(pod) for pod in found}
    return (
        sorted(pod for pod, is_ready in names.items() if is_ready),
        sorted(pod for pod, is_ready in names.items() if not is_ready),
    )


class Reach:
    """The way to one pod, or to a Gateway, while it is open."""

    def __init__(
        self,
        local: Mapping[int, int],
        seconds: float = _SECONDS,
        address: str = "",
        host: str = "",
    ) -> None:
        """local: the ports there, and what leads to them on loopback here.

        address: without loopback, who has the ports. host: the name to ask by, "" for none.
        """
        self._local = local
        self._address = f"[{address}]" if ":" in address else address or "127.0.0.1"
        self._host = host
        # Whose certificate it is does not matter where kubectl has chosen the pod and leads there.
        options: dict[str, Any] = {} if address else {"cert_reqs": "CERT_NONE"}
        if host:
            options |= {"server_hostname": host, "assert_hostname": host}
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        self._http = urllib3.PoolManager(retries=False, timeout=seconds, **options)

    def ask(
        self,
        port: int,
        path: str,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        scheme: str = "http",
    ) -> urllib3.BaseHTTPResponse | None:
        """None: it does not answer."""
        given = {**({"Host": self._host} if self._host else {}), **(headers or {})}
        content = None
        if body is not None:
            given["Content-Type"] = "application/json"
            content = json.dumps(body).encode()
        url = f"{scheme}://{self._address}:{self._local[port]}{path}"
        try:
            return self._http.request(
                "GET" if body is None else "POST", url, body=content, headers=given
            )
        except urllib3.exceptions.HTTPError:
            return None

    def text(self, port: int, path: str) -> str | None:
        """None: it does not say."""
        answer = self.ask(port, path)
        return answer.data.decode(errors="replace") if answer and answer.status == 200 else None

    def json(self, port: int, path: str) -> dict[str, Any] | None:
        text = self.text(port, path)
        try:
            said = json.loads(text) if text else None
        except (ValueError, RecursionError):
            return None
        return said if isinstance(said, dict) else None


class Ways:
    """Ways to pods, kept open from one look to the next."""

    def __init__(self, cluster: Cluster, seconds: float = _SECONDS) -> None:
        """seconds: for one answer."""
        self._cluster = cluster
        self._seconds = seconds
        self._open: dict[str, tuple[ExitStack, Reach]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """All of them; who looks again finds new ones."""
        for key in list(self._open):
            self._close(key)

    def to(self, namespace: str, pod: str, ports: Sequence[int]) -> Reach:
        return self._to(namespace, f"pod/{pod}", ports)

    def through(self, door: Door) -> Reach:
        if not door.target:
            return Reach({door.port: door.port}, self._seconds, door.address, door.host)
        return self._to(door.namespace, door.target, [door.port], door.host)

    def _to(self, namespace: str, target: str, ports: Sequence[int], host: str = "") -> Reach:
        key = f"{namespace}/{target}"
        if key not in self._open:
            stack, kubectl = ExitStack(), self._cluster.kubectl
            local = stack.enter_context(
                kubectl.forwarded(namespace, target, ports, self._cluster.seconds)
            )
            self._open[key] = stack, Reach(local, self._seconds, host=host)
        return self._open[key][1]

    def give_up(self, namespace: str, pod: str) -> None:
        """Nothing comes from there: the next look tries anew."""
        self._close(f"{namespace}/pod/{pod}")

    def _close(self, key: str) -> None:
        if key in self._open:
            self._open.pop(key)[0].close()


def look(cluster: Cluster, ways: Ways, resource: Manifest, envoy: bool = True) -> Live:
    """Everything that the router's pods say, and the configuration that they should go by.

    envoy: ask it too, where it is in the pods.
    """
    router = Router(resource)
    envoy = envoy and gateway_mode.has_envoy(router.spec)
    well, others = ready(cluster, router.name, router.namespace)
    ports = pod_ports(router.spec)

    def ask(pod: str) -> Answers:
        try:
            way = ways.to(router.namespace, pod, _needed(ports, envoy))
        except RouterError as error:
            return Answers(pod, why=str(error))
        said = answers(way, pod, ports, envoy)
        if said.why:
            ways.give_up(router.namespace, pod)
        return said

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        asked = list(pool.map(ask, well))
    asked += [Answers(pod, why="it is not ready") for pod in others]
    config, digest = _written(cluster, router)
    return live.live(resource, config, digest, asked, envoy)


def _needed(ports: PodPorts, envoy: bool) -> list[int]:
    return list(dict.fromkeys([ports.api, ports.metrics, *([ports.admin] if envoy else [])]))


def answers(way: Reach, pod: str, ports: PodPorts, envoy: bool) -> Answers:
    """What Envoy, where there is one, and the router say."""
    clusters = way.json(ports.admin, _CLUSTERS) if envoy else None
    routes = way.json(ports.admin, _ROUTES) if envoy else None
    metrics = way.text(ports.metrics, _METRICS)
    why = "its Envoy does not answer" if envoy and None in (clusters, routes) else ""
    return Answers(
        pod,
        clusters=clusters,
        routes=routes,
        config=way.json(ports.api, ACTIVE_CONFIG_PATH),
        metrics=metrics,
        why=why or ("its router does not answer" if metrics is None else ""),
    )


def _written(cluster: Cluster, router: Router) -> tuple[dict[str, Any], str]:
    """(the router's document as it was written, its digest); ({}, "") when one may not read it."""
    name = metadata.config_map_name(router.name, gateway_mode.serves_alone(router.spec))
    found = cluster.find(f"/api/v1/namespaces/{router.namespace}/configmaps/{name}").first
    text = ((found or {}).get("data") or {}).get("config.yaml")
    if not text:
        return {}, ""
    return dict(yaml.safe_load(text) or {}), hashlib.sha256(text.encode()).hexdigest()
