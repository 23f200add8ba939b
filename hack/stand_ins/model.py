"""`python -m stand_ins.model PORT MODEL...`: a model server with OpenAI's API, as vLLM has it.

It serves its own models only, answers with who was asked what, streams word by word, calls the
first tool that it is offered, and hangs up on a client that is silent. SECONDS= in a prompt is how
long it takes.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# After this, vLLM's server closes a connection that nothing comes on.
KEEP_ALIVE_SECONDS = 5
# A pod has a host's name of its own; what shares one is told who it is.
NAME = os.environ.get("STAND_IN_NAME") or socket.gethostname()
_SECONDS = re.compile(r"SECONDS=([0-9.]+)")


def completion(asked: dict[str, Any]) -> dict[str, Any]:
    """The answer to a chat request."""
    return {
        "id": "chatcmpl-stand-in",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": asked["model"],
        "choices": [{"index": 0, "message": _message(asked), "finish_reason": _finish(asked)}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }


def chunks(asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The same, in pieces."""
    message = _message(asked)
    pieces: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    if "tool_calls" in message:
        pieces.append({"tool_calls": [{"index": 0, **message["tool_calls"][0]}]})
    else:
        pieces += [{"content": f"{word} "} for word in message["content"].split()]
    for piece in pieces:
        yield _chunk(asked, {"delta": piece, "finish_reason": None})
    yield _chunk(asked, {"delta": {}, "finish_reason": _finish(asked)})


def _message(asked: dict[str, Any]) -> dict[str, Any]:
    tools = asked.get("tools") or []
    if tools and asked["messages"][-1]["role"] != "tool":
        function = {"name": tools[0]["function"]["name"], "arguments": "{}"}
        call = {"id": "call_0", "type": "function", "function": function}
        return {"role": "assistant", "content": None, "tool_calls": [call]}
    said = asked["messages"][-1]["content"]
    return {"role": "assistant", "content": f"{asked['model']} at {NAME}: {said}"}


def _finish(asked: dict[str, Any]) -> str:
    return "tool_calls" if "tool_calls" in _message(asked) else "stop"


def _chunk(asked: dict[str, Any], choice: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": "chatcmpl-stand-in",
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": asked["model"],
        "choices": [{"index": 0, **choice}],
    }


def seconds(asked: dict[str, Any]) -> float:
    """How long the prompt wants the answer to take."""
    found = _SECONDS.search(str(asked["messages"][-1].get("content")))
    return float(found[1]) if found else 0.0


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = KEEP_ALIVE_SECONDS
    # Headers and body are two writes: without this each answer waits for a delayed ACK.
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        """What matters is in the answers."""

    def do_GET(self) -> None:
        if self.path == "/health":
            self._answer(200, {})
        elif self.path == "/v1/models":
            names = [{"id": name, "object": "model"} for name in self.server.models]
            self._answer(200, {"object": "list", "data": names})
        else:
            self._answer(404, {"detail": "Not Found"})

    def do_POST(self) -> None:
        asked = json.loads(self._body())
        if self.path != "/v1/chat/completions":
            self._answer(404, {"detail": "Not Found"})
        elif asked.get("model") not in self.server.models:
            message = f"The model `{asked.get('model')}` does not exist."
            self._answer(404, {"object": "error", "message": message, "code": 404})
        elif asked.get("stream"):
            self._stream(asked)
        else:
            time.sleep(seconds(asked))
            self._answer(200, completion(asked))

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _stream(self, asked: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        events = [f"data: {json.dumps(chunk)}\n\n".encode() for chunk in chunks(asked)]
        for event in events:
            self._write(event)
            time.sleep(seconds(asked) / len(events))
        self._write(b"data: [DONE]\n\n")
        self._write(b"")

    def _write(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, models: Sequence[str]) -> None:
        super().__init__(("", port), _Handler)
        self.models = models

    def handle_error(self, *_: object) -> None:
        """A client that goes away is no news."""


def main(arguments: Sequence[str]) -> None:
    port, *models = arguments
    _Server(int(port), models).serve_forever()


if __name__ == "__main__":
    # The first process of a container gets no signal that it does not ask for.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    main(sys.argv[1:])
