"""`kubectl sr diff`: what the operator would change for a file, asked from the API server.

Everything is a server-side dry run: the SemanticRouter itself, for its defaults and rules, then
each object with the operator's own field manager.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import unified_diff
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.apply import apply
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.examine import examine
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.reads import Reads
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects import registry
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.config import yaml_text
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import Manifest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

from semantic_router_cli.cluster import Cluster

CREATED, CHANGED, PRUNED = "created", "changed", "pruned"


@dataclass(frozen=True)
class Change:
    """One object.

    before, after: YAML, "" where there is none. rolls: its pods are replaced.
    """

    title: str
    action: str
    before: str
    after: str
    rolls: bool = False

    def lines(self) -> list[str]:
        """A unified diff, without a line end each."""
        before, after = self.before.splitlines(), self.after.splitlines()
        names = (f"live/{self.title}", f"file/{self.title}")
        return list(unified_diff(before, after, *names, lineterm=""))

    def as_dict(self) -> dict[str, Any]:
        """Plain containers."""
        return {
            "object": self.title,
            "action": self.action,
            "replacesPods": self.rolls,
            "diff": "\n".join(self.lines()),
        }


@dataclass(frozen=True)
class Difference:
    """problems: what the operator would object to; with a blocking one it would change nothing."""

    changes: list[Change]
    problems: list[Problem]


def difference(cluster: Cluster, resource: Manifest) -> Difference:
    """What a write of one SemanticRouter would change, in it and in all its objects."""
    rehearsed, live = cluster.rehearse_router(resource)
    router = Router(rehearsed)
    found = examine(Reads(cluster.client), router)
    problems = found.problems
    changes = list(_of_the_router(rehearsed, live))
    if any(problem.blocking for problem in problems):
        return Difference(changes, problems)
    applied = apply(
        cluster.client,
        router,
        registry.build(router, found.facts),
        check_mode=True,
        diff=True,
        facts=found.facts,
        now=datetime.now(UTC).isoformat(),
    )
    changes += [_change(entry) for entry in applied.diff]
    return Difference(changes, [*problems, *applied.problems])


def _of_the_router(rehearsed: Manifest, live: Manifest | None) -> Iterator[Change]:
    before, after = _said(live), _said(rehearsed)
    if before != after:
        title = (
            f"SemanticRouter {rehearsed['metadata']['namespace']}/{rehearsed['metadata']['name']}"
        )
        yield Change(title, CHANGED if live else CREATED, before, after)


def _said(router: Manifest | None) -> str:
    """What a person writes of it."""
    if router is None:
        return ""
    metadata = router["metadata"]
    kept = {key: metadata[key] for key in ("name", "namespace", "labels") if key in metadata}
    return yaml_text({"metadata": kept, "spec": router.get("spec") or {}})


def _text(manifest: Manifest) -> str:
    # The API server's own order of these two differs between an answer and a list.
    head: Manifest = {key: manifest[key] for key in ("apiVersion", "kind") if key in manifest}
    return yaml_text({**head, **manifest}) if manifest else ""


def _change(entry: dict[str, Any]) -> Change:
    before, after = entry["before"], entry["after"]
    action = CREATED if not before else PRUNED if not after else CHANGED
    rolls = action == CHANGED and before["kind"] == "Deployment"
    return Change(
        title=str(entry["after_header"]),
        action=action,
        before=_text(before),
        after=_text(after),
        rolls=rolls and before["spec"]["template"] != after["spec"]["template"],
    )
