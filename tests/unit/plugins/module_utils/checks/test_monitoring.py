"""Times of a scrape, in every unit."""

from __future__ import annotations

import pytest
from bad_input import problems, with_spec


@pytest.mark.parametrize(
    ("interval", "timeout", "is_refused"),
    [
        ("30s", "30s", False),
        ("30s", "31s", True),
        ("1m", "61s", True),
        ("1h", "59m", False),
        ("1s500ms", "1500ms", False),
        ("1s500ms", "1501ms", True),
    ],
)
def test_a_scrape_may_take_as_long_as_there_is_until_the_next(
    interval: str, timeout: str, is_refused: bool
) -> None:
    monitor = {"enabled": True, "interval": interval, "scrapeTimeout": timeout}
    found = problems(with_spec(monitoring={"serviceMonitor": monitor}))
    refused = ["spec.monitoring.serviceMonitor.scrapeTimeout"] if is_refused else []
    assert [problem.field for problem in found] == refused
