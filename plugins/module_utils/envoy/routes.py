# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which cluster a request goes to.

A route is looked up twice. First as the client sent it, without x-selected-model: that decides
whether the router is asked at all. Then, when the router has set x-selected-model, once more.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy import (
    cors,
    failover,
    picker,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.auth import (
    HEADER_REFUSED,
    without_auth,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.clusters import (
    NO_ENDPOINT,
    ROUTER_API,
    model_cluster_name,
    usable_endpoints,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.local_replies import (
    HEADER_SELECTED_MODEL,
    NO_BODY,
    UNKNOWN_NAMED_MODEL,
    openai_error,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.overload import (
    COUNTED,
    LARGE,
    MEDIUM,
    Counted,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.traffic_policy import (
    of_route,
    retry_policy,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint, Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.endpoints import by_model
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import traffic_policy
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.auth import (
    identity_headers,
    is_wanted,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.guards import (
    checks_prompts,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.limits import (
    BODY_LIMIT_BYTES,
    NAMED_MODEL_BODY_LIMIT_BYTES,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.listener import (
    answer_timeout,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.models import (
    default_model,
    served_by,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

EXT_PROC = "envoy.filters.http.ext_proc"
_EXT_PROC_PER_ROUTE = (
    "type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExtProcPerRoute"
)
JSON_TO_METADATA = "envoy.filters.http.json_to_metadata"

# Where the router names the model of a request of its own; x-selected-model it may leave out there.
HEADER_LOOPER_MODEL = "x-vsr-selected-model"
# What it says to itself there.
_LOOPER_HEADERS = (
    "x-vsr-internal-auth",
    "x-vsr-looper-request",
    "x-vsr-looper-iteration",
    "x-vsr-looper-decision",
    "x-vsr-fusion-depth",
    "x-vsr-selected-recipe",
)

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
# Of these, what whoever watches the router asks without a key or token.
HEALTH_PATHS = ("/health", "/ready", "/startup-status")
# These, and what is below them.
ALLOWED_API_SUBTREES = (
    "/api/v1/classify",
    "/api/v1/embeddings",
    "/api/v1/similarity",
)

# What the operator, and nobody else, has a way to.
ACTIVE_CONFIG_PATH = "/config/hash"

OPENAI_PREFIX = "/v1/"
# Of OpenAI's API, and of vLLM's beside it, what the router answers with 404: it has no opinion.
NAMED_MODEL_PATHS = ("/v1/completions", "/v1/embeddings", "/v1/rerank", "/v1/score")
# Routers 0.3 show there, to whoever asks, what everybody has asked and been answered.
REPLAYS_PATH = "/v1/router_replay"
# Here the body is a prompt from which a model goes on: what guards are for.
_PROMPT_PATH = "/v1/completions"
# Where the name in the body is kept for the routes.
METADATA = "semantic-router"
METADATA_MODEL = "model"

Route = dict[str, Any]


def virtual_host(router: Router, facts: Facts) -> dict[str, Any]:
    """All routes, whatever Host the client names: it never chooses a backend."""
    routes = _virtual_host(
        *_refused_route(router),
        *_preflight_routes(router),
        *_selected_model_routes(router, facts, HEADER_SELECTED_MODEL),
        {**_not_found_route({"path_separated_prefix": REPLAYS_PATH}), **_unasked()},
        *_api_routes(router),
        _options_route(),
        _no_body_route(),
        *_unchecked_prompt_route(router),
        *_named_model_routes(router, facts),
        _no_length_route(),
        *_counted_routes(router, facts),
        *_fallback_routes(router, facts),
        # No other match takes CONNECT, and ext_proc runs for what matches nothing. As no route
        # allows tunnels, Envoy refuses it (403) before any filter.
        {**_not_found_route({"connect_matcher": {}}), **_unasked()},
        {**_not_found_route({"prefix": "/"}), **_unasked()},
    )
    policy = cors.policy(router)
    configs = {**policy.pop("typed_per_filter_config", {}), **picker.unasked(facts)}
    return {**routes, **policy, **_per_filter(configs), **_without_identity(router)}


def looper_virtual_host(router: Router, facts: Facts) -> dict[str, Any]:
    """Routes for what the router asks models itself. It is asked here too, as it wants to be."""
    routes = _virtual_host(
        *_selected_model_routes(router, facts, HEADER_LOOPER_MODEL),
        # What has been sent by nobody but the router, which then names the model.
        {"name": "unknown model", "match": {"prefix": "/"}, **_refused_after_the_body()},
    )
    model = _header(HEADER_SELECTED_MODEL, f"%REQ({HEADER_LOOPER_MODEL.upper()})%")
    return {
        **routes,
        # For the access log and for an answer that names the model.
        "request_headers_to_add": [model],
        # A router 0.3 leaves them to the models.
        "request_headers_to_remove": [*_LOOPER_HEADERS],
        **_per_filter(picker.unasked(facts)),
    }


def failover_virtual_host(router: Router, facts: Facts, model: str) -> dict[str, Any]:
    """Routes for what is asked of this model in another's place, once the router has been asked."""
    routes = _virtual_host(
        *_selected_model_routes(router, facts, HEADER_SELECTED_MODEL, only=model),
        {"name": "unknown model", "match": {"prefix": "/"}, **_refused_after_the_body()},
    )
    # Counted once already, where the client's request came in: what is large has one copy.
    limit = {"request_body_buffer_limit": MEDIUM.limit}
    return {**routes, **limit, **_per_filter(picker.unasked(facts))}


def told_virtual_host() -> dict[str, Any]:
    """The way of the operator to the hash of the active configuration, and no other."""
    return {
        "name": "told",
        "domains": ["*"],
        "routes": [
            {
                "name": "active configuration",
                "match": {
                    "path": ACTIVE_CONFIG_PATH,
                    "headers": [{"name": ":method", "string_match": {"exact": "GET"}}],
                },
                "route": {"cluster": ROUTER_API, "timeout": "2s"},
            }
        ],
    }


def _virtual_host(*routes: Route) -> dict[str, Any]:
    return {
        "name": "router",
        "domains": ["*"],
        "routes": [*routes],
        # The router is asked with the whole body, and so is answered for.
        "request_body_buffer_limit": BODY_LIMIT_BYTES,
        "retry_policy": retry_policy(),
    }


def _selected_model_routes(
    router: Router, facts: Facts, header: str, only: str = ""
) -> list[Route]:
    """By what only the router can have said. Any path: it may have rewritten it for the backend.

    only: the one model that there is a route to, and none fails over to yet another.
    """
    grouped = by_model(facts.endpoints)
    failing_over = {} if only else failover.targets(router, facts)
    known = [
        {
            "name": name,
            "match": {
                "prefix": "/",
                "headers": [{"name": header, "string_match": {"exact": name}}],
            },
            "route": {
                **_to_model(model, grouped, router),
                **(_failing_over(model, grouped, router) if model in failing_over else {}),
            },
            **_per_filter(_picked(model, grouped)),
        }
        for name, model in served_by(router.spec).items()
        if only in ("", model)
    ]
    unknown = {
        "name": "unknown model",
        "match": {"prefix": "/", "headers": [{"name": header, "present_match": True}]},
        "route": {"cluster": NO_ENDPOINT},
    }
    return [*known, unknown]


def _named_model_routes(router: Router, facts: Facts) -> list[Route]:
    """By what the client says in the body."""
    grouped = by_model(facts.endpoints)
    known = [
        {
            "name": f"named {name}",
            "match": {
                **_any_of(NAMED_MODEL_PATHS),
                "dynamic_metadata": [
                    {
                        "filter": METADATA,
                        "path": [{"key": METADATA_MODEL}],
                        "value": {"string_match": {"exact": name}},
                    },
                ],
            },
            **_with_model(name),
            "route": _to_model(model, grouped, router),
            **_per_filter({**without_ext_proc(), **_picked(model, grouped)}),
        }
        for name, model in served_by(router.spec).items()
        # The router gives a hosted model its key and its path, and is not asked here.
        if not any(endpoint.is_outside for endpoint in grouped.get(model, []))
    ]
    return [*known, _unknown_named_model_route()] if known else []


def _unknown_named_model_route() -> Route:
    """Where such a request is looked up first: its body, and the model in it, is not there yet."""
    read_model = {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "config": {}}
    return {
        "name": UNKNOWN_NAMED_MODEL,
        "match": _any_of(NAMED_MODEL_PATHS),
        **_refused_after_the_body(),
        "request_body_buffer_limit": NAMED_MODEL_BODY_LIMIT_BYTES,
        "typed_per_filter_config": {**without_ext_proc(), JSON_TO_METADATA: read_model},
    }


def _unchecked_prompt_route(router: Router) -> list[Route]:
    if not checks_prompts(router.spec):
        return []
    error = openai_error(
        "Prompts are checked here, which those of this path cannot be: use /v1/chat/completions",
        "not_checked",
    )
    match = {"path": _PROMPT_PATH}
    return [{"name": "unchecked prompt", "match": match, **_answer(403, error), **_unasked()}]


def _options_route() -> Route:
    return {
        "name": "options",
        "match": {"prefix": OPENAI_PREFIX, "headers": [_has_method("OPTIONS")]},
        "direct_response": {"status": 204},
        "response_headers_to_add": [_header("allow", ", ".join(cors.METHODS))],
        **_unasked(),
    }


def _no_body_route() -> Route:
    """Nothing that the router could look at, and so nothing that a model may have."""
    return {
        "name": NO_BODY,
        "match": _without_body({"name": "content-length", "string_match": {"exact": "0"}}),
        **_refused_after_the_body(),
        **_unasked(),
    }


def _no_length_route() -> Route:
    """Nothing tells whether a body comes. If one does, the router selects another route."""
    headers = ("content-length", "transfer-encoding")
    return {
        "name": NO_BODY,
        "match": _without_body(*({"name": name, "present_match": False} for name in headers)),
        **_refused_after_the_body(),
        **_asked_as(LARGE),
    }


def _without_body(*headers: dict[str, Any]) -> dict[str, Any]:
    return {"prefix": OPENAI_PREFIX, "headers": [_has_method("POST"), *headers]}


def _refused_route(router: Router) -> list[Route]:
    """Where a request is that auth.lua refuses: the router is not asked about its answer either."""
    if not is_wanted(router.spec):
        return []
    header = {"name": HEADER_REFUSED, "present_match": True}
    error = openai_error("You are not let in", "missing_credentials")
    match = {"prefix": "/", "headers": [header]}
    return [{"name": "refused", "match": match, **_answer(401, error), **_unasked()}]


def _preflight_routes(router: Router) -> list[Route]:
    return [
        {"name": "preflight", "match": match, "route": {"cluster": NO_ENDPOINT}, **_unasked()}
        for match in cors.preflights(router)
    ]


def _without_identity(router: Router) -> dict[str, Any]:
    """What the door said to the router about the user is not for models, which may be anybody's."""
    if not is_wanted(router.spec):
        return {}
    return {"request_headers_to_remove": [*identity_headers(router.spec)]}


def _api_routes(router: Router) -> list[Route]:
    opened = without_auth() if is_wanted(router.spec) else {}
    matches = [{"path": path} for path in ALLOWED_API_PATHS] + [
        {"path_separated_prefix": path} for path in ALLOWED_API_SUBTREES
    ]
    return [
        {
            "name": "router API",
            "match": match,
            # What it says is what is asked for, "not ready" as well: the empty policy is no retry.
            "route": {"cluster": ROUTER_API, "timeout": "0s", "retry_policy": {}},
            "typed_per_filter_config": {
                **without_ext_proc(),
                **(opened if match.get("path") in HEALTH_PATHS else {}),
            },
        }
        for match in matches
    ]


def _fallback_routes(router: Router, facts: Facts) -> list[Route]:
    """Where a model request goes if the router was asked and selected nothing."""
    model = default_model(router.spec)
    if model:
        return [_default_model_route(model, router, facts)]
    error = openai_error("This router has no models: spec.vllmEndpoints is empty", "no_models")
    answer = _answer(503, error)
    return [
        # The router lists its own names for "choose one" all the same.
        {"name": "no models", "match": {"path_separated_prefix": "/v1/models"}, **answer},
        {"name": "no models", "match": {"prefix": OPENAI_PREFIX}, **answer, **_unasked()},
    ]


def _counted_routes(router: Router, facts: Facts) -> list[Route]:
    """Where the router is asked about requests that are counted for their size.

    One of unknown length may become as long as any.
    """
    name = "content-length"
    model = default_model(router.spec)
    if not model:
        return []
    headers = [
        (LARGE, {"name": name, "present_match": False}),
        *(
            (each, {"name": name, "range_match": {"start": each.above + 1, "end": 2**63 - 1}})
            for each in COUNTED
        ),
    ]
    return [
        {
            **_default_model_route(model, router, facts),
            "name": "default model",
            "match": {"prefix": OPENAI_PREFIX, "headers": [_has_method("POST"), header]},
            **_per_filter(
                {
                    **_asked_as(counted)["typed_per_filter_config"],
                    **_picked(served_by(router.spec)[model], by_model(facts.endpoints)),
                }
            ),
        }
        for counted, header in headers
    ]


def _default_model_route(model: str, router: Router, facts: Facts) -> Route:
    served = served_by(router.spec)[model]
    grouped = by_model(facts.endpoints)
    return {
        "name": "default model",
        "match": {"prefix": OPENAI_PREFIX},
        **_with_model(model),
        "route": _to_model(served, grouped, router),
        **_per_filter(_picked(served, grouped)),
    }


def _picked(model: str, grouped: dict[str, list[Endpoint]]) -> dict[str, Any]:
    return picker.asked(usable_endpoints(grouped.get(model, [])))


def _per_filter(configs: dict[str, Any]) -> dict[str, Any]:
    return {"typed_per_filter_config": configs} if configs else {}


def _not_found_route(match: dict[str, Any]) -> Route:
    error = openai_error("This path is not served here", "not_found")
    return {"name": "not found", "match": match, **_answer(404, error)}


def _any_of(paths: Iterable[str]) -> dict[str, Any]:
    return {"safe_regex": {"regex": "|".join(map(re.escape, paths))}}


def _has_method(method: str) -> dict[str, Any]:
    return {"name": ":method", "string_match": {"exact": method}}


def _with_model(name: str) -> dict[str, Any]:
    """Set after the route is chosen, for the access log and for an answer that names the model."""
    # A percent sign starts a command of Envoy's.
    return {"request_headers_to_add": [_header(HEADER_SELECTED_MODEL, name.replace("%", "%%"))]}


def _answer(status: int, body: dict[str, Any]) -> dict[str, Any]:
    return {
        "direct_response": {"status": status, "body": {"inline_string": json.dumps(body)}},
        "response_headers_to_add": [_header("content-type", "application/json")],
    }


def _refused_after_the_body() -> dict[str, Any]:
    """As a route to nowhere, which local_replies.py gives its words. While a route answers at once
    (direct_response), no body of more than CONNECTION_BUFFER_BYTES can be read for a better one."""
    return {"route": {"cluster": NO_ENDPOINT}}


def _header(key: str, value: str) -> dict[str, Any]:
    return {
        "header": {"key": key, "value": value},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }


def _to_model(model: str, grouped: dict[str, list[Endpoint]], router: Router) -> dict[str, Any]:
    usable = usable_endpoints(grouped.get(model, []))
    if not usable:
        return {"cluster": NO_ENDPOINT}
    # All endpoints of a model have one: facts/endpoints.py sees to it.
    path = usable[0].path
    behind = {"pattern": {"regex": "^/"}, "substitution": f"{path}/"}
    return {
        "cluster": model_cluster_name(model),
        **({"regex_rewrite": behind} if path else {}),
        # The host that serves the request names it, not the client.
        "auto_host_rewrite": True,
        # Unasked, no limit on a whole answer; silence ends it (stream_idle_timeout).
        "timeout": answer_timeout(router.spec),
        **of_route(traffic_policy.by_model(router.spec).get(model, {})),
    }


def _failing_over(model: str, grouped: dict[str, list[Endpoint]], router: Router) -> dict[str, Any]:
    tried = of_route(traffic_policy.by_model(router.spec)[model]).get("retry_policy")
    endpoints = len(usable_endpoints(grouped[model]))
    return {
        "cluster": failover.cluster_name(model),
        "retry_policy": failover.retries(tried or retry_policy(), endpoints),
    }


def _unasked() -> dict[str, Any]:
    return {"typed_per_filter_config": without_ext_proc()}


def _asked_as(counted: Counted) -> dict[str, Any]:
    return {
        "typed_per_filter_config": {
            EXT_PROC: {
                "@type": _EXT_PROC_PER_ROUTE,
                "overrides": {
                    "grpc_service": {"envoy_grpc": {"cluster_name": counted.cluster}},
                    # One too many is refused: it must not get by unasked.
                    "failure_mode_allow": False,
                },
            },
        },
    }


def without_ext_proc() -> dict[str, Any]:
    """Per-route settings of a path that the router is not asked about."""
    return {
        EXT_PROC: {
            "@type": _EXT_PROC_PER_ROUTE,
            "disabled": True,
        },
    }
