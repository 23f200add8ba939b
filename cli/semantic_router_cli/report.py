"""`kubectl sr report`: what one attaches to a question about a router, as one file.

No Secret is asked for. What may hold a credential in other objects is left out before it is
written: values of environment variables, credentials of spec.config, everything in annotations
but the operator's own, and headers.
"""

from __future__ import annotations

import io
import re
import tarfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.config import yaml_text
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import credentials, metadata
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import Manifest

from semantic_router_cli import doctor, log, status
from semantic_router_cli.cluster import Cluster

LEFT_OUT = "(left out)"
_LINES = "2000"
_USER_OF_A_URL = re.compile(r"(?<=://)[^/@\s]+@")
_HEADERS = ("headers", "extraHeaders", "request_headers_to_add")


@dataclass(frozen=True)
class File:
    """A file of the report. name: its path in the archive."""

    name: str
    text: str


def files(cluster: Cluster, routers: Iterable[Manifest]) -> Iterator[File]:
    """One folder for each router, and what the doctor says of all."""
    found = list(routers)
    for resource in found:
        name, namespace = resource["metadata"]["name"], resource["metadata"]["namespace"]
        folder = f"{namespace}/{name}"
        view = status.view(cluster, resource)
        yield File(f"{folder}/semanticrouter.yaml", yaml_text(shareable(resource)))
        for item in (*view.objects, *view.pods):
            file = f"{item['kind'].lower()}-{item['metadata']['name']}.yaml"
            yield File(f"{folder}/objects/{file}", yaml_text(shareable(item)))
        events = {"events": [shareable(item) for item in view.events]}
        yield File(f"{folder}/warnings.yaml", yaml_text(events))
        query = {"tailLines": _LINES}
        for pod, container in log.containers(cluster, name, namespace):
            said = log.lines(cluster, [(pod, container)], query, "", namespace)
            text = "".join(f"{line.time} {line.text}\n" for line in said)
            yield File(f"{folder}/logs/{pod}-{container}.log", text)
    findings = {"findings": [item.as_dict() for item in doctor.examine(cluster, found)]}
    yield File("doctor.yaml", yaml_text(findings))
    yield File("version.yaml", yaml_text(cluster.version()))


def shareable(value: Any) -> Any:
    """A copy without anything that may be a credential."""
    if isinstance(value, list):
        return [shareable(item) for item in value]
    if isinstance(value, str):
        return _USER_OF_A_URL.sub(f"{LEFT_OUT}@", value)
    if not isinstance(value, dict):
        return value
    return {key: _shared(key, item) for key, item in value.items() if key != "managedFields"}


def _shared(key: str, value: Any) -> Any:
    if credentials.is_credential(key, value) and not isinstance(value, dict):
        return LEFT_OUT
    if key == "env" and isinstance(value, list):
        return [{**shareable(item), **_hidden(item, "value")} for item in value]
    if key in _HEADERS and isinstance(value, dict):
        return dict.fromkeys(value, LEFT_OUT)
    if key in _HEADERS and isinstance(value, list):
        return [{**shareable(item), **_hidden(item, "value")} for item in value]
    if key == "annotations" and isinstance(value, dict):
        return {
            name: text if name.startswith(f"{metadata.API_GROUP}/") else LEFT_OUT
            for name, text in value.items()
        }
    return shareable(value)


def _hidden(item: Any, key: str) -> dict[str, str]:
    return {key: LEFT_OUT} if isinstance(item, dict) and key in item else {}


def write(path: str, found: Iterable[File]) -> int:
    """The archive; how many files it has."""
    written = io.BytesIO()
    count = 0
    with tarfile.open(fileobj=written, mode="w:gz") as archive:
        for file in found:
            data = file.text.encode()
            entry = tarfile.TarInfo(f"report/{file.name}")
            entry.size, entry.mtime, entry.mode = len(data), int(time.time()), 0o600
            archive.addfile(entry, io.BytesIO(data))
            count += 1
    with Path(path).open("xb") as target:
        target.write(written.getvalue())
    return count
