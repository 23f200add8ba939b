"""Who issues tokens: a key, the tokens that it signs, and a server that shows its public half."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from integration.data_path.stub_backend import Call, StubBackend

KEY_ID = "one"


class Issuer:
    """One name, one key."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def jwks(self) -> dict[str, Any]:
        numbers = self._key.public_key().public_numbers()
        key = {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": KEY_ID}
        return {"keys": [{**key, "n": _number(numbers.n), "e": _number(numbers.e)}]}

    def token(self, audience: str, expires_in: float | None = 300, **claims: Any) -> str:
        """Signed; without an end where expires_in is None."""
        end = {} if expires_in is None else {"exp": int(time.time() + expires_in)}
        payload = {"iss": self.name, "aud": audience, **end, **claims}
        head = {"alg": "RS256", "typ": "JWT", "kid": KEY_ID}
        signed = ".".join(_encoded(json.dumps(part).encode()) for part in (head, payload))
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_encoded(signature)}"


class JwksServer(StubBackend):
    """Shows the public keys of an issuer, at any path; 503 while it is closed."""

    def __init__(self, issuer: Issuer, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._issuer = issuer
        self.is_open = True

    def answer(self, _call: Call) -> tuple[int, dict[str, Any]]:
        return (200, self._issuer.jwks()) if self.is_open else (503, {})


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _number(value: int) -> str:
    return _encoded(value.to_bytes((value.bit_length() + 7) // 8, "big"))
