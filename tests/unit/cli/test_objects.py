"""What the plugin renders is what the playbook renders."""

from __future__ import annotations

import pytest
from examples import PLATFORMS, SAMPLES, facts, sample
from semantic_router_cli import objects
from unit.test_golden_manifests import BUILDERS, manifests


def test_the_roles_variables_lead_to_every_builder_and_to_no_other() -> None:
    assert {build.__name__ for build in objects.builders()} == {
        build.__name__ for build in BUILDERS
    }
    assert len(objects.filter_names()) == len(set(objects.filter_names()))


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_becomes_the_same_objects(name: str, platform: str) -> None:
    router = sample(name)
    found = facts(router, platform)

    def by_name(built: list[dict[str, object]]) -> list[object]:
        return sorted(built, key=repr)

    assert by_name(objects.manifests(router, found)) == by_name(manifests(router, found))
