"""What Istio's own CRDs say about an EnvoyFilter. Istio itself does not run beside a plane."""

from __future__ import annotations

from typing import Any

import yaml

from control_plane.modules import module_directory
from control_plane.programs import MODULE

PINS = MODULE / "istio"
ISTIO_API = "istio.io/api"
CONTROLLER = "istio.io/gateway-controller"


def envoy_filter_crd() -> dict[str, Any]:
    """The CRD of EnvoyFilter, from the file that Istio's installation has."""
    directory = module_directory(ISTIO_API, PINS) / "kubernetes"
    text = (directory / "customresourcedefinitions.gen.yaml").read_text(encoding="utf-8")
    documents = yaml.load_all(text, Loader=yaml.CSafeLoader)
    return next(crd for crd in documents if crd and crd["spec"]["names"]["kind"] == "EnvoyFilter")
