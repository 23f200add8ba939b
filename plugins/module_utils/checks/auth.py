# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Does spec.auth make sense? What a Gateway makes of it is ``facts/gateways.py``'s."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.vllm.semantic_router.plugins.module_utils.checks.finding import (
    Problems,
    Spec,
    object_name_problems,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.auth import (
    is_wanted,
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


def _somebody(spec: Spec) -> Problems:
    auth = spec.get("auth") or {}
    if is_wanted(spec) and not (auth.get("apiKeys") or auth.get("jwt")):
        remedy = "Give apiKeys or jwt, or remove auth to let everyone in"
        yield invalid("spec.auth", "it lets nobody in", remedy)


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
        keys = [key for key in ("jwksUri", "jwksRef") if entry.get(key)]
        if len(keys) != 1:
            found = "its public keys are in two places" if keys else "it has no public keys"
            yield invalid(path, found, "Give one of jwksUri and jwksRef")
        elif entry.get("caRef") and keys == ["jwksRef"]:
            found = "caRef is about the server of jwksUri, and there is none"
            yield invalid(path, found, "Remove caRef")
        if entry.get("jwksUri") and not parsed(entry["jwksUri"]):
            found = f'"{entry["jwksUri"]}" leads to no host'
            remedy = "Copy jwks_uri from the issuer's /.well-known/openid-configuration"
            yield invalid(f"{path}.jwksUri", found, remedy)
        for key in ("caRef", "jwksRef"):
            name = (entry.get(key) or {}).get("name")
            yield from object_name_problems(name, f"{path}.{key}.name", "a ConfigMap", is_subdomain)


RULES: tuple[Callable[[Spec], Problems], ...] = (
    _somebody,
    _secrets,
    _issuers,
)
