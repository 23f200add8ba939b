"""What several tests of the data path ask for."""

from __future__ import annotations

import ssl

import pytest
from integration.data_path.certificates import server_side
from integration.data_path.stub_backend import server_name_recorder


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A server's side of TLS, with a certificate that nobody vouches for."""
    context = server_side(tmp_path_factory.mktemp("tls") / "server.pem", "stub")
    context.sni_callback = server_name_recorder  # type: ignore[assignment]
    return context
