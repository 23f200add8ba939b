"""The model server's stand-in answers as OpenAI's API does."""

from __future__ import annotations

from typing import Any

from stand_ins import model

TOOL = {"type": "function", "function": {"name": "get_weather"}}


def asked(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": text}], **more}


def test_a_stream_adds_up_to_the_answer() -> None:
    said = model.completion(asked("one two"))["choices"][0]["message"]["content"]
    pieces = [chunk["choices"][0] for chunk in model.chunks(asked("one two"))]
    assert "".join(piece["delta"].get("content") or "" for piece in pieces).strip() == said
    assert [piece["finish_reason"] for piece in pieces][-2:] == [None, "stop"]


def test_a_tool_that_is_offered_is_called_until_its_result_is_there() -> None:
    (choice,) = model.completion(asked("weather", tools=[TOOL]))["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["tool_calls"][0]["function"]["name"] == "get_weather"
    after = asked("weather", tools=[TOOL])
    after["messages"].append({"role": "tool", "content": "sunny"})
    assert "sunny" in model.completion(after)["choices"][0]["message"]["content"]


def test_a_prompt_says_how_long_its_answer_takes() -> None:
    assert model.seconds(asked("SECONDS=1.5")) == 1.5
    assert model.seconds(asked("now")) == 0
