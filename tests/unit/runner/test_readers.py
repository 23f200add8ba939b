"""Metrics are for those to whom the API server gives the right."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, cast

import pytest
from wrapper_runner.cluster import Cluster, ClusterError
from wrapper_runner.readers import ACCESS_REVIEWS, ALLOWED_SECONDS, TOKEN_REVIEWS, Readers

USER = {"username": "system:serviceaccount:monitoring:prometheus", "groups": ["a"], "uid": "7"}


class Reviews:
    """An API server that knows the token `good`, and lets that account read /metrics."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.is_down = False

    def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        self.asked.append((path, body))
        if self.is_down:
            raise ClusterError(0, "the API server does not answer")
        if path == TOKEN_REVIEWS:
            known = body["spec"]["token"] in ("good", "nobody")
            return {"status": {"authenticated": known, "user": USER if known else {}}}
        wanted = body["spec"]["nonResourceAttributes"] == {"path": "/metrics", "verb": "get"}
        return {"status": {"allowed": wanted}}


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def reviews() -> Reviews:
    return Reviews()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def readers(reviews: Reviews, clock: Clock) -> Readers:
    return Readers(cast(Cluster, reviews), clock)


def test_an_account_with_the_right_may_read(readers: Readers, reviews: Reviews) -> None:
    assert readers.judge("Bearer good", "/metrics") is HTTPStatus.OK
    (_, token_review), (path, access_review) = reviews.asked
    assert token_review["apiVersion"] == "authentication.k8s.io/v1"
    assert path == ACCESS_REVIEWS
    assert access_review["spec"] == {
        "user": USER["username"],
        "uid": "7",
        "groups": ["a"],
        "nonResourceAttributes": {"path": "/metrics", "verb": "get"},
    }


def test_an_account_without_the_right_may_not(readers: Readers) -> None:
    assert readers.judge("Bearer good", "/elsewhere") is HTTPStatus.FORBIDDEN


def test_a_token_of_nobody_is_no_login(readers: Readers) -> None:
    assert readers.judge("Bearer bad", "/metrics") is HTTPStatus.UNAUTHORIZED


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer  ", "Basic good", "good"])
def test_who_brings_no_token_is_not_asked_about(
    readers: Readers, reviews: Reviews, header: str
) -> None:
    assert readers.judge(header, "/metrics") is HTTPStatus.UNAUTHORIZED
    assert not reviews.asked


@pytest.mark.parametrize("token", ["good", "bad"])
def test_an_answer_is_remembered_for_a_while_only(
    readers: Readers, reviews: Reviews, clock: Clock, token: str
) -> None:
    first = readers.judge(f"Bearer {token}", "/metrics")
    asked = len(reviews.asked)
    assert readers.judge(f"bearer {token}", "/metrics") is first
    assert len(reviews.asked) == asked
    clock.now += ALLOWED_SECONDS
    assert readers.judge(f"Bearer {token}", "/metrics") is first
    assert len(reviews.asked) == 2 * asked


def test_nobody_reads_while_the_api_server_cannot_be_asked(
    readers: Readers, reviews: Reviews
) -> None:
    reviews.is_down = True
    assert readers.judge("Bearer good", "/metrics") is HTTPStatus.INTERNAL_SERVER_ERROR
    reviews.is_down = False
    assert readers.judge("Bearer good", "/metrics") is HTTPStatus.OK
