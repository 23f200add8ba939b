# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Envoy says when it answers by itself: OpenAI's shape, and one message for each cause.

The router's own answers, and those of backends, pass untouched.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy import cors
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.limits import (
    BODY_LIMIT_BYTES,
    IDLE_TIMEOUT,
    MIB,
    NAMED_MODEL_BODY_LIMIT_BYTES,
)

Filter = dict[str, Any]

HEADER_SELECTED_MODEL = "x-selected-model"
# Names of routes that lead nowhere.
NO_BODY = "no body"
UNKNOWN_NAMED_MODEL = "unknown named model"

_MODEL = f"%REQ({HEADER_SELECTED_MODEL.upper()})%"
_RETRY_AFTER_SECONDS = 5


def openai_error(message: str, code: str) -> dict[str, Any]:
    """An error in the shape that OpenAI's clients know how to show."""
    return {"error": {"message": message, "type": "router_error", "param": None, "code": code}}


@dataclass(frozen=True)
class _Reply:
    """status: instead of Envoy's own. is_busy: the same request may well succeed a little later.

    is_early: Envoy says so before any filter has seen the request.
    """

    filter: Filter
    message: str
    code: str
    status: int | None = None
    is_busy: bool = False
    is_early: bool = False

    def mapper(self) -> dict[str, Any]:
        retry_after = {"header": {"key": "retry-after", "value": str(_RETRY_AFTER_SECONDS)}}
        return {
            "filter": self.filter,
            **({"status_code": self.status} if self.status else {}),
            **({"headers_to_add": [retry_after]} if self.is_busy else {}),
            "body_format_override": {"json_format": openai_error(self.message, self.code)},
        }


def _flagged(*flags: str) -> Filter:
    return {"response_flag_filter": {"flags": [*flags]}}


def _detailed(prefix: str, *words: str) -> Filter:
    # Failures of a filter set no response flag; these are Envoy's own words, and stay.
    tests = [f"startsWith('{prefix}')", *(f"contains('{word}')" for word in words)]
    return _cel(" && ".join(f"response.code_details.{test}" for test in tests))


def _details_contain(*words: str) -> Filter:
    """Any of them."""
    return _cel(" || ".join(f"response.code_details.contains('{word}')" for word in words))


def _cel(expression: str) -> Filter:
    return {
        "extension_filter": {
            "name": "envoy.access_loggers.extension_filters.cel",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.access_loggers.filters.cel.v3"
                ".ExpressionFilter",
                "expression": expression,
            },
        },
    }


_SIZE = f"{BODY_LIMIT_BYTES // MIB} MiB"
_TOO_LARGE = "response.code_details.startsWith('request_payload_too_large')"
_NOWHERE = "response.code_details.startsWith('no_healthy_upstream')"
_OVERLOADED = "The router has as much in hand as its memory allows; try again later"

# Where the spec limits how long a model may take.
_TIMEOUT_REPLIES = (
    _Reply(_flagged("UT"), f"Model {_MODEL} did not answer in the time that it has", "timeout"),
    _Reply(_flagged("SI"), f"Model {_MODEL} was silent for longer than it may be", "timeout"),
)
# The first one that fits counts.
_REPLIES = (
    _Reply(
        _details_contain("CERTIFICATE_VERIFY_FAILED"),
        f"The endpoint of model {_MODEL} does not prove who it is: its certificate is not from the "
        "CA, or not for the name, that is expected here",
        "model_not_verified",
        status=503,
    ),
    _Reply(
        # Of a server that has got no certificate, one that it does not take, or one of no CA that
        # it knows.
        _details_contain(
            "ALERT_HANDSHAKE_FAILURE",
            "CERTIFICATE_REQUIRED",
            "ALERT_BAD_CERTIFICATE",
            "ALERT_UNKNOWN_CA",
        ),
        f"The endpoint of model {_MODEL} refuses TLS with this proxy; it may demand a client "
        "certificate, or another one",
        "model_refuses_tls",
        status=503,
    ),
    # Of requests with a large body, so many are in hand that one more would be too many.
    _Reply(_detailed("ext_proc_error", "overflow"), _OVERLOADED, "overloaded", is_busy=True),
    _Reply(
        _detailed("ext_proc_error"),
        "The semantic router does not answer (yet)",
        "router_unavailable",
        is_busy=True,
    ),
    _Reply(
        _cel(f"{_TOO_LARGE} && xds.route_name == '{UNKNOWN_NAMED_MODEL}'"),
        f"On this path, a request may have {NAMED_MODEL_BODY_LIMIT_BYTES // MIB} MiB",
        "request_too_large",
    ),
    _Reply(_cel(_TOO_LARGE), f"The request has more than {_SIZE}", "request_too_large"),
    _Reply(
        _detailed("response_payload_too_large"),
        f"The answer of model {_MODEL} has more than {_SIZE}; ask for a stream, or for less",
        "response_too_large",
        status=502,
    ),
    _Reply(
        _cel(f"{_NOWHERE} && xds.route_name == '{NO_BODY}'"),
        "The request has no body",
        "no_body",
        status=400,
    ),
    _Reply(
        _cel(f"{_NOWHERE} && xds.route_name == '{UNKNOWN_NAMED_MODEL}'"),
        "This path is served by the model that the request names, and none has that name",
        "model_not_found",
        status=404,
    ),
    _Reply(_detailed("overload"), _OVERLOADED, "overloaded", is_busy=True, is_early=True),
    _Reply(_flagged("OM"), _OVERLOADED, "overloaded", is_busy=True, is_early=True),
    # No host has an address, or all refuse the connection.
    _Reply(
        _flagged("UH", "UF"), f"Model {_MODEL} has no endpoint that answers", "model_unavailable"
    ),
    _Reply(
        _flagged("UO"),
        f"Too many requests wait for model {_MODEL}; try again later",
        "overloaded",
        is_busy=True,
    ),
    # The backend had the request, so it is not sent to another one.
    _Reply(
        _flagged("UC", "UR", "UPE"),
        f"The endpoint of model {_MODEL} broke off before it answered",
        "model_broke_off",
        status=502,
    ),
    _Reply(_flagged("SI"), f"Nothing was sent or answered for {IDLE_TIMEOUT}", "timeout"),
)


def local_reply_config(
    is_welcome: Filter | None = None, *, of_timeouts: bool = False
) -> dict[str, Any]:
    """``local_reply_config`` of a connection manager.

    is_welcome: that of spec.cors. of_timeouts: the spec limits how long a model may take.
    """
    replies = (*(_TIMEOUT_REPLIES if of_timeouts else ()), *_REPLIES)
    return {"mappers": [*_mappers(replies, is_welcome)]}


def _mappers(replies: Iterable[_Reply], is_welcome: Filter | None) -> Iterator[dict[str, Any]]:
    """Answers that pass no filter, those of routes among them, are not marked for pages else."""
    for reply in replies:
        mapper = reply.mapper()
        if is_welcome and reply.is_early:
            both = {"and_filter": {"filters": [reply.filter, is_welcome]}}
            headers = [*mapper.get("headers_to_add", []), *cors.welcome()]
            yield {**mapper, "filter": both, "headers_to_add": headers}
        yield mapper
    if is_welcome:
        yield {"filter": is_welcome, "headers_to_add": cors.welcome()}
