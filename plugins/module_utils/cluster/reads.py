# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the API server is asked in one go: each question once, however many routers have it.

A batch of routers shares the answers. So an answer may be as old as the batch; what changes
meanwhile wakes its router again: each router notes what it has read of others, and in which version
(docs/adr/0019-reads-are-watched.md).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
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

# Inside Reads, `list` is a method.
Manifests = list[Manifest]
Notes = list[dict[str, Any]]

GROUPS_PATH = "/apis"

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
        self._notes: dict[Hashable, dict[str, Any]] = {}
        self._together: dict[str, str] = {}

    def ask_together(self, collection: str, label: str = "") -> None:
        """From now on take objects of a collection, by name or by a label, from a list of it all.

        For who is to ask for many: each question by itself costs a request, and one by a label has
        the API server look at the whole collection.
        """
        with self._lock:
            self._together[collection] = label

    def of_one_router(self) -> Reads:
        """The same answers, and notes of its own."""
        its_own = copy.copy(self)
        its_own._notes = {}
        return its_own

    @property
    def notes(self) -> Notes:
        """What has been read of others, as the engine takes it: names and versions."""
        with self._lock:
            return list(self._notes.values())

    def get(self, path: str, spec_only: bool = False) -> Manifest | None:
        """One object, None when there is none of that name (or kind).

        spec_only: nothing in its status matters.
        """
        collection, _, name = path.rpartition("/")
        whole = self._whole(collection)
        if whole is None:
            found = self._once(("get", path), lambda: self._client.get(path))
        else:
            found = next(iter(whole.get(("", name), [])), None)
        self._note_named(path, found, _part(spec_only))
        return found

    def get_metadata(self, path: str) -> Manifest | None:
        """The metadata of one object; nobody watches it, as that takes the right to read it all."""
        found = self._once(("metadata", path), lambda: self._client.get_metadata(path))
        self._note_named(path, found, {"watch": False})
        return found

    def list(self, path: str, label_selector: str = "") -> Manifests:
        """All objects of a collection; ApiError with status 404 for a kind that is not served."""
        how = {"selector": label_selector}
        try:
            found = self._selected(path, label_selector)
        except ApiError as error:
            if error.status == 404:
                # It may be served one day.
                self._note(path, {}, how)
            raise
        self._note(path, _versions(found), how)
        return found

    def list_unnoted(self, path: str, label_selector: str = "") -> Manifests:
        """All objects of a collection, of whose changes a router hears in another way."""
        return self._listed(path, label_selector)

    def list_with_own(self, path: str) -> Manifests:
        """All objects of a collection, of which only others' and only their spec are noted."""
        found = self._listed(path)
        others = [item for item in found if not ownership.is_of_a_router(item)]
        how = {"selector": ownership.OTHERS, **_part(True)}
        self._note(path, _versions(others, spec_only=True), how)
        return found

    def groups(self, wanted: Collection[str]) -> Manifests:
        """All API groups that are served; `wanted` are those that matter."""
        answer = self._once(("get", GROUPS_PATH), lambda: self._client.get(GROUPS_PATH))
        found = list((answer or {}).get("groups") or [])
        served = {group["name"]: group.get("versions") or [] for group in found}
        for name in wanted:
            versions = ",".join(item["version"] for item in served.get(name, ()))
            self._note(GROUPS_PATH, {name: versions}, {})
        return found

    def own_named(self, path: str, name: str) -> Manifests:
        """The object of a router's own that has a name, be it somebody else's: not noted."""
        return self._listed(path, params={"fieldSelector": f"metadata.name={name}"})

    def leave_to_the_period(self, path: str) -> None:
        """Note a collection whose changes are too many to hear of each."""
        self._note(path, {}, {"watch": False})

    def is_in_batch(self, router: Router) -> bool:
        """Its own objects come with those of others."""
        return router.name in self._batch.get(router.namespace, ())

    def own(self, router: Router, kind: Resource) -> Manifests:
        """The objects of one kind that have the router's labels."""
        path = resources.collection_path(kind, router.namespace)
        if not self.is_in_batch(router):
            return self._own(path, ownership.label_selector([router.name]))
        selector = ownership.label_selector(sorted(self._batch[router.namespace]))
        found = self._once(("own", path), lambda: _by_router(self._own(path, selector)))
        return found.get(router.name, [])

    def _own(self, path: str, selector: str) -> Manifests:
        try:
            return self._listed(path, selector)
        except ApiError as error:
            # An optional kind that this cluster does not serve.
            if error.status == 404:
                return []
            raise

    def _selected(self, path: str, label_selector: str) -> Manifests:
        label, _, value = label_selector.partition("=")
        if label and label == self._together.get(path) and label_selector == f"{label}={value}":
            whole = self._whole(path)
            if whole is not None:
                return whole.get((label, value), [])
        return self._listed(path, label_selector)

    def _whole(self, collection: str) -> dict[tuple[str, str], Manifests] | None:
        """Its objects by name and by the label; None where they are asked for one by one."""
        label = self._together.get(collection)
        if label is None:
            return None
        return self._once(("together", collection), lambda: self._by(collection, label))

    def _by(self, collection: str, label: str) -> dict[tuple[str, str], Manifests] | None:
        try:
            objects = self._listed(collection)
        except ApiError as error:
            # Who may read some may not see all.
            if error.status == 403:
                return None
            raise
        found: dict[tuple[str, str], Manifests] = {}
        for item in objects:
            metadata = item["metadata"]
            value = (metadata.get("labels") or {}).get(label)
            keys = [("", metadata["name"]), *([(label, value)] if label and value else [])]
            for key in keys:
                found.setdefault(key, []).append(item)
        return found

    def _listed(
        self, path: str, label_selector: str = "", params: Params | None = None
    ) -> Manifests:
        asked = ("list", path, label_selector, tuple(sorted((params or {}).items())))
        return self._once(asked, lambda: self._client.list(path, label_selector, params))

    def _note_named(self, path: str, found: Manifest | None, how: Mapping[str, Any]) -> None:
        collection, _, name = path.rpartition("/")
        seen = {name: _version(found, how == _part(True)) if found else ""}
        self._note(collection, seen, how)

    def _note(self, collection: str, seen: Mapping[str, str], how: Mapping[str, Any]) -> None:
        noted = (collection, *sorted(how.items()))
        with self._lock:
            note = self._notes.setdefault(noted, {"collection": collection, **how, "seen": {}})
            note["seen"].update(seen)

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


def _part(spec_only: bool) -> dict[str, Any]:
    return {"part": "spec"} if spec_only else {}


def _versions(found: Manifests, spec_only: bool = False) -> dict[str, str]:
    return {item["metadata"]["name"]: _version(item, spec_only) for item in found}


def _version(found: Manifest, spec_only: bool = False) -> str:
    metadata = found["metadata"]
    if spec_only and metadata.get("generation"):
        return f"{metadata['uid']}/{metadata['generation']}"
    return str(metadata.get("resourceVersion", ""))


def _by_router(objects: Manifests) -> dict[str, Manifests]:
    found: dict[str, Manifests] = {}
    for item in objects:
        found.setdefault(item["metadata"]["labels"][LABEL_INSTANCE], []).append(item)
    return found
