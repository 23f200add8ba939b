"""What is read of the audit log, line by line."""

from __future__ import annotations

import json
from pathlib import Path

from control_plane import audit


def line(user: str) -> str:
    event = {"user": {"username": user}, "verb": "get", "requestURI": "/", "annotations": {}}
    times = {"requestReceivedTimestamp": "2026-01-01T00:00:00.000000Z"}
    return json.dumps({**event, **times, "responseStatus": {"code": 200}}) + "\n"


def test_an_offset_within_a_line_leaves_out_the_rest_of_that_line(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    log.write_text(line("a") + line("b") + line("c")[:-1])
    first = len(line("a"))
    read = [[one.user for one in audit.requests(log, at)] for at in (0, first, first + 5)]
    assert read == [["a", "b"], ["b"], []]
