"""The modules for hand use name the same options in their documentation and in their code."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.vllm.semantic_router.plugins.modules import backend_info


def documented(option: dict[str, Any]) -> dict[str, Any]:
    return dict(option.get("suboptions") or {})


def compare(documented_options: dict[str, Any], spec: dict[str, Any]) -> None:
    assert set(documented_options) == set(spec)
    for name, option in spec.items():
        described = documented_options[name]
        for key in ("type", "required", "default", "choices"):
            assert described.get(key) == option.get(key), f"{name}: {key}"
        compare(documented(described), option.get("options") or {})


def test_documentation_describes_every_suboption_as_the_code_takes_it() -> None:
    options = yaml.safe_load(backend_info.DOCUMENTATION)["options"]
    compare(documented(options["endpoints"]), backend_info.ENDPOINT_OPTIONS)


def test_a_difference_would_be_found() -> None:
    with pytest.raises(AssertionError):
        compare({"a": {"type": "str"}}, {"a": {"type": "int"}})
