"""An API server in memory, for unit tests of what talks to one; no kinder than a real one.

It knows what cluster/ asks for, and refuses everything else. That it answers as the real one does
is held by tests/integration/test_api_server.py, which puts the same questions to both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import count
from threading import RLock
from typing import Any

import urllib3
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import client as wire
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import (
    APPLY_PATCH,
    JSON,
    MERGE_PATCH,
    METADATA_ONLY,
    Client,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.connection import (
    Connection,
)

Manifest = dict[str, Any]

_GROUPS = (
    *("apps", "autoscaling", "discovery.k8s.io", "events.k8s.io"),
    *("networking.k8s.io", "policy", "storage.k8s.io"),
)
_ADDRESS = re.compile(
    r"(?P<collection>/(?:api|apis/(?P<group>[^/]+))/[^/]+(?:/namespaces/[^/]+)?/(?P<plural>[a-z]+))"
    r"(?:/(?P<name>[^/]+)(?P<status>/status)?)?"
)
# A namespace is the one kind whose own path looks like that of others.
_NAMESPACE = re.compile(r"(?P<collection>/api/v1/namespaces)/(?P<name>[^/]+)")


@dataclass
class Request:
    """One that was answered; code: 0 when nobody heard the answer."""

    verb: str
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    body: Manifest | None = None
    accept: str = JSON
    content_type: str = JSON
    code: int = 200

    @property
    def is_write(self) -> bool:
        """It asked for a change in earnest."""
        return self.verb in ("PATCH", "DELETE", "POST") and "dryRun" not in self.params

    @property
    def object(self) -> str:
        """What a write is about: plural and name."""
        *_, plural, name = self.path.removesuffix("/status").split("/")
        return f"{plural}/{name}"


class Refusal(Exception):
    """Raised by what looks at requests, to answer in the API server's place."""

    def __init__(self, code: int, reason: str = "", message: str = "refused by the test") -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason


Look = Callable[[Request], object]


class ApiServer:
    """looks: called before a request is answered; may raise Refusal, or change what is there.

    loses: the answer is given, and nobody hears of it.
    """

    def __init__(self, *groups: str) -> None:
        """groups: the optional ones that are served, as "group/version"."""
        self.objects: dict[str, Manifest] = {}
        self.log: list[Request] = []
        self.looks: list[Look] = []
        self.loses: Callable[[Request], bool] = lambda _: False
        self._groups = groups
        self._lock = RLock()
        self._numbers = count(1)

    def client(self, url: str = "https://in-memory.invalid") -> Client:
        return _Client(self, url)

    def writes(self) -> list[Request]:
        """In order, with those that were refused."""
        return [request for request in self.log if request.is_write]

    def refuse(
        self, is_meant: Callable[[Request], bool], code: int = 422, reason: str = "Invalid"
    ) -> None:
        def look(request: Request) -> None:
            if is_meant(request):
                raise Refusal(code, reason)

        self.looks.append(look)

    def put(self, path: str, manifest: Manifest) -> Manifest:
        """An object of somebody else's making."""
        made = deepcopy(manifest)
        given = made.setdefault("metadata", {})
        given.setdefault("uid", f"uid-{next(self._numbers)}")
        given.setdefault("managedFields", [{"manager": "somebody-else", "operation": "Update"}])
        given |= {"resourceVersion": f"{next(self._numbers)}", "generation": 1}
        self.objects[path] = made
        return deepcopy(made)

    def answer(self, request: Request) -> tuple[int, Manifest | str]:
        found: Manifest | str
        try:
            # Not under the lock: what looks may ask for something itself.
            for look in list(self.looks):
                look(request)
            with self._lock:
                found = deepcopy(self._answer(request))
        except Refusal as refusal:
            request.code = refusal.code
            found = {"kind": "Status", "reason": refusal.reason, "message": str(refusal)}
            if (refusal.code, refusal.reason) == (404, ""):
                found = "404 page not found"
        if self.loses(request):
            request.code = 0
        with self._lock:
            self.log.append(request)
        return request.code, found

    def _answer(self, request: Request) -> Manifest:
        if request.path == "/apis":
            return {"kind": "APIGroupList", "groups": list(self._served_groups())}
        address = _NAMESPACE.fullmatch(request.path) or _ADDRESS.fullmatch(request.path)
        if address is None or not self._is_served(request.path):
            raise Refusal(404)
        at = request.path.removesuffix("/status")
        if not address["name"]:
            if request.verb != "GET":
                raise Refusal(405, "MethodNotAllowed")
            return self._list(request)
        if request.verb == "GET":
            return self._get(request, at)
        if request.verb == "DELETE":
            return self._delete(request, at)
        if request.verb == "PATCH" and request.content_type == APPLY_PATCH:
            return self._apply(request, at)
        if request.verb == "PATCH" and request.content_type == MERGE_PATCH:
            return self._merge(request, at)
        raise Refusal(405, "MethodNotAllowed")

    def _served_groups(self) -> Iterator[Manifest]:
        for served in (*(f"{group}/v1" for group in _GROUPS), "vllm.ai/v1alpha1", *self._groups):
            group, _, version = served.partition("/")
            yield {"name": group, "versions": [{"version": version}]}

    def _is_served(self, path: str) -> bool:
        if path.startswith("/api/v1/"):
            return True
        group = path.split("/")[2]
        known = {item["name"] for item in self._served_groups()}
        return group in known

    def _get(self, request: Request, at: str) -> Manifest:
        found = self._existing(at)
        if request.accept == METADATA_ONLY:
            head = {"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata"}
            return {**head, "metadata": found["metadata"]}
        return found

    def _list(self, request: Request) -> Manifest:
        *above, plural = request.path.split("/")
        inside = re.compile(
            re.escape("/".join(above)) + r"(?:/namespaces/[^/]+)?/" + plural + r"/[^/]+"
        )
        found = [
            item
            for at, item in sorted(self.objects.items())
            if inside.fullmatch(at)
            and _is_selected(item, str(request.params.get("labelSelector", "")))
            and _is_named(item, str(request.params.get("fieldSelector", "")))
        ]
        head = found[0] if found else {"apiVersion": "v1", "kind": ""}
        # A real one leaves these out of a list's items too.
        items = [
            {k: v for k, v in item.items() if k not in ("apiVersion", "kind")} for item in found
        ]
        return {"apiVersion": head["apiVersion"], "kind": f"{head['kind']}List", "items": items}

    def _delete(self, request: Request, at: str) -> Manifest:
        found = self._existing(at)
        wanted = ((request.body or {}).get("preconditions") or {}).get("uid")
        if wanted and wanted != found["metadata"]["uid"]:
            raise Refusal(409, "Conflict", "Precondition failed: UID in precondition")
        if found["metadata"].get("finalizers"):
            found["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
            found["metadata"]["resourceVersion"] = f"{next(self._numbers)}"
            return found
        del self.objects[at]
        return {"kind": "Status", "status": "Success"}

    def _apply(self, request: Request, at: str) -> Manifest:
        manager = request.params["fieldManager"]
        wanted = deepcopy(request.body or {})
        before = self.objects.get(at)
        version = wanted["metadata"].pop("resourceVersion", None)
        if before is not None and version not in (None, before["metadata"]["resourceVersion"]):
            raise Refusal(409, "Conflict", "the object has been modified")
        if request.params.get("force") != "true" and _takes_from_others(before, wanted, manager):
            raise Refusal(409, "Conflict", "Apply failed with conflicts")
        after = _applied(before, wanted, manager)
        if before is None:
            after["metadata"] |= {"uid": f"uid-{next(self._numbers)}", "generation": 1}
            if after["kind"] == "SemanticRouter":
                # The default of its CRD.
                after["status"] = {"observedGeneration": -1}
        return self._kept(request, at, before, after)

    def _merge(self, request: Request, at: str) -> Manifest:
        before = self._existing(at)
        wanted = deepcopy(request.body or {})
        version = (wanted.get("metadata") or {}).pop("resourceVersion", None)
        if version not in (None, before["metadata"]["resourceVersion"]):
            raise Refusal(409, "Conflict", "the object has been modified")
        merged = deepcopy(_merged(before, wanted))
        if request.path.endswith("/status"):
            after = {**before, "status": merged.get("status")}
        else:
            after = {**merged, **({"status": before["status"]} if "status" in before else {})}
            entries = after["metadata"].get("managedFields") or []
            changes = [_changed(entry, before, after) for entry in entries]
            after["metadata"]["managedFields"] = _left(entries, changes)
        if _is_let_go(after):
            del self.objects[at]
            return after
        return self._kept(request, at, before, after)

    def _kept(
        self, request: Request, at: str, before: Manifest | None, after: Manifest
    ) -> Manifest:
        is_rehearsal = "dryRun" in request.params
        if before is not None and after == before:
            return before
        if before is not None and after.get("spec") != before.get("spec"):
            after["metadata"]["generation"] = before["metadata"]["generation"] + 1
        if not is_rehearsal:
            after["metadata"]["resourceVersion"] = f"{next(self._numbers)}"
            self.objects[at] = after
        return after

    def _existing(self, at: str) -> Manifest:
        if at not in self.objects:
            raise Refusal(404, "NotFound", f"{at} not found")
        return self.objects[at]


class _Client(Client):
    def __init__(self, server: ApiServer, url: str) -> None:
        super().__init__(Connection(url, urllib3.PoolManager(), dict))
        self._server = server

    def _request(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None = None,
        body: Manifest | None = None,
        content_type: str = JSON,
        accept: str = JSON,
    ) -> Manifest:
        # As the pool of connections does: what is not heard of is asked for once more.
        for _ in range(1 if method == "POST" else 2):
            sent = Request(method, path, dict(params or {}), deepcopy(body), accept, content_type)
            code, found = self._server.answer(sent)
            if code:
                break
        else:
            raise wire._unreachable(self._connection.url, TimeoutError("closed"))
        data = (found if isinstance(found, str) else json.dumps(found)).encode()
        if code >= 300:
            raise wire._refused(code, data)
        return wire._decoded(code, data)


def _is_selected(item: Manifest, selector: str) -> bool:
    labels = item["metadata"].get("labels") or {}
    for match in re.finditer(r"([^,=( ]+)(?:=([^,]*)| in \(([^)]*)\))", selector):
        name, value, values = match.groups()
        if labels.get(name) not in (values.split(",") if values is not None else [value]):
            return False
    return True


def _is_named(item: Manifest, selector: str) -> bool:
    return not selector or selector == f"metadata.name={item['metadata']['name']}"


def _applied(before: Manifest | None, wanted: Manifest, manager: str) -> Manifest:
    """Server-side apply, of which every list is one value."""
    after = deepcopy(before or {key: wanted[key] for key in ("apiVersion", "kind")})
    metadata = after.setdefault("metadata", {})
    metadata |= {key: wanted["metadata"][key] for key in _NAMES if key in wanted["metadata"]}
    entries = metadata.pop("managedFields", [])
    others = [entry for entry in entries if not _is_of(entry, manager)]
    mine = [entry for entry in entries if _is_of(entry, manager)]
    asked = dict(_leaves(wanted))
    of_others = {path for entry in others for path in _paths(entry.get("fieldsV1") or {})}
    for entry in mine:
        for path in _paths(entry["fieldsV1"]) - asked.keys() - of_others:
            _remove(after, path)
    for path, value in asked.items():
        _set(after, path, value)
    applied = {"manager": manager, "operation": "Apply", "fieldsV1": _fields(asked)}
    taken = [_taken(before, asked)] * len(others)
    metadata["managedFields"] = [applied, *_left(others, taken)]
    return after


_NAMES = ("name", "namespace")
_Path = tuple[str, ...]


def _is_of(entry: Manifest, manager: str) -> bool:
    return (entry["manager"], entry["operation"]) == (manager, "Apply")


def _leaves(value: Any, path: _Path = ()) -> Iterator[tuple[_Path, Any]]:
    if isinstance(value, dict) and value:
        for key, child in value.items():
            below = (*path, key)
            is_address = below[0] in ("apiVersion", "kind") or (
                below[0] == "metadata" and below[1:2] and below[1] in _NAMES
            )
            if not is_address:
                yield from _leaves(child, below)
    else:
        yield path, value


def _fields(paths: Iterable[_Path]) -> Manifest:
    found: Manifest = {}
    for path in paths:
        at = found
        for name in path:
            at = at.setdefault(f"f:{name}", {})
    return found


def _paths(fields: Manifest, path: _Path = ()) -> set[_Path]:
    if not fields:
        return {path} if path else set()
    return {
        found
        for name, below in fields.items()
        for found in _paths(below, (*path, name.removeprefix("f:")))
    }


def _left(entries: list[Manifest], lost: list[set[_Path]]) -> list[Manifest]:
    """Without the fields that each has lost; who has none any more is no manager."""
    found = []
    for entry, gone in zip(entries, lost, strict=True):
        fields = _fields(sorted(_paths(entry.get("fieldsV1") or {}) - gone))
        if fields or not entry.get("fieldsV1"):
            found.append({**entry, "fieldsV1": fields})
    return found


def _changed(entry: Manifest, before: Manifest, after: Manifest) -> set[_Path]:
    owned = _paths(entry.get("fieldsV1") or {})
    return {path for path in owned if _at(before, path) != _at(after, path)}


def _is_let_go(manifest: Manifest) -> bool:
    given = manifest["metadata"]
    return "deletionTimestamp" in given and not given.get("finalizers")


def _taken(before: Manifest | None, asked: Mapping[_Path, Any]) -> set[_Path]:
    """What has another value now."""
    return {path for path, value in asked.items() if _at(before or {}, path) != value}


def _takes_from_others(before: Manifest | None, wanted: Manifest, manager: str) -> bool:
    entries = ((before or {}).get("metadata") or {}).get("managedFields") or []
    theirs = {
        path
        for entry in entries
        if not _is_of(entry, manager)
        for path in _paths(entry.get("fieldsV1") or {})
    }
    return bool(theirs & _taken(before, dict(_leaves(wanted))))


def _at(manifest: Manifest, path: _Path) -> Any:
    value: Any = manifest
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _set(manifest: Manifest, path: _Path, value: Any) -> None:
    *above, last = path
    for name in above:
        manifest = manifest.setdefault(name, {})
    manifest[last] = value


def _remove(manifest: Manifest, path: _Path) -> None:
    *above, last = path
    at = _at(manifest, tuple(above)) if above else manifest
    if isinstance(at, dict):
        at.pop(last, None)


def _merged(before: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    kept = dict(before) if isinstance(before, dict) else {}
    for key, value in patch.items():
        if value is None:
            kept.pop(key, None)
        else:
            kept[key] = _merged(kept.get(key), value)
    return kept
