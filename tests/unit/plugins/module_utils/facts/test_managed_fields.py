"""Which of an object's managedFields are ours."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.managed_fields import (
    applied,
)

OURS = {
    "manager": "semantic-router-operator",
    "operation": "Apply",
    "fieldsV1": {"f:spec": {"f:replicas": {}}},
}


def deployment(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": "my-router", "managedFields": list(entries)}}


def test_what_we_applied_is_ours() -> None:
    assert applied(deployment(OURS)) == [OURS["fieldsV1"]]


@pytest.mark.parametrize(
    "other", [{"manager": "kubectl"}, {"operation": "Update"}, {"subresource": "status"}]
)
def test_nothing_else_is_ours(other: dict[str, str]) -> None:
    assert applied(deployment({**OURS, **other})) == []


def test_an_object_without_managed_fields_has_none_of_ours() -> None:
    assert applied({"metadata": {"name": "my-router"}}) == []
