"""What may stand beside an existing claim."""

from __future__ import annotations

from bad_input import problems, with_spec


def test_an_existing_claim_may_stand_beside_a_storage_class() -> None:
    claim = {"enabled": True, "existingClaim": "models", "storageClassName": "standard"}
    assert problems(with_spec(persistence=claim)) == []
