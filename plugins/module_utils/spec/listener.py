# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the listener of spec.config asks of Envoy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

NO_LIMIT = "0s"

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_DURATION = re.compile(rf"(?:{_PART.pattern})+")


def answer_timeout(spec: Mapping[str, Any]) -> str:
    """How long a whole answer of a model may take, as Envoy writes it."""
    listeners = (spec.get("config") or {}).get("listeners")
    first = listeners[0] if isinstance(listeners, list) and listeners else None
    wanted = seconds(first.get("timeout")) if isinstance(first, dict) else None
    return as_envoy_writes(wanted) if wanted else NO_LIMIT


def as_envoy_writes(wanted: float) -> str:
    """A duration in seconds."""
    return f"{wanted:.3f}".rstrip("0").rstrip(".") + "s"


def seconds(duration: Any) -> float | None:
    """Of a Go duration like 30s or 1m30s; None for anything else."""
    if not isinstance(duration, str) or not _DURATION.fullmatch(duration):
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(duration))
