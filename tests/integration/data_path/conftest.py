"""What several tests of the data path ask for."""

from __future__ import annotations

import ssl

import pytest
from integration.data_path.certificates import server_side


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A server's side of TLS, with a certificate that nobody vouches for."""
    return server_side(tmp_path_factory.mktemp("tls") / "server.pem", "stub")
