"""Who answers which request: real Envoy's word, with stand-ins for the router and the models."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from demo.beside import Beside

# A prompt with this word is for the second model, and any other for the first.
WORD = "maths"
GENERAL, SPECIAL = "general-model", "maths-model"
START_SECONDS = 30.0
POLL_INTERVAL = 0.2
# Of spec.config.
NEUTRAL_SECTIONS = ("default_reasoning_effort", "observability")
PROMPTS = {
    "a prompt": ("auto", "Hello"),
    "a prompt with the word": ("auto", f"Some {WORD}, please"),
    "the first model by name": (GENERAL, f"Some {WORD}, please"),
    "the second model by name": (SPECIAL, "Hello"),
    "a model that is not there": ("nobody", "Hello"),
}


def spec() -> dict[str, Any]:
    """Two models behind one decision, and what else goes into the files and routes nothing."""
    traffic = {
        "loadBalancer": {"type": "LeastRequest", "slowStart": "60s"},
        "timeout": {"connect": "2s", "firstByte": "2m", "idle": "5m", "request": "30m"},
        "retry": {"numRetries": 2, "budgetPercent": 20},
        "healthCheck": {"passive": {"consecutive5xxErrors": 3, "baseEjectionTime": "30s"}},
    }
    decision = {
        "name": WORD,
        "priority": 1,
        "rules": {"operator": "OR", "conditions": [{"type": "keyword", "name": WORD}]},
        "modelRefs": [{"model": SPECIAL, "use_reasoning": False}],
    }
    keywords = [{"name": WORD, "operator": "OR", "keywords": [WORD]}]
    return {
        "persistence": {"enabled": False},
        "terminationGracePeriodSeconds": 60,
        "envoy": {"failureModeAllow": False},
        "service": {"api": {"port": 8080}, "metrics": {"port": 9190}},
        "cors": {"allowOrigins": ["https://chat.example.com"], "allowHeaders": ["x-team"]},
        "vllmEndpoints": [
            {
                "name": model,
                "model": model,
                "trafficPolicy": traffic,
                "backend": {"type": "service", "service": {"name": model, "port": 8000}},
            }
            for model in (GENERAL, SPECIAL)
        ],
        "config": {
            "default_reasoning_effort": "low",
            "observability": {"metrics": {"enabled": True}, "tracing": {"enabled": False}},
            "routing": {"signals": {"keywords": keywords}},
            "decisions": [decision],
        },
    }


def routes_nothing(place: tuple[Any, ...]) -> bool:
    """A field of that spec by whose value no other model may answer."""
    if place[0] in ("vllmEndpoints", "config"):
        return "trafficPolicy" in place or str(place[1]) in NEUTRAL_SECTIONS
    return str(place[0]) != "persistence"


@contextmanager
def answers(files: Mapping[str, str], state: Path) -> Iterator[dict[str, str]]:
    """For each prompt the model that answered, or "" where none did."""
    hosts = {
        f"{model}.{namespace}": (model, model)
        for model in (GENERAL, SPECIAL)
        for namespace in _namespaces(files["envoy.yaml"], model)
    }
    pair = Beside(state)
    try:
        port = pair.serve(files, hosts)
        deadline = time.monotonic() + START_SECONDS
        # Its router and the models start side by side with Envoy.
        while not (found := _asked(port))["a prompt"] and time.monotonic() < deadline:
            time.sleep(POLL_INTERVAL)
        yield found
    finally:
        pair.stop()


def _namespaces(bootstrap: str, model: str) -> set[str]:
    """The rest of the model's host, as the file has it."""
    found = (part.partition(f"{model}.")[2] for part in bootstrap.split() if f"{model}." in part)
    return {rest.strip("'\",}]") for rest in found if ".svc" in rest}


def _asked(port: int) -> dict[str, str]:
    return {name: _answer(port, *prompt) for name, prompt in PROMPTS.items()}


def _answer(port: int, model: str, text: str) -> str:
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": text}]})
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        headers = {"Content-Type": "application/json"}
        connection.request("POST", "/v1/chat/completions", body, headers)
        answer = connection.getresponse()
        said = answer.read()
        if answer.status != http.client.OK:
            return ""
        # Its own word, and not what was asked for: MODEL at NAME: PROMPT.
        content = json.loads(said)["choices"][0]["message"]["content"]
        return str(content).partition(":")[0].rpartition(" ")[2]
    except (OSError, http.client.HTTPException):
        return ""
    finally:
        connection.close()
