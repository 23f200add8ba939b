# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who is let in: the filters of spec.auth, before the router is asked.

jwt_authn looks at tokens and refuses nobody. auth.lua decides: by what jwt_authn has verified, else
by the API keys in the files of mounted Secrets. It also tells the router who it is, in headers that
no client can send. A script that fails lets its request pass, so rbac lets none pass of which the
script has not said whose it is. Why not by Envoy's filter for API keys: docs/adr/0020-auth.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.clusters import (
    Cluster,
    dns,
    one_address,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.local_replies import (
    openai_error,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.upstream_tls import (
    AUTHORITIES,
    upstream_tls,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import auth
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.auth import Issuer
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.limits import (
    CONNECT_TIMEOUT,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

LUA = "envoy.filters.http.lua"
RBAC = "envoy.filters.http.rbac"
_JWT = "envoy.filters.http.jwt_authn"
# On a request that is refused. Like all that begins this way, no client can send it.
HEADER_REFUSED = "x-authz-refused"
# In jwt_authn's metadata.
_FAILURE = "failure"
# In our own, for the access log.
_METADATA, _METADATA_USER = "semantic-router-auth", "user"
USER = f"%DYNAMIC_METADATA({_METADATA}:{_METADATA_USER})%"

# Where Envoy shows itself the key sets that are files. In the pod's network and without a port.
KEY_SETS = "issuer-key-sets"
KEY_SETS_PIPE = {"pipe": {"path": f"@{KEY_SETS}"}}
# A ConfigMap has no more.
KEY_SET_LIMIT_BYTES = 2**20
# How long after the kubelet a changed file counts.
_KEY_SET_SECONDS = "10s"

# How long a key that an issuer has withdrawn is good for, and how long a new one is unknown.
_JWKS_SECONDS = "300s"

Filter = dict[str, Any]


def filters(router: Router) -> list[Filter]:
    """In their order; none where everyone may come in."""
    if not auth.is_wanted(router.spec):
        return []
    issuers = auth.issuers(router.spec)
    return [*([_jwt_authn(issuers)] if issuers else []), _lua(router), _rbac()]


def without_auth() -> dict[str, Any]:
    """Per-route settings of a path that is everybody's."""
    kinds = "type.googleapis.com/envoy.extensions.filters.http"
    return {
        LUA: {"@type": f"{kinds}.lua.v3.LuaPerRoute", "disabled": True},
        # Without a policy it is off.
        RBAC: {"@type": f"{kinds}.rbac.v3.RBACPerRoute"},
    }


def issuer_clusters(router: Router) -> list[Cluster]:
    """Where the issuers' public keys are."""
    issuers = auth.issuers(router.spec)
    return [
        *(
            _issuer_cluster(f"issuer-{index}", issuer)
            for index, issuer in enumerate(issuers)
            if not issuer.key_set
        ),
        *([_key_sets_cluster()] if any(issuer.key_set for issuer in issuers) else []),
    ]


def key_set_routes(router: Router) -> list[dict[str, Any]]:
    """The key sets that are files, read again whenever they change.

    jwt_authn reads a file of its own (local_jwks) once, and never again.
    """
    return [
        {
            "match": {"path": _key_set_path(index)},
            "direct_response": {
                "status": 200,
                "body": {
                    "filename": issuer.key_set_file,
                    "watched_directory": {"path": issuer.key_set_directory},
                },
            },
        }
        for index, issuer in enumerate(auth.issuers(router.spec))
        if issuer.key_set
    ]


def _key_set_path(index: int) -> str:
    return f"/{index}"


def lua_filter(settings: Mapping[str, Any], script: str) -> Filter:
    """A script that finds what it has to know in SETTINGS."""
    code = f"local SETTINGS = {lua_literal(settings)}\n\n{script}"
    return {
        "name": LUA,
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
            "default_source_code": {"inline_string": code},
        },
    }


def lua_literal(value: Any) -> str:
    """A text, list or mapping as Lua reads it; no text can end before its end."""
    if isinstance(value, str):
        return '"' + re.sub(rb"[^ !#$&-Z^-~]", _escaped, value.encode()).decode() + '"'
    if isinstance(value, dict):
        items = [f"[{lua_literal(key)}] = {lua_literal(item)}" for key, item in value.items()]
    else:
        items = [lua_literal(item) for item in value]
    return "{" + ", ".join(items) + "}"


def _escaped(byte: re.Match[bytes]) -> bytes:
    return b"\\%03d" % byte[0][0]


def _lua(router: Router) -> Filter:
    user, groups = auth.identity_headers(router.spec)
    keys, issuers = auth.key_secrets(router.spec), auth.issuers(router.spec)
    settings = {
        "user": user,
        "groups": groups,
        "secrets": [
            {"directory": each.directory, "groups": ",".join(each.groups)} for each in keys
        ],
        "issuers": [
            {"metadata": f"issuer-{index}", "user": each.user_claim, "groups": each.groups_claim}
            for index, each in enumerate(issuers)
        ],
        "failure": _FAILURE,
        "refused": HEADER_REFUSED,
        "metadata": _METADATA,
        "metadata_user": _METADATA_USER,
        "answer": json.dumps(openai_error("%s", "%s")),
        "missing": _missing(bool(keys), bool(issuers)),
    }
    return lua_filter(settings, _script())


def _rbac() -> Filter:
    is_known = {
        "sourced_metadata": {
            "metadata_matcher": {
                "filter": _METADATA,
                "path": [{"key": _METADATA_USER}],
                "value": {"present_match": True},
            },
        },
    }
    everything = {"permissions": [{"any": True}], "principals": [is_known]}
    return {
        "name": RBAC,
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
            "rules": {"action": "ALLOW", "policies": {"known": everything}},
        },
    }


@cache
def _script() -> str:
    return Path(__file__).with_name("auth.lua").read_text(encoding="utf-8")


def _missing(has_keys: bool, has_issuers: bool) -> str:
    ways = [
        *(["an API key as x-api-key or Authorization: Bearer"] if has_keys else []),
        *(["a token as Authorization: Bearer"] if has_issuers else []),
    ]
    return f"Say who you are: send {', or '.join(ways)}"


def _jwt_authn(issuers: list[Issuer]) -> Filter:
    return {
        "name": _JWT,
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3"
            ".JwtAuthentication",
            "providers": {
                f"issuer-{index}": _provider(index, issuer) for index, issuer in enumerate(issuers)
            },
            "rules": [{"match": {"prefix": "/"}, "requires": {"allow_missing_or_failed": {}}}],
        },
    }


def _provider(index: int, issuer: Issuer) -> dict[str, Any]:
    name = f"issuer-{index}"
    return {
        "issuer": issuer.name,
        "audiences": [*issuer.audiences],
        "require_expiration": True,
        "remote_jwks": _key_set(index) if issuer.key_set else _remote_keys(name, issuer),
        # Not from a parameter of the path, Envoy's other default: paths are logged.
        "from_headers": [{"name": "authorization", "value_prefix": "Bearer "}],
        "payload_in_metadata": name,
        "failed_status_in_metadata": _FAILURE,
    }


def _remote_keys(name: str, issuer: Issuer) -> dict[str, Any]:
    return {
        "http_uri": {"uri": issuer.jwks_uri, "cluster": name, "timeout": CONNECT_TIMEOUT},
        "cache_duration": _JWKS_SECONDS,
        # Before the first request, and not in its time.
        "async_fetch": {},
    }


def _key_set(index: int) -> dict[str, Any]:
    uri = f"http://{KEY_SETS}{_key_set_path(index)}"
    return {
        "http_uri": {"uri": uri, "cluster": KEY_SETS, "timeout": CONNECT_TIMEOUT},
        "cache_duration": _KEY_SET_SECONDS,
        # No listener would answer while all wait for this.
        "async_fetch": {"fast_listener": True},
    }


def _key_sets_cluster() -> Cluster:
    return {
        "name": KEY_SETS,
        "type": "STATIC",
        "connect_timeout": CONNECT_TIMEOUT,
        "load_assignment": {
            "cluster_name": KEY_SETS,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": KEY_SETS_PIPE}}]}],
        },
    }


def _issuer_cluster(name: str, issuer: Issuer) -> Cluster:
    san = {"san_type": "DNS", "matcher": {"exact": issuer.host}}
    return {
        "name": name,
        **dns(),
        "connect_timeout": CONNECT_TIMEOUT,
        "load_assignment": one_address(name, issuer.host, issuer.port),
        "transport_socket": upstream_tls(
            {
                "trusted_ca": {"filename": issuer.ca_file if issuer.ca else AUTHORITIES},
                "match_typed_subject_alt_names": [san],
            },
            sni=issuer.host,
        ),
    }
