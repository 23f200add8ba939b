# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""YAML of a file as `kubectl apply` sends it: JSON, where every key is text and nothing is a date.

Whoever gets a SemanticRouter from the API server may rely on that, and so may whoever has a file.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import nesting

_DATE = "tag:yaml.org,2002:timestamp"
# What JSON has no word for, and nobody writes by chance.
_NOT_JSON = {f"tag:yaml.org,2002:{name}" for name in ("binary", "omap", "pairs", "set")}


class DocumentError(Exception):
    """A text that is no document: what was found, and what to do."""

    def __init__(self, found: str, remedy: str) -> None:
        super().__init__(f"{found}. {remedy}")
        self.found = found
        self.remedy = remedy


def documents(text: str) -> list[Any]:
    """Those of a file that say anything. DocumentError: it is no YAML, no JSON, or too deep."""
    try:
        found = [item for item in yaml.load_all(text, _Loader) if item is not None]
    except RecursionError as error:
        raise DocumentError("it is nested too deeply to be read", "Write it flatter") from error
    except yaml.YAMLError as error:
        raise DocumentError(str(error), "Name a readable YAML file") from error
    if any(nesting.too_deep(item) for item in found):
        raise DocumentError(f"it is nested deeper than {nesting.MOST} levels", "Write it flatter")
    return found


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        found = super().construct_mapping(node, deep)
        return {_text(key): value for key, value in found.items()}


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if tag != _DATE]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.yaml_constructors = {
    tag: constructor
    for tag, constructor in yaml.SafeLoader.yaml_constructors.items()
    if tag not in _NOT_JSON | {_DATE}
}


def _text(key: Any) -> str:
    if key is None:
        return "null"
    return str(key).lower() if isinstance(key, bool) else str(key)
