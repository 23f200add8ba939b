# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Is there a key set where spec.auth.jwt[].jwksRef says? Without one no token of its issuer counts.

Pods run all the same, and Envoy reads the ConfigMap anew: so this is said, and stops nothing.
Behind a Gateway its controller says it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import auth
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.gateway_mode import (
    has_envoy,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import Manifest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

REASON = "KeySetNotFound"


def problems(router: Router, found: Mapping[str, Manifest | None]) -> Iterator[Problem]:
    """found: ConfigMaps, as far as they could be read."""
    for issuer in auth.issuers(router.spec) if has_envoy(router.spec) else []:
        if not issuer.key_set or issuer.key_set[0] not in found:
            continue
        name, key = issuer.key_set
        live, field = found[name], f"{issuer.field}.jwksRef"
        texts = (live or {}).get("data") or {}
        if live is None:
            yield _problem(f"{field}.name", f'ConfigMap "{name}" does not exist')
        elif key not in texts:
            yield _problem(f"{field}.key", f'ConfigMap "{name}" has no key {key}')
        elif not _has_keys(texts[key]):
            yield _problem(f"{field}.key", f'{key} of ConfigMap "{name}" is no set of public keys')


def _has_keys(text: str) -> bool:
    try:
        keys = json.loads(text)["keys"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return False
    return isinstance(keys, list) and bool(keys) and all(isinstance(key, dict) for key in keys)


def _problem(field: str, found: str) -> Problem:
    return Problem(
        reason=REASON,
        field=field,
        found=f"{found}, so no token of this issuer lets anybody in",
        remedy="Put there what the issuer has at its jwks_uri, JSON with a list of keys",
        retry=True,
        blocking=False,
    )
