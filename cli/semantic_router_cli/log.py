"""`kubectl sr logs`: what the containers of a router's pods say, in one order.

Envoy writes a line of JSON for each request when it is over, the router lines of its own while it
works. Both name the request, so that one request can be followed through both.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import ApiError
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import metadata
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.labels import as_selector
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import Manifest

from semantic_router_cli.cluster import Cluster

POLL_SECONDS = 1.0
_PARALLEL_READS = 4


@dataclass(frozen=True, order=True)
class Line:
    """time: RFC 3339 in UTC as the kubelet writes it, to the nanosecond: it sorts as text."""

    time: str
    pod: str
    container: str
    text: str

    @property
    def said(self) -> str:
        """For people: an access log line of Envoy as a sentence, everything else as it is."""
        try:
            fields = json.loads(self.text)
        except (ValueError, RecursionError):
            return self.text
        is_access = isinstance(fields, dict) and {"method", "path", "status"} <= fields.keys()
        return _access(fields) if is_access else self.text


def _access(fields: Mapping[str, Any]) -> str:
    parts = [f"{fields['method']} {fields['path']} {fields['status']}"]
    parts += [
        f"{label} {fields[name]}{unit}"
        for name, label, unit in (
            ("duration_ms", "after", " ms"),
            ("model", "model", ""),
            ("upstream", "backend", ""),
            ("flags", "flags", ""),
            ("request_id", "id", ""),
        )
        if fields.get(name) not in (None, "", "-")
    ]
    return ", ".join(parts)


def containers(cluster: Cluster, name: str, namespace: str = "") -> list[tuple[str, str]]:
    """(pod, container) of a router, those that start before the others first."""
    path = f"/api/v1/namespaces/{namespace or cluster.namespace}/pods"
    return _containers(cluster.look(path, as_selector(metadata.selector(name)), must=True).items)


def containers_of(cluster: Cluster, namespace: str, selector: str) -> list[tuple[str, str]]:
    """Of pods with these labels; [] when one may not read them."""
    return _containers(cluster.look(f"/api/v1/namespaces/{namespace}/pods", selector).items)


def _containers(pods: Iterable[Manifest]) -> list[tuple[str, str]]:
    return [
        (pod["metadata"]["name"], container["name"])
        for pod in pods
        for kind in ("initContainers", "containers")
        for container in pod["spec"].get(kind) or []
    ]


def lines(
    cluster: Cluster,
    sources: Iterable[tuple[str, str]],
    query: Mapping[str, str],
    request: str,
    namespace: str = "",
) -> list[Line]:
    """In the order of time. query: of the API, as in {"tailLines": "200"}. request: "" = all."""

    def read(source: tuple[str, str]) -> list[Line]:
        return list(_read(cluster, namespace or cluster.namespace, *source, query))

    with ThreadPoolExecutor(_PARALLEL_READS) as pool:
        found = [line for part in pool.map(read, sources) for line in part]
    return sorted(line for line in found if request in line.text)


def _read(
    cluster: Cluster, namespace: str, pod: str, container: str, query: Mapping[str, str]
) -> Iterator[Line]:
    asked = urlencode({"container": container, "timestamps": "true", **query})
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log?{asked}"
    status, text = cluster.raw("GET", path, accept="*/*")
    if status in (401, 403):
        message = str(json.loads(text).get("message", text)) if text.startswith("{") else text
        raise ApiError(status, "Forbidden", message)
    if status != 200:
        # A container that has not begun, say, or whose node does not answer.
        return
    for line in text.splitlines():
        stamp, _, said = line.partition(" ")
        yield Line(stamp, pod, container, said)


def follow(
    cluster: Cluster, name: str, container: str | None, query: Mapping[str, str], request: str
) -> Iterator[Line]:
    """Without an end; pods that come later are followed too. container: None = all."""
    seen: set[Line] = set()
    while True:
        sources = [item for item in containers(cluster, name) if container in (None, item[1])]
        found = lines(cluster, sources, query, request)
        yield from (line for line in found if line not in seen)
        if found:
            # The API takes whole seconds: what is of the last one comes again.
            last = found[-1].time[: len("2026-01-01T00:00:00")]
            seen = {line for line in found if line.time.startswith(last)} | {
                line for line in seen if line.time.startswith(last)
            }
            query = {"sinceTime": f"{last}Z"}
        time.sleep(POLL_SECONDS)


def clock(line: Line) -> str:
    """The hour of the day where the reader is, to the millisecond."""
    # Python reads microseconds, the kubelet writes nanoseconds.
    whole, _, fraction = line.time.rstrip("Z").partition(".")
    moment = datetime.fromisoformat(f"{whole}.{fraction[:6]:0<6}+00:00").astimezone()
    return moment.strftime("%H:%M:%S.") + f"{moment.microsecond // 1000:03d}"
