# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which cluster a request goes to.

A route is looked up twice. First as the client sent it, without x-selected-model: that decides
whether the router is asked at all. Then, when the router has set x-selected-model, once more.
"""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.clusters import (
    NO_ENDPOINT,
    ROUTER_API,
    model_cluster_name,
    usable_endpoints,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.endpoints import by_model
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.models import (
    default_model,
    served_by,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

HEADER_SELECTED_MODEL = "x-selected-model"
EXT_PROC = "envoy.filters.http.ext_proc"

# The part of the router's HTTP API that clients may use. Everything else it has (configuration,
# stored files and memories, cache and replay management) takes whoever reaches it for its
# administrator, and stays inside the pod. So does /info/classifier: it answers with the router's
# whole configuration, passwords included.
ALLOWED_API_PATHS = (
    "/health",
    "/ready",
    "/startup-status",
    "/info/models",
    "/api/v1",
    "/openapi.json",
    "/docs",
    "/api/v1/eval",
    "/api/v1/nli",
)
# These, and what is below them.
ALLOWED_API_SUBTREES = (
    "/api/v1/classify",
    "/api/v1/embeddings",
    "/api/v1/similarity",
)

OPENAI_PREFIX = "/v1/"

Route = dict[str, Any]


def openai_error(message: str, code: str) -> dict[str, Any]:
    """An error in the shape that OpenAI's clients know how to show."""
    return {"error": {"message": message, "type": "router_error", "param": None, "code": code}}


def virtual_host(router: Router, facts: Facts) -> dict[str, Any]:
    """All routes, whatever Host the client names: it never chooses a backend."""
    return {
        "name": "router",
        "domains": ["*"],
        "routes": [
            *_model_routes(router, facts),
            _unknown_model_route(),
            *_api_routes(),
            _fallback_route(router, facts),
            # No other match takes CONNECT, and ext_proc runs for what matches nothing. As no route
            # allows tunnels, Envoy refuses it (403) before any filter.
            _not_found_route({"connect_matcher": {}}),
            _not_found_route({"prefix": "/"}),
        ],
    }


def _model_routes(router: Router, facts: Facts) -> list[Route]:
    return [
        {
            "name": name,
            "match": {
                # Any path: the router may have rewritten it for the backend.
                "prefix": "/",
                "headers": [
                    {"name": HEADER_SELECTED_MODEL, "string_match": {"exact": name}},
                ],
            },
            "route": _to_model(model, facts),
        }
        for name, model in served_by(router.spec).items()
    ]


def _unknown_model_route() -> Route:
    return {
        "name": "unknown model",
        "match": {
            "prefix": "/",
            "headers": [{"name": HEADER_SELECTED_MODEL, "present_match": True}],
        },
        "route": {"cluster": NO_ENDPOINT},
    }


def _api_routes() -> list[Route]:
    matches = [{"path": path} for path in ALLOWED_API_PATHS] + [
        {"path_separated_prefix": path} for path in ALLOWED_API_SUBTREES
    ]
    return [
        {
            "name": "router API",
            "match": match,
            "route": {"cluster": ROUTER_API, "timeout": "0s"},
            "typed_per_filter_config": without_ext_proc(),
        }
        for match in matches
    ]


def _fallback_route(router: Router, facts: Facts) -> Route:
    """Where a model request goes if the router was asked and selected nothing."""
    model = default_model(router.spec)
    name_and_match = {"name": "default model", "match": {"prefix": OPENAI_PREFIX}}
    if not model:
        error = openai_error("This router has no models: spec.vllmEndpoints is empty", "no_models")
        return {**name_and_match, **_answer(503, error)}
    return {
        **name_and_match,
        # Set after the route is chosen, for the access log and for an answer that names the model.
        "request_headers_to_add": [
            {
                "header": {
                    "key": HEADER_SELECTED_MODEL,
                    # A percent sign starts a command of Envoy's.
                    "value": model.replace("%", "%%"),
                },
                "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
            },
        ],
        "route": _to_model(served_by(router.spec)[model], facts),
    }


def _not_found_route(match: dict[str, Any]) -> Route:
    return {
        "name": "not found",
        "match": match,
        **_answer(404, openai_error("This path is not served here", "not_found")),
        "typed_per_filter_config": without_ext_proc(),
    }


def _answer(status: int, body: dict[str, Any]) -> dict[str, Any]:
    return {
        "direct_response": {"status": status, "body": {"inline_string": json.dumps(body)}},
        "response_headers_to_add": [
            {
                "header": {"key": "content-type", "value": "application/json"},
                "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
            },
        ],
    }


def _to_model(model: str, facts: Facts) -> dict[str, Any]:
    if not usable_endpoints(by_model(facts.endpoints).get(model, [])):
        return {"cluster": NO_ENDPOINT}
    return {
        "cluster": model_cluster_name(model),
        # The host that serves the request names it, not the client.
        "auto_host_rewrite": True,
        # No limit on a whole answer; silence ends it (stream_idle_timeout).
        "timeout": "0s",
        "retry_policy": {
            # Only what no backend has begun to work on: a completion is not free to repeat.
            "retry_on": "connect-failure,refused-stream",
            "num_retries": 2,
            "retry_host_predicate": [
                {
                    "name": "envoy.retry_host_predicates.previous_hosts",
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.retry.host"
                        ".previous_hosts.v3.PreviousHostsPredicate",
                    },
                },
            ],
            "host_selection_retry_max_attempts": 5,
        },
    }


def without_ext_proc() -> dict[str, Any]:
    """Per-route settings of a path that the router is not asked about."""
    return {
        EXT_PROC: {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3"
            ".ExtProcPerRoute",
            "disabled": True,
        },
    }
