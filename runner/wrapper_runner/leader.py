"""Leader election by a Lease, by client-go's rules, so that it may share one with another operator.

A candidate believes no clock but its own: a Lease is free when nobody holds it, or when this
process has not seen it change for the time that the Lease itself gives. Every write carries the
version it is based on; the API server refuses the slower of two.
"""

from __future__ import annotations

import socket
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime

from wrapper_runner import logs
from wrapper_runner.cluster import Cluster, ClusterError, Json

RETRY = 2.0

log = logs.Log("leaderelection")


class LeaderElection:
    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        name: str,
        lease_duration: float,
        renew_deadline: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster = cluster
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._name = name
        self._duration = lease_duration
        self._deadline = renew_deadline
        self._clock = clock
        self.identity = f"{socket.gethostname()}_{uuid.uuid4()}"
        self._seen = ""
        self._seen_at = 0.0
        self.lease = f"{namespace}/{name}"
        self._log = log.bind(lease=self.lease, identity=self.identity)

    def acquire(self, stop: threading.Event) -> bool:
        """Wait until the Lease is ours; False when stopped before."""
        self._log.info("Waiting to become the leader")
        while not stop.is_set():
            try:
                if self.attempt():
                    self._log.info("Became the leader")
                    return True
            except ClusterError as error:
                self._log.error("Cannot get the Lease; trying again", error=str(error))
            stop.wait(RETRY)
        return False

    def hold(self, stop: threading.Event) -> bool:
        """Renew until stopped (True) or until the Lease is lost (False)."""
        renewed = self._clock()
        while not stop.wait(RETRY):
            try:
                if not self.attempt():
                    self._log.error("Somebody else took the Lease")
                    return False
                renewed = self._clock()
            except ClusterError as error:
                self._log.error("Cannot renew the Lease; trying again", error=str(error))
            if self._clock() - renewed > self._deadline:
                self._log.error("Could not renew the Lease in time")
                return False
        return True

    def release(self) -> None:
        """Let the next one take over at once, if the Lease is still ours."""
        try:
            lease = self._cluster.get(f"{self._path}/{self._name}")
            if lease["spec"].get("holderIdentity") == self.identity:
                spec = {**self._spec(lease), "holderIdentity": "", "leaseDurationSeconds": 1}
                self._cluster.replace(f"{self._path}/{self._name}", {**lease, "spec": spec})
        except ClusterError as error:
            self._log.error("Cannot release the Lease; it runs out by itself", error=str(error))

    def attempt(self) -> bool:
        """Take or renew the Lease if it may be had; whether it is ours now."""
        try:
            lease = self._cluster.get(f"{self._path}/{self._name}")
        except ClusterError as error:
            if error.status != 404:
                raise
            return self._write(None)
        self._observe(lease)
        holder = lease["spec"].get("holderIdentity")
        if holder and holder != self.identity and not self._has_run_out(lease):
            return False
        return self._write(lease)

    def _observe(self, lease: Json) -> None:
        version = lease["metadata"]["resourceVersion"]
        if version != self._seen:
            self._seen, self._seen_at = version, self._clock()

    def _has_run_out(self, lease: Json) -> bool:
        duration = lease["spec"].get("leaseDurationSeconds") or self._duration
        return self._clock() - self._seen_at > duration

    def _write(self, lease: Json | None) -> bool:
        spec = self._spec(lease)
        try:
            if lease is None:
                body = {
                    "apiVersion": "coordination.k8s.io/v1",
                    "kind": "Lease",
                    "metadata": {"name": self._name},
                    "spec": spec,
                }
                self._cluster.create(self._path, body)
            else:
                self._cluster.replace(f"{self._path}/{self._name}", {**lease, "spec": spec})
        except ClusterError as error:
            if error.status == 409:
                return False
            raise
        return True

    def _spec(self, lease: Json | None) -> Json:
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        before = lease["spec"] if lease else {}
        ours = before.get("holderIdentity") == self.identity
        return {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": int(self._duration),
            "acquireTime": before["acquireTime"] if ours else now,
            "renewTime": now,
            "leaseTransitions": before.get("leaseTransitions", 0) + (not ours and bool(before)),
        }
