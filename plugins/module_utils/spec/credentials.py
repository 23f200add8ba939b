# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Passwords of spec.config: each becomes an environment variable, none reaches config.yaml.

Nothing here reads a Secret. A reference is any mapping under a key that ends in _secret_ref; the
router container gets it as an environment variable SR_..., and config.yaml says ${SR_...}, which
the router expands itself. A credential in plain text goes the same way, as the variable's value:
who may read the pod may read it there, as in the SemanticRouter itself, and no ConfigMap holds it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import Path, at
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    CREDENTIAL_PREFIX,
)

REFERENCE_SUFFIX = "_secret_ref"

# Every key of the router's configuration whose value is a credential.
_CREDENTIAL_KEYS = frozenset({"password", "api_key", "api_keys", "access_key", "auth_token"})
# And every header: what is around a reference there, as in "Bearer ${KEY}", is no secret.
_CREDENTIAL_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "x-api-key", "api-key", "x-goog-api-key"}
)
# Only the bare form: ${NAME:-default} would carry the credential in its default.
_ENVIRONMENT_REFERENCE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
# Everything that the router resolves within a text of config.yaml, and in no variable's value.
_ANY_REFERENCE = re.compile(r"\$\{[^}]*\}|\$[A-Za-z0-9_]+")
_REGULAR_STEP = re.compile(r"[a-z0-9]+(_[a-z0-9]+)*")


def secret_environment(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """Environment entries for the router container: one for every credential of the spec."""
    config = spec.get("config") or {}
    return [
        *(
            {"name": endpoint_variable(entry), "valueFrom": {"secretKeyRef": dict(reference)}}
            for entry in spec.get("vllmEndpoints") or []
            if (reference := at(entry, ("backend", "external", "apiKeySecretRef")))
        ),
        *(
            {
                "name": environment_name(path),
                "valueFrom": {"secretKeyRef": dict(reference)},
            }
            for path, reference in secret_references(config)
        ),
        *(
            {
                "name": environment_name(path),
                "value": environment_value(credential),
            }
            for path, credential in plain_credentials(config)
        ),
    ]


def endpoint_variable(entry: Mapping[str, Any]) -> str:
    """The variable that holds the key of an entry of spec.vllmEndpoints."""
    return environment_name(("endpoints", entry["name"], "api_key"))


def environment_name(path: Path) -> str:
    """The variable that holds what the reference at a path of spec.config refers to.

    Two paths never share a name: "__" separates the steps, and a step whose spelling does not
    survive upper-casing brings a digest of the path.
    """
    steps = [str(step) for step in path]
    name = (
        CREDENTIAL_PREFIX + "__".join(re.sub(r"[^A-Za-z0-9]", "_", step) for step in steps).upper()
    )
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


def plain_credentials(value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every place at or below a path that holds a credential itself, and the credential."""
    if isinstance(value, dict):
        for key, child in value.items():
            if not is_credential(key, child):
                yield from plain_credentials(child, (*path, key))
            elif not _is_referred(key, value):
                # Else the reference beside it is used, and the plain one goes nowhere.
                yield from _plain_items(child, (*path, key))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from plain_credentials(child, (*path, index))


def is_credential(key: str, value: Any) -> bool:
    """A key of the router's configuration, or of a spec, whose value is a credential."""
    is_header = key.lower() in _CREDENTIAL_HEADERS and isinstance(value, str)
    return key in _CREDENTIAL_KEYS or (is_header and not has_reference(value))


def has_reference(credential: str) -> bool:
    """The router would resolve a part of this text, if it stood in config.yaml."""
    return bool(_ANY_REFERENCE.search(credential.replace("$$", "")))


def environment_value(credential: str) -> str:
    """The text for a container's environment that gives the router this credential.

    The router reads $$ in its file as one dollar, and does not look at a variable's value again;
    Kubernetes does the same to what it puts into the environment, and expands $(NAME) there.
    """
    return credential.replace("$$", "$").replace("$", "$$")


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
    """A copy with every reference and every plain credential replaced by ${SR_...}."""
    if isinstance(value, list):
        return [without_credentials(child, (*path, index)) for index, child in enumerate(value)]
    if not isinstance(value, dict):
        return value
    copied = {}
    for key, child in value.items():
        if key.endswith(REFERENCE_SUFFIX) and isinstance(child, dict):
            target = key.removesuffix(REFERENCE_SUFFIX)
            copied[target] = _variable((*path, target))
        elif not is_credential(key, child):
            copied[key] = without_credentials(child, (*path, key))
        elif not _is_referred(key, value):
            copied[key] = _without_plain(child, (*path, key))
    return copied


def _plain_items(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _plain_items(item, (*path, index))
    elif isinstance(value, dict):
        yield from plain_credentials(value, path)
    elif _is_plain(value):
        yield path, str(value)


def _without_plain(value: Any, path: Path) -> Any:
    if isinstance(value, list):
        return [_without_plain(item, (*path, index)) for index, item in enumerate(value)]
    if isinstance(value, dict):
        return without_credentials(value, path)
    return _variable(path) if _is_plain(value) else value


def _is_referred(key: str, beside: dict[str, Any]) -> bool:
    return isinstance(beside.get(f"{key}{REFERENCE_SUFFIX}"), dict)


def _variable(path: Path) -> str:
    return f"${{{environment_name(path)}}}"


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return any(_is_plain(item) for item in value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return True
    return isinstance(value, str) and bool(value) and not _ENVIRONMENT_REFERENCE.fullmatch(value)
