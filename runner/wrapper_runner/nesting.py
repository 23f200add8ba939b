"""JSON however deep somebody has nested it: the API server takes 10,000 levels, Python gives up
before 1,000, and one object must not keep the others of its list from being read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

# More than any object has that a playbook can use; what is deeper is null.
READ = 128
_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]')


def decoded(text: bytes) -> Any:
    """Without the deepest levels, where Python gives up on it as it is."""
    try:
        return json.loads(text)
    except RecursionError:
        return json.loads(_cut(text))


def within(value: Any, depth: int = READ) -> Any:
    """The same without what is deeper."""
    if not isinstance(value, (Mapping, list)):
        return value
    if not depth:
        return None
    if isinstance(value, list):
        return [within(item, depth - 1) for item in value]
    return {key: within(item, depth - 1) for key, item in value.items()}


def _cut(text: bytes) -> bytes:
    kept, depth, start = [], 0, 0
    for token in _TOKENS.finditer(text):
        if token[0] in (b"{", b"["):
            depth += 1
            if depth == READ + 1:
                kept += [text[start : token.start()], b"null"]
        elif token[0] in (b"}", b"]"):
            if depth == READ + 1:
                start = token.end()
            depth -= 1
    return b"".join([*kept, text[start:]])
