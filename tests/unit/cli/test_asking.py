"""What headers, logs and the classification API tell of one request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from semantic_router_cli import asking
from semantic_router_cli.door import Door

ACCESS = {"upstream": "10.1.2.3:8000", "model": "qwen", "status": 200, "request_id": "1"}
DECIDED = {"msg": "routing_decision", "decision": "maths", "routing_latency_ms": 31}
UPSTREAM = {"x-envoy-upstream-service-time": "270"}


def router(**config: Any) -> Router:
    spec = {"vllmEndpoints": [], "config": config}
    return Router({"metadata": {"name": "r", "namespace": "n"}, "spec": spec})


def trace(
    headers: Mapping[str, str],
    *lines: Mapping[str, Any],
    status: int = 200,
    body: Any = None,
    of: Router | None = None,
) -> asking.Trace:
    content = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
    return asking.trace(of or router(), "1", "p", status, headers, content, lines, 312)


def test_each_part_of_the_way_says_how_long_it_took() -> None:
    found = trace(UPSTREAM, DECIDED, ACCESS)
    assert found.timing == asking.Timing(whole=312, router=31, backend=270)
    assert (found.backend, found.model, found.decision) == ("10.1.2.3:8000", "qwen", "maths")


def test_the_routers_headers_are_read_and_signals_kept_by_kind() -> None:
    headers = {
        "x-vsr-selected-decision": "code", "x-vsr-selected-model": "llama",
        "x-vsr-selected-confidence": "0.9", "x-vsr-selected-category": "computer science",
        "x-vsr-selected-reasoning": "on", "x-vsr-response-path": "upstream",
        "x-vsr-matched-keywords": "a,b", "x-vsr-matched-domains": "",
    }  # fmt: skip
    found = trace(headers, ACCESS)
    assert (found.decision, found.model, found.confidence) == ("code", "llama", "0.9")
    assert (found.category, found.reasoning, found.path) == ("computer science", "on", "upstream")
    assert found.signals == {"keywords": "a,b"}


@pytest.mark.parametrize(
    ("headers", "guard"),
    [
        ({"x-vsr-matched-jailbreak": "strict"}, "jailbreak: strict"),
        ({"x-vsr-jailbreak-blocked": "true", "x-vsr-jailbreak-type": "dan"}, "jailbreak: dan"),
        ({"x-vsr-pii-violation": "true", "x-vsr-pii-types": "EMAIL"}, "pii: EMAIL"),
        ({"x-vsr-response-warnings": "hallucination"}, "hallucination"),
        ({}, ""),
    ],
)
def test_the_guard_says_what_it_found(headers: dict[str, str], guard: str) -> None:
    assert trace(headers).guard == guard


def test_a_guard_that_found_nothing_is_told_from_none() -> None:
    guarded = router(prompt_guard={"enabled": True})
    assert trace({}, of=guarded).guard == "found nothing"


@pytest.mark.parametrize(
    ("headers", "path"),
    [
        ({"x-vsr-cache-hit": "true"}, "cache"),
        ({"x-vsr-fast-response": "true"}, "fast_response"),
        ({"x-vsr-pii-violation": "true"}, "blocked"),
    ],
)
def test_routers_without_a_response_path_tell_it_by_other_headers(
    headers: dict[str, str], path: str
) -> None:
    assert trace(headers).path == path


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"error": {"message": "no such model"}}, "no such model"),
        ({"message": "quota"}, "quota"),
        (b"upstream connect error", "upstream connect error"),
        (b"", "HTTP 503"),
    ],
)
def test_a_refusal_is_quoted(body: Any, said: str) -> None:
    found = trace({}, status=503, body=body)
    assert (found.well, found.error) == (False, said)


def test_nothing_that_is_not_known_stands_in_data() -> None:
    said = trace({}, ACCESS).as_dict()
    assert said["milliseconds"] == {"whole": 312}
    assert "decision" not in said


def test_a_dry_run_has_the_decision_and_what_the_guards_would_find() -> None:
    intent = {
        "classification": {"category": "math", "confidence": 0.93, "processing_time_ms": 12},
        "recommended_model": "qwen",
        "decision_result": {"decision_name": "maths", "confidence": 0.87},
        "matched_signals": {"keywords": ["sum"], "domains": []},
    }
    checked = {
        "security": {"is_jailbreak": True, "detection_types": ["dan"]},
        "pii": {"has_pii": True, "entities": [{"type": "EMAIL"}, {"type": "EMAIL"}]},
    }
    found = asking.rehearsed(router(), "p", intent, checked, 40)
    assert (found.decision, found.model, found.confidence) == ("maths", "qwen", "0.87")
    assert found.guard == "jailbreak: dan, pii: EMAIL"
    assert found.signals == {"keywords": "sum"}
    assert (found.status, found.timing.router) == (None, 12)


def test_a_guard_whose_model_is_not_there_finds_nothing_in_a_dry_run() -> None:
    found = asking.rehearsed(router(), "p", {}, {"security": "not there", "pii": "not there"}, 1)
    assert found.guard == ""


OWN = Door("n", "pod/p", 8801)
OF_A_GATEWAY = Door("infra", "service/g", 80, gateway="infra/public")


def test_what_nobody_tells_is_said_with_its_reason() -> None:
    silent = asking.unseen(trace({}), {}, OF_A_GATEWAY, "nobody knows")
    assert silent == (
        "decision, signals, guard: Gateway infra/public has not asked the router",
        "backend: nobody knows",
    )
    told = {"x-vsr-selected-model": "qwen"}
    assert asking.unseen(trace(told, ACCESS), told, OWN, "nobody knows") == ()
    cached = {"x-vsr-response-path": "cache"}
    assert asking.unseen(trace(cached), cached, OWN, "nobody knows") == ()


def test_the_access_log_of_envoy_gateway_is_read_too() -> None:
    found = trace({}, {"upstream_host": "10.1.2.3:8000", "x-request-id": "1"})
    assert found.backend == "10.1.2.3:8000"
