"""The API server of the unit tests (tests/api_server.py) answers as the real one does.

Each story is told to both, and what they answer must be the same, but for what is random.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import (
    APPLY_PATCH,
    JSON,
    MERGE_PATCH,
    METADATA_ONLY,
    ApiError,
    Client,
)
from api_server import ApiServer
from control_plane import ControlPlane

Manifest = dict[str, Any]
Ask = Callable[..., Any]

MANAGER = "the-test"
OURS = {"fieldManager": MANAGER, "force": "true"}
THEIRS = {"fieldManager": "somebody"}


class Teller:
    """Puts requests to one server, and keeps what of the answers is not random."""

    def __init__(self, client: Client, namespace: str) -> None:
        self._client = client
        self.namespace = namespace
        self.heard: list[Any] = []
        self._versions: dict[str, str] = {}
        self.last: Manifest = {}

    def __call__(
        self,
        method: str,
        path: str,
        params: Manifest | None = None,
        body: Manifest | None = None,
        content_type: str = JSON,
        accept: str = JSON,
    ) -> Manifest:
        at = path.format(f"namespaces/{self.namespace}")
        try:
            found = self._client._request(method, at, params, body, content_type, accept)
        except ApiError as error:
            self.heard.append((method, path, error.status, error.reason))
            return {}
        self.heard.append((method, path, self._seen(at, found)))
        self.last = found
        return found

    def _seen(self, at: str, found: Manifest) -> Any:
        if found.get("kind") == "Status":
            return "done"
        if "items" in found:
            return [self._seen("", item) for item in found["items"]]
        given = found["metadata"]
        version = given.get("resourceVersion")
        is_new = version is not None and version != self._versions.get(at)
        if version and at:
            self._versions[at] = version
        ours = [
            entry["fieldsV1"]
            for entry in given.get("managedFields") or []
            if entry["manager"] == MANAGER and not entry.get("subresource")
        ]
        return {
            "kinds": {key: found[key] for key in ("apiVersion", "kind") if key in found},
            "has": [key for key in ("uid", "resourceVersion", "deletionTimestamp") if key in given],
            "is_new": is_new and bool(at),
            "labels": given.get("labels"),
            "annotations": given.get("annotations"),
            "finalizers": given.get("finalizers"),
            "data": found.get("data"),
            "status": found.get("status"),
            "generation": given.get("generation") if "spec" in found else None,
            "ours": ours,
        }


def config_map(name: str = "one", **more: Any) -> Manifest:
    data = more.pop("data", {"a": "1", "b": "2"})
    metadata = {"name": name, "labels": {"team": "search"}, **more}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def router(**spec: Any) -> Manifest:
    return {
        "apiVersion": "vllm.ai/v1alpha1",
        "kind": "SemanticRouter",
        "metadata": {"name": "one"},
        "spec": {"replicas": 2, **spec},
    }


ONE, MANY = "/api/v1/{}/configmaps/one", "/api/v1/{}/configmaps"
ROUTER = "/apis/vllm.ai/v1alpha1/{}/semanticrouters/one"


def apply(tell: Teller, manifest: Manifest, path: str = ONE, **params: Any) -> Manifest:
    return tell("PATCH", path, {**OURS, **params}, manifest, APPLY_PATCH)


def a_first_write(tell: Teller) -> None:
    tell("GET", ONE)
    apply(tell, config_map(), dryRun="All")
    tell("GET", ONE)
    apply(tell, config_map())
    apply(tell, config_map())
    apply(tell, config_map(data={"a": "3"}), dryRun="All")
    apply(tell, config_map(data={"a": "3"}))
    tell("GET", ONE)
    tell("GET", ONE, accept=METADATA_ONLY)


def a_version_that_no_object_has(tell: Teller) -> None:
    apply(tell, config_map(resourceVersion="1"))
    apply(tell, config_map(resourceVersion="1"))
    apply(tell, config_map(resourceVersion="1", annotations={"x": "y"}))
    version = tell("GET", ONE)["metadata"]["resourceVersion"]
    apply(tell, config_map(resourceVersion=version, annotations={"x": "y"}))


def fields_that_others_take(tell: Teller) -> None:
    apply(tell, config_map())
    theirs = config_map(data={"a": "theirs", "c": "theirs"})
    tell("PATCH", ONE, THEIRS, theirs, APPLY_PATCH)
    tell("PATCH", ONE, {**THEIRS, "force": "true"}, theirs, APPLY_PATCH)
    apply(tell, config_map())
    tell("PATCH", ONE, {"fieldManager": "edit"}, {"data": {"b": "edited"}}, MERGE_PATCH)
    apply(tell, config_map(data={"a": "1", "b": "2"}))
    apply(tell, config_map(data={"a": "1"}))


def deletions(tell: Teller) -> None:
    tell("DELETE", ONE)
    uid = apply(tell, config_map())["metadata"]["uid"]
    held = {"metadata": {"finalizers": ["vllm.ai/test"]}}
    tell("PATCH", ONE, {"fieldManager": "somebody"}, held, MERGE_PATCH)
    options = {"apiVersion": "v1", "kind": "DeleteOptions"}
    tell("DELETE", ONE, None, {**options, "preconditions": {"uid": "another"}})
    tell("DELETE", ONE, None, {**options, "preconditions": {"uid": uid}})
    tell("GET", ONE)
    tell("PATCH", ONE, {}, {"metadata": {"finalizers": None}}, MERGE_PATCH)
    tell("GET", ONE)
    apply(tell, config_map())
    tell("DELETE", ONE)
    tell("GET", ONE)


def lists(tell: Teller) -> None:
    for name, team in (("one", "search"), ("two", "shop"), ("three", "search")):
        manifest = config_map(name, labels={"team": team, "kept": "yes"})
        apply(tell, manifest, f"{MANY}/{name}")
    tell("GET", MANY, {"labelSelector": "kept=yes"})
    tell("GET", MANY, {"labelSelector": "team=search,kept=yes"})
    tell("GET", MANY, {"labelSelector": "team in (search,sales),kept=yes"})
    tell("GET", MANY, {"labelSelector": "kept=no"})
    tell("GET", MANY, {"fieldSelector": "metadata.name=two"})
    tell("GET", "/apis/apps/v1/{}/deployments")
    tell("GET", "/apis/route.openshift.io/v1/{}/routes")
    tell("GET", "/apis/route.openshift.io/v1/{}/routes/one")
    tell("DELETE", "/apis/route.openshift.io/v1/{}/routes/one")


def a_status(tell: Teller) -> None:
    apply(tell, router(), ROUTER)
    version = tell.last["metadata"]["resourceVersion"]
    said = {"metadata": {"resourceVersion": version}, "status": {"phase": "Running"}}
    tell("PATCH", f"{ROUTER}/status", {}, said, MERGE_PATCH)
    tell("PATCH", f"{ROUTER}/status", {}, said, MERGE_PATCH)
    tell("PATCH", f"{ROUTER}/status", {}, {"status": {"replicas": 1}}, MERGE_PATCH)
    tell("PATCH", f"{ROUTER}/status", {}, {"status": {"phase": None}}, MERGE_PATCH)
    tell("PATCH", ROUTER, {}, {"status": {"phase": "Running"}}, MERGE_PATCH)
    tell("PATCH", ROUTER, {}, {"spec": {"replicas": 3}}, MERGE_PATCH)
    tell("PATCH", ROUTER.replace("one", "two"), {}, {"status": {}}, MERGE_PATCH)


@pytest.mark.parametrize(
    "story",
    [
        a_first_write,
        a_version_that_no_object_has,
        fields_that_others_take,
        deletions,
        lists,
        a_status,
    ],
)
def test_a_story_has_the_same_answers(
    control_plane: ControlPlane, namespace: str, story: Callable[[Teller], None]
) -> None:
    real = Teller(Client.from_options({"kubeconfig": str(control_plane.kubeconfig)}), namespace)
    double = Teller(ApiServer().client(), namespace)
    story(real)
    story(double)
    assert double.heard == real.heard
