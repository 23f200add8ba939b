# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who a user is: the roles that decisions go by, and what wants to know.

A role binding has a name and gives a role. The router matches a condition of type authz against
roles, so one that names a binding would match nobody; both names are taken here. Its validator
looks for a binding of that name instead, and finds one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config.contract import (
    Contract,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import Path, at
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.identity import (
    IDENTITY_HEADER_PREFIX,
    USER_ID_HEADER,
)

_NOBODY = (
    "nothing sets the headers that say who a user is (without spec.auth Envoy only takes away the "
    f"{IDENTITY_HEADER_PREFIX}* headers that a client sends), so "
)
_INSTEAD = "Say in spec.auth who may come in, or remove it"


def with_roles(document: dict[str, Any]) -> None:
    """Puts the role for the name of a binding in the conditions of decisions, and names the first
    binding of each role like it."""
    routing = document.get("routing") or {}
    if _bindings(routing):
        document["routing"] = _routing_with_roles(routing)
    recipes = document.get("recipes") or []
    if any(_bindings(recipe.get("routing") or {}) for recipe in recipes):
        document["recipes"] = [
            {**recipe, "routing": _routing_with_roles(recipe.get("routing") or {})}
            for recipe in recipes
        ]


def role_names(routing: dict[str, Any]) -> list[str]:
    """Names that a condition of type authz may have: of roles and of bindings."""
    bindings = _bindings(routing)
    names = [
        str(binding[key]) for key in ("role", "name") for binding in bindings if key in binding
    ]
    return list(dict.fromkeys(names))


def unknown_users(document: dict[str, Any], contract: Contract) -> Iterator[tuple[Path, str, str]]:
    """What goes by users that nobody names: where in the document, what happens, what to do."""
    authz = at(document, ("global", "services", "authz")) or {}
    header = at(authz, ("identity", "user_id_header")) or USER_ID_HEADER
    if not str(header).lower().startswith(IDENTITY_HEADER_PREFIX):
        return
    routing = document.get("routing") or {}
    decisions = [item for item in routing.get("decisions") or [] if isinstance(item, dict)]
    by_role = [index for index, item in enumerate(decisions) if _goes_by_role(item.get("rules"))]
    if by_role and _bindings(routing):
        place: Path = ("routing", "decisions", by_role[0], "rules")
        if authz.get("fail_open") is True:
            yield place, f"{_NOBODY}it never matches", _INSTEAD
        else:
            which = "" if contract.decides_for_named_models else " that leaves the model to it"
            yield place, f"{_NOBODY}the router answers every request{which} with 403", _INSTEAD
    if at(document, ("global", "stores", "memory", "enabled")) is True:
        place = ("global", "stores", "memory", "enabled")
        yield place, f"{_NOBODY}nothing is remembered", _INSTEAD
    if "scope" not in contract.plugins["response_cache"]["configuration"]:
        return
    for index, decision in enumerate(decisions):
        for number, plugin in enumerate(decision.get("plugins") or []):
            if _is_scoped_cache(plugin):
                yield (
                    ("routing", "decisions", index, "plugins", number),
                    f"{_NOBODY}a cache of this scope keeps nothing",
                    "Set configuration.scope to global, or say in spec.auth who may come in",
                )


def _bindings(routing: dict[str, Any]) -> list[dict[str, Any]]:
    bindings = at(routing, ("signals", "role_bindings"))
    return [b for b in bindings or [] if isinstance(b, dict)]


def _routing_with_roles(routing: dict[str, Any]) -> dict[str, Any]:
    bindings = _bindings(routing)
    roles = {_role(binding) for binding in bindings}
    renamed = {
        binding["name"]: _role(binding)
        for binding in bindings
        if _role(binding) and binding.get("name") not in roles
    }
    decisions = [
        {**decision, "rules": _rule_with_roles(decision["rules"], renamed)}
        if isinstance(decision, dict) and decision.get("rules")
        else decision
        for decision in routing.get("decisions") or []
    ]
    signals = {**routing["signals"], "role_bindings": _named_like_roles(bindings)}
    return {**routing, "signals": signals, **({"decisions": decisions} if decisions else {})}


def _named_like_roles(bindings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    taken = {binding.get("name") for binding in bindings} | {""}
    found = []
    for binding in bindings:
        role = _role(binding)
        found.append(binding if role in taken else {**binding, "name": role})
        taken.add(role)
    return found


def _role(binding: dict[str, Any]) -> str:
    """ "" where there is none, or none that the router's schema would take."""
    role = binding.get("role")
    return role if isinstance(role, str) else ""


def _rule_with_roles(node: Any, renamed: dict[str, str]) -> Any:
    if not isinstance(node, dict):
        return node
    if node.get("type") == "authz" and node.get("name") in renamed:
        return {**node, "name": renamed[node["name"]]}
    if not node.get("conditions"):
        return node
    return {**node, "conditions": [_rule_with_roles(n, renamed) for n in node["conditions"]]}


def _goes_by_role(node: Any) -> bool:
    if not isinstance(node, dict):
        return False
    return node.get("type") == "authz" or any(
        _goes_by_role(child) for child in node.get("conditions") or []
    )


def _is_scoped_cache(plugin: Any) -> bool:
    if not isinstance(plugin, dict):
        return False
    settings = plugin.get("configuration") or {}
    return (
        str(plugin.get("type")).replace("-", "_") in ("response_cache", "semantic_cache")
        and settings.get("enabled") is True
        and settings.get("scope", "user") != "global"
    )
