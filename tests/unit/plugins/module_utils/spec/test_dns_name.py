"""What Kubernetes takes for a name, case by case."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import cel, crd, dns_name

# Column by column: a label (of a namespace), a Service, a subdomain (of most objects), a host name,
# a host or wildcard.
LONG, TOO_LONG = "a" * 63, "a" * 64
NAMES = [
    ("a", 1, 1, 1, 1, 1),
    ("a-1", 1, 1, 1, 1, 1),
    ("1a", 1, 0, 1, 1, 1),
    ("1", 1, 0, 1, 1, 0),
    (LONG, 1, 1, 1, 1, 1),
    (TOO_LONG, 0, 0, 1, 0, 0),
    ("a.b", 0, 0, 1, 1, 1),
    (f"{LONG}.{LONG}.{LONG}.{'a' * 61}", 0, 0, 1, 1, 1),
    (f"{LONG}.{LONG}.{LONG}.{'a' * 62}", 0, 0, 0, 0, 0),
    (f"*.{LONG}.{LONG}.{LONG}.{'a' * 59}", 0, 0, 0, 0, 1),
    (f"*.{LONG}.{LONG}.{LONG}.{'a' * 60}", 0, 0, 0, 0, 0),
    ("10.0.0.1", 0, 0, 1, 1, 0),
    ("*.10.0.0.1", 0, 0, 0, 0, 0),
    ("*.a.b", 0, 0, 0, 0, 1),
    ("*", 0, 0, 0, 0, 0),
    ("*.", 0, 0, 0, 0, 0),
    ("*a.b", 0, 0, 0, 0, 0),
    ("a.*.b", 0, 0, 0, 0, 0),
    ("*.*.b", 0, 0, 0, 0, 0),
    ("", 0, 0, 0, 0, 0),
    (".", 0, 0, 0, 0, 0),
    ("a..b", 0, 0, 0, 0, 0),
    (".a", 0, 0, 0, 0, 0),
    ("a.", 0, 0, 0, 0, 0),
    ("-a", 0, 0, 0, 0, 0),
    ("a-", 0, 0, 0, 0, 0),
    ("a-.b", 0, 0, 0, 0, 0),
    ("a.-b", 0, 0, 0, 0, 0),
    ("A", 0, 0, 0, 0, 0),
    ("a_b", 0, 0, 0, 0, 0),
    ("a b", 0, 0, 0, 0, 0),
    ("a\n", 0, 0, 0, 0, 0),
    ("a/b", 0, 0, 0, 0, 0),
    ("a:80", 0, 0, 0, 0, 0),
    ("ä", 0, 0, 0, 0, 0),
]


def is_service_name(text: str) -> bool:
    """To the CRD, whose routers have Services of their names."""
    return cel.predicate(crd.schema()["x-kubernetes-validations"][0]["rule"])(
        {"metadata": {"name": text}}
    )


RULES = (
    dns_name.is_label,
    is_service_name,
    dns_name.is_subdomain,
    dns_name.is_host_name,
    dns_name.is_host_or_wildcard,
)


@pytest.mark.parametrize("case", NAMES, ids=lambda case: repr(case[0]))
def test_a_name_is_taken_where_kubernetes_takes_it(case: tuple[str, int, int, int, int, int]):
    name, *wanted = case
    assert [int(rule(name)) for rule in RULES] == wanted


def patterns_of_the_crd(node: dict[str, Any]) -> Iterator[str]:
    """Those of names of DNS, in the CRD's validation rules."""
    for item in node.get("x-kubernetes-validations", []):
        yield from re.findall(r"matches\('\^(\[a-z0-9.*?)\$'\)", item["rule"])
    others = node.get("additionalProperties")
    for child in (*node.get("properties", {}).values(), node.get("items"), others):
        if isinstance(child, dict):
            yield from patterns_of_the_crd(child)


def test_the_crd_has_the_same_pattern_of_a_host() -> None:
    assert list(patterns_of_the_crd(crd.schema())) == [dns_name.HOST_NAME]


def test_the_host_of_a_service_leads_back_to_it() -> None:
    assert dns_name.service_host("vllm", "models") == "vllm.models.svc"
    assert dns_name.service_at("vllm.models.svc") == ("vllm", "models")


@pytest.mark.parametrize("host", ["", "vllm", "vllm.models", "a.b.c.svc", "vllm.models.com"])
def test_another_host_is_no_services(host: str) -> None:
    assert dns_name.service_at(host) is None
