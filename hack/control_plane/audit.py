"""Reads the API server's audit log: who wrote what. Judges nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WRITE_VERBS = frozenset({"create", "update", "patch", "delete", "deletecollection"})
DECISION = "authorization.k8s.io/decision"


@dataclass(frozen=True)
class Request:
    """One finished request to the API server."""

    user: str
    agent: str
    verb: str
    group: str
    resource: str
    namespace: str
    name: str
    code: int
    authorized: bool
    dry_run: bool
    time: str

    @property
    def is_write(self) -> bool:
        return self.verb in WRITE_VERBS


def requests(log: Path, offset: int = 0) -> Iterator[Request]:
    """All requests from `offset` on: take `log.stat().st_size` before the time that matters.

    Of a line that was on its way to the disk at that time, the rest is skipped.
    """
    with log.open("rb") as lines:
        if offset:
            lines.seek(offset - 1)
            lines.readline()
        for line in lines:
            # The last line may still be on its way to the disk.
            if line.endswith(b"\n"):
                yield _request(json.loads(line))


def writes(log: Path, offset: int = 0) -> Iterator[Request]:
    """The requests that ask for a change, whether it was granted or not."""
    return (request for request in requests(log, offset) if request.is_write)


def _request(event: dict[str, Any]) -> Request:
    reference = event.get("objectRef", {})
    subresource = reference.get("subresource")
    resource = reference.get("resource", "")
    return Request(
        user=event["user"].get("username", ""),
        agent=event.get("userAgent", ""),
        verb=event["verb"],
        group=reference.get("apiGroup", ""),
        resource=f"{resource}/{subresource}" if subresource else resource,
        namespace=reference.get("namespace", ""),
        name=reference.get("name", ""),
        code=event.get("responseStatus", {}).get("code", 0),
        # A namespace that is going, say, answers 403 too: that is admission.
        authorized=event.get("annotations", {}).get(DECISION) != "forbid",
        dry_run="dryRun=" in event["requestURI"],
        time=event["requestReceivedTimestamp"],
    )
