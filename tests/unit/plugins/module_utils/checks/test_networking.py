"""Services and Ingresses that look odd and are right."""

from __future__ import annotations

from bad_input import problems, with_spec


def test_metrics_that_are_not_exposed_take_no_port_of_the_service() -> None:
    service = {"metrics": {"enabled": False, "port": 8080}}
    found = problems(with_spec(service=service))
    assert [one.reason for one in found] == ["FieldsIgnored"]


def test_an_ingress_may_leave_everything_open() -> None:
    assert problems(with_spec(ingress={"enabled": True})) == []
    hosts = [{"host": "*.example.com"}, {}, {"host": "", "paths": []}]
    assert problems(with_spec(ingress={"enabled": True, "hosts": hosts})) == []


def test_a_disabled_ingress_may_hold_anything() -> None:
    hosts = [{"host": "https://nowhere", "paths": [{"path": "x", "pathType": "y"}]}]
    found = problems(with_spec(ingress={"hosts": hosts}))
    assert [one.reason for one in found] == ["FieldsIgnored"]
