"""Names that Kubernetes takes, whatever the router is called."""

from __future__ import annotations

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    headless_service_name,
)


def test_a_headless_service_is_called_after_its_router() -> None:
    assert headless_service_name("my-router") == "my-router-headless"


def test_a_long_name_is_cut_to_what_a_service_may_have_and_stays_its_own() -> None:
    names = {headless_service_name(f"{'a' * 62}{last}") for last in "bcd"}
    assert len(names) == 3
    assert {len(name) for name in names} == {63}
    assert all(name.endswith("-headless") for name in names)


def test_a_cut_at_a_hyphen_leaves_one_hyphen() -> None:
    assert "--" not in headless_service_name(f"{'a' * 44}-{'b' * 18}")
