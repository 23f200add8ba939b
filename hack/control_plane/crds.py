"""Finds files of the Go modules that a go.mod pins, such as CRDs in those of `hack/crds`."""

from __future__ import annotations

from pathlib import Path

from control_plane.errors import ControlPlaneError
from control_plane.modules import module_directory
from control_plane.programs import MODULE

PINS = MODULE / "crds"
OPENSHIFT_ROUTES = (
    "github.com/openshift/api",
    "route/v1/zz_generated.crd-manifests/routes.crd.yaml",
)
_PROMETHEUS_OPERATOR = "github.com/prometheus-operator/prometheus-operator"
PROMETHEUS_OPERATOR = tuple(
    (_PROMETHEUS_OPERATOR, f"example/prometheus-operator-crd/monitoring.coreos.com_{plural}.yaml")
    for plural in ("servicemonitors", "prometheusrules")
)


def module_file(module: str, path: str) -> Path:
    """A file of a module that hack/crds pins."""
    file = module_directory(module, PINS) / path
    if not file.is_file():
        raise ControlPlaneError(f"{module} has no {path}; another version may have moved it.")
    return file
