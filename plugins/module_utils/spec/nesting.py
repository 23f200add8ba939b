# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How deep somebody has nested what the CRD leaves open: spec.config, the parameters of a tool.

The API server takes 10,000 levels, and Python gives up before 1,000.
"""

from __future__ import annotations

import json
import re
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import Path

MOST = 64
# Far above MOST: what is cut off here is refused there.
_READ = 2 * MOST
_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]')


def too_deep(value: Any) -> Path | None:
    """Where there is more below than anybody reads; None when there is not."""
    level: list[tuple[Path, Any]] = [((), value)] if isinstance(value, (dict, list)) else []
    for _ in range(MOST):
        level = [
            ((*path, key), item)
            for path, part in level
            for key, item in (part.items() if isinstance(part, dict) else enumerate(part))
            if isinstance(item, (dict, list))
        ]
        if not level:
            return None
    return level[0][0]


def decoded(text: bytes) -> Any:
    """JSON of which the deepest levels are null, where Python gives up on it as it is."""
    try:
        return json.loads(text)
    except RecursionError:
        return json.loads(_cut(text))


def within(value: Any, depth: int = _READ) -> Any:
    """The same without what is deeper."""
    if not isinstance(value, (dict, list)):
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
            if depth == _READ + 1:
                kept += [text[start : token.start()], b"null"]
        elif token[0] in (b"}", b"]"):
            if depth == _READ + 1:
                start = token.end()
            depth -= 1
    return b"".join([*kept, text[start:]])
