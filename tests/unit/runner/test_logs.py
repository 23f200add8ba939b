"""Lines that machines can parse and people can read, whatever is in them."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
from wrapper_runner import logs


@pytest.fixture(autouse=True)
def restore_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level


def written(encoder: logs.Encoder, message: str, **fields: object) -> str:
    stream = io.StringIO()
    logs.start("info", encoder, stream)
    logs.Log("reconciler").bind(name="my-router", namespace="ai").info(message, **fields)
    return stream.getvalue()


def test_json_line_has_the_keys_of_ansible_operator() -> None:
    line = json.loads(written("json", "Reconciled", result="ok"))
    assert line.pop("ts").endswith("Z")
    assert line == {
        "level": "info",
        "logger": "reconciler",
        "msg": "Reconciled",
        "name": "my-router",
        "namespace": "ai",
        "result": "ok",
    }


def test_per_cent_signs_and_newlines_stay_one_line() -> None:
    text = written("json", "100%s\nforged", error="a\nb")
    assert text.count("\n") == 1
    assert json.loads(text)["msg"] == "100%s\nforged"


def test_console_line_begins_with_the_object() -> None:
    text = written("console", "Reconciled", result="ok", why="two words")
    assert text.endswith('info  ai/my-router: Reconciled  result=ok  why="two words"\n')


def test_console_line_cannot_be_broken_by_a_field() -> None:
    assert written("console", "Failed", error="a\n12:00:00 info forged\x1b[2J").count("\n") == 1


def test_debug_is_silent_unless_asked_for() -> None:
    stream = io.StringIO()
    logs.start("info", "json", stream)
    logs.Log("informer").debug("details")
    assert stream.getvalue() == ""
