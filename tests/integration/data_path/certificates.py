"""Certificates of servers and clients, and who signs them."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Authority:
    """A CA. certificate: what those have to trust who are to trust what it signs."""

    def __init__(self, name: str) -> None:
        self._name = _named(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        ca = x509.BasicConstraints(ca=True, path_length=None)
        builder = _builder(self._name, self._name, self._key).add_extension(ca, critical=True)
        self.certificate = _pem(builder.sign(self._key, hashes.SHA256()))

    def issue(self, host: str) -> tuple[str, str]:
        """Certificate and private key for this host, or for a client of this name."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.DNSName(host)])
        builder = _builder(_named(host), self._name, key).add_extension(names, critical=False)
        return _pem(builder.sign(self._key, hashes.SHA256())), _private(key)

    def server(
        self, directory: Path, host: str, clients: Authority | None = None
    ) -> ssl.SSLContext:
        """clients: whose certificates a client has to show."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        file = directory / "server.pem"
        file.write_text("".join(self.issue(host)))
        context.load_cert_chain(file)
        if clients:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(cadata=clients.certificate)
        return context


def server_side(file: Path, host: str) -> ssl.SSLContext:
    """A server's side of TLS, that is its own CA. What clients have to trust is in the file, with
    its private key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _named(host)
    names = x509.SubjectAlternativeName([x509.DNSName(host)])
    builder = _builder(name, name, key).add_extension(names, critical=False)
    file.write_text(_private(key) + _pem(builder.sign(key, hashes.SHA256())))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _private(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
