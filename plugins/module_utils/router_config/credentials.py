# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Passwords of spec.config: references become environment variables, plain ones are refused.

Nothing here reads a Secret. A reference is any mapping under a key that ends in _secret_ref; the
router container gets it as an environment variable SR_..., and config.yaml says ${SR_...}, which
the router expands itself.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config.model import Path

REFERENCE_SUFFIX = "_secret_ref"

# Every key of the router's configuration whose value is a credential.
_CREDENTIAL_KEYS = frozenset({"password", "api_key", "api_keys", "access_key", "auth_token"})
# Only the bare form: ${NAME:-default} would carry the credential in its default.
_ENVIRONMENT_REFERENCE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
_REGULAR_STEP = re.compile(r"[a-z0-9]+(_[a-z0-9]+)*")


def environment_name(path: Path) -> str:
    """The variable that holds what the reference at a path of spec.config refers to.

    Two paths never share a name: "__" separates the steps, and a step whose spelling does not
    survive upper-casing brings a digest of the path.
    """
    steps = [str(step) for step in path]
    name = "SR_" + "__".join(re.sub(r"[^A-Za-z0-9]", "_", step) for step in steps).upper()
    if all(_REGULAR_STEP.fullmatch(step) for step in steps):
        return name
    digest = hashlib.sha256("\0".join(steps).encode()).hexdigest()[:8]
    return f"{name}__{digest.upper()}"


def secret_references(value: Any, path: Path = ()) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every reference at or below a path: where its credential belongs, and the reference."""
    if isinstance(value, dict):
        for key, child in value.items():
            if key.endswith(REFERENCE_SUFFIX) and isinstance(child, dict):
                yield (*path, key.removesuffix(REFERENCE_SUFFIX)), child
            else:
                yield from secret_references(child, (*path, key))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from secret_references(child, (*path, index))


def plain_credentials(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every place at or below a path that holds a credential itself."""
    if isinstance(value, dict):
        for key, child in value.items():
            if key in _CREDENTIAL_KEYS and _is_plain(child):
                # The reference beside it is used, and the plain one goes nowhere.
                if f"{key}{REFERENCE_SUFFIX}" not in value:
                    yield (*path, key)
            else:
                yield from plain_credentials(child, (*path, key))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from plain_credentials(child, (*path, index))


def environment_credentials(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every place at or below a path that takes a credential from an environment variable."""
    if isinstance(value, dict):
        for key, child in value.items():
            if key in _CREDENTIAL_KEYS and child and not _is_plain(child):
                yield (*path, key)
            else:
                yield from environment_credentials(child, (*path, key))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from environment_credentials(child, (*path, index))


def without_credentials(value: Any, path: Path = ()) -> Any:
    """A copy with references replaced by ${SR_...} and plain credentials left out."""
    if isinstance(value, list):
        return [without_credentials(child, (*path, index)) for index, child in enumerate(value)]
    if not isinstance(value, dict):
        return value
    copied = {}
    for key, child in value.items():
        if key.endswith(REFERENCE_SUFFIX) and isinstance(child, dict):
            target = key.removesuffix(REFERENCE_SUFFIX)
            copied[target] = f"${{{environment_name((*path, target))}}}"
        elif not (
            key in _CREDENTIAL_KEYS and (_is_plain(child) or f"{key}{REFERENCE_SUFFIX}" in value)
        ):
            copied[key] = without_credentials(child, (*path, key))
    return copied


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return any(_is_plain(item) for item in value)
    return isinstance(value, str) and bool(value) and not _ENVIRONMENT_REFERENCE.fullmatch(value)
