"""The operator finds the period it was given, always and under the name it looks for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.action.requeue_after import ActionModule


def run(check_mode: bool = False, **arguments: Any) -> dict[str, Any]:
    task = SimpleNamespace(
        args=arguments, check_mode=check_mode, diff=False, async_val=0, no_log=False
    )
    connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None))
    result: dict[str, Any] = ActionModule(task, connection, None, None, None, None).run(
        task_vars={}
    )
    return result


@pytest.mark.parametrize("after", ["15s", "10m", "1h30m", "1.5h", "500ms", ".5s", "0"])
def test_a_duration_of_go_comes_back_as_the_period(after: str) -> None:
    assert run(after=after) == {"changed": False, "period": after}


def test_the_period_is_there_in_check_mode_too() -> None:
    assert run(check_mode=True, after="15s")["period"] == "15s"


@pytest.mark.parametrize("after", ["", "15", "s", "15 s", "-15s", "1d", "15s.", "{{ after }}"])
def test_what_go_could_not_read_fails_and_says_how_to_write_it(after: str) -> None:
    result = run(after=after)
    assert result["failed"]
    assert (
        result["msg"] == f'after is "{after}", which is not a duration. Write it like 15s or 1h30m.'
    )


def test_the_option_is_required() -> None:
    result = run()
    assert result["failed"]
    assert "after" in result["msg"]
