"""`ask.py URL [QUESTION]`: an application in the cluster, by `openai`; prints what it got."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from openai import OpenAI

TOOL: Any = {"type": "function", "function": {"name": "get_weather", "parameters": {}}}


def main(url: str, question: str = "") -> dict[str, Any]:
    client = OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=30)
    complete = client.chat.completions.create

    def said(text: str) -> str:
        answer = complete(model="auto", messages=[{"role": "user", "content": text}])
        return str(answer.choices[0].message.content)

    if question:
        return {"asked": said(question)}
    pieces, times = [], []
    slow: Any = [{"role": "user", "content": "one two SECONDS=2"}]
    for chunk in complete(model="auto", messages=slow, stream=True):
        if chunk.choices[0].delta.content:
            pieces.append(chunk.choices[0].delta.content)
            times.append(time.monotonic())
    weather: Any = [{"role": "user", "content": "What is the weather?"}]
    call = complete(model="auto", messages=weather, tools=[TOOL]).choices[0].message.tool_calls
    return {
        "general": said("Hello"),
        "special": said("Some maths, please"),
        "stream": "".join(pieces),
        "stream_seconds": times[-1] - times[0],
        "tools": [each.function.name for each in call or [] if each.type == "function"],
        "models": [model.id for model in client.models.list()],
    }


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
