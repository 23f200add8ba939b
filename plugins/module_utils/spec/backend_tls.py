# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How backends prove who they are, as spec.vllmEndpoints[].backend.tls says it, and where Envoy's
container finds what that takes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.gateway_mode import (
    has_envoy,
)

# Files of an authority, and of a client's certificate.
CA_FILE = "ca.crt"
CERTIFICATE_FILE, KEY_FILE = "tls.crt", "tls.key"

_DIRECTORY = "/etc/envoy-backends"

_SERVICE_CA_KEY = "service-ca.crt"
_SERVICE_CA_VOLUME = "backend-tls-openshift"


@dataclass(frozen=True)
class Mounted:
    """Keys of a ConfigMap or Secret as files: what is mounted twice is one volume.

    kind: "ConfigMap" or "Secret". keys: file -> key. fixed: the volume's name, "" for one of its
        own.
    """

    kind: str
    name: str
    keys: tuple[tuple[str, str], ...]
    fixed: str = ""

    @property
    def volume(self) -> str:
        """Its name, which does not depend on the order of endpoints."""
        if self.fixed:
            return self.fixed
        what = "/".join((self.kind, self.name, *(key for _, key in self.keys)))
        return f"backend-tls-{hashlib.sha256(what.encode()).hexdigest()[:10]}"

    @property
    def directory(self) -> str:
        """In Envoy's container."""
        return f"{_DIRECTORY}/{self.volume}"

    def file(self, name: str) -> str:
        """One of them, in Envoy's container."""
        return f"{self.directory}/{name}"

    def pod_volume(self) -> dict[str, Any]:
        """The pod's volume."""
        items = {"items": [{"key": key, "path": file} for file, key in self.keys]}
        if self.kind == "Secret":
            return {"name": self.volume, "secret": {"secretName": self.name, **items}}
        return {"name": self.volume, "configMap": {"name": self.name, **items}}


@dataclass(frozen=True)
class BackendTls:
    """backend.tls of one endpoint.

    field: where it stands. ca, client_certificate: None when none is named.
    """

    field: str
    ca: Mounted | None
    trusts_system: bool
    is_insecure: bool
    server_name: str
    client_certificate: Mounted | None

    @property
    def mounted(self) -> list[Mounted]:
        """What of it comes from ConfigMaps and Secrets."""
        return [each for each in (self.ca, self.client_certificate) if each]

    @property
    def named(self) -> list[tuple[str, Mounted]]:
        """The same, each with the field that names it."""
        fields = ((self.ca, "caRef"), (self.client_certificate, "clientCertificateRef"))
        return [(f"{self.field}.{name}.name", each) for each, name in fields if each]


def is_wanted(entry: Mapping[str, Any]) -> bool:
    """An endpoint is asked with TLS, whatever its port looks like."""
    return entry["backend"].get("tls") is not None


def by_endpoint(spec: Mapping[str, Any]) -> dict[str, BackendTls]:
    """Name of an endpoint -> its backend.tls, for those that have one."""
    return {
        entry["name"]: _backend_tls(f"spec.vllmEndpoints[{index}].backend.tls", entry)
        for index, entry in enumerate(spec.get("vllmEndpoints") or [])
        if is_wanted(entry)
    }


def mounted(spec: Mapping[str, Any]) -> dict[str, Mounted]:
    """By volume, what Envoy's container gets of all this; nothing where there is no Envoy."""
    if not has_envoy(spec):
        return {}
    return {each.volume: each for tls in by_endpoint(spec).values() for each in tls.mounted}


def own_volumes(spec: Mapping[str, Any]) -> Iterator[str]:
    """Names of volumes that are taken."""
    yield _SERVICE_CA_VOLUME
    yield from mounted(spec)


def service_ca(config_map: str) -> Mounted:
    """OpenShift's authority of Services, which it writes into a ConfigMap that asks for it."""
    return Mounted("ConfigMap", config_map, ((CA_FILE, _SERVICE_CA_KEY),), _SERVICE_CA_VOLUME)


def _backend_tls(field: str, entry: Mapping[str, Any]) -> BackendTls:
    tls = entry["backend"]["tls"]
    ca, client = tls.get("caRef"), tls.get("clientCertificateRef")
    # What a Secret of type kubernetes.io/tls has.
    keys = ((CERTIFICATE_FILE, CERTIFICATE_FILE), (KEY_FILE, KEY_FILE))
    return BackendTls(
        field=field,
        ca=Mounted(ca["kind"], ca["name"], ((CA_FILE, ca["key"]),)) if ca else None,
        trusts_system=bool(tls.get("wellKnownCACertificates")),
        is_insecure=bool(tls.get("insecureSkipVerify")),
        server_name=str(tls.get("serverName") or ""),
        client_certificate=Mounted("Secret", client["name"], keys) if client else None,
    )
