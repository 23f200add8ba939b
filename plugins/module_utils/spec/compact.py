# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Copies parts of a SemanticRouter into manifests. It knows no Kubernetes object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def compact(value: Any) -> Any:
    """A deep copy without the fields that are null.

    A copy, so that no manifest shares a container with the SemanticRouter or with another manifest.
    Without nulls, because in a server-side apply a null is a claim on the field.
    """
    if isinstance(value, Mapping):
        return {name: compact(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [compact(item) for item in value]
    return value


def given(spec: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Those of the fields that the user set to something, as they stand there."""
    return {name: compact(spec[name]) for name in names if spec.get(name)}
