"""Who answered is read from the answer, and shown beside what was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from control_plane import ControlPlaneError
from demo import questions

ANSWER = {
    "model": "small",
    "choices": [{"message": {"role": "assistant", "content": "small at pod-1: Hello: you"}}],
}


@pytest.fixture
def answers() -> list[tuple[int, dict[str, object]]]:
    return [(503, {"error": "not yet"}), (200, ANSWER)]


@pytest.fixture
def port(answers: list[tuple[int, dict[str, object]]]) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            assert asked["model"] == "auto"
            status, body = answers.pop(0) if len(answers) > 1 else answers[0]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, format: str, *args: object) -> None:
            """Nothing to tell."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def test_a_router_that_is_not_there_yet_is_asked_again(port: int) -> None:
    answer = questions.ask(port, "Hello: you")
    assert (answer.model, answer.backend) == ("small", "pod-1")
    assert 0 < answer.seconds < questions.DEADLINE


@pytest.mark.parametrize("answers", [[(503, {"error": "no backend"})]])
def test_one_that_never_answers_is_told_with_its_words(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questions, "DEADLINE", 0.1)
    with pytest.raises(ControlPlaneError, match=r"503 .*no backend"):
        questions.ask(port, "Hello")


def test_the_table_has_a_line_for_each_question() -> None:
    answers = [questions.Answer("small", "pod-1", 0.0123)]
    head, line = questions.table(["Hello"], answers).splitlines()
    assert head.split() == ["QUESTION", "MODEL", "BACKEND", "LATENCY"]
    assert line.split() == ['"Hello"', "small", "pod-1", "12", "ms"]
    assert line.index("small") == head.index("MODEL")
