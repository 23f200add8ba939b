# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where downloaded models are kept: the claim. How the pods mount it is in volumes.py."""

from __future__ import annotations

from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import wants
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    Manifest,
    metadata,
    models_claim_name,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router


def persistent_volume_claim(router: Router, _facts: Facts) -> list[Manifest]:
    """The claim for models, unless the user brings one or wants none."""
    if not wants.claim(router.spec):
        return []
    persistence = router.spec["persistence"]
    return [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": metadata(
                router.name,
                router.namespace,
                name=models_claim_name(router.name),
                annotations=persistence.get("annotations"),
            ),
            "spec": {
                "accessModes": [persistence["accessMode"]],
                "resources": {"requests": {"storage": persistence["size"]}},
                **_storage_class(persistence),
            },
        }
    ]


def _storage_class(persistence: dict[str, Any]) -> dict[str, str]:
    # Left out, the API server fills in the cluster's default class. "" would mean "no class at all"
    # to Kubernetes; to users of this field it has always meant the same as leaving it out.
    name = persistence.get("storageClassName")
    return {"storageClassName": name} if name else {}
