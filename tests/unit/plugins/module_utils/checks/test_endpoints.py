"""Names of adapters that lead elsewhere."""

from __future__ import annotations

from typing import Any

import pytest
from bad_input import problems, with_spec


def _served(name: str, model: str, *adapters: str) -> dict[str, Any]:
    return {
        "name": name,
        "model": model,
        "loras": [{"name": adapter} for adapter in adapters],
        "backend": {"type": "service", "service": {"name": name, "port": 8000}},
    }


@pytest.mark.parametrize(
    ("endpoints", "said"),
    [
        ([_served("a", "m", "n"), _served("b", "n")], "n is a model too"),
        ([_served("a", "m", "m")], "m is a model too"),
        ([_served("a", "m"), _served("b", "n", "sql"), _served("c", "m", "sql")], "the model n"),
    ],
    ids=["another model", "its own model", "another model's adapter"],
)
def test_an_adapter_whose_requests_go_elsewhere_is_said_but_no_obstacle(
    endpoints: list[dict[str, Any]], said: str
) -> None:
    (problem,) = problems(with_spec(vllmEndpoints=endpoints))
    assert not problem.blocking
    assert problem.field.endswith(".loras[0].name")
    assert said in problem.found


def test_endpoints_of_one_model_may_have_the_same_adapters() -> None:
    assert problems(with_spec(vllmEndpoints=[_served(x, "m", "sql") for x in "ab"])) == []


@pytest.mark.parametrize(
    "given",
    [
        {"selector": {"labels": {"a": "b"}}},
        {"pickerScheme": "http"},
        {"inferenceServiceName": "a"},
        {"discoveryLabels": {"a": "b"}},
        {"service": {"name": "a", "port": 8000}},
        {"external": {"url": "https://a.example.com"}},
    ],
)
def test_what_another_type_reads_is_said_but_no_obstacle(given: dict[str, Any]) -> None:
    backend = {"type": "vllmrouter", "name": "a", **given}
    (problem,) = problems(
        with_spec(vllmEndpoints=[{"name": "a", "model": "a", "backend": backend}])
    )
    (field,) = given
    assert problem.field == f"spec.vllmEndpoints[0].backend.{field}"
    assert "type is vllmrouter" in problem.found
    assert not problem.blocking


@pytest.mark.parametrize(
    ("external", "field"),
    [
        ({"headers": {"Authorization": "Bearer sk-1"}}, "headers.Authorization"),
        ({"headers": {"api-key": "sk-1"}}, "headers.api-key"),
        ({"headers": {"Authorization": "Bearer ${KEY}", "x-org": "sk-1"}}, ""),
        ({"url": "https://sk-1:sk-1@a.example/v1"}, "url"),
    ],
)
def test_a_key_of_a_hosted_model_is_neither_in_a_config_map_nor_in_a_message(
    external: dict[str, Any], field: str
) -> None:
    backend = {"type": "external", "external": {"url": "https://a.example/v1", **external}}
    found = problems(with_spec(vllmEndpoints=[{"name": "a", "model": "a", "backend": backend}]))
    expected = [f"spec.vllmEndpoints[0].backend.external.{field}"] if field else []
    assert [problem.field for problem in found] == expected
    assert all(problem.blocking for problem in found)
    assert "sk-1" not in str(found)
