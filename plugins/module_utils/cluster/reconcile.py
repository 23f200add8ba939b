# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One reconcile of one SemanticRouter: discover, build, apply, report.

The story is playbooks/reconcile.yml; this is what its task does, as plain calls: from task to task
through Jinja, the same takes ten times as long (docs/adr/0016-one-action.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from ansible_collections.vllm.semantic_router.plugins.module_utils.checks import sizes
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import (
    takeover,
    watching,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.apply import (
    UNCHANGED,
    ApplyResult,
    apply,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import Client
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.discover import Discovery
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.examine import examine
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.reads import Reads
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.status import report
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import (
    Facts,
    managed_fields,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects import registry
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import writing
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import Manifest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import (
    Problem,
    explained,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.fingerprint import (
    FIELD,
    fingerprint,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.situation import (
    Situation,
)

_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class Reconciled:
    """What became of a router.

    settled: all was as the last complete run has left it; nothing was built, written or reported.
    reads: what of others was read, as Reads.notes. reads_suffice: news of them and of the router's
    own objects are all that is worth another look. doorbell: by which the stock engine is woken.
    objects: what was done to each. requeue_after: a Go duration; "" = as long as the engine waits
    by itself. messages: for the log. summary: one line of them, without text of the router.
    """

    settled: bool
    changed: bool
    status: dict[str, Any]
    messages: list[str]
    problems: list[Problem]
    reads: list[dict[str, Any]] = field(default_factory=list)
    reads_suffice: bool = False
    doorbell: dict[str, str] = field(default_factory=dict)
    objects: list[dict[str, str]] = field(default_factory=list)
    diff: list[dict[str, Any]] = field(default_factory=list)
    requeue_after: str = ""
    summary: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain containers, as a task's result."""
        return {**vars(self), "problems": [problem.as_dict() for problem in self.problems]}


def reconcile(
    client: Client,
    reads: Reads,
    router: Router,
    *,
    now: str,
    code: str,
    concerns: Iterable[str] = registry.CONCERNS,
    secret_versions: bool = False,
    check_mode: bool = False,
    diff: bool = False,
) -> Reconciled:
    """Make the cluster hold what the router asks for, and say in its status how it is.

    reads: of the batch that the router is in. now: RFC 3339 with microseconds. code: digest of this
    collection. concerns: of objects/registry.py; what the router owns of others is removed.
    RouterError when the status could not be written.
    """
    reads = reads.of_one_router()
    found, failure = _tried(lambda: examine(reads, router, secret_versions=secret_versions))
    if found and _is_settled(router, found, code):
        watching.ask_for(client, router, found.live or [])
        return Reconciled(
            settled=True,
            changed=False,
            status=router.status,
            messages=found.messages,
            problems=found.problems,
            reads=reads.notes,
            reads_suffice=True,
            doorbell=watching.doorbell(client, router, found.live or []),
        )
    built: list[Manifest] | None = None
    if found and writing.mode(router) != writing.PAUSED and not _is_blocked(found):
        facts = found.facts
        built, failure = _tried(lambda: registry.build(router, facts, concerns))
        found = replace(found, problems=[*found.problems, *sizes.check(built or [])])
    applied: ApplyResult | None = None
    if found and built is not None and not _is_blocked(found):
        applied, failure = _tried(
            lambda: apply(
                client,
                router,
                built,
                check_mode=check_mode,
                diff=diff,
                dry_run=writing.mode(router) == writing.DRY_RUN,
                facts=found.facts,
                known=found.live,
                now=now,
            )
        )
    known = applied.live if applied else found.live if found else None
    problems = _problems(found, applied, failure)
    if _is_in_charge(router, applied) and not check_mode:
        problems += takeover.release(client, router)
    said = report(
        client,
        Situation(router, found.facts if found else Facts(), problems),
        now=now,
        check_mode=check_mode,
        plan=applied.plan if applied else {},
        known=known,
        code=code,
    )
    watching.ask_for(client, router, known or [])
    objects = applied.objects if applied else []
    return Reconciled(
        settled=False,
        changed=said.changed or any(item["action"] != UNCHANGED for item in objects),
        status=said.status,
        messages=[*(found.messages if found else []), *written(objects), *said.messages],
        problems=problems,
        reads=reads.notes,
        reads_suffice=said.reads_suffice,
        doorbell=watching.doorbell(client, router, known or []),
        objects=objects,
        diff=applied.diff if applied else [],
        requeue_after=said.requeue_after,
        summary=said.summary,
    )


def gave_up(reason: str, found: str) -> Problem:
    """The operator itself could not go on."""
    return Problem(
        reason=reason,
        field="",
        found=found.strip().rstrip("."),
        remedy="Wait: the operator tries again by itself; its log has the details",
        retry=True,
    )


def written(objects: Iterable[dict[str, str]]) -> list[str]:
    """Lines for the log: what was done to which object."""
    return [
        f"{item['kind']} {item['name']} {item['action']}"
        for item in objects
        if item["action"] != UNCHANGED
    ]


def _tried(step: Callable[[], _Answer]) -> tuple[_Answer | None, str]:
    """Its answer, or why there is none: whatever goes wrong becomes a condition."""
    try:
        return step(), ""
    except Exception as error:
        return None, explained(error)


def _is_settled(router: Router, found: Discovery, code: str) -> bool:
    left = router.status.get(FIELD)
    if not left or found.live is None or managed_fields.is_marked(router):
        return False
    situation = Situation(router, found.facts, found.problems)
    now = fingerprint(code, situation, found.live, router.status)
    return bool(left == now)


def _is_in_charge(router: Router, applied: ApplyResult | None) -> bool:
    """All that the router asks for is written, by this operator."""
    if applied is None or writing.mode(router) != writing.WRITE:
        return False
    return not any(problem.blocking for problem in applied.problems)


def _is_blocked(found: Discovery) -> bool:
    return any(problem.blocking for problem in found.problems)


def _problems(found: Discovery | None, applied: ApplyResult | None, failure: str) -> list[Problem]:
    if found is None:
        return [gave_up("DiscoveryFailed", failure)]
    return [
        *found.problems,
        *(applied.problems if applied else []),
        *([gave_up("ReconcileFailed", failure)] if failure else []),
    ]
