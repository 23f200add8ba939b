"""The one thing of this package that is about SemanticRouters: which platform they will run on.

Users look for these lines in the operator's log when a pod's security context surprises them. The
decision itself is made anew in every run, by the collection.
"""

from __future__ import annotations

import random
import threading

from wrapper_runner import logs
from wrapper_runner.cluster import Cluster, ClusterError, connect

OPENSHIFT = "Detected OpenShift platform - will use OpenShift-compatible security contexts"
KUBERNETES = "Detected standard Kubernetes platform - will use standard security contexts"
LONGEST_RETRY = 30.0

log = logs.Log("platform")


def line(cluster: Cluster) -> str:
    """OpenShift is where the API server serves Routes; an error is not an answer, and is raised."""
    groups = cluster.get("/apis")["groups"]
    served = any(group["name"] == "route.openshift.io" for group in groups)
    return OPENSHIFT if served else KUBERNETES


def announce(cluster: Cluster, stop: threading.Event) -> bool:
    """Log the platform as soon as the API server answers; False when stopped before."""
    pause = 0.5
    while not stop.is_set():
        try:
            log.info(line(cluster))
            return True
        except ClusterError as error:
            log.error("Cannot ask for the platform; trying again", error=str(error))
        stop.wait(pause * random.uniform(0.5, 1))  # noqa: S311 no secret depends on it
        pause = min(pause * 2, LONGEST_RETRY)
    return False


def announce_within(limit: float, kubeconfig: str | None) -> None:
    """The same for a caller who must go on: what cannot be had in time is left out."""
    stop = threading.Event()

    def ask() -> None:
        try:
            announce(connect(kubeconfig), stop)
        except ClusterError as error:
            log.error("Cannot ask for the platform", error=str(error))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(limit)
    stop.set()
