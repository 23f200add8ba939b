"""A client of one port, and what it is answered."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any

CHAT = "/v1/chat/completions"


def prompt(model: str, text: str = "Hello", **more: object) -> dict[str, object]:
    """The body of a chat request."""
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


@dataclass
class Answer:
    """Header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Client:
    """Asks 127.0.0.1, each time on a connection of its own."""

    port: int

    def ask(
        self,
        path: str = CHAT,
        body: object = None,
        method: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        connection = self.connect()
        try:
            return send(connection, path, body, method, headers)
        finally:
            connection.close()

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def chat(self, model: str, text: str = "Hello", **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask(body=prompt(model, text), headers=named)

    def served_by(self, model: str, text: str = "Hello", **headers: str) -> str:
        answer = self.chat(model, text, **headers)
        assert answer.status == 200, answer
        return str(answer.json["served_by"])


def send(
    connection: http.client.HTTPConnection,
    path: str,
    body: object,
    method: str | None = None,
    headers: dict[str, str] | None = None,
) -> Answer:
    content = json.dumps(body).encode() if body is not None else None
    connection.putrequest(
        method or ("GET" if content is None else "POST"),
        path,
        skip_host="Host" in (headers or {}),
    )
    for name, value in (headers or {}).items():
        connection.putheader(name, value)
    if content is not None:
        connection.putheader("content-length", str(len(content)))
    connection.endheaders(content)
    response = connection.getresponse()
    names = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, names, response.read())
