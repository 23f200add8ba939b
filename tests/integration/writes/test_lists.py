"""An entry of a list whose key somebody edits is another entry to the API server, beside ours.

Of all that a router consists of: each list with keys, and each part of its key.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import compare, resources
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.apply import (
    UNCHANGED,
    apply,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import (
    JSON_PATCH,
    MERGE_PATCH,
    ApiError,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import managed_fields
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects import registry
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import Path
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import Manifest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from eventually import eventually
from examples import facts
from integration.writes.cluster import Cluster

# What has lists: containers and their ports, variables, mounts; volumes, rules, hosts.
SPEC: dict[str, Any] = {
    "env": [{"name": "ONE", "value": "1"}],
    "imagePullSecrets": [{"name": "pull"}],
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
    ],
    "extraVolumes": [{"name": "unused", "emptyDir": {}}],
    "extraContainers": [{"name": "beside", "image": "example.invalid/beside"}],
    "ingress": {"enabled": True, "hosts": [{"host": "a.example.com"}]},
    "networkPolicy": {"enabled": True},
    "autoscaling": {"enabled": True, "maxReplicas": 3},
}
# A key that others refer to can be edited only together with them, which the API server asks for.
LISTS = {
    ("Deployment", "containers", "name"),
    ("Deployment", "env", "name"),
    ("Deployment", "imagePullSecrets", "name"),
    ("Deployment", "ports", "containerPort"),
    ("Deployment", "ports", "protocol"),
    ("Deployment", "topologySpreadConstraints", "topologyKey"),
    ("Deployment", "topologySpreadConstraints", "whenUnsatisfiable"),
    ("Deployment", "volumeMounts", "mountPath"),
    ("Deployment", "volumes", "name"),
    ("Service", "ports", "port"),
    ("Service", "ports", "protocol"),
}
OTHER = {"TCP": "UDP", "DoNotSchedule": "ScheduleAnyway"}


def entries(fields: dict[str, Any], value: Any, place: Path = ()) -> Iterator[tuple[Path, str]]:
    """Each entry of a list with keys that we own, and each part of its key."""
    for key, below in fields.items():
        form, _, name = key.partition(":")
        if form == "f":
            yield from entries(below, value.get(name), (*place, name))
        elif form == "k":
            asked = json.loads(name)
            for index, item in enumerate(value):
                if all(item.get(part) == given for part, given in asked.items()):
                    yield from (((*place, index), part) for part in asked)
                    yield from entries(below, item, (*place, index))


def with_another_key(cluster: Cluster, live: Manifest, place: Path, part: str) -> Manifest | None:
    """None where the API server says no."""
    item: Any = live
    for step in place:
        item = item[step]
    given = item[part]
    another = given + 1 if isinstance(given, int) else OTHER.get(given, f"{given}-2")
    path = "/" + "/".join(map(str, (*place, part)))
    patch = [{"op": "replace", "path": path, "value": another}]
    with suppress(ApiError):
        query = {"fieldManager": "somebody-else"}
        return cluster.admin.patch(resources.path(live), patch, JSON_PATCH, query)
    return None


def test_each_list_with_keys_is_put_right_whichever_part_of_a_key_somebody_edits(
    cluster: Cluster,
) -> None:
    path = f"{cluster.routers}/{cluster.router.name}"
    changed = cluster.admin.patch(path, {"spec": SPEC}, MERGE_PATCH)
    router = Router(changed)
    found = facts(router, "kubernetes")

    def written() -> set[str]:
        made: set[str] = set()

        def is_done() -> bool:
            # A controller that writes its status meanwhile is a reason to try again.
            done = apply(cluster.client, router, registry.build(router, found), facts=found)
            assert all(problem.retry for problem in done.problems), done.problems
            made.update(one["kind"] for one in done.objects if one["action"] != UNCHANGED)
            return not done.problems

        eventually(is_done)
        return made

    assert written()
    assert written() == set()
    tried = set()
    for manifest in registry.build(router, found):
        path = resources.path(manifest)
        good = cluster.admin.get(path)
        assert good is not None
        seen = set()
        for owned in managed_fields.applied(good):
            for place, part in entries(owned, good):
                name = next(step for step in reversed(place) if isinstance(step, str))
                what = (manifest["kind"], name, part)
                if what in seen or name == "ownerReferences":
                    continue
                if with_another_key(cluster, good, place, part) is None:
                    continue
                seen.add(what)
                assert written() == {manifest["kind"]}, what
                now = cluster.admin.get(path)
                assert now is not None
                assert compare.shown(now)["spec"] == compare.shown(good)["spec"], what
        tried |= seen
    assert tried == LISTS
