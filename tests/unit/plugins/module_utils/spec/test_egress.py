"""The way out of the cluster, and who takes it."""

from __future__ import annotations

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import egress

URL = "http://proxy.example.com:3128"


def way(*exceptions: str) -> egress.WayOut:
    return egress.way_out({"egressProxy": {"url": URL, "noProxy": list(exceptions)}}, {})


def told(given: egress.WayOut) -> dict[str, str]:
    return {each["name"]: each["value"] for each in given.environment}


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
        ("api.example.org", "*.example.org", False),
        ("example.org", "*.example.org", True),
        ("example.org", "example.org:443", False),
        ("example.org", "example.org:8443", True),
    ],
)
def test_a_host_is_reached_through_the_proxy_unless_it_is_an_exception(
    host: str, exception: str, proxied: bool
) -> None:
    assert way(*filter(None, [exception])).is_proxied(host, 443) is proxied


def test_without_a_proxy_nothing_is_proxied_and_nobody_is_told() -> None:
    nothing = egress.way_out({}, {"NO_PROXY": ".example.org"})
    assert not nothing.is_proxied("api.openai.com", 443)
    assert nothing.environment == []


def test_programs_are_told_what_envoy_does() -> None:
    said = told(way(".example.org"))
    assert said["HTTPS_PROXY"] == said["HTTP_PROXY"] == URL
    assert said["NO_PROXY"].split(",")[-2:] == [".svc.cluster.local", ".example.org"]


OPERATORS = {
    "HTTPS_PROXY": "http://tls.corp.example:3128",
    "HTTP_PROXY": "http://plain.corp.example:3128",
    "NO_PROXY": "10.128.0.0/14, .corp.example,api-int.cluster.corp.example,",
}


def test_the_operators_proxy_is_the_pods_with_what_it_leaves_out() -> None:
    given = egress.way_out({}, OPERATORS)
    said = told(given)
    assert said["HTTPS_PROXY"] == OPERATORS["HTTPS_PROXY"]
    assert said["HTTP_PROXY"] == OPERATORS["HTTP_PROXY"]
    assert said["NO_PROXY"] == (
        "localhost,127.0.0.1,::1,.svc,.svc.cluster.local,"
        "10.128.0.0/14,.corp.example,api-int.cluster.corp.example"
    )
    assert given.proxy is not None
    assert given.proxy.host == "tls.corp.example"
    assert given.is_proxied("api.openai.com", 443)
    assert not given.is_proxied("models.corp.example", 443)


def test_the_routers_own_proxy_stands_for_all_of_the_operators() -> None:
    wanted = {"egressProxy": {"url": URL}}
    assert egress.way_out(wanted, OPERATORS) == egress.way_out(wanted, {})


def test_what_the_configuration_asks_in_the_cluster_is_not_asked_through_the_operators() -> None:
    config = {
        "a": [{"base_url": "http://embeddings:8080/v1"}],
        "b": {"url": "https://guard.models.svc.corp.local"},
        "c": "http://covered.models.svc:1/",
        "d": "https://api.openai.com/v1",
        "e": 3,
    }
    exceptions = egress.way_out({"config": config}, OPERATORS).exceptions
    named = set(exceptions) - set(egress.way_out({}, OPERATORS).exceptions)
    assert named == {"embeddings", "guard.models.svc.corp.local"}


def test_a_proxy_whose_password_was_withheld_is_none() -> None:
    given = egress.way_out({}, {**OPERATORS, "HTTPS_PROXY": "http://***@tls.corp.example:3128"})
    assert set(told(given)) == {"HTTP_PROXY", "NO_PROXY"}
    assert given.proxy is None


@pytest.mark.parametrize(
    ("url", "host"),
    [("proxy.corp.example:3128", "proxy.corp.example"), ("https://proxy.corp.example", None)],
)
def test_envoy_asks_a_proxy_without_tls_only(url: str, host: str | None) -> None:
    given = egress.way_out({}, {"HTTPS_PROXY": url})
    assert (given.proxy.host if given.proxy else None) == host
    assert told(given)["HTTPS_PROXY"] == url


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
