"""In Sigstore's place: an authority for certificates and two logs, with keys of the test's own.

Whoever is given its roots (``trusted_root``) verifies what it signs as what Sigstore's own services
sign: certificate, the certificate's timestamp by a log, entry in a log of one entry, signature.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_ISSUER = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
_TIMESTAMPS = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_DAY = timedelta(days=1)
_PAYLOAD = "application/vnd.in-toto+json"
_ROOT = "application/vnd.dev.sigstore.trustedroot+json;version=0.1"
_BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"


class StandInSigstore:
    """Signs for whoever asks, under any name."""

    def __init__(self) -> None:
        self._now = datetime.now(UTC).replace(microsecond=0)
        self._authority, self._certificates, self._log = (
            ec.generate_private_key(ec.SECP256R1()) for _ in range(3)
        )
        self._root = self._self_signed()

    @property
    def trusted_root(self) -> str:
        valid = {"start": (self._now - _DAY).isoformat()}
        authority = {
            "subject": {"organization": "test", "commonName": "root"},
            "uri": "https://authority.test",
            "certChain": {"certificates": [{"rawBytes": _text(_der(self._root))}]},
            "validFor": valid,
        }
        logs = [
            {
                "baseUrl": "https://log.test",
                "hashAlgorithm": "SHA2_256",
                "publicKey": {
                    "rawBytes": _text(_public(key)),
                    "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                    "validFor": valid,
                },
                "logId": {"keyId": _text(_id(key))},
            }
            for key in (self._log, self._certificates)
        ]
        return json.dumps({
            "mediaType": _ROOT, "tlogs": logs[:1], "ctlogs": logs[1:],
            "certificateAuthorities": [authority], "timestampAuthorities": [],
        })  # fmt: skip

    def sign(self, data: bytes, identity: str, issuer: str) -> str:
        """A bundle for the bytes, as `cosign sign-blob` writes it."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._certificate(key, identity, issuer)
        signature, digest = _signed(key, data), hashlib.sha256(data)
        body = {
            "apiVersion": "0.0.1",
            "kind": "hashedrekord",
            "spec": {
                "data": {"hash": {"algorithm": "sha256", "value": digest.hexdigest()}},
                "signature": {
                    "content": _text(signature),
                    "publicKey": {"content": _text(certificate.public_bytes(Encoding.PEM))},
                },
            },
        }
        message = {
            "messageDigest": {"algorithm": "SHA2_256", "digest": _text(digest.digest())},
            "signature": _text(signature),
        }
        return self._bundle(certificate, body, messageSignature=message)

    def attest(self, statement: str, identity: str, issuer: str) -> str:
        """A bundle with the statement in it, as GitHub's attestations are."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._certificate(key, identity, issuer)
        data = statement.encode()
        signature = _signed(key, f"DSSEv1 {len(_PAYLOAD)} {_PAYLOAD} {len(data)} ".encode() + data)
        body = {
            "apiVersion": "0.0.1",
            "kind": "dsse",
            "spec": {
                "envelopeHash": {"algorithm": "sha256", "value": "0" * 64},
                "payloadHash": {"algorithm": "sha256", "value": hashlib.sha256(data).hexdigest()},
                "signatures": [
                    {
                        "signature": _text(signature),
                        "verifier": _text(certificate.public_bytes(Encoding.PEM)),
                    }
                ],
            },
        }
        envelope = {
            "payload": _text(data),
            "payloadType": _PAYLOAD,
            "signatures": [{"sig": _text(signature)}],
        }
        return self._bundle(certificate, body, dsseEnvelope=envelope)

    def _bundle(self, certificate: x509.Certificate, body: dict[str, Any], **signed: Any) -> str:
        told = json.dumps(body).encode()
        root = _text(hashlib.sha256(b"\0" + told).digest())
        note = f"log.test - 1\n1\n{root}\n"
        seal = _text(_id(self._log)[:4] + _signed(self._log, note.encode()))
        time = int(self._now.timestamp())
        promised = {
            "body": _text(told), "integratedTime": time, "logID": _id(self._log).hex(),
            "logIndex": 0,
        }  # fmt: skip
        promise = json.dumps(promised, separators=(",", ":")).encode()
        entry = {
            "logIndex": "0",
            "logId": {"keyId": _text(_id(self._log))},
            "kindVersion": {"kind": body["kind"], "version": body["apiVersion"]},
            "integratedTime": str(time),
            "inclusionPromise": {"signedEntryTimestamp": _text(_signed(self._log, promise))},
            "inclusionProof": {
                "logIndex": "0",
                "rootHash": root,
                "treeSize": "1",
                "hashes": [],
                "checkpoint": {"envelope": f"{note}\n\u2014 log.test {seal}\n"},
            },
            "canonicalizedBody": _text(told),
        }
        material = {"certificate": {"rawBytes": _text(_der(certificate))}, "tlogEntries": [entry]}
        return json.dumps({"mediaType": _BUNDLE, "verificationMaterial": material, **signed})

    def _self_signed(self) -> x509.Certificate:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "root")])
        public = self._authority.public_key()
        return (
            self._builder(public, name)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
            .sign(self._authority, hashes.SHA256())
        )

    def _certificate(
        self, key: ec.EllipticCurvePrivateKey, identity: str, issuer: str
    ) -> x509.Certificate:
        authority = self._authority.public_key()
        name = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(identity)])
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])
        builder = (
            self._builder(key.public_key(), x509.Name([]))
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority), critical=False
            )
            .add_extension(_usage(digital_signature=True), critical=True)
            .add_extension(usage, critical=False)
            .add_extension(name, critical=True)
            .add_extension(x509.UnrecognizedExtension(_ISSUER, issuer.encode()), critical=False)
        )
        before = builder.sign(self._authority, hashes.SHA256())
        timestamp = x509.UnrecognizedExtension(_TIMESTAMPS, self._timestamp(before))
        return builder.add_extension(timestamp, critical=False).sign(
            self._authority, hashes.SHA256()
        )

    def _builder(
        self, public: ec.EllipticCurvePublicKey, subject: x509.Name
    ) -> x509.CertificateBuilder:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "root")])
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - _DAY)
            .not_valid_after(self._now + _DAY)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        )

    def _timestamp(self, before: x509.Certificate) -> bytes:
        """What the log of certificates promises (RFC 6962, 3.2), as the extension holds it."""
        time = struct.pack("!Q", int(self._now.timestamp() * 1000))
        whole = before.tbs_certificate_bytes
        entry = _id(self._authority) + len(whole).to_bytes(3, "big") + whole
        promised = b"\0\0" + time + struct.pack("!H", 1) + entry + b"\0\0"
        signature = _signed(self._certificates, promised)
        # SHA-256 is 4 there, and ECDSA is 3.
        one = b"\0" + _id(self._certificates) + time + b"\0\0" + b"\4\3" + _counted(signature)
        every = _counted(_counted(one))
        return b"\4" + bytes([len(every)]) + every


def _usage(**given: bool) -> x509.KeyUsage:
    names = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
        "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**(dict.fromkeys(names, False) | given))


def _counted(data: bytes) -> bytes:
    return struct.pack("!H", len(data)) + data


def _signed(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    return key.sign(data, ec.ECDSA(hashes.SHA256()))


def _public(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _id(key: ec.EllipticCurvePrivateKey) -> bytes:
    return hashlib.sha256(_public(key)).digest()


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
