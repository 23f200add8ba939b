"""What goes wrong on a node and on no simulated one is told in the router's status."""

from __future__ import annotations

import json
from typing import Any

from e2e.semantic_router import SemanticRouter
from eventually import eventually
from node.cluster import Cluster, router_spec


def told(router: SemanticRouter, words: str) -> None:
    def look() -> bool:
        status: dict[str, Any] = router.get().get("status", {})
        assert status.get("phase") != "Running"
        assert words in json.dumps(status), json.dumps(status, indent=1)
        return True

    eventually(look, 120, f"the status to say {words!r}")


def test_an_image_that_cannot_be_pulled_is_told(cluster: Cluster) -> None:
    router = SemanticRouter(cluster.kubectl, cluster.namespace)
    router.resource["metadata"]["name"] = "no-image"
    router.resource["spec"] = {**router_spec(), "replicas": 1}
    router.spec["image"] = {"repository": "registry.example.invalid/router", "tag": "v0.4.0"}
    router.apply()
    told(router, "ImagePullBackOff")
    router.delete()


def test_a_host_path_that_is_roots_is_told_with_where_to_read_on(cluster: Cluster) -> None:
    """fsGroup is for other volumes: docs/guide/storage.md has the way out."""
    name = f"host-path-{cluster.namespace}"
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "roots"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
            "storageClassName": "",
            "volumeName": name,
        },
    }
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "capacity": {"storage": "1Gi"},
            "hostPath": {"path": f"/run/{name}", "type": "DirectoryOrCreate"},
        },
    }
    cluster.apply(volume, claim)
    router = SemanticRouter(cluster.kubectl, cluster.namespace)
    router.resource["metadata"]["name"] = "roots-volume"
    router.resource["spec"] = {**router_spec(), "replicas": 1}
    router.spec["persistence"] = {"enabled": True, "existingClaim": "roots"}
    router.apply()
    told(router, "kubectl logs --previous -c semantic-router")
    (pod,) = cluster.pods(router)
    log = cluster.kubectl("logs", "--previous", pod["metadata"]["name"], "-n", cluster.namespace)
    assert "Permission denied" in log
    router.delete()
    cluster.kubectl("delete", "pvc", "roots", "-n", cluster.namespace, "--wait=false")
    cluster.kubectl("delete", "pv", name, "--wait=false")
