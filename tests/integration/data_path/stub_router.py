"""The router as Envoy sees it: an ext_proc service and an HTTP API.

Behaves like the real one in what Envoy can notice: continues with `accept-encoding: identity`,
picks the model from the buffered body, sets x-selected-model as raw bytes and clears the route
cache, answers some requests itself, and lets server-sent events through with a mode override.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent import futures
from types import TracebackType
from typing import Self

import grpc
from envoy.extensions.filters.http.ext_proc.v3 import processing_mode_pb2
from envoy.service.ext_proc.v3 import external_processor_pb2 as ext_proc
from envoy.service.ext_proc.v3 import external_processor_pb2_grpc as ext_proc_grpc

MAX_MESSAGE_BYTES = 64 * 1024 * 1024

# What a test asks for in the place of a model's name.
AUTO = "auto"
UNDECIDED = "undecided"
REFUSED = "refused"
REFUSED_WITH_503 = "refused-with-503"


class StubRouter(ext_proc_grpc.ExternalProcessorServicer):
    """Selects what the body asks for; `auto` is the given default model."""

    def __init__(self, default_model: str) -> None:
        self.default_model = default_model
        self.seen: list[dict[str, str]] = []
        options = [
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        ]
        self._server = grpc.server(futures.ThreadPoolExecutor(16), options=options)
        ext_proc_grpc.add_ExternalProcessorServicer_to_server(self, self._server)
        self.port: int = self._server.add_insecure_port("127.0.0.1:0")

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.stop(grace=0).wait()

    def Process(
        self,
        requests: Iterator[ext_proc.ProcessingRequest],
        _context: grpc.ServicerContext,
    ) -> Iterator[ext_proc.ProcessingResponse]:
        """One stream per HTTP request."""
        for request in requests:
            phase = request.WhichOneof("request")
            yield getattr(self, f"_{phase}")(getattr(request, phase))

    def _request_headers(self, message: ext_proc.HttpHeaders) -> ext_proc.ProcessingResponse:
        headers = _headers(message)
        self.seen.append(headers)
        path = headers[":path"].partition("?")[0]
        if path == "/v1/models":
            return _immediate(200, {"object": "list", "data": []})
        if path != "/v1/chat/completions":
            return _immediate(404, {"error": "endpoint not found"})
        response = ext_proc.ProcessingResponse()
        _set(response.request_headers.response, "accept-encoding", "identity")
        return response

    def _request_body(self, message: ext_proc.HttpBody) -> ext_proc.ProcessingResponse:
        asked = json.loads(message.body)
        model = asked["model"]
        response = ext_proc.ProcessingResponse()
        common = response.request_body.response
        if model == UNDECIDED:
            common.status = ext_proc.CommonResponse.CONTINUE
            return response
        if model == REFUSED:
            return _immediate(403, {"error": "refused by a guard"})
        if model == REFUSED_WITH_503:
            return _immediate(503, {"error": "refused by the router"})
        selected = self.default_model if model == AUTO else model
        _set(common, "x-selected-model", selected)
        body = json.dumps({**asked, "model": selected}).encode()
        _set(common, "content-length", str(len(body)))
        common.body_mutation.body = body
        common.clear_route_cache = True
        return response

    def _response_headers(self, message: ext_proc.HttpHeaders) -> ext_proc.ProcessingResponse:
        response = ext_proc.ProcessingResponse()
        _set(response.response_headers.response, "x-vsr-schema-version", "stub")
        if _headers(message).get("content-type", "").startswith("text/event-stream"):
            response.mode_override.response_body_mode = processing_mode_pb2.ProcessingMode.STREAMED
        return response

    def _response_body(self, _message: ext_proc.HttpBody) -> ext_proc.ProcessingResponse:
        response = ext_proc.ProcessingResponse()
        response.response_body.response.status = ext_proc.CommonResponse.CONTINUE
        return response


def _headers(message: ext_proc.HttpHeaders) -> dict[str, str]:
    return {
        header.key: header.value or header.raw_value.decode() for header in message.headers.headers
    }


def _set(common: ext_proc.CommonResponse, key: str, value: str) -> None:
    option = common.header_mutation.set_headers.add()
    option.header.key = key
    option.header.raw_value = value.encode()


def _immediate(status: int, body: dict[str, object]) -> ext_proc.ProcessingResponse:
    response = ext_proc.ProcessingResponse()
    response.immediate_response.status.code = status
    response.immediate_response.body = json.dumps(body).encode()
    return response
