"""The way out of the cluster, and who takes it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import egress

URL = "http://proxy.example.com:3128"


def spec(*exceptions: str) -> dict[str, Any]:
    return {"egressProxy": {"url": URL, "noProxy": list(exceptions)}}


@pytest.mark.parametrize(
    ("host", "exception", "proxied"),
    [
        ("api.openai.com", "", True),
        ("vllm.models.svc", "", False),
        ("vllm.models.svc.cluster.local", "", False),
        ("localhost", "", False),
        ("api.example.org", "example.org", False),
        ("example.org", "example.org", False),
        ("example.org", ".example.org", True),
        ("api.example.org", ".example.org", False),
        ("badexample.org", "example.org", True),
        ("192.0.2.7", "192.0.2.0/24", False),
        ("192.0.2.7", "192.0.2.7", False),
        ("198.51.100.1", "192.0.2.0/24", True),
        ("192.0.2.7", "2001:db8::/32", True),
        ("api.example.org", "192.0.2.0/24", True),
        ("api.openai.com", "*", False),
    ],
)
def test_a_host_is_reached_through_the_proxy_unless_it_is_an_exception(
    host: str, exception: str, proxied: bool
) -> None:
    wanted = spec(*filter(None, [exception]))
    assert egress.is_proxied(wanted, host) is proxied


def test_without_a_proxy_nothing_is_proxied_and_nobody_is_told() -> None:
    assert not egress.is_proxied({}, "api.openai.com")
    assert egress.environment({}) == []


def test_programs_are_told_what_envoy_does() -> None:
    told = {each["name"]: each["value"] for each in egress.environment(spec(".example.org"))}
    assert told["HTTPS_PROXY"] == told["HTTP_PROXY"] == URL
    assert told["NO_PROXY"].split(",")[-2:] == [".svc.cluster.local", ".example.org"]


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("example.org", True),
        (".example.org", True),
        ("10.0.0.0/8", True),
        ("2001:db8::1", True),
        ("*", True),
        ("example.org:443", False),
        ("https://example.org", False),
        ("*.example.org", False),
    ],
)
def test_an_exception_is_a_name_an_address_or_a_network(text: str, is_one: bool) -> None:
    assert egress.is_exception(text) is is_one
