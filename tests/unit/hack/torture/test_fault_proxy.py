"""What the proxy takes a request for: a fault befalls those it is meant for and no others."""

from __future__ import annotations

import pytest
from torture.fault_proxy import Passing, events, passing

DEPLOYMENTS = "/apis/apps/v1/namespaces/a/deployments"
ROUTERS = "/apis/vllm.ai/v1alpha1/namespaces/a/semanticrouters"


@pytest.mark.parametrize(
    ("method", "url", "verb", "resource", "namespace", "name"),
    [
        ("GET", DEPLOYMENTS, "list", "deployments", "a", ""),
        ("GET", f"{DEPLOYMENTS}?watch=true", "watch", "deployments", "a", ""),
        ("GET", f"{DEPLOYMENTS}/b", "get", "deployments", "a", "b"),
        ("GET", "/apis/apps/v1/deployments?watch=1", "watch", "deployments", "", ""),
        ("GET", "/api/v1/namespaces/a", "get", "namespaces", "", "a"),
        ("POST", "/api/v1/namespaces/a/events", "create", "events", "a", ""),
        ("PATCH", f"{ROUTERS}/b/status", "patch", "semanticrouters/status", "a", "b"),
        ("PUT", "/apis/coordination.k8s.io/v1/namespaces/a/leases/b", "update", "leases", "a", "b"),
        ("DELETE", "/api/v1/namespaces/a/configmaps/b", "delete", "configmaps", "a", "b"),
        ("GET", "/apis", "list", "", "", ""),
    ],
)
def test_a_request_is_called_what_rbac_calls_it(
    method: str, url: str, verb: str, resource: str, namespace: str, name: str
) -> None:
    named = Passing(verb, resource, namespace, name, dry_run=False, agent="")
    assert passing(method, url) == named


def test_a_rehearsal_is_told_from_a_write() -> None:
    assert not passing("PATCH", f"{DEPLOYMENTS}/b?dryRun=All").changes
    assert passing("PATCH", f"{DEPLOYMENTS}/b?fieldManager=c").changes
    assert not passing("GET", f"{DEPLOYMENTS}/b").changes


def test_an_event_is_told_when_all_of_it_is_there() -> None:
    pieces = iter((b'{"a":', b' 1}\n{"b": 2}\n', b'{"c"'))

    assert list(events(pieces)) == [b'{"a": 1}\n', b'{"b": 2}\n']
