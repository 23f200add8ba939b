"""The small form of two campaigns of `make torture`: faults, and an operator that is killed."""

from __future__ import annotations

import math

import pytest
from torture import campaigns

# A few of each kind; the long run is by hand.
SEED = 3
SMALL = {"faults": 5, "crashes": 4}


@pytest.mark.parametrize("name", SMALL)
def test_what_goes_wrong_is_told_and_right_again_within_30_seconds(name: str) -> None:
    outcome = campaigns.named(name)(SEED, SMALL[name], math.inf)

    assert outcome.operations == SMALL[name]
    assert outcome.violations == []
