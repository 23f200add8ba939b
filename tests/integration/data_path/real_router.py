"""A router's own program in place of the stub.

ROUTER_BIN is its path, ROUTER_CONTRACT the contract that it reads (0.3 ...; unset: the newest). It
works in its own directory, as in the image, and is handed this environment: LD_LIBRARY_PATH for the
libraries that it is linked with, PATH for the command that it downloads models with.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from concurrent import futures
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Self

import grpc
import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils import router_config
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.config import yaml_text
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.volumes import (
    CONFIG_DIRECTORY,
)
from envoy.service.ext_proc.v3 import external_processor_pb2 as ext_proc
from envoy.service.ext_proc.v3 import external_processor_pb2_grpc as ext_proc_grpc
from integration.data_path import wait
from integration.data_path.mounted_secret import MountedSecret
from stand_ins.ext_proc import headers_of

PROGRAM = os.environ.get("ROUTER_BIN")
CONTRACT = os.environ.get("ROUTER_CONTRACT") or router_config.NEWEST

needs_real = pytest.mark.skipif(
    not PROGRAM, reason="asks a router of upstream's: set ROUTER_BIN to its program"
)
needs_stub = pytest.mark.skipif(bool(PROGRAM), reason="asks what only the stub router says")

# Models may have to be loaded first.
_START_SECONDS = 300
# The recorder takes what the router takes.
_UNLIMITED = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
]


class RealRouter(ext_proc_grpc.ExternalProcessorServicer):
    """Passes on to the program what Envoy says, and keeps the headers of each request."""

    def __init__(
        self,
        config: dict[str, Any],
        tools_json: str,
        ports: Sequence[int],
        arguments: Sequence[str],
        directory: Path,
    ) -> None:
        """ports: for Envoy to ask, and of the program for gRPC and HTTP.

        arguments: of the router's container.
        """
        self.seen: list[dict[str, str]] = []
        self.log = directory / "router.log"
        self._directory = directory
        self._tools_json = tools_json
        self._port, self._behind, self._api_port = ports
        self._arguments = [
            argument
            for argument in arguments
            if not argument.startswith(("-config=", "-port=", "-api-port="))
        ]
        self._stack = ExitStack()
        self.config = config
        self._mounted = MountedSecret(self._volume, self._files())

    @property
    def _volume(self) -> Path:
        return self._directory / "config"

    def _files(self) -> dict[str, str]:
        text = yaml_text(self.config).replace(CONFIG_DIRECTORY, str(self._volume))
        return {"config.yaml": text, "tools_db.json": self._tools_json}

    def change(self, config: dict[str, Any]) -> None:
        """As a kubelet brings a changed ConfigMap into the pod."""
        self.config = config
        self._mounted.replace(self._files())

    def __enter__(self) -> Self:
        assert PROGRAM
        program = Path(PROGRAM).resolve()
        output = self._stack.enter_context(self.log.open("wb"))
        process = subprocess.Popen(
            [
                program,
                f"-config={self._volume / 'config.yaml'}",
                f"-port={self._behind}",
                f"-api-port={self._api_port}",
                *self._arguments,
            ],
            cwd=program.parent,
            env={**os.environ, "HOME": str(self._directory)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        self._stack.callback(_end, process)
        channel = self._stack.enter_context(
            grpc.insecure_channel(f"127.0.0.1:{self._behind}", options=_UNLIMITED)
        )
        try:
            wait.until(lambda: self._is_up(process, channel), "the router starts", _START_SECONDS)
        except BaseException:
            self._stack.close()
            raise
        self._ask = ext_proc_grpc.ExternalProcessorStub(channel).Process
        server = grpc.server(futures.ThreadPoolExecutor(64), options=_UNLIMITED)
        ext_proc_grpc.add_ExternalProcessorServicer_to_server(self, server)
        server.add_insecure_port(f"127.0.0.1:{self._port}")
        server.start()
        self._stack.callback(lambda: server.stop(grace=0).wait())
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def Process(
        self,
        requests: Iterator[ext_proc.ProcessingRequest],
        context: grpc.ServicerContext,
    ) -> Iterator[ext_proc.ProcessingResponse]:
        """One stream per HTTP request."""
        answers = self._ask(self._noted(requests))
        context.add_callback(answers.cancel)
        try:
            yield from answers
        except grpc.RpcError as error:
            context.abort(error.code(), error.details())

    def _noted(
        self, requests: Iterator[ext_proc.ProcessingRequest]
    ) -> Iterator[ext_proc.ProcessingRequest]:
        # That a client goes away in the middle is no news.
        with suppress(grpc.RpcError):
            for request in requests:
                if request.WhichOneof("request") == "request_headers":
                    self.seen.append(headers_of(request.request_headers))
                yield request

    def _is_up(self, process: subprocess.Popen[bytes], channel: grpc.Channel) -> bool:
        if process.poll() is not None:
            raise RuntimeError(f"the router ended:\n{self.log.read_text()[-4000:]}")
        try:
            grpc.channel_ready_future(channel).result(timeout=0.2)
        except grpc.FutureTimeoutError:
            return False
        return True


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
