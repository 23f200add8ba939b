"""What a model's trafficPolicy changes for its clients: real Envoy on the rendered bootstrap."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.clusters import (
    model_cluster_name,
)
from integration.data_path import crowd, wait
from integration.data_path import data_path as around
from integration.data_path.client import Answer, prompt
from integration.data_path.crowd import flapping, statuses
from integration.data_path.data_path import DataPath, endpoint
from integration.data_path.envoy_process import free_ports
from integration.data_path.stub_backend import Call, Failing, StubBackend, Thinking

MODEL = "a-model"
CLIENTS = 12
QUICK_CHECKS = {"interval": "100ms", "timeout": "1s", "unhealthyThreshold": 1}

Start = Callable[..., DataPath]


class Checked(StubBackend):
    """Says how it is when it is asked, and counts whoever else asks."""

    is_well = True

    def answer(self, call: Call) -> tuple[int, dict[str, Any]]:
        if call.path == "/health":
            return (200 if self.is_well else 503), {}
        return super().answer(call)

    def asked(self) -> int:
        return sum(call.path != "/health" for call in self.calls)

    def checks(self) -> int:
        return len(self.calls) - self.asked()


class Delayed(StubBackend):
    """Takes its time."""

    def answer(self, call: Call) -> tuple[int, dict[str, Any]]:
        threading.Event().wait(0.05)
        return super().answer(call)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a data path whose one model has this policy and these backends; None is a dead one."""
    with ExitStack() as stack:

        def start_one(policy: dict[str, Any], *backends: StubBackend | None) -> DataPath:
            found, addresses = [], {}
            for number, backend in enumerate(backends):
                name = f"backend-{number}"
                found.append(endpoint(name, MODEL, backend.port if backend else free_ports(1)[0]))
                addresses[name] = [backend.address if backend else "127.0.0.9"]
                if backend:
                    stack.enter_context(backend)
            return around.start(stack, tmp_path, found, addresses, policy=policy)

        yield start_one


def alive(name: str = "alive", address: str = "127.0.0.2") -> Checked:
    return Checked(name, address, models=[MODEL])


def ask(data_path: DataPath, requests: int) -> list[Answer]:
    return crowd.ask(data_path, MODEL, requests, CLIENTS)


@pytest.mark.parametrize("limit", ["firstByte", "request", "idle"])
def test_a_model_that_does_not_answer_in_time_is_given_up(start: Start, limit: str) -> None:
    slow = Thinking("slow", "127.0.0.2", models=[MODEL])
    data_path = start({"timeout": {limit: "300ms"}}, slow)
    answer = data_path.chat(MODEL)
    assert (answer.status, answer.json["error"]["code"]) == (504, "timeout")
    # It may have worked on it.
    assert len(slow.calls) == 1
    slow.done.set()
    assert data_path.chat(MODEL).status == 200


def test_an_answer_that_has_begun_in_time_may_go_on(start: Start) -> None:
    backend = alive()
    data_path = start({"timeout": {"firstByte": "300ms"}}, backend)
    threading.Timer(1, backend.let_stream_go_on.set).start()
    answer = data_path.ask(body=prompt(MODEL, stream=True))
    assert (answer.status, answer.body.endswith(b"data: [DONE]\n\n")) == (200, True)
    assert backend.client_was_first


def test_an_endpoint_that_says_it_is_not_well_is_asked_for_nothing_until_it_is(
    start: Start,
) -> None:
    ill = alive("ill", "127.0.0.3")
    ill.is_well = False
    data_path = start({"healthCheck": {"active": QUICK_CHECKS}}, alive(), ill)
    assert statuses(ask(data_path, 60)) == {200: 60}
    assert ill.asked() == 0
    ill.is_well = True
    wait.until(lambda: bool(data_path.chat(MODEL) and ill.asked()), "it is asked again")


def test_a_dead_and_a_flapping_endpoint_cost_no_more_than_what_was_in_hand(start: Start) -> None:
    restless = alive("flapping", "127.0.0.4")
    data_path = start({"healthCheck": {"active": QUICK_CHECKS}}, alive(), None, restless)
    with flapping(restless, 0.2) as in_hand:
        answers = ask(data_path, 1000)
    failed = [answer for answer in answers if answer.status != 200]
    assert len(failed) <= sum(in_hand)


def test_a_slow_endpoint_is_given_up_and_then_asked_no_more(start: Start) -> None:
    slow = Thinking("slow", "127.0.0.3", models=[MODEL])
    policy = {
        "timeout": {"firstByte": "300ms"},
        "healthCheck": {"passive": {"consecutive5xxErrors": 2, "baseEjectionTime": "60s"}},
    }
    data_path = start(policy, alive(), slow)
    answers = ask(data_path, 200)
    slow.done.set()
    assert {*statuses(answers)} == {200, 504}
    assert statuses(answers)[504] == len(slow.calls) <= 2 + CLIENTS


def test_a_request_is_tried_as_often_as_the_policy_says(start: Start) -> None:
    busy = Failing(503, "busy", "127.0.0.2")
    data_path = start({"retry": {"numRetries": 1}}, busy)
    assert data_path.chat(MODEL).status == 503
    assert len(busy.calls) == 2


def test_the_routers_own_words_of_reliability_are_envoys(tmp_path: Path) -> None:
    limited = {"retry_count": 2, "retry_on": "retriable-4xx"}
    config = {"providers": {"models": [{"name": MODEL, "reliability": limited}]}}
    with ExitStack() as stack:
        busy = stack.enter_context(Failing(409, "busy", "127.0.0.2"))
        found, addresses = [endpoint("busy", MODEL, busy.port)], {"busy": [busy.address]}
        data_path = around.start(stack, tmp_path, found, addresses, config=config)
        assert data_path.chat(MODEL).status == 409
        assert len(busy.calls) == 3


def test_a_budget_ends_retries_of_many_requests(start: Start) -> None:
    counter = f"cluster.{model_cluster_name(MODEL)}.upstream_rq_retry_overflow"
    slow_no = Failing(503, "busy", "127.0.0.2")
    data_path = start({"retry": {"budgetPercent": 1}}, slow_no)
    ask(data_path, 200)
    assert data_path.envoy.stat(counter) > 0


def test_of_several_addresses_the_busy_one_is_asked_less(tmp_path: Path) -> None:
    with ExitStack() as stack:
        slow = stack.enter_context(Delayed("slow", "127.0.0.2", models=[MODEL]))
        fast = stack.enter_context(StubBackend("fast", "127.0.0.3", slow.port, models=[MODEL]))
        data_path = around.start(
            stack,
            tmp_path,
            [endpoint("headless", MODEL, slow.port)],
            {"headless": [slow.address, fast.address]},
            policy={"loadBalancer": {"type": "LeastRequest"}},
        )
        wait.until(lambda: bool(data_path.chat(MODEL) and slow.calls and fast.calls), "both")
        before = len(slow.calls)
        assert statuses(ask(data_path, 300)) == {200: 300}
        # In turns, it would be 150.
        assert len(slow.calls) - before < 120
