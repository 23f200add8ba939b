# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the API server is asked in one go: each question once, however many routers have it.

A batch of routers shares one of these. So an answer may be as old as the batch; what changes
meanwhile wakes its router again.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import Future
from threading import Lock
from typing import Any, TypeVar

from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import (
    ownership,
    resources,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import (
    ApiError,
    Client,
    Params,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.resources import Resource
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    LABEL_INSTANCE,
    Manifest,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

Manifests = list[Manifest]

# Fewer are asked for one by one: a list for all has the objects of each, and all run at a time.
_MANY = 4

_Answer = TypeVar("_Answer")


class Reads:
    """Answers that are kept. May be shared by threads; nobody may change what it gives.

    batch: names of routers by namespace, whose own objects are listed together.
    """

    def __init__(self, client: Client, batch: Mapping[str, Sequence[str]] | None = None) -> None:
        self._client = client
        self._batch = {
            namespace: frozenset(names)
            for namespace, names in (batch or {}).items()
            if len(names) >= _MANY
        }
        self._answers: dict[Hashable, Future[Any]] = {}
        self._lock = Lock()

    def get(self, path: str) -> Manifest | None:
        """One object, None when there is none of that name (or kind)."""
        return self._once(("get", path), lambda: self._client.get(path))

    def get_metadata(self, path: str) -> Manifest | None:
        """The metadata of one object."""
        return self._once(("metadata", path), lambda: self._client.get_metadata(path))

    def list(self, path: str, label_selector: str = "", params: Params | None = None) -> Manifests:
        """All objects of a collection; ApiError with status 404 for a kind that is not served."""
        asked = ("list", path, label_selector, tuple(sorted((params or {}).items())))
        return self._once(asked, lambda: self._client.list(path, label_selector, params))

    def is_in_batch(self, router: Router) -> bool:
        """Its own objects come with those of others."""
        return router.name in self._batch.get(router.namespace, ())

    def own(self, router: Router, kind: Resource) -> Manifests:
        """The objects of one kind that have the router's labels."""
        path = resources.collection_path(kind, router.namespace)
        if not self.is_in_batch(router):
            return self._listed(path, ownership.label_selector([router.name]))
        selector = ownership.label_selector(sorted(self._batch[router.namespace]))
        found = self._once(("own", path), lambda: _by_router(self._listed(path, selector)))
        return found.get(router.name, [])

    def _listed(self, path: str, selector: str) -> Manifests:
        try:
            return self.list(path, selector)
        except ApiError as error:
            # An optional kind that this cluster does not serve.
            if error.status == 404:
                return []
            raise

    def _once(self, asked: Hashable, ask: Callable[[], _Answer]) -> _Answer:
        with self._lock:
            known = self._answers.get(asked)
            if known is None:
                answer: Future[_Answer] = Future()
                self._answers[asked] = answer
        if known is not None:
            found: _Answer = known.result()
            return found
        try:
            answer.set_result(ask())
        except BaseException as error:
            # No answer is none for the others of the batch: they ask again.
            with self._lock:
                del self._answers[asked]
            answer.set_exception(error)
        return answer.result()


def _by_router(objects: Manifests) -> dict[str, Manifests]:
    found: dict[str, Manifests] = {}
    for item in objects:
        found.setdefault(item["metadata"]["labels"][LABEL_INSTANCE], []).append(item)
    return found
