"""Many clients at once, and backends that fail under them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from integration.data_path.client import Answer
from integration.data_path.data_path import DataPath
from integration.data_path.stub_backend import StubBackend


def ask(data_path: DataPath, model: str, requests: int, clients: int) -> list[Answer]:
    """That many requests of so many clients at once."""
    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(lambda _: data_path.chat(model), range(requests)))


def statuses(answers: list[Answer]) -> Counter[int]:
    return Counter(answer.status for answer in answers)


@contextmanager
def flapping(backend: StubBackend, seconds: float) -> Iterator[list[int]]:
    """It dies and comes back, again and again: what it can have had in hand each time."""
    in_hand: list[int] = []
    is_over = threading.Event()

    def flap() -> None:
        while not is_over.wait(seconds):
            in_hand.append(backend.die())
            is_over.wait(seconds)
            backend.revive()

    flapper = threading.Thread(target=flap)
    flapper.start()
    try:
        yield in_hand
    finally:
        is_over.set()
        flapper.join()
