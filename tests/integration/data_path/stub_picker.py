"""An endpoint picker: names one server for each request, once it has the whole of it.

Written from the endpoint picker protocol, in the mode in which the reference picker is spoken to.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent import futures
from typing import Self

import grpc
from envoy.service.ext_proc.v3 import external_processor_pb2 as ext_proc
from envoy.service.ext_proc.v3 import external_processor_pb2_grpc as ext_proc_grpc

DESTINATION = "x-gateway-destination-endpoint"


class StubPicker(ext_proc_grpc.ExternalProcessorServicer):
    """picks: the address for the next requests, "" to refuse them. models: what it was asked."""

    def __init__(self, address: str, credentials: grpc.ServerCredentials | None = None) -> None:
        self.picks = ""
        self.models: list[str] = []
        self.answered = 0
        self._server = grpc.server(futures.ThreadPoolExecutor(16))
        ext_proc_grpc.add_ExternalProcessorServicer_to_server(self, self._server)
        where = f"{address}:0"
        self.address = address
        self.port = (
            self._server.add_secure_port(where, credentials)
            if credentials
            else self._server.add_insecure_port(where)
        )

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(grace=0).wait()

    def Process(
        self,
        requests: Iterator[ext_proc.ProcessingRequest],
        _context: grpc.ServicerContext,
    ) -> Iterator[ext_proc.ProcessingResponse]:
        body = b""
        for request in requests:
            match request.WhichOneof("request"):
                case "request_body":
                    body += request.request_body.body
                    if request.request_body.end_of_stream:
                        yield from self._pick(body)
                case "response_headers":
                    answer = ext_proc.ProcessingResponse()
                    answer.response_headers.SetInParent()
                    yield answer
                case "response_body":
                    piece = request.response_body
                    self.answered += piece.end_of_stream
                    answer = ext_proc.ProcessingResponse()
                    streamed = answer.response_body.response.body_mutation.streamed_response
                    streamed.body, streamed.end_of_stream = piece.body, piece.end_of_stream
                    yield answer

    def _pick(self, body: bytes) -> Iterator[ext_proc.ProcessingResponse]:
        self.models.append(json.loads(body)["model"])
        headers = ext_proc.ProcessingResponse()
        if not self.picks:
            headers.immediate_response.status.code = 503
            yield headers
            return
        option = headers.request_headers.response.header_mutation.set_headers.add()
        option.header.key, option.header.raw_value = DESTINATION, self.picks.encode()
        headers.dynamic_metadata.update({"envoy.lb": {DESTINATION: self.picks}})
        yield headers
        pieces = ext_proc.ProcessingResponse()
        streamed = pieces.request_body.response.body_mutation.streamed_response
        streamed.body, streamed.end_of_stream = body, True
        yield pieces
