# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who may use the API, as spec.auth says it, and where whoever decides finds what it decides by.

That is Envoy, or a router that serves alone; a Gateway has policies for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.credentials import (
    environment_name,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import at
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.gateway_mode import (
    has_envoy,
    serves_alone,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.identity import (
    USER_GROUPS_HEADER,
    USER_ID_HEADER,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.url import parsed

# In Envoy's container.
_KEYS_DIRECTORY = "/etc/envoy-keys"
_CA_DIRECTORY = "/etc/envoy-ca"
_CA_FILE = "ca.crt"
_KEY_SETS_DIRECTORY = "/etc/envoy-jwks"
_KEY_SET_FILE = "jwks.json"

# Where the router looks for the user of a request, unless its configuration says otherwise.
_IDENTITY = ("config", "global", "services", "authz", "identity")


@dataclass(frozen=True)
class KeySecret:
    """An entry of spec.auth.apiKeys.

    directory: where Envoy has the Secret mounted; each file is a client, and holds its key.
    clients: those of the Secret that may come in; () for all.
    """

    field: str
    secret: str
    groups: tuple[str, ...]
    volume: str
    directory: str
    clients: tuple[str, ...] = ()


@dataclass(frozen=True)
class Issuer:
    """An entry of spec.auth.jwt.

    jwks_uri: "" where the public keys are in a ConfigMap.
    host, port: of jwks_uri; "" and 0 while nobody has refused one that leads to no host.
    ca: ConfigMap and key; None for the CAs that the image brings.
    volume, ca_file: where the CA is mounted.
    key_set: ConfigMap and key with the public keys.
    key_set_volume, key_set_directory: where that is mounted.
    """

    field: str
    name: str
    audiences: tuple[str, ...]
    jwks_uri: str
    host: str
    port: int
    ca: tuple[str, str] | None
    volume: str
    ca_directory: str
    key_set: tuple[str, str] | None
    key_set_volume: str
    key_set_directory: str
    user_claim: str
    groups_claim: str

    @property
    def ca_file(self) -> str:
        """In Envoy's container."""
        return f"{self.ca_directory}/{_CA_FILE}"

    @property
    def key_set_file(self) -> str:
        """In Envoy's container."""
        return f"{self.key_set_directory}/{_KEY_SET_FILE}"


def is_wanted(spec: Mapping[str, Any]) -> bool:
    """Not everyone may use the API; also if nobody may."""
    return spec.get("auth") is not None


def is_guarded(spec: Mapping[str, Any]) -> bool:
    """Somebody stands at the door: to let in those who may, or to talk to browsers."""
    return is_wanted(spec) or spec.get("cors") is not None


def key_secrets(spec: Mapping[str, Any]) -> list[KeySecret]:
    """The Secrets with keys of clients."""
    return [
        KeySecret(
            field=f"spec.auth.apiKeys[{index}]",
            secret=str(entry["secretRef"]["name"]),
            groups=tuple(entry.get("groups") or ()),
            volume=f"api-keys-{index}",
            directory=f"{_KEYS_DIRECTORY}/{index}",
            clients=tuple(entry.get("clients") or ()),
        )
        for index, entry in enumerate((spec.get("auth") or {}).get("apiKeys") or [])
    ]


def issuers(spec: Mapping[str, Any]) -> list[Issuer]:
    """Who issues tokens."""
    return [
        _issuer(index, entry)
        for index, entry in enumerate((spec.get("auth") or {}).get("jwt") or [])
    ]


def _issuer(index: int, entry: Mapping[str, Any]) -> Issuer:
    uri = str(entry.get("jwksUri") or "")
    url = parsed(uri)
    return Issuer(
        field=f"spec.auth.jwt[{index}]",
        name=str(entry["issuer"]),
        audiences=tuple(entry["audiences"]),
        jwks_uri=uri,
        host=url.host if url else "",
        port=url.port if url else 0,
        ca=_keyed(entry.get("caRef")),
        volume=f"issuer-ca-{index}",
        ca_directory=f"{_CA_DIRECTORY}/{index}",
        key_set=_keyed(entry.get("jwksRef")),
        key_set_volume=f"issuer-jwks-{index}",
        key_set_directory=f"{_KEY_SETS_DIRECTORY}/{index}",
        user_claim=str(entry["claims"]["user"]),
        groups_claim=str(entry["claims"]["groups"]),
    )


def _keyed(reference: Mapping[str, Any] | None) -> tuple[str, str] | None:
    return (str(reference["name"]), str(reference["key"])) if reference else None


def volumes(spec: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """What Envoy's container gets of all this, and the directory that it gets it in."""
    if not has_envoy(spec):
        return
    for keys in key_secrets(spec):
        source: dict[str, Any] = {"secretName": keys.secret}
        if keys.clients:
            source["items"] = [{"key": client, "path": client} for client in keys.clients]
        yield {"name": keys.volume, "secret": source}, keys.directory
    for issuer in issuers(spec):
        if issuer.ca:
            yield _config_map(issuer.volume, issuer.ca, _CA_FILE), issuer.ca_directory
        if issuer.key_set:
            volume = _config_map(issuer.key_set_volume, issuer.key_set, _KEY_SET_FILE)
            yield volume, issuer.key_set_directory


def _config_map(volume: str, keyed: tuple[str, str], path: str) -> dict[str, Any]:
    name, key = keyed
    items = [{"key": key, "path": path}]
    return {"name": volume, "configMap": {"name": name, "items": items}}


def key_environment(spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The variables by which a router that serves alone gets the keys of its clients.

    It has no list of a Secret's keys, and compares values of config.yaml; so each client has a
    variable of its own, and config.yaml says ${SR_...}.
    """
    if not serves_alone(spec):
        return []
    return [
        {
            "name": environment_name(("auth", "api_keys", index, client)),
            "valueFrom": {"secretKeyRef": {"name": keys.secret, "key": client}},
        }
        for index, keys in enumerate(key_secrets(spec))
        for client in keys.clients
    ]


def identity_headers(spec: Mapping[str, Any]) -> tuple[str, str]:
    """In which headers the router expects the user, and the groups with commas between them."""
    configured = at(spec, _IDENTITY)
    names = configured if isinstance(configured, Mapping) else {}
    return (
        str(names.get("user_id_header") or USER_ID_HEADER).lower(),
        str(names.get("user_groups_header") or USER_GROUPS_HEADER).lower(),
    )
