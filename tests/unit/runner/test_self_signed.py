"""The certificate of an HTTPS server that nobody vouches for."""

from __future__ import annotations

import ssl

import urllib3
from wrapper_runner import self_signed
from wrapper_runner.endpoints import Answer, serve


def test_a_client_that_trusts_it_is_served_and_one_that_does_not_is_not() -> None:
    address = serve(
        "127.0.0.1:0",
        {"/metrics": lambda: Answer(200, b"ok")},
        self_signed.server_side("operator-7"),
    )
    host, _, port = address.partition(":")
    certificate = ssl.get_server_certificate((host, int(port)))
    trusting = ssl.create_default_context(cadata=certificate)
    pool = urllib3.PoolManager(ssl_context=trusting, server_hostname="operator-7")
    assert pool.request("GET", f"https://{address}/metrics").data == b"ok"
    others = urllib3.PoolManager(retries=False)
    try:
        others.request("GET", f"https://{address}/metrics")
    except urllib3.exceptions.SSLError:
        return
    raise AssertionError("a client that trusts nobody was served")
