# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A GPU for the router's own models: which variant of the image, and which device of the node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# What the device plugin of each makes a node offer.
DEVICES = {"cuda": "nvidia.com/gpu", "rocm": "amd.com/gpu"}


def router_image(spec: Mapping[str, Any]) -> dict[str, Any]:
    """spec.image, of the variant."""
    image = dict(spec["image"])
    repository, wanted = str(image["repository"]), spec.get("accelerator")
    # A digest is of one image.
    if not wanted or "@" in repository or repository.endswith(f"-{wanted['type']}"):
        return image
    return {**image, "repository": f"{repository}-{wanted['type']}"}


def device(spec: Mapping[str, Any]) -> str:
    """The resource that the router's container asks for; "" for none."""
    wanted = spec.get("accelerator")
    return DEVICES[wanted["type"]] if wanted else ""


def resources(spec: Mapping[str, Any]) -> dict[str, Any]:
    """spec.resources, with the devices. A limit is a request of such a resource too."""
    given = dict(spec["resources"])
    wanted = spec.get("accelerator")
    if not wanted:
        return given
    return {**given, "limits": {**(given.get("limits") or {}), device(spec): wanted["count"]}}
