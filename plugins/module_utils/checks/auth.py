# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Does spec.auth make sense? What a Gateway makes of it is ``facts/gateways.py``'s."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.vllm.semantic_router.plugins.module_utils.checks.finding import (
    Problems,
    Spec,
    object_name_problems,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.dns_name import (
    is_subdomain,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.gateway_mode import (
    is_gateway_mode,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import invalid
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.url import parsed

_KEYS, _JWT = "spec.auth.apiKeys", "spec.auth.jwt"


def _secrets(spec: Spec) -> Problems:
    seen: dict[str, int] = {}
    for index, entry in enumerate((spec.get("auth") or {}).get("apiKeys") or []):
        path, name = f"{_KEYS}[{index}].secretRef.name", entry["secretRef"]["name"]
        yield from object_name_problems(name, path, "a Secret", is_subdomain)
        if entry.get("clients") and is_gateway_mode(spec):
            found = "a Gateway lets in every client of the Secret"
            remedy = "Make a Secret of those that may come in, and remove it"
            yield invalid(f"{_KEYS}[{index}].clients", found, remedy)
        first = seen.setdefault(name, index)
        if first != index:
            found = f'"{name}" stands in {_KEYS}[{first}] too'
            yield invalid(path, found, "Keep one, with the groups of both")


def _issuers(spec: Spec) -> Problems:
    seen: dict[str, int] = {}
    for index, entry in enumerate((spec.get("auth") or {}).get("jwt") or []):
        path, name = f"{_JWT}[{index}]", entry["issuer"]
        first = seen.setdefault(name, index)
        if first != index:
            found = f'"{name}" is the issuer of {_JWT}[{first}] too'
            yield invalid(f"{path}.issuer", found, "Keep one, with the audiences of both")
        if entry.get("jwksUri") and not parsed(entry["jwksUri"]):
            found = f'"{entry["jwksUri"]}" leads to no host'
            remedy = "Copy jwks_uri from the issuer's /.well-known/openid-configuration"
            yield invalid(f"{path}.jwksUri", found, remedy)
        for key in ("caRef", "jwksRef"):
            name = (entry.get(key) or {}).get("name")
            yield from object_name_problems(name, f"{path}.{key}.name", "a ConfigMap", is_subdomain)


RULES: tuple[Callable[[Spec], Problems], ...] = (
    _secrets,
    _issuers,
)
