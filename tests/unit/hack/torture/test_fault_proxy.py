"""What the proxy takes a request for: a fault befalls those it is meant for and no others."""

from __future__ import annotations

import pytest
from torture.fault_proxy import Passing, passing

DEPLOYMENTS = "/apis/apps/v1/namespaces/a/deployments"
ROUTERS = "/apis/vllm.ai/v1alpha1/namespaces/a/semanticrouters"


@pytest.mark.parametrize(
    ("method", "url", "verb", "resource", "name"),
    [
        ("GET", DEPLOYMENTS, "list", "deployments", ""),
        ("GET", f"{DEPLOYMENTS}?watch=true", "watch", "deployments", ""),
        ("GET", f"{DEPLOYMENTS}/b", "get", "deployments", "b"),
        ("GET", "/apis/apps/v1/deployments?watch=1", "watch", "deployments", ""),
        ("GET", "/api/v1/namespaces/a", "get", "namespaces", "a"),
        ("POST", "/api/v1/namespaces/a/events", "create", "events", ""),
        ("PATCH", f"{ROUTERS}/b/status", "patch", "semanticrouters/status", "b"),
        ("PUT", "/apis/coordination.k8s.io/v1/namespaces/a/leases/b", "update", "leases", "b"),
        ("DELETE", "/api/v1/namespaces/a/configmaps/b", "delete", "configmaps", "b"),
        ("GET", "/apis", "list", "", ""),
    ],
)
def test_a_request_is_called_what_rbac_calls_it(
    method: str, url: str, verb: str, resource: str, name: str
) -> None:
    assert passing(method, url) == Passing(verb, resource, name, dry_run=False, agent="")


def test_a_rehearsal_is_told_from_a_write() -> None:
    assert passing("PATCH", f"{DEPLOYMENTS}/b?dryRun=All").dry_run
    assert not passing("PATCH", f"{DEPLOYMENTS}/b?fieldManager=c").dry_run
