# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Durations as Go writes them, 30s or 1m30s: Kubernetes, Prometheus' operator and routers do.

Envoy writes seconds only.
"""

from __future__ import annotations

import re
from typing import Any

# What time.ParseDuration takes, without signs. durationpy takes days, months and years too, and a
# sign in the middle.
_UNSIGNED = re.compile(r"(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+|0")


def is_duration(value: Any) -> bool:
    """The value is an unsigned Go duration."""
    return isinstance(value, str) and _UNSIGNED.fullmatch(value) is not None


def seconds(value: Any) -> float | None:
    """Of a Go duration, to the microsecond; None for anything else."""
    if not is_duration(value):
        return None
    # Imported here, as ansible-test imports this file where no library is.
    import durationpy

    return float(durationpy.from_str(value).total_seconds())


def as_envoy_writes(wanted: float) -> str:
    """A duration in seconds."""
    return f"{wanted:.3f}".rstrip("0").rstrip(".") + "s"
