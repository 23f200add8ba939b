"""The small form of the campaigns of `make torture`, on one control plane."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator

import pytest
import stock_engine
from control_plane import ControlPlane
from torture import campaigns, ground

# A few of each kind; the long run is by hand.
SEED = 3
SMALL = {
    "application": 10,
    "crashes": 2,
    "crashes_stock": 1,
    "faults": 2,
    "field_flips": 4,
    "operations": 24,
    "staleness": 1,
}
# Its leases have to run out.
BY_HAND = ["leaders"]


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    with ground.plane() as made:
        yield made


@pytest.mark.parametrize("name", SMALL)
def test_a_few_operations_of_a_campaign_break_no_promise(plane: ControlPlane, name: str) -> None:
    if name == "crashes_stock" and not os.environ.get(stock_engine.BINARY):
        pytest.skip(f"{stock_engine.BINARY} names no ansible-operator")

    outcome = campaigns.named(name)(plane, SEED, SMALL[name], math.inf)

    assert outcome.operations
    assert outcome.violations == []


def test_every_campaign_has_a_small_form_or_is_left_to_people() -> None:
    assert sorted([*SMALL, *BY_HAND]) == campaigns.names()
