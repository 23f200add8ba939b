# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""YAML of a file as `kubectl apply` sends it: JSON, where every key is text and nothing is a date.

Whoever gets a SemanticRouter from the API server may rely on that, and so may whoever has a file.
"""

from __future__ import annotations

import json
from typing import Any

import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import nesting

_DATE = "tag:yaml.org,2002:timestamp"


class DocumentError(Exception):
    """A text that is no document: what was found, and what to do."""

    def __init__(self, found: str, remedy: str) -> None:
        super().__init__(f"{found}. {remedy}")
        self.found = found
        self.remedy = remedy


def documents(text: str) -> list[Any]:
    """Those of a file that say anything. DocumentError: it is no YAML, no JSON, or too deep."""
    try:
        read = [item for item in yaml.load_all(text, _Loader) if item is not None]
        found: list[Any] = json.loads(json.dumps(read, allow_nan=False))
    except RecursionError as error:
        raise DocumentError("it is nested too deeply to be read", "Write it flatter") from error
    except (yaml.YAMLError, TypeError, ValueError) as error:
        raise DocumentError(str(error), "Name a readable YAML file") from error
    if any(nesting.too_deep(item) for item in found):
        raise DocumentError(f"it is nested deeper than {nesting.MOST} levels", "Write it flatter")
    return found


class _Loader(yaml.SafeLoader):
    """Takes a date for text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if tag != _DATE]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
