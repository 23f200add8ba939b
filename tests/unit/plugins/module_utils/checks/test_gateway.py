"""A section that says nothing."""

from __future__ import annotations

from bad_input import problems, with_spec


def test_an_empty_gateway_section_means_standalone() -> None:
    assert problems(with_spec(gateway={})) == []
