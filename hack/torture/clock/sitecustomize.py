"""A time of day of its own for every Python process that has this directory in PYTHONPATH.

Python imports a module of this name before any other. The file that TORTURE_CLOCK names has the
seconds that the clock is ahead; intervals (time.monotonic, sleeps) stay true, as they do on a
machine whose clock somebody sets. The library libfaketime would do the same for programs in C, but
Python's time.sleep fails under it.
"""

from __future__ import annotations

import datetime
import os
import time
from contextlib import suppress
from typing import Any

_real = time.time


def _shifted() -> float:
    ahead = 0.0
    with suppress(OSError, ValueError), open(os.environ["TORTURE_CLOCK"]) as file:
        ahead = float(file.read())
    return _real() + ahead


class _Datetime(datetime.datetime):
    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return cls.fromtimestamp(_shifted(), tz)

    @classmethod
    def utcnow(cls) -> Any:
        return cls.fromtimestamp(_shifted(), datetime.UTC).replace(tzinfo=None)


if os.environ.get("TORTURE_CLOCK"):
    time.time = _shifted
    time.time_ns = lambda: int(_shifted() * 1e9)
    datetime.datetime = _Datetime  # type: ignore[misc]
