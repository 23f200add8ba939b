# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Makes the cluster hold the objects of one SemanticRouter: compare, rehearse, write, prune.

Waits for nothing and judges no object's health. Why it is done this way: docs/adr/0005-apply.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import chain, groupby
from typing import Any, TypeVar

from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import (
    compare,
    ownership,
    plan,
    refusal,
    resources,
    takeover,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import prune as pruning
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import (
    STRICT,
    ApiError,
    Client,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.connection import (
    CONNECTIONS,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.inheritance import (
    Inheritance,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.live import by_path
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.reads import Reads
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.resources import Resource
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import (
    Facts,
    managed_fields,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.managed_fields import (
    applied,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects import provenance
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import metadata
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import Manifest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import (
    Problem,
    RouterError,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

CREATED, CHANGED, UNCHANGED, PRUNED = "created", "changed", "unchanged", "pruned"

# Server-side apply with a version that no object has makes a new object or fails: it never touches
# one that is there. (The API server compares versions where there is an object, and only there.)
_OF_NOTHING = "1"
# Of the object that is rehearsed, and never made, to know whether a new one would be taken.
_NAME_OF_NOTHING = "semantic-router-rehearsal"

_Item = TypeVar("_Item")
_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class ApplyResult:
    """What was done (or would be, in check mode), object by object, and what stood in the way.

    plan: of a dry run, and only of one; objects is empty then.
    live: the router's objects as they are now, and maybe others; None when they are not known.
    """

    objects: list[dict[str, str]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    diff: list[dict[str, Any]] = field(default_factory=list)
    plan: dict[str, Any] = field(default_factory=dict)
    live: list[Manifest] | None = None

    @property
    def changed(self) -> bool:
        """Anything but unchanged objects."""
        return any(entry["action"] != UNCHANGED for entry in self.objects)

    def as_dict(self) -> dict[str, Any]:
        """Plain containers, without `live`: what crosses Jinja between two tasks."""
        return {
            "changed": self.changed,
            "objects": self.objects,
            "problems": [problem.as_dict() for problem in self.problems],
            "diff": self.diff,
            "plan": self.plan,
        }


@dataclass(frozen=True)
class _Step:
    """One desired object: what is there, what a dry run makes of it, what a write made of it, and
    what is in the way."""

    desired: Manifest
    live: Manifest | None = None
    after: Manifest | None = None
    written: Manifest | None = None
    problems: tuple[Problem, ...] = ()

    @property
    def action(self) -> str:
        if self.after is None:
            return UNCHANGED
        if self.live is None:
            return CREATED
        return UNCHANGED if compare.is_same(self.after, self.live) else CHANGED


def apply(
    client: Client,
    router: Router,
    objects: Sequence[Manifest],
    *,
    check_mode: bool = False,
    diff: bool = False,
    dry_run: bool = False,
    prune: bool = True,
    facts: Facts | None = None,
    known: list[Manifest] | None = None,
    now: str = "",
) -> ApplyResult:
    """Write what differs and nothing else; nothing if any object but an accessory is refused.

    What is there already is rehearsed first. The first objects of a new router are just made, which
    costs half as much; when one of them is refused, the others are deleted again.

    check_mode, dry_run: write nothing; the first says of each object what would become of it, as
        Ansible wants it, the second makes a plan for the SemanticRouter's status.
    facts: those of which the objects were built. The kinds that a cluster lacks are then not even
        asked for, and what is refused in an object is traced to the field that it comes from.
    known: Discovery.live of the same run; nothing is listed again then.
    now: RFC 3339, by which ownership.is_left_behind() judges; "" = nothing is.
    What the cluster says against it is in the result's problems. RouterError is for a caller who
    asks for what can never be: an object of an unknown kind, or of another namespace.
    """
    _require_applicable(router, objects)
    with ThreadPoolExecutor(max_workers=CONNECTIONS) as threads:
        inheritance = Inheritance(client, router, now)
        requests = _Requests(client, router, facts or Facts(), threads, inheritance)
        try:
            live = (
                requests.listed(_kinds_to_list(objects, prune, facts)) if known is None else known
            )
        except ApiError as error:
            return ApplyResult(problems=[error.problem])
        desired = _stamped(router, objects, live)
        if not (check_mode or dry_run) and _is_first(router, desired, live):
            steps, problems = requests.created(desired)
            return _result(steps, [], problems, diff, live)
        rehearsed = requests.rehearsed(desired, live, not (check_mode or dry_run))
        steps = [step for step in rehearsed if not step.problems]
        problems = _problems(rehearsed)
        if any(_holds_up_others(step) for step in rehearsed):
            settled = [step for step in steps if step.action == UNCHANGED]
            return _result(settled, [], problems, diff, live)
        in_use = (facts or Facts()).rollout.in_use
        unwanted = pruning.unwanted(live, desired, inheritance.owns, in_use) if prune else []
        awaited = pruning.unwanted(live, desired, inheritance.awaits, in_use) if prune else []
        problems += [ownership.not_yet_collected(item) for item in awaited]
        if dry_run:
            return ApplyResult(problems=problems, plan=_plan(steps, unwanted, live), live=live)
        if not check_mode:
            steps, failures = requests.written(steps)
            unwanted, leftovers = ([], []) if failures else requests.pruned(unwanted)
            problems += failures + leftovers
    return _result(steps, unwanted, problems, diff, live)


def _require_applicable(router: Router, objects: Sequence[Manifest]) -> None:
    if not router.uid:
        raise _misuse("router has no metadata.uid", "Pass the SemanticRouter as the cluster has it")
    seen = set()
    for manifest in objects:
        try:
            place = resources.path(manifest)
        except KeyError as error:
            raise _misuse(
                f"an object without {error}, or of a kind that this collection does not know",
                "Give every object an apiVersion, a kind and a name, of the kinds in resources.py",
            ) from error
        name = ownership.described(manifest)
        if manifest["metadata"].get("namespace") != router.namespace:
            raise _misuse(f"{name} is not in namespace {router.namespace}", "An owner is local")
        if place in seen:
            raise _misuse(f"{name} stands twice in objects", "Build every object once")
        seen.add(place)


def _stamped(router: Router, objects: Sequence[Manifest], live: list[Manifest]) -> list[Manifest]:
    found = by_path(live)
    return [
        compare.stamped(
            manifest,
            router,
            not ownership.takes_no_owner(found.get(resources.path(manifest)), router),
        )
        for manifest in objects
    ]


def _is_first(router: Router, desired: list[Manifest], live: list[Manifest]) -> bool:
    """Nothing of the router is there, and no run has said anything of it yet.

    A refusal is in the status, so the next try is a rehearsal: nothing is made again and again.
    """
    if router.status:
        return False
    is_there = by_path(live).keys() & {resources.path(manifest) for manifest in desired}
    return not is_there and not any(metadata.is_labelled(item, router.name) for item in live)


def _misuse(found: str, remedy: str) -> RouterError:
    return RouterError(Problem(reason="ReconcileFailed", field="", found=found, remedy=remedy))


class _Requests:
    """The requests of one apply, many at a time."""

    def __init__(
        self,
        client: Client,
        router: Router,
        facts: Facts,
        threads: ThreadPoolExecutor,
        inheritance: Inheritance,
    ) -> None:
        self._client = client
        self._reads = Reads(client)
        self._router = router
        self._facts = facts
        self._threads = threads
        self._inheritance = inheritance

    def listed(self, kinds: Iterable[Resource]) -> list[Manifest]:
        """The objects with our labels."""
        return list(chain.from_iterable(self._each(self._of_kind, kinds)))

    def rehearsed(
        self, desired: Iterable[Manifest], live: Iterable[Manifest], may_write: bool
    ) -> list[_Step]:
        """One step per object; those that differ went through a server-side dry run.

        may_write: take over the fields of a former operator first.
        """
        found = by_path(live)
        steps = [_Step(manifest, found.get(resources.path(manifest))) for manifest in desired]
        return self._each(lambda step: self._rehearsal(step, may_write), steps)

    def written(self, steps: list[_Step]) -> tuple[list[_Step], list[Problem]]:
        """Rank by rank; the first rank with a failure is the last that is tried."""
        done = [step for step in steps if step.action == UNCHANGED]
        waiting = sorted((step for step in steps if step.action != UNCHANGED), key=_rank)
        for _, rank in groupby(waiting, key=_rank):
            tried = self._each(self._write, rank)
            done += [step for step in tried if not step.problems]
            if problems := _problems(tried):
                return done, problems
        return done, []

    def created(self, desired: Iterable[Manifest]) -> tuple[list[_Step], list[Problem]]:
        """All of them, rank by rank; none, if one is refused."""
        done: list[_Step] = []
        problems: list[Problem] = []
        steps = sorted((_Step(manifest) for manifest in desired), key=_rank)
        for _, rank in groupby(steps, key=_rank):
            tried = self._each(self._create, rank)
            done += [step for step in tried if step.written]
            problems += _problems(tried)
            blocking = {problem.reason for problem in problems if problem.blocking}
            if blocking == {"ApiUnavailable"}:
                # No verdict: the next run goes on from what there is.
                return done, problems
            if blocking:
                leftovers = self._deleted(reversed(done))
                return [], problems + leftovers
        return done, problems

    def pruned(self, unwanted: list[Manifest]) -> tuple[list[Manifest], list[Problem]]:
        """The objects that went, and why others did not."""
        outcomes = self._each(self._prune, unwanted)
        gone = [live for live, outcome in zip(unwanted, outcomes, strict=True) if outcome is True]
        return gone, [outcome for outcome in outcomes if isinstance(outcome, Problem)]

    def _deleted(self, steps: Iterable[_Step]) -> list[Problem]:
        """In this order, and the very objects that were made; why some are still there."""
        outcomes = [self._prune(step.written) for step in steps if step.written]
        return [outcome for outcome in outcomes if isinstance(outcome, Problem)]

    def _of_kind(self, kind: Resource) -> list[Manifest]:
        return self._reads.own(self._router, kind)

    def _rehearsal(self, step: _Step, may_write: bool) -> _Step:
        if step.live is not None:
            if objection := self._inheritance.objection(step.live):
                return replace(step, problems=(objection,))
            # First: what the former operator adds beside ours leaves ours untouched.
            if takeover.is_due(step.live, self._router):
                return self._taken_over(step, step.live, may_write)
            if managed_fields.added(step.desired, step.live):
                return self._taken_back(step, step.live, may_write)
            if compare.is_untouched(step.desired, step.live):
                return step
        rehearsed = self._dry_run(step)
        if step.live is None and rehearsed.live and takeover.is_due(rehearsed.live, self._router):
            # It has not our labels, so this is the first that is seen of it.
            return self._rehearsal(_Step(step.desired, rehearsed.live), may_write)
        return rehearsed

    def _taken_over(self, step: _Step, live: Manifest, may_write: bool) -> _Step:
        try:
            if may_write:
                taken = takeover.take_over(self._client, live, self._router)
                return self._dry_run(replace(step, live=taken))
            made = self._patch(takeover.as_new(step.desired), {"dryRun": "All"})
        except ApiError as error:
            return self._failed(step, error)
        former = managed_fields.inherited(live, self._router)
        return replace(step, after=takeover.foreseen(step.desired, live, made, former))

    def _taken_back(self, step: _Step, live: Manifest, may_write: bool) -> _Step:
        try:
            if may_write:
                taken = takeover.take_back(self._client, step.desired, live)
                return self._dry_run(replace(step, live=taken))
            made = self._patch(takeover.as_new(step.desired), {"dryRun": "All"})
        except ApiError as error:
            return self._failed(step, error)
        surplus = managed_fields.added(step.desired, live)
        return replace(step, after=takeover.foreseen(step.desired, live, made, [surplus]))

    def _dry_run(self, step: _Step) -> _Step:
        try:
            rehearsed = replace(step, after=self._patch(step.desired, {"dryRun": "All"}))
            return rehearsed if not _was_unseen(rehearsed) else self._seen(rehearsed)
        except ApiError as error:
            return self._refused(step, error)

    def _refused(self, step: _Step, error: ApiError) -> _Step:
        # Somebody else's object of that name explains more than what the API server says of ours.
        if step.live is None and (error.status in (403, 409) or not error.problem.retry):
            step = self._seen(step)
        return step if step.problems else self._failed(step, error)

    def _seen(self, step: _Step) -> _Step:
        try:
            live = self._client.get(resources.path(step.desired))
        except ApiError as error:
            return self._failed(step, error)
        objection = self._inheritance.objection(live) if live else None
        return replace(step, live=live, problems=(objection,) if objection else ())

    def _create(self, step: _Step) -> _Step:
        given = {**step.desired["metadata"], "resourceVersion": _OF_NOTHING}
        try:
            made = self._patch({**step.desired, "metadata": given}, {})
        except ApiError as error:
            refused = self._refused(step, error)
            made_before = error.status == 409 and refused.live
            if made_before and compare.is_untouched(step.desired, made_before):
                # The answer to an earlier try of this very request was lost.
                return replace(step, after=made_before, written=made_before)
            return refused
        return replace(step, after=made, written=made)

    def _write(self, step: _Step) -> _Step:
        try:
            return replace(step, written=self._patch(step.desired, {}))
        except ApiError as error:
            return self._failed(step, error)

    def _prune(self, live: Manifest) -> bool | Problem:
        try:
            return pruning.delete(self._client, live)
        except ApiError as error:
            return error.problem

    def _failed(self, step: _Step, error: ApiError) -> _Step:
        if step.live is not None and self._inheritance.is_withheld(step.live, error):
            return replace(step, problems=(ownership.held_by_the_past(step.live),))
        source = provenance.source_of(self._router, self._facts, step.desired)
        found = refusal.problems(
            error,
            step.desired,
            step.live,
            source,
            is_live_to_blame=not error.problem.retry and self._is_live_to_blame(step, error),
        )
        return replace(step, problems=tuple(found))

    def _is_live_to_blame(self, step: _Step, error: ApiError) -> bool:
        """What is asked for would be taken, were it not for what others made of the live object."""
        if step.live is None:
            return False
        if step.live.get("immutable"):
            # A ConfigMap that somebody has locked: the operator locks none.
            return True
        if refusal.is_about_what_cannot_change(error):
            # A new object is taken too when the SemanticRouter has changed what may not change.
            return compare.is_what_was_applied(step.desired, step.live) or not applied(step.live)
        given = {**step.desired["metadata"], "name": _NAME_OF_NOTHING}
        try:
            self._patch({**step.desired, "metadata": given}, {"dryRun": "All"})
        except ApiError:
            return False
        return True

    def _patch(self, manifest: Manifest, params: dict[str, str]) -> Manifest:
        return self._client.patch(
            resources.path(manifest),
            manifest,
            params={"fieldManager": metadata.FIELD_MANAGER, "force": "true", **STRICT, **params},
        )

    def _each(self, function: Callable[[_Item], _Answer], items: Iterable[_Item]) -> list[_Answer]:
        return list(self._threads.map(function, items))


def _was_unseen(step: _Step) -> bool:
    """The dry run met an object that has not our labels: only what it would create has no version.

    Either it is somebody else's, or ours after somebody took the labels off.
    """
    after = step.after or {"metadata": {}}
    return step.live is None and bool(after["metadata"].get("resourceVersion"))


def _problems(steps: Iterable[_Step]) -> list[Problem]:
    return [problem for step in steps for problem in step.problems]


def _holds_up_others(step: _Step) -> bool:
    is_accessory = resources.resource_of(step.desired).accessory
    return not is_accessory and any(problem.blocking for problem in step.problems)


def _rank(step: _Step) -> int:
    return resources.resource_of(step.desired).rank


def _kinds_to_list(objects: Sequence[Manifest], prune: bool, facts: Facts | None) -> list[Resource]:
    others = resources.served(facts.capabilities if facts else None) if prune else []
    return list(dict.fromkeys([*others, *_kinds(objects)]))


def _kinds(desired: Iterable[Manifest]) -> list[Resource]:
    return list(dict.fromkeys(resources.resource_of(manifest) for manifest in desired))


def _result(
    steps: list[_Step],
    pruned: list[Manifest],
    problems: list[Problem],
    diff: bool,
    live: list[Manifest],
) -> ApplyResult:
    steps = sorted(steps, key=_rank)
    changes = [step for step in steps if step.action != UNCHANGED] if diff else []
    return ApplyResult(
        objects=[
            *(_entry(step.desired, step.action) for step in steps),
            *(_entry(live, PRUNED) for live in pruned),
        ],
        problems=problems,
        diff=[
            *(
                compare.difference(step.live or _followed(step, live), step.after)
                for step in changes
            ),
            *(compare.difference(live, None) for live in pruned if diff),
        ],
        live=_after(steps, live),
    )


def _after(steps: list[_Step], live: list[Manifest]) -> list[Manifest]:
    """With what was written in the place of what was there; what was pruned does no harm."""
    written = [step.written for step in steps if step.written is not None]
    return list({**by_path(live), **by_path(written)}.values())


def _plan(steps: list[_Step], unwanted: list[Manifest], live: list[Manifest]) -> dict[str, Any]:
    changed = [step for step in sorted(steps, key=_rank) if step.action != UNCHANGED]
    return plan.as_dict(
        [
            *(plan.change(step.live, step.after, _followed(step, live)) for step in changed),
            *(plan.change(live, None) for live in unwanted),
        ]
    )


def _followed(step: _Step, live: list[Manifest]) -> Manifest | None:
    """Of a ConfigMap of changed content, the one of the plain name: it is like that one."""
    name = str(step.desired["metadata"]["name"])
    return next(
        (
            item
            for item in live
            if item["kind"] == step.desired["kind"] == "ConfigMap"
            and name.rpartition("-")[0] == item["metadata"]["name"]
        ),
        None,
    )


def _entry(manifest: Manifest, action: str) -> dict[str, str]:
    return {
        "kind": manifest["kind"],
        "name": manifest["metadata"]["name"],
        "namespace": manifest["metadata"]["namespace"],
        "action": action,
    }
