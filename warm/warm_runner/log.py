"""The server's log on stderr: one JSON object a line, as operators log."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from datetime import UTC, datetime


def log(level: str, message: str, **fields: object) -> None:
    stamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    entry = {"level": level, "ts": stamp, "logger": "warm-runner", "msg": message, **fields}
    with suppress(OSError):
        os.write(2, f"{json.dumps(entry)}\n".encode())
