"""Go's spelling of durations (`10m`, `1h30m`, `500ms`): in watches.yaml, flags, annotations."""

from __future__ import annotations

import re

_SECONDS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}
_PART = r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)"
_DURATION = re.compile(rf"([+-]?)((?:{_PART})+)")


def seconds(text: str) -> float:
    """What Go's time.ParseDuration makes of `text`, in seconds; else ValueError."""
    if text in {"0", "+0", "-0"}:
        return 0.0
    match = _DURATION.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is not a duration; write it like 30s, 10m or 1h30m")
    total = sum(float(number) * _SECONDS[unit] for number, unit in re.findall(_PART, match[2]))
    return -total if match[1] == "-" else total
