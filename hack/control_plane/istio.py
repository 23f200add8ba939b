"""Istio's own CRDs. Istio itself does not run beside a plane."""

from __future__ import annotations

from typing import Any

import yaml

from control_plane.modules import module_directory
from control_plane.programs import MODULE

PINS = MODULE / "istio"
ISTIO_API = "istio.io/api"
CONTROLLER = "istio.io/gateway-controller"


def crd(kind: str) -> dict[str, Any]:
    """The CRD of a kind, from the file that Istio's installation has."""
    directory = module_directory(ISTIO_API, PINS) / "kubernetes"
    text = (directory / "customresourcedefinitions.gen.yaml").read_text(encoding="utf-8")
    documents = yaml.load_all(text, Loader=yaml.CSafeLoader)
    return next(each for each in documents if each and each["spec"]["names"]["kind"] == kind)
