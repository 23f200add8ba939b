# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The router's own JSON schemas, where the package vllm-sr is installed beside the operator.

Never vendored: a schema that lags the router would refuse what it takes. A package is that of the
contract whose release it has: 0.5.1 of contract "0.5". Several of them are in directories of their
own, below _DIRECTORY beside the others. Without its package (or without jsonschema) a contract's
documents go unchecked, and schema_version() says so.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PACKAGE = "vllm-sr"
_DIRECTORY = "router_schemas"
_SCHEMA_FILE = re.compile(r"router-config-.*\.schema\.json")
_ENVIRONMENT_REFERENCE = re.compile(r"\$\{[^{}]+\}")
NO_SUCH_KEY = "the router has no such key"
_LIMIT = 300


@cache
def schema_version(contract: str) -> str | None:
    """Version of the installed router package whose schema is in use; None: nothing is checked."""
    distribution = _distributions().get(contract)
    return distribution.version if distribution else None


def violations(
    document: dict[str, Any], contract: str
) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    """Where the schema refuses the document, why, and what may have been meant ("": no idea).

    Nothing when there is no schema.
    """
    validator = load(contract)
    if validator is None:
        return
    for error in validator.iter_errors(document):
        path = tuple(error.absolute_path)
        if error.validator == "additionalProperties":
            known = error.schema.get("properties", {})
            for key in error.instance:
                if key not in known:
                    near = get_close_matches(str(key), known, n=1)
                    yield (*path, key), NO_SUCH_KEY, near[0] if near else ""
        else:
            yield path, str(error.message)[:_LIMIT], ""


@cache
def load(contract: str) -> Any:
    """The validator; None where there is no schema. A second call costs nothing."""
    distribution = _distributions().get(contract)
    if distribution is None:
        return None
    # Imported here: jsonschema is optional, and slow to import for who does not need it.
    from jsonschema import Draft202012Validator, validators  # type: ignore[import-untyped]

    for file in distribution.files or []:
        if _SCHEMA_FILE.fullmatch(file.name):
            schema = json.loads(Path(str(file.locate())).read_text(encoding="utf-8"))
            checker = _type_checker(Draft202012Validator.TYPE_CHECKER)
            return validators.extend(Draft202012Validator, type_checker=checker)(schema)
    return None


@cache
def _distributions() -> dict[str, metadata.Distribution]:
    """Installed packages by the contract of their release; the first of the Python path wins."""
    # Asked for by every status; loading schema and validator would cost it as much as the rest.
    if not find_spec("jsonschema"):
        return {}
    below = [str(directory) for entry in sys.path for directory in _own_directories(Path(entry))]
    found: dict[str, metadata.Distribution] = {}
    for distribution in metadata.distributions(name=PACKAGE, path=[*sys.path, *below]):
        found.setdefault(".".join(distribution.version.split(".")[:2]), distribution)
    return found


def _own_directories(entry: Path) -> list[Path]:
    return sorted((entry / _DIRECTORY).glob("*"))


def _type_checker(base: Any) -> Any:
    """The router expands ${NAME} before it looks at types, so a reference is of any scalar type."""

    def or_reference(kind: str) -> Any:
        return lambda _checker, value: (
            base.is_type(value, kind)
            or (isinstance(value, str) and bool(_ENVIRONMENT_REFERENCE.fullmatch(value)))
        )

    return base.redefine_many(
        {kind: or_reference(kind) for kind in ("number", "integer", "boolean")}
    )
