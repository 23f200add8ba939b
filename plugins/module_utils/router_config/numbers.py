# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Numbers that a SemanticRouter may give as text: "0.6" and 0.6 are the same threshold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import Path

# Keys are told by their ending, so that the free parts (algorithm, plugins) are covered too.
_NUMERIC = re.compile(
    r"(^|_)(threshold|rate|probability|weight|temperature|strength|tradeoff|discount|penalty)$"
    r"|^(hard|easy)_(above|below)$"
)
_FRACTIONS = frozenset(
    {
        "threshold",
        "similarity_threshold",
        "min_score_threshold",
        "rate",
        "sample_rate",
        "probability",
    }
)
# What a threshold means inside these is the algorithm's or plugin's own affair (a log probability
# is negative).
_FREE_FORM = frozenset({"algorithm", "plugins"})
_NUMERIC_LISTS = frozenset({"duration_buckets", "size_buckets"})
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)")


def with_numbers(value: Any, key: str = "") -> Any:
    """A copy with numbers for the texts that stand where a number belongs."""
    if isinstance(value, dict):
        return {name: with_numbers(child, name) for name, child in value.items()}
    if isinstance(value, list):
        return [with_numbers(child, key if key in _NUMERIC_LISTS else "") for child in value]
    if isinstance(value, str) and _expects_number(key) and _NUMBER.fullmatch(value.strip()):
        text = value.strip()
        return int(text) if text.lstrip("+-").isdigit() else float(text)
    return value


def bad_numbers(value: Any, path: Path, key: str = "") -> Iterator[tuple[Path, Any, str]]:
    """Every value that should be a number and is not, or is a fraction outside 0 to 1.

    Yields where it stands, the value, and what is expected there.
    """
    if isinstance(value, dict) and key not in _FRACTIONS:
        for name, child in value.items():
            yield from bad_numbers(child, (*path, name), name)
    elif isinstance(value, list) and (key in _NUMERIC_LISTS or not _expects_number(key)):
        for index, child in enumerate(value):
            yield from bad_numbers(child, (*path, index), key if key in _NUMERIC_LISTS else "")
    elif _expects_number(key) and not _is_environment_reference(value):
        number = with_numbers(value, key)
        if isinstance(number, bool) or not isinstance(number, int | float):
            yield path, value, "a number"
        elif key in _FRACTIONS and not _FREE_FORM & set(path) and not 0 <= number <= 1:
            yield path, value, "a number from 0 to 1"


def _expects_number(key: str) -> bool:
    return key in _NUMERIC_LISTS or bool(_NUMERIC.search(key))


def _is_environment_reference(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("${") and value.endswith("}")
