"""Go's spelling of durations (`10m`, `1h30m`, `500ms`): in watches.yaml, flags, annotations."""

from __future__ import annotations

import re

import durationpy

# durationpy takes days, months and years too, and a sign in the middle.
_OF_GO = re.compile(r"[+-]?(?:(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+|0)")


def seconds(text: str) -> float:
    """What Go's time.ParseDuration makes of `text`, in seconds; else ValueError."""
    if not _OF_GO.fullmatch(text):
        raise ValueError(f"{text!r} is not a duration; write it like 30s, 10m or 1h30m")
    return float(durationpy.from_str(text).total_seconds())
