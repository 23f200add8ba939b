# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the cluster has of one router's own objects: listed once in a run.

Each task of a playbook is a process of its own, so what one task has listed goes to the next in a
file. It is no part of a task's result: an operator gets every result as an event, and logs it.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from pathlib import Path

from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import (
    ownership,
    resources,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import (
    ApiError,
    Client,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.resources import Resource
from ansible_collections.vllm.semantic_router.plugins.module_utils.metadata import Manifest
from ansible_collections.vllm.semantic_router.plugins.module_utils.router import Router


def of_kind(client: Client, router: Router, kind: Resource) -> list[Manifest]:
    """The objects of one kind that have our labels."""
    path = resources.collection_path(kind, router.namespace)
    try:
        return client.list(path, ownership.label_selector(router))
    except ApiError as error:
        # An optional kind that this cluster does not serve.
        if error.status == 404:
            return []
        raise


def by_path(objects: Iterable[Manifest]) -> dict[str, Manifest]:
    """Each object under the path where it is read."""
    return {resources.path(manifest): manifest for manifest in objects}


def write(objects: list[Manifest], directory: str) -> str:
    """Into a new file that nobody else can read; its path."""
    with tempfile.NamedTemporaryFile(
        "w", dir=directory, prefix="live-", suffix=".json", delete=False
    ) as file:
        file.write(json.dumps(objects))
    return file.name


def read(path: str) -> list[Manifest]:
    """The inverse of write."""
    objects: list[Manifest] = json.loads(Path(path).read_text("utf-8"))
    return objects
