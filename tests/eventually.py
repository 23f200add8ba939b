"""Waits for a condition with a deadline, and says upon timeout what it saw last."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")

POLL_INTERVAL = 0.1


def eventually(
    look: Callable[[], Value], timeout: float = 60, message: str = "the condition to hold"
) -> Value:
    """The first truthy value that `look` returns.

    An AssertionError of `look` means "not yet", so that it may be written with plain asserts; any
    other exception is a mistake of the test or a failure of the cluster, and ends the wait.
    """
    deadline = time.monotonic() + timeout
    while True:
        seen: object
        try:
            value = look()
        except AssertionError as error:
            seen = error
        else:
            if value:
                return value
            seen = repr(value)
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout:g} s for {message}; last seen: {seen}")
        time.sleep(POLL_INTERVAL)
