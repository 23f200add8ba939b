"""The metadata of a collection's objects: listed, then watched. What all followers do alike."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from wrapper_runner.cluster import METADATA_ONLY, Cluster, ClusterError, Json, Listed

# Bookmarks come about once a minute, so silence of two means that nobody is there any more.
SILENCE = 120.0
# What changes in an outage is to be seen, and done, within 30 s of its end.
LONGEST_RETRY = 15.0
NOT_SERVED_RETRY = 30.0
GONE = 410
BOOKMARK = "BOOKMARK"

# labelSelector and fieldSelector, as the API server spells them.
Selection = Mapping[str, str]


class Event(NamedTuple):
    """type: ADDED, MODIFIED, DELETED or BOOKMARK, which only says how far the watch is."""

    type: str
    metadata: Json


def listed(cluster: Cluster, path: str, selection: Selection) -> Listed:
    """The metadata of all objects, and the version to watch from."""
    found = cluster.items(path, selection, METADATA_ONLY.format(list="List"))
    return Listed([item["metadata"] for item in found.items], found.version)


def watched(cluster: Cluster, path: str, selection: Selection, version: str) -> Iterator[Event]:
    """What happens from a version on, until the server ends the watch; ClusterError if it fails."""
    query = {
        "resourceVersion": version,
        "allowWatchBookmarks": "true",
        # Spread, so that a restarted API server does not get all watches anew at one moment.
        "timeoutSeconds": str(random.randint(240, 480)),  # noqa: S311 no secret depends on it
        **selection,
    }
    for event in cluster.watch(path, query, SILENCE):
        if event["type"] == "ERROR":
            status = event["object"]
            raise ClusterError(status.get("code", 0), status.get("message", "watch failed"))
        yield Event(event["type"], event["object"].get("metadata", {}))


def patience(failures: int) -> float:
    """Seconds until the next try after so many failures in a row."""
    return min(0.5 * 2.0 ** min(failures - 1, 10), LONGEST_RETRY)


def spread(seconds: float) -> float:
    """With jitter, or all the watches that one outage ended would come back at one moment."""
    return seconds * random.uniform(0.5, 1)  # noqa: S311 as above
