"""What a client notices of backends that fail: real Envoy on the rendered bootstrap."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint
from integration.data_path import crowd, wait
from integration.data_path import data_path as around
from integration.data_path.client import Answer
from integration.data_path.crowd import flapping, statuses
from integration.data_path.data_path import DataPath, endpoint
from integration.data_path.envoy_process import free_ports
from integration.data_path.stub_backend import BreakingOff, Failing, StubBackend, Thinking

MODEL = "a-model"
CLIENTS = 24

Start = Callable[..., DataPath]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a data path whose one model has these backends; None is a dead one."""
    with ExitStack() as stack:

        def start_one(*backends: StubBackend | None, weights: Sequence[int] = ()) -> DataPath:
            endpoints: list[Endpoint] = []
            addresses = {}
            for number, backend in enumerate(backends):
                name, weight = f"backend-{number}", weights[number] if weights else 1
                port = backend.port if backend else free_ports(1)[0]
                endpoints.append(endpoint(name, MODEL, port, weight))
                addresses[name] = [backend.address if backend else "127.0.0.9"]
                if backend:
                    stack.enter_context(backend)
            return around.start(stack, tmp_path, endpoints, addresses)

        yield start_one


def alive(name: str = "alive", address: str = "127.0.0.2") -> StubBackend:
    return StubBackend(name, address, models=[MODEL])


def ask(data_path: DataPath, requests: int) -> list[Answer]:
    return crowd.ask(data_path, MODEL, requests, CLIENTS)


@pytest.mark.parametrize("weight", [1, 9])
def test_one_dead_endpoint_of_two_costs_no_request(start: Start, weight: int) -> None:
    data_path = start(alive(), None, weights=[1, weight])
    assert statuses(ask(data_path, 500)) == {200: 500}


@pytest.mark.parametrize("weight", [1, 9])
def test_an_endpoint_that_always_says_503_costs_no_request_and_loses_its_share(
    start: Start, weight: int
) -> None:
    busy = Failing(503, "busy", "127.0.0.3")
    data_path = start(alive(), busy, weights=[1, weight])
    assert statuses(ask(data_path, 500)) == {200: 500}
    assert len(busy.calls) <= 5 + CLIENTS


def test_endpoints_that_always_say_500_lose_their_share(start: Start) -> None:
    broken = [Failing(500, f"broken-{n}", f"127.0.0.{n + 3}") for n in range(3)]
    data_path = start(alive(), *broken)
    answers = ask(data_path, 500)
    # Their own answer passes, for the request may be what is wrong; five in a row are the endpoint.
    assert {answer.body for answer in answers if answer.status != 200} <= {
        f'{{"error": {{"message": "{each.name} says 500"}}}}'.encode() for each in broken
    }
    assert 0 < statuses(answers)[500] <= 3 * (5 + CLIENTS)


def test_a_dead_a_busy_and_a_flapping_endpoint_cost_no_more_than_what_was_in_hand(
    start: Start,
) -> None:
    restless = alive("flapping", "127.0.0.4")
    data_path = start(alive(), None, Failing(503, "busy", "127.0.0.3"), restless)
    assert statuses(ask(data_path, 200)) == {200: 200}
    assert len(restless.calls) > 20
    with flapping(restless, 0.1) as in_hand:
        answers = ask(data_path, 2000)
    failed = [answer for answer in answers if answer.status != 200]
    assert {answer.json["error"]["code"] for answer in failed} <= {"model_broke_off"}
    assert len(failed) <= sum(in_hand)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_last_endpoint_of_a_model_is_asked_whatever_it_says(start: Start, count: int) -> None:
    backends = [Failing(503, f"busy-{n}", f"127.0.0.{n + 3}") for n in range(count)]
    data_path = start(*backends)
    ask(data_path, 100)
    before = sum(len(backend.calls) for backend in backends)
    answer = data_path.chat(MODEL)
    assert answer.status == 503
    assert answer.json["error"]["message"].endswith("says 503")
    assert sum(len(backend.calls) for backend in backends) > before


def test_an_endpoint_that_breaks_off_is_told_from_one_that_does_not_answer(start: Start) -> None:
    backend = BreakingOff("breaking-off", "127.0.0.3")
    data_path = start(backend)
    answer = data_path.chat(MODEL)
    assert (answer.status, answer.json["error"]["code"]) == (502, "model_broke_off")
    assert f"The endpoint of model {MODEL} broke off" in answer.json["error"]["message"]
    # It may have worked on it.
    assert len(backend.calls) == 1


def test_idle_connections_are_closed_before_a_backend_hangs_up(start: Start) -> None:
    backend = alive()
    data_path = start(backend)
    assert data_path.chat(MODEL).status == 200
    assert backend.connections() == 1
    wait.until(lambda: backend.connections() == 0, "the idle connection is closed")
    assert backend.hung_up == 0


def test_an_answer_may_take_as_long_as_the_listener_says(tmp_path: Path) -> None:
    listeners = [{"name": "clients", "timeout": "500ms"}]
    with ExitStack() as stack:
        thinking = stack.enter_context(Thinking("slow", "127.0.0.2", models=[MODEL]))
        data_path = around.start(
            stack,
            tmp_path,
            [endpoint("slow", MODEL, thinking.port)],
            {"slow": [thinking.address]},
            config={"listeners": listeners},
        )
        assert data_path.chat(MODEL).status == 504
        thinking.done.set()
        assert data_path.chat(MODEL).status == 200
