"""Which names a spec serves by which model, and which model is the default one."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.models import (
    default_model,
    names_by_model,
    served_by,
    without_route,
)


def entry(model: str, weight: int = 1, *adapters: str) -> dict[str, Any]:
    return {"model": model, "weight": weight, "loras": [{"name": name} for name in adapters]}


def defaults(value: Any) -> dict[str, Any]:
    return {"providers": {"defaults": value}}


LIGHT_AND_HEAVY = [entry("light", 1, "adapter"), entry("heavy", 9)]


def test_the_heaviest_model_is_the_default_and_its_endpoints_count_together() -> None:
    assert default_model({"vllmEndpoints": [entry("a", 3), entry("b", 2), entry("b", 2)]}) == "b"


def test_the_first_listed_model_wins_a_tie() -> None:
    assert default_model({"vllmEndpoints": [entry("b"), entry("a")]}) == "b"


@pytest.mark.parametrize("spec", [{}, {"vllmEndpoints": []}, {"vllmEndpoints": None}])
def test_without_endpoints_there_is_no_default_model(spec: dict[str, Any]) -> None:
    assert default_model({**spec, "config": defaults({"model": "m"})}) == ""


@pytest.mark.parametrize("key", ["model", "default_model"])
@pytest.mark.parametrize("name", ["light", "adapter"])
def test_the_default_that_the_document_gives_wins(key: str, name: str) -> None:
    spec = {"vllmEndpoints": LIGHT_AND_HEAVY, "config": defaults({key: name})}
    assert default_model(spec) == name


@pytest.mark.parametrize("name", ["elsewhere", "${DEFAULT_MODEL}", "", None, 4, ["light"]])
def test_a_default_that_no_endpoint_serves_does_not_count(name: Any) -> None:
    spec = {"vllmEndpoints": LIGHT_AND_HEAVY, "config": defaults({"model": name})}
    assert default_model(spec) == "heavy"


@pytest.mark.parametrize(
    "config", [None, {"providers": None}, {"providers": ["x"]}, defaults("light"), defaults(None)]
)
def test_a_document_of_another_shape_gives_no_default(config: Any) -> None:
    assert default_model({"vllmEndpoints": LIGHT_AND_HEAVY, "config": config}) == "heavy"


def test_models_come_before_adapters_and_win_over_them() -> None:
    spec = {"vllmEndpoints": [entry("a", 1, "b", "x"), entry("b", 1, "x", "y")]}
    assert list(served_by(spec).items()) == [("a", "a"), ("b", "b"), ("x", "a"), ("y", "b")]
    assert names_by_model(spec) == {"a": ["a", "x"], "b": ["b", "y"]}


def with_providers(*names: Any, **spec: Any) -> dict[str, Any]:
    models = [{"name": name} for name in names]
    return {"vllmEndpoints": LIGHT_AND_HEAVY, "config": {"providers": {"models": models}}, **spec}


def test_a_model_that_only_the_routers_configuration_names_has_no_route() -> None:
    assert without_route(with_providers("light", "adapter", "hosted", "hosted")) == ["hosted"]
    asked = {"existingRef": {"name": "edge", "namespace": "edge"}, "extProc": True}
    assert without_route(with_providers("hosted", gateway=asked)) == ["hosted"]


def test_of_routes_that_others_build_nothing_is_said() -> None:
    theirs = {"existingRef": {"name": "edge", "namespace": "edge"}, "extProc": False}
    assert without_route(with_providers("hosted", gateway=theirs)) == []


@pytest.mark.parametrize("models", [None, {}, ["hosted"], [{"name": 1}], "hosted"])
def test_a_configuration_of_another_shape_names_no_model(models: Any) -> None:
    assert without_route({"config": {"providers": {"models": models}}}) == []
