# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one way in: the listener, what it refuses, and how the router is asked about a request."""

from __future__ import annotations

from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy import (
    auth,
    cors,
    failover,
    picker,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.clusters import (
    ROUTER_EXT_PROC,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.local_replies import (
    HEADER_SELECTED_MODEL,
    local_reply_config,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.routes import (
    EXT_PROC,
    HEADER_LOOPER_MODEL,
    JSON_TO_METADATA,
    METADATA,
    METADATA_MODEL,
    failover_virtual_host,
    looper_virtual_host,
    told_virtual_host,
    virtual_host,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import traffic_policy
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.auth import (
    identity_headers,
    is_wanted,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.identity import (
    IDENTITY_HEADER_PREFIX,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.limits import (
    CONNECTION_BUFFER_BYTES,
    IDLE_TIMEOUT,
    ROUTER_TIMEOUT,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.listener import any_address
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.ports import PodPorts
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

# What the router believes without asking who says it: from a client it would choose the backend,
# pass for one of the router's own sub-requests, or for another user.
INTERNAL_HEADERS = (HEADER_SELECTED_MODEL, "x-vsr-internal-auth", "x-vsr-fusion-depth")
INTERNAL_HEADER_PREFIXES = ("x-vsr-looper-", IDENTITY_HEADER_PREFIX)

Listener = dict[str, Any]

_RELIABILITY_HEADERS = (
    "^x-envoy-(upstream-rq-timeout-ms|upstream-rq-per-try-timeout-ms|max-retries|retry-on"
    "|retriable-status-codes)$"
)
HTTP_CONNECTION_MANAGER = (
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3"
    ".HttpConnectionManager"
)


def listeners(router: Router, facts: Facts, ports: PodPorts) -> list[Listener]:
    """The one for clients, and one for the router beside it."""
    door = [*cors.filters(router), *auth.filters(router)]
    host, looper_host = virtual_host(router, facts), looper_virtual_host(router, facts)
    pickers = picker.filters(facts)
    clients = _http_connection_manager("clients", host, router, pickers, *door)
    looper = _http_connection_manager("looper", looper_host, router, pickers)
    return [
        _listener(
            _every(any_address(router.spec)),
            ports.listener,
            {
                **clients,
                "local_reply_config": _local_replies(router, cors.is_welcome(router)),
                **early_header_mutations(router),
            },
        ),
        # The router's word for asking models itself. What it says of these requests in headers is
        # what no client may say, so they have a way in that no client can reach.
        _listener({"address": "127.0.0.1"}, ports.looper, looper),
        *_key_sets(router),
        *_failovers(router, facts, pickers),
        # The router's API stays on 127.0.0.1; the operator asks for the hash of what is active.
        _listener(_every(any_address(router.spec)), ports.told, _told()),
    ]


def _every(address: str) -> dict[str, Any]:
    # With this, :: takes IPv4 as well.
    return {"address": address, **({"ipv4_compat": True} if address == "::" else {})}


def _failovers(router: Router, facts: Facts, pickers: list[dict[str, Any]]) -> list[Listener]:
    """Where what one model cannot answer is asked of another: a way that begins in Envoy."""
    built = []
    for model, other in failover.targets(router, facts).items():
        rewriting = failover.rewriting(
            facts, model, other, [*INTERNAL_HEADERS, HEADER_LOOPER_MODEL]
        )
        host = failover_virtual_host(router, facts, other)
        manager = _http_connection_manager("failover", host, router, pickers, rewriting)
        where = {"name": failover.listener_name(model), "internal_listener": {}}
        built.append(_listener_at(where, manager))
    return built


def _key_sets(router: Router) -> list[Listener]:
    """Envoy's alone, and nobody's to log."""
    routes = auth.key_set_routes(router)
    if not routes:
        return []
    manager = {
        "@type": HTTP_CONNECTION_MANAGER,
        "stat_prefix": auth.KEY_SETS,
        "route_config": {
            "name": auth.KEY_SETS,
            "max_direct_response_body_size_bytes": auth.KEY_SET_LIMIT_BYTES,
            "virtual_hosts": [{"name": auth.KEY_SETS, "domains": ["*"], "routes": routes}],
        },
        "http_filters": [_router_filter()],
    }
    return [_listener_at({"address": auth.KEY_SETS_PIPE}, manager)]


def _told() -> dict[str, Any]:
    """One path, read only: it answers with hashes and with nothing that was hashed."""
    return {
        "@type": HTTP_CONNECTION_MANAGER,
        "stat_prefix": "told",
        "codec_type": "HTTP1",
        "normalize_path": True,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
        "stream_idle_timeout": "5s",
        "request_headers_timeout": "5s",
        "route_config": {"name": "told", "virtual_hosts": [told_virtual_host()]},
        "http_filters": [_router_filter()],
    }


def _listener(address: dict[str, Any], port: int, manager: dict[str, Any]) -> Listener:
    at = {"socket_address": {**address, "port_value": port}}
    return _listener_at({"address": at}, manager)


def _listener_at(where: dict[str, Any], manager: dict[str, Any]) -> Listener:
    return {
        "name": manager["stat_prefix"],
        **where,
        "per_connection_buffer_limit_bytes": CONNECTION_BUFFER_BYTES,
        "filter_chains": [
            {
                "filters": [
                    {
                        "name": "envoy.filters.network.http_connection_manager",
                        "typed_config": manager,
                    },
                ],
            },
        ],
    }


def _http_connection_manager(
    name: str,
    virtual_host: dict[str, Any],
    router: Router,
    pickers: list[dict[str, Any]],
    *first: dict[str, Any],
) -> dict[str, Any]:
    return {
        "@type": HTTP_CONNECTION_MANAGER,
        "stat_prefix": name,
        "codec_type": "AUTO",
        # The client is who connects, not who X-Forwarded-For says. As none counts as internal,
        # x-envoy-* headers by which a client could set timeouts and retries are dropped.
        "use_remote_address": True,
        # Not dropped: it is what connects the logs of client, Envoy, router and backend.
        "preserve_external_request_id": True,
        # Before routing, so that no spelling of a path reaches what another spelling would not.
        "normalize_path": True,
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
        "stream_idle_timeout": IDLE_TIMEOUT,
        "request_headers_timeout": "10s",
        "route_config": {"name": name, "virtual_hosts": [virtual_host]},
        "http_filters": [
            *first,
            _json_to_metadata(),
            {"name": EXT_PROC, "typed_config": ext_proc(router)},
            *pickers,
            _router_filter(),
        ],
        "local_reply_config": _local_replies(router),
        "access_log": [_access_log(router)],
    }


def _local_replies(router: Router, is_welcome: dict[str, Any] | None = None) -> dict[str, Any]:
    return local_reply_config(
        is_welcome,
        of_timeouts=traffic_policy.limits_time(router.spec),
    )


def _router_filter() -> dict[str, Any]:
    return {
        "name": "envoy.filters.http.router",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
        },
    }


def _json_to_metadata() -> dict[str, Any]:
    """Off, but for the paths of which a route says that the model's name in the body decides."""
    model = {"metadata_namespace": METADATA, "key": METADATA_MODEL}
    return {
        "name": JSON_TO_METADATA,
        "disabled": True,
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.json_to_metadata.v3"
            ".JsonToMetadata",
            "request_rules": {
                "rules": [{"selectors": [{"key": "model"}], "on_present": model}],
                # A backend does not care either.
                "allow_content_types_regex": {"regex": ".*"},
                "allow_empty_content_type": True,
            },
        },
    }


def early_header_mutations(router: Router) -> dict[str, Any]:
    """What drops the headers that no client may send.

    Before any filter or route sees the request; request_headers_to_remove of a route would act only
    after the router has been asked.
    """
    return {
        "early_header_mutation_extensions": [
            {
                "name": "envoy.http.early_header_mutation.header_mutation",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.http.early_header_mutation"
                    ".header_mutation.v3.HeaderMutation",
                    "mutations": [
                        *({"remove": name} for name in _internal_headers(router)),
                        *(
                            {"remove_on_match": {"key_matcher": {"prefix": prefix}}}
                            for prefix in INTERNAL_HEADER_PREFIXES
                        ),
                    ],
                },
            },
        ],
    }


def _internal_headers(router: Router) -> list[str]:
    configured = [
        name
        for name in identity_headers(router.spec)
        if not name.startswith(INTERNAL_HEADER_PREFIXES)
    ]
    return [*INTERNAL_HEADERS, *configured]


def ext_proc(router: Router, cluster: str = ROUTER_EXT_PROC) -> dict[str, Any]:
    """How the router is asked about a request."""
    return {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor",
        "grpc_service": {"envoy_grpc": {"cluster_name": cluster}},
        "processing_mode": {
            "request_header_mode": "SEND",
            "response_header_mode": "SEND",
            "request_body_mode": "BUFFERED",
            "response_body_mode": "BUFFERED",
        },
        # How the router lets server-sent events through: it answers their headers with STREAMED.
        "allow_mode_override": True,
        "message_timeout": ROUTER_TIMEOUT,
        # Closed unless the user says otherwise: without the router there are no guards either.
        "failure_mode_allow": router.spec["envoy"]["failureModeAllow"],
        "status_on_error": {"code": "ServiceUnavailable"},
        # By these the router tells the timeouts and retries of a decision.
        "mutation_rules": {"allow_expression": {"regex": _RELIABILITY_HEADERS}},
    }


def _access_log(router: Router) -> dict[str, Any]:
    """To stdout. Paths without their query, and no header that may carry a key."""
    user = {"user": auth.USER} if is_wanted(router.spec) else {}
    return {
        "name": "envoy.access_loggers.stdout",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.stream.v3"
            ".StdoutAccessLog",
            "log_format": {
                "json_format": {
                    "time": "%START_TIME%",
                    "method": "%REQ(:METHOD)%",
                    "path": "%PATH(NQ)%",
                    "status": "%RESPONSE_CODE%",
                    "details": "%RESPONSE_CODE_DETAILS%",
                    "flags": "%RESPONSE_FLAGS%",
                    "duration_ms": "%DURATION%",
                    "bytes_received": "%BYTES_RECEIVED%",
                    "bytes_sent": "%BYTES_SENT%",
                    "model": "%REQ(X-SELECTED-MODEL)%",
                    "cluster": "%UPSTREAM_CLUSTER%",
                    "upstream": "%UPSTREAM_HOST%",
                    "client": "%DOWNSTREAM_REMOTE_ADDRESS%",
                    "request_id": "%REQ(X-REQUEST-ID)%",
                    **user,
                },
            },
        },
    }
