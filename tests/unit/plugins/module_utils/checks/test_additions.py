"""What users add to the pod, and may."""

from __future__ import annotations

from bad_input import problems, with_spec


def test_pods_that_share_a_volume_may_be_spread_softly_or_by_the_users_own_affinity() -> None:
    spread = {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname"}
    soft = {**spread, "whenUnsatisfiable": "ScheduleAnyway"}
    hard = {**spread, "whenUnsatisfiable": "DoNotSchedule"}
    shared = {"replicas": 2, "persistence": {"enabled": True}}
    assert problems(with_spec(topologySpreadConstraints=[soft], **shared)) == []
    assert problems(with_spec(topologySpreadConstraints=[hard], affinity={}, **shared)) == []
    many = {"enabled": True, "accessMode": "ReadWriteMany"}
    assert problems(with_spec(topologySpreadConstraints=[hard], replicas=2, persistence=many)) == []


def test_a_source_that_is_null_is_none() -> None:
    volume = {"name": "scratch", "emptyDir": {}, "secret": None}
    assert problems(with_spec(extraVolumes=[volume])) == []
