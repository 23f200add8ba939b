"""What somebody has nested without an end, as an object and as an API server writes it."""

from __future__ import annotations

from typing import Any


def nested(levels: int) -> dict[str, Any]:
    found: Any = "deep"
    for _ in range(levels):
        found = {"a": found}
    return {"before": ["[", '\\"{'], "deep": [found], "after": 1}


def text(levels: int) -> bytes:
    """As an API server writes it, which Python's own encoder cannot."""
    inner = b'{"a":' * levels + b'"]}"' + b"}" * levels
    return b'{"before":["[","\\\\\\"{"],"deep":[' + inner + b'],"after":1}'
