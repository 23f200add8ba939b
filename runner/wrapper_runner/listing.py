"""What is known of the objects of one kind, and what each piece of news changes: pure.

Only metadata is kept, and of that only what decides whether somebody has to act: a thousand
ConfigMaps cost a few hundred kilobytes, whatever is in them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from wrapper_runner.schedule import Key

# How operator-sdk names the owner of an object that cannot have an ownerReference to it.
ANNOTATION_OWNER = "operator-sdk/primary-resource"
ANNOTATION_OWNER_TYPE = "operator-sdk/primary-resource-type"


@dataclass(frozen=True)
class Owner:
    group: str
    kind: str
    key: Key


@dataclass(frozen=True)
class Seen:
    """An object as far as it matters here.

    version: another one is news of it. annotations: a digest. status: who has written which part of
    it: manager, time, and a digest of the fields.
    """

    key: Key
    uid: str
    version: str
    generation: int
    deleting: bool
    annotations: str
    owners: tuple[Owner, ...]
    status: tuple[tuple[str, str, str], ...] = ()

    @classmethod
    def of(cls, metadata: Mapping[str, Any], ignores_status: bool = False) -> Seen:
        annotations = metadata.get("annotations") or {}
        return cls(
            key=Key(metadata.get("namespace", ""), metadata["name"]),
            uid=metadata.get("uid", ""),
            version=(
                _but_status(metadata) if ignores_status else metadata.get("resourceVersion", "")
            ),
            generation=metadata.get("generation", 0),
            deleting="deletionTimestamp" in metadata,
            annotations=_digest(annotations),
            owners=(*_referenced(metadata), *_annotated(annotations)),
            status=tuple(_status_writers(metadata)),
        )


class News(Enum):
    LISTED = auto()  # there when we looked: it may have changed before that, unseen
    ADDED = auto()  # came into being before our eyes
    MODIFIED = auto()
    DELETED = auto()


@dataclass(frozen=True)
class Change:
    news: News
    now: Seen
    before: Seen | None = None


class Listing:
    def __init__(self, ignores_status: bool = False) -> None:
        """ignores_status: an object of which nothing but its status has changed is no news."""
        self._ignores_status = ignores_status
        self._objects: dict[Key, Seen] = {}

    def count(self, namespace: str) -> int:
        # A copy: it is asked for by other threads than the one that keeps it up.
        return sum(key.namespace == namespace for key in list(self._objects))

    def replace(self, objects: Iterable[Mapping[str, Any]]) -> list[Change]:
        """A complete list: what is new, what differs, and what is gone without a word."""
        listed = {seen.key: seen for seen in map(self._seen, objects)}
        gone = [
            Change(News.DELETED, seen, seen)
            for key, seen in self._objects.items()
            if key not in listed
        ]
        known = self._objects
        self._objects = listed
        there = [
            Change(News.MODIFIED if key in known else News.LISTED, seen, known.get(key))
            for key, seen in listed.items()
            if key not in known or known[key].version != seen.version
        ]
        return gone + there

    def update(self, event: str, metadata: Mapping[str, Any]) -> Change | None:
        """One event of a watch: ADDED, MODIFIED or DELETED."""
        seen = self._seen(metadata)
        before = self._objects.get(seen.key)
        if event == "DELETED":
            self._objects.pop(seen.key, None)
            return Change(News.DELETED, seen, before)
        self._objects[seen.key] = seen
        if before is None:
            return Change(News.ADDED, seen)
        if before.version == seen.version:
            return None
        return Change(News.MODIFIED, seen, before)

    def _seen(self, metadata: Mapping[str, Any]) -> Seen:
        return Seen.of(metadata, self._ignores_status)


def concerns_itself(change: Change, annotations_matter: bool, status_manager: str = "") -> bool:
    """Whether news of a watched object calls for a run: not if only its labels moved, or its status
    by the hand of `status_manager`; "" = whoever wrote it.
    """
    before, now = change.before, change.now
    if change.news is not News.MODIFIED or before is None:
        return True
    return (
        (before.uid, before.generation, before.deleting) != (now.uid, now.generation, now.deleting)
    ) or (
        (annotations_matter and before.annotations != now.annotations)
        or (bool(status_manager) and _is_status_meddled_with(before, now, status_manager))
    )


def _is_status_meddled_with(before: Seen, now: Seen, manager: str) -> bool:
    """Somebody else has written to it, or fields that the manager has written are gone.

    Who takes a field over, or away, leaves the time of the entry that loses it as it was.
    """
    if any(writer != manager for writer, *_ in set(now.status) - set(before.status)):
        return True
    was, is_now = (
        {entry[1:] for entry in seen.status if entry[0] == manager} for seen in (before, now)
    )
    times = {time for time, _ in is_now}
    return any(time in times or not is_now for time, _ in was - is_now)


def owners_concerned(change: Change, group: str, kind: str) -> set[Key]:
    """Whose run news of a dependent calls for.

    Not upon ADDED: a run made it and knows, and a deletion before that has been noticed.
    """
    if change.news is News.ADDED:
        return set()
    owners = change.now.owners + (change.before.owners if change.before else ())
    return {owner.key for owner in owners if (owner.group, owner.kind) == (group, kind)}


def _referenced(metadata: Mapping[str, Any]) -> Iterable[Owner]:
    for reference in metadata.get("ownerReferences") or ():
        group = reference["apiVersion"].rpartition("/")[0]
        key = Key(metadata.get("namespace", ""), reference["name"])
        yield Owner(group, reference["kind"], key)


def _annotated(annotations: Mapping[str, str]) -> Iterable[Owner]:
    kind, _, group = annotations.get(ANNOTATION_OWNER_TYPE, "").partition(".")
    namespace, _, name = annotations.get(ANNOTATION_OWNER, "").rpartition("/")
    if kind and name:
        yield Owner(group, kind, Key(namespace, name))


def _status_writers(metadata: Mapping[str, Any]) -> Iterable[tuple[str, str, str]]:
    for entry in metadata.get("managedFields") or ():
        if _is_of_status(entry):
            fields = _digest(entry.get("fieldsV1") or {})
            yield entry.get("manager", ""), entry.get("time", ""), fields


def _but_status(metadata: Mapping[str, Any]) -> str:
    """A digest of what a write of the status leaves as it is.

    Of a spec, managedFields tell who wrote which field, and when. Its generation would not do: most
    clusters give autoscalers none, and labels never count.
    """
    fields = [each for each in metadata.get("managedFields") or () if not _is_of_status(each)]
    return _digest({**metadata, "resourceVersion": "", "managedFields": fields})


def _is_of_status(entry: Mapping[str, Any]) -> bool:
    return bool(entry.get("subresource") == "status")


def _digest(found: Mapping[str, Any]) -> str:
    if not found:
        return ""
    text = json.dumps(found, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
