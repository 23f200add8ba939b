# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which web pages' scripts may use the API: spec.cors, for the browsers that ask for it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

CORS = "envoy.filters.http.cors"
METHODS = ("GET", "POST", "DELETE", "OPTIONS")
# To a browser "*" is every header but this one.
_ALL_HEADERS = ("*", "authorization")
PREFLIGHT_SECONDS = 3600
# What a backend says about it to pages that it knows nothing of; vLLM welcomes all by default.
_OTHERS_WORDS = (
    "access-control-allow-origin",
    "access-control-allow-credentials",
    "access-control-expose-headers",
)
_EVERY_ORIGIN = "*"
_SUBDOMAINS = "*."


def filters(router: Router) -> list[dict[str, Any]]:
    """The filter that answers preflights; none where nothing is said about it."""
    if not router.spec.get("cors"):
        return []
    kind = "type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors"
    return [{"name": CORS, "typed_config": {"@type": kind}}]


def policy(router: Router) -> dict[str, Any]:
    """What a virtual host says about it."""
    wanted = router.spec.get("cors")
    if not wanted:
        return {}
    return {
        "typed_per_filter_config": {
            CORS: {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy",
                "allow_origin_string_match": _origins(wanted),
                "allow_methods": ", ".join(METHODS),
                "allow_headers": ", ".join(allowed_headers(wanted)),
                "expose_headers": "*",
                "max_age": str(PREFLIGHT_SECONDS),
            },
        },
        "response_headers_to_remove": [*_OTHERS_WORDS],
    }


def is_welcome(router: Router) -> dict[str, Any] | None:
    """Filter of a local reply: a page asks that may; None where nothing is said about it."""
    wanted = router.spec.get("cors")
    origins = [
        {"header_filter": {"header": {"name": "origin", **_header_match(origin)}}}
        for origin in (_origins(wanted) if wanted else [])
    ]
    if len(origins) > 1:
        return {"or_filter": {"filters": origins}}
    return origins[0] if origins else None


def welcome() -> list[dict[str, Any]]:
    """What the filter says to such a page, for answers that never pass it."""
    said = {"access-control-allow-origin": "%REQ(ORIGIN)%", "access-control-expose-headers": "*"}
    return [
        {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
        for key, value in said.items()
    ]


def preflights(router: Router) -> list[dict[str, Any]]:
    """Matches for what the filter answers. It leaves alone what a route answers by itself."""
    wanted = router.spec.get("cors")
    return [
        {
            "prefix": "/",
            "headers": [
                {"name": ":method", "string_match": {"exact": "OPTIONS"}},
                {"name": "access-control-request-method", "present_match": True},
                {"name": "origin", **origin},
            ],
        }
        for origin in map(_header_match, _origins(wanted) if wanted else [])
    ]


def _header_match(origin: dict[str, Any]) -> dict[str, Any]:
    is_any = origin == {"exact": _EVERY_ORIGIN}
    return {"present_match": True} if is_any else {"string_match": origin}


def _origins(wanted: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [_match(each) for each in wanted["allowOrigins"]]


def allowed_headers(wanted: Mapping[str, Any]) -> list[str]:
    """That scripts may send."""
    return [*(wanted.get("allowHeaders") or _ALL_HEADERS)]


def _match(origin: str) -> dict[str, Any]:
    scheme, is_url, host = origin.partition("://")
    if origin == _EVERY_ORIGIN or not is_url or not host.startswith(_SUBDOMAINS):
        return {"exact": origin}
    below = re.escape(host.removeprefix(_SUBDOMAINS))
    return {"safe_regex": {"regex": rf"{scheme}://([-a-z0-9]+\.)+{below}"}}
