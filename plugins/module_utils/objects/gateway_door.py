# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who may come in through a Gateway: spec.auth and spec.cors in the words of its controller."""

from __future__ import annotations

from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy import cors
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.routes import HEALTH_PATHS
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.gateways import (
    CONTROLLER_ENVOY_GATEWAY,
    CONTROLLER_ISTIO,
    CONTROLLER_KGATEWAY,
    door_policy_name,
    guarded_route_names,
    has_door,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.gateway import (
    target_refs,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import apis, auth
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.auth import Issuer
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    Manifest,
    metadata,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

_BEARER = "Bearer "


def door(router: Router, facts: Facts) -> list[Manifest]:
    """The policies; none where they could not say all that is asked for."""
    if not has_door(router, facts):
        return []
    return [build(router, facts) for build in _DOORS[facts.gateway["controller"]]]


def _security_policy(router: Router, facts: Facts) -> Manifest:
    return {
        "apiVersion": str(apis.ENVOY_GATEWAY),
        "kind": "SecurityPolicy",
        "metadata": metadata(router.name, router.namespace),
        "spec": {
            "targetRefs": target_refs(guarded_route_names(router, facts)),
            **_api_key_auth(router),
            **_jwt(router),
            **_cors(router, f"{cors.PREFLIGHT_SECONDS // 3600}h"),
        },
    }


def _api_key_auth(router: Router) -> dict[str, Any]:
    keys = auth.key_secrets(router.spec)
    if not keys:
        return {}
    user, _ = auth.identity_headers(router.spec)
    return {
        "apiKeyAuth": {
            "credentialRefs": [
                {"group": "", "kind": "Secret", "name": each.secret} for each in keys
            ],
            "extractFrom": [{"headers": ["x-api-key", "authorization"]}],
            "forwardClientIDHeader": user,
            "sanitize": True,
        },
    }


def _jwt(router: Router) -> dict[str, Any]:
    issuers = auth.issuers(router.spec)
    if not issuers:
        return {}
    return {
        "jwt": {
            "providers": [
                {
                    "name": f"issuer-{index}",
                    "issuer": issuer.name,
                    "audiences": [*issuer.audiences],
                    **_keys_of(issuer),
                    # Not from a parameter of the path, its other default: paths are logged.
                    "extractFrom": {
                        "headers": [{"name": "Authorization", "valuePrefix": _BEARER}],
                    },
                    "claimToHeaders": _claims(router, issuer),
                }
                for index, issuer in enumerate(issuers)
            ],
        },
    }


def _keys_of(issuer: Issuer) -> dict[str, Any]:
    if not issuer.key_set:
        return {"remoteJWKS": {"uri": issuer.jwks_uri}}
    name, _ = issuer.key_set
    reference = {"group": "", "kind": "ConfigMap", "name": name}
    return {"localJWKS": {"type": "ValueRef", "valueRef": reference}}


def _cors(router: Router, max_age: int | str) -> dict[str, Any]:
    wanted = router.spec.get("cors")
    if not wanted:
        return {}
    return {
        "cors": {
            "allowOrigins": [*wanted["allowOrigins"]],
            "allowMethods": [*cors.METHODS],
            "allowHeaders": cors.allowed_headers(wanted),
            "exposeHeaders": ["*"],
            "maxAge": max_age,
        },
    }


def _traffic_policy(router: Router, facts: Facts) -> Manifest:
    """Beside the one that has the router asked, which is about fewer routes: they are merged."""
    name = door_policy_name(router, CONTROLLER_KGATEWAY)
    return {
        "apiVersion": str(apis.KGATEWAY),
        "kind": "TrafficPolicy",
        "metadata": metadata(router.name, router.namespace, name=name),
        "spec": {
            "targetRefs": target_refs(guarded_route_names(router, facts)),
            **_api_keys_of_one_secret(router),
            # As an HTTPRoute's own filter has it.
            **_cors(router, cors.PREFLIGHT_SECONDS),
        },
    }


def _api_keys_of_one_secret(router: Router) -> dict[str, Any]:
    keys = auth.key_secrets(router.spec)
    if not keys:
        return {}
    (only,), (user, _) = keys, auth.identity_headers(router.spec)
    return {
        "apiKeyAuth": {
            # As one source, the second would be asked only where the first has no value.
            "keySources": [{"header": "x-api-key"}, {"header": "authorization"}],
            "secretRef": {"group": "", "kind": "Secret", "name": only.secret},
            "clientIdHeader": user,
            "forwardCredential": False,
        },
    }


def _request_authentication(router: Router, _facts: Facts) -> Manifest:
    return {
        "apiVersion": str(apis.ISTIO_SECURITY),
        "kind": "RequestAuthentication",
        "metadata": metadata(router.name, router.namespace),
        "spec": {
            "targetRefs": [_gateway(router)],
            "jwtRules": [
                {
                    "issuer": issuer.name,
                    "audiences": [*issuer.audiences],
                    "jwksUri": issuer.jwks_uri,
                    "fromHeaders": [{"name": "Authorization", "prefix": _BEARER}],
                    "outputClaimToHeaders": _claims(router, issuer),
                }
                for issuer in auth.issuers(router.spec)
            ],
        },
    }


def _authorization_policy(router: Router, _facts: Facts) -> Manifest:
    """Refuses, rather than allows: other policies of the Gateway go on to count."""
    users = [f"{issuer.name}/*" for issuer in auth.issuers(router.spec)]
    return {
        "apiVersion": str(apis.ISTIO_SECURITY),
        "kind": "AuthorizationPolicy",
        "metadata": metadata(router.name, router.namespace),
        "spec": {
            "targetRefs": [_gateway(router)],
            "action": "DENY",
            "rules": [
                {
                    "from": [{"source": {"notRequestPrincipals": users}}],
                    "to": [
                        {
                            "operation": {
                                "notPaths": [*HEALTH_PATHS],
                                **_hosts(router),
                            },
                        },
                    ],
                },
            ],
        },
    }


def _hosts(router: Router) -> dict[str, Any]:
    """Else every host of the Gateway, other routes' too."""
    names = router.spec["gateway"].get("hostnames") or []
    if not names or any("*" in name for name in names):
        # Istio knows one star in a pattern, and a client may name a port behind the host.
        return {}
    return {"hosts": [host for name in names for host in (name, f"{name}:*")]}


def _gateway(router: Router) -> dict[str, Any]:
    name = router.spec["gateway"]["existingRef"]["name"]
    return {"group": apis.GATEWAY.group, "kind": "Gateway", "name": name}


def _claims(router: Router, issuer: Issuer) -> list[dict[str, Any]]:
    user, groups = auth.identity_headers(router.spec)
    return [
        {"header": user, "claim": issuer.user_claim},
        {"header": groups, "claim": issuer.groups_claim},
    ]


_DOORS = {
    CONTROLLER_ENVOY_GATEWAY: (_security_policy,),
    CONTROLLER_ISTIO: (_request_authentication, _authorization_policy),
    CONTROLLER_KGATEWAY: (_traffic_policy,),
}
