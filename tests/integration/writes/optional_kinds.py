"""CRDs of the kinds that not every cluster serves."""

from __future__ import annotations

from pathlib import Path

import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.resources import (
    RESOURCES,
    Resource,
)
from control_plane import envoy_gateway
from every_kind import Manifest, is_stand_in


def crd_files(directory: Path) -> list[Path]:
    """The Gateway API's own, and of the others what takes anything."""
    stand_ins = [_crd(resource) for resource in RESOURCES if is_stand_in(resource)]
    file = directory / "stand-ins.yaml"
    file.write_text(yaml.safe_dump_all(stand_ins))
    names = tuple(f"_{resource.plural}.yaml" for resource in RESOURCES)
    real = [one for one in envoy_gateway.gateway_api_crd_files() if one.name.endswith(names)]
    return [*real, file]


def _crd(resource: Resource) -> Manifest:
    group, _, version = resource.api_version.partition("/")
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": resource.kind, "plural": resource.plural},
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": True,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "x-kubernetes-preserve-unknown-fields": True,
                        }
                    },
                }
            ],
        },
    }
