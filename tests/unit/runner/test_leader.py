"""Leader election: candidates, a Lease with optimistic concurrency, and a clock of the test's."""

from __future__ import annotations

import threading
from typing import Any, cast

import pytest
from wrapper_runner.cluster import Cluster, ClusterError
from wrapper_runner.leader import LeaderElection

PATH = "/apis/coordination.k8s.io/v1/namespaces/ops/leases"


class FakeCluster:
    """One Lease, versioned as the API server does it."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.unreachable = False
        self._version = 0

    def get(self, path: str) -> dict[str, Any]:
        self._answer()
        assert path == f"{PATH}/op"
        if self.lease is None:
            raise ClusterError(404, "not found")
        return {**self.lease, "spec": dict(self.lease["spec"])}

    def create(self, path: str, body: dict[str, Any]) -> None:
        self._answer()
        assert path == PATH
        if self.lease is not None:
            raise ClusterError(409, "exists")
        self._store(body)

    def replace(self, path: str, body: dict[str, Any]) -> None:
        self._answer()
        assert path == f"{PATH}/op"
        assert self.lease is not None
        if body["metadata"]["resourceVersion"] != self.lease["metadata"]["resourceVersion"]:
            raise ClusterError(409, "conflict")
        self._store(body)

    def _store(self, body: dict[str, Any]) -> None:
        self._version += 1
        metadata = {**body["metadata"], "resourceVersion": str(self._version)}
        self.lease = {**body, "metadata": metadata}

    def _answer(self) -> None:
        if self.unreachable:
            raise ClusterError(0, "away")

    @property
    def spec(self) -> dict[str, Any]:
        assert self.lease is not None
        spec: dict[str, Any] = self.lease["spec"]
        return spec


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def candidate(cluster: FakeCluster, clock: Clock) -> LeaderElection:
    return LeaderElection(cast(Cluster, cluster), "ops", "op", 15, 10, clock)


def test_first_candidate_makes_the_lease(cluster: FakeCluster, clock: Clock) -> None:
    first = candidate(cluster, clock)
    assert first.attempt()
    assert cluster.spec["holderIdentity"] == first.identity
    assert cluster.spec["leaseDurationSeconds"] == 15


def test_second_candidate_waits_while_the_first_renews(cluster: FakeCluster, clock: Clock) -> None:
    first, second = candidate(cluster, clock), candidate(cluster, clock)
    first.attempt()
    for _ in range(30):
        assert not second.attempt()
        clock.now += 2
        assert first.attempt()


def test_second_candidate_takes_over_when_the_first_is_silent(
    cluster: FakeCluster, clock: Clock
) -> None:
    first, second = candidate(cluster, clock), candidate(cluster, clock)
    first.attempt()
    assert not second.attempt()
    clock.now += 15.1
    assert second.attempt()
    assert cluster.spec["holderIdentity"] == second.identity
    assert cluster.spec["leaseTransitions"] == 1
    assert not first.attempt()


def test_renewal_keeps_the_moment_of_acquisition(cluster: FakeCluster, clock: Clock) -> None:
    first = candidate(cluster, clock)
    first.attempt()
    acquired = cluster.spec["acquireTime"]
    first.attempt()
    assert cluster.spec["acquireTime"] == acquired
    assert cluster.spec["leaseTransitions"] == 0


def test_released_lease_is_taken_at_once(cluster: FakeCluster, clock: Clock) -> None:
    first, second = candidate(cluster, clock), candidate(cluster, clock)
    first.attempt()
    assert not second.attempt()
    first.release()
    assert second.attempt()


def test_lease_of_another_is_not_released(cluster: FakeCluster, clock: Clock) -> None:
    first, second = candidate(cluster, clock), candidate(cluster, clock)
    first.attempt()
    second.release()
    assert cluster.spec["holderIdentity"] == first.identity


def test_slower_of_two_writers_loses(
    cluster: FakeCluster, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = candidate(cluster, clock), candidate(cluster, clock)
    first.attempt()
    first.release()
    stale = cluster.get(f"{PATH}/op")
    assert first.attempt()
    monkeypatch.setattr(cluster, "get", lambda _: stale)
    assert not second.attempt()


def test_leader_that_cannot_renew_gives_up_before_the_lease_runs_out(
    cluster: FakeCluster, clock: Clock
) -> None:
    first = candidate(cluster, clock)
    first.attempt()
    cluster.unreachable = True

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            clock.now += timeout or 0
            return False

    began = clock.now
    assert not first.hold(Stop())
    assert 10 < clock.now - began < 15
