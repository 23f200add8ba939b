"""Two questions to the router, as any client of OpenAI's API asks them, and who answered."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass

from control_plane import ControlPlaneError

QUESTIONS = ("What is a semantic router?", "Write SQL that counts the users.")
PATH = "/v1/chat/completions"
# Envoy serves a moment before it has reached the router.
DEADLINE = 30.0
INTERVAL = 0.2


@dataclass(frozen=True)
class Answer:
    """backend: what the model server says of itself, which for a pod is the pod's name."""

    model: str
    backend: str
    seconds: float


def ask_all(port: int, questions: Sequence[str] = QUESTIONS) -> list[Answer]:
    return [ask(port, question) for question in questions]


def ask(port: int, question: str) -> Answer:
    deadline = time.monotonic() + DEADLINE
    while True:
        try:
            return _ask_once(port, question)
        except (OSError, http.client.HTTPException, ValueError) as error:
            if time.monotonic() > deadline:
                raise ControlPlaneError(f"The router does not answer: {error}") from error
            time.sleep(INTERVAL)


def table(questions: Sequence[str], answers: Sequence[Answer]) -> str:
    rows = [("QUESTION", "MODEL", "BACKEND", "LATENCY")]
    rows += [
        (f'"{question}"', answer.model, answer.backend, f"{answer.seconds * 1000:.0f} ms")
        for question, answer in zip(questions, answers, strict=True)
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _ask_once(port: int, question: str) -> Answer:
    body = {"model": "auto", "messages": [{"role": "user", "content": question}]}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    started = time.monotonic()
    try:
        connection.request("POST", PATH, json.dumps(body), {"content-type": "application/json"})
        response = connection.getresponse()
        text = response.read().decode()
    finally:
        connection.close()
    seconds = time.monotonic() - started
    if response.status != http.client.OK:
        raise ValueError(f"{response.status} {text}")
    answer = json.loads(text)
    said = answer["choices"][0]["message"]["content"]
    return Answer(answer["model"], said.partition(" at ")[2].partition(":")[0], seconds)
