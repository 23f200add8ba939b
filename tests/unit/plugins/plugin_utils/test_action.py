from __future__ import annotations

from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import (
    Problem,
    RouterError,
)
from ansible_collections.vllm.semantic_router.plugins.plugin_utils.action import (
    Arguments,
    ArgumentSpec,
    RouterAction,
)

SECRET = "a-very-secret-token"  # noqa: S105


class Example(RouterAction):
    ARGUMENT_SPEC: ClassVar[ArgumentSpec] = {
        "router": {"type": "dict", "required": True},
        "prune": {"type": "bool", "default": True},
        "api_key": {"type": "str", "no_log": True},
    }

    def act(self, arguments: Arguments) -> dict[str, Any]:
        if arguments["router"].get("fails") == "problem":
            raise RouterError(Problem("Conflict", "spec.x", "it is taken", "Take another"))
        if arguments["router"].get("fails") == "bug":
            raise ValueError(f"could not parse {arguments['api_key']}")
        return {"changed": False, "arguments": arguments}


def run(check_mode: bool = False, **args: Any) -> dict[str, Any]:
    task = SimpleNamespace(
        args=args, check_mode=check_mode, diff=True, async_val=0, action="example"
    )
    return Example(
        task=task,
        connection=SimpleNamespace(_shell=SimpleNamespace(tmpdir="unused")),
        play_context=None,
        loader=None,
        templar=None,
        shared_loader_obj=None,
    ).run(task_vars={})


def test_arguments_are_typed_and_defaulted() -> None:
    arguments = run(router={"a": 1}, prune="no")["arguments"]
    assert arguments.values == {"router": {"a": 1}, "prune": False, "api_key": None}
    assert (arguments.check_mode, arguments.diff) == (False, True)
    assert run(router={})["arguments"]["prune"] is True


def test_check_mode_is_passed_on() -> None:
    assert run(check_mode=True, router={})["arguments"].check_mode


def test_template_markers_in_an_argument_are_text() -> None:
    text = "{{ lookup('pipe', 'id') }}"
    assert run(router={"spec": {"x": text}})["arguments"]["router"]["spec"]["x"] == text


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ({}, "missing required arguments: router"),
        ({"router": {}, "purge": True}, "purge"),
        ({"router": [1]}, "router"),
    ],
)
def test_a_misuse_fails_the_task_and_says_which(args: dict[str, Any], says: str) -> None:
    result = run(**args)
    assert result["failed"]
    assert says in result["msg"]
    assert "defect" not in result["msg"]


def test_a_problem_fails_the_task_with_its_words() -> None:
    result = run(router={"fails": "problem"})
    assert result["failed"]
    assert result["msg"] == "spec.x: it is taken. Take another."
    assert result["problems"][0]["reason"] == "Conflict"


def test_a_bug_fails_the_task_with_its_place_and_no_data() -> None:
    result = run(router={"fails": "bug"}, api_key=SECRET)
    assert result["failed"]
    assert "ValueError at test_action.py" in result["msg"]
    assert SECRET not in str(result)
