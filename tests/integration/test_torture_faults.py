"""The small form of campaigns of `make torture`: faults, crashes, and what Envoy takes."""

from __future__ import annotations

import math

import pytest
from torture import campaigns

# A few of each kind; the long run is by hand.
SEED = 3
SMALL = {"faults": 2, "crashes": 2, "application": 10}


@pytest.mark.parametrize("name", SMALL)
def test_a_few_operations_of_a_campaign_break_no_promise(name: str) -> None:
    outcome = campaigns.named(name)(SEED, SMALL[name], math.inf)

    assert outcome.operations == SMALL[name]
    assert outcome.violations == []
