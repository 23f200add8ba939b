# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The ConfigMaps and Secrets of the user that the pods take something from, and digests of them.

Who reads a variable from a ConfigMap reads it when it starts: a change takes effect with new pods
only. Nothing of a Secret but its version is ever looked at. Pure; the reads are in
``cluster/discover.py``, what becomes of the digests in ``objects/rollout.py``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import (
    auth,
    backend_tls,
    credentials,
    listener,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.compact import compact
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.gateway_mode import (
    has_envoy,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import Manifest

# The keys of a ConfigMap that are used; None: all of them.
Keys = frozenset[str] | None


@dataclass(frozen=True)
class References:
    """By name, in the router's namespace."""

    config_maps: Mapping[str, Keys] = field(default_factory=dict)
    secrets: list[str] = field(default_factory=list)
    # By the field that names each: pods wait for one that is not there, and do not say so.
    named_secrets: Mapping[str, str] = field(default_factory=dict)
    # A change of these takes effect in pods that run.
    reread_config_maps: list[str] = field(default_factory=list)


def references(spec: Mapping[str, Any]) -> References:
    """Everything that a defaulted spec refers to."""
    config_maps: dict[str, Keys] = {}
    secrets = set()
    for kind, name, keys in _sources(compact(spec)):
        # Of what is no name, the checks say so.
        if not name or not isinstance(name, str):
            continue
        if kind == "Secret":
            secrets.add(name)
            continue
        known = config_maps.get(name, frozenset())
        config_maps[name] = None if known is None or keys is None else known | keys
    named = {f"{each.field}.secretRef.name": each.secret for each in auth.key_secrets(spec)}
    certificate = listener.tls_secret(spec)
    if certificate:
        named["spec.gateway.tls.secretName"] = certificate
    authorities = set()
    for tls in backend_tls.by_endpoint(spec).values() if has_envoy(spec) else []:
        for where, each in tls.named:
            if each.kind == "Secret":
                named[where] = each.name
            else:
                authorities.add(each.name)
    key_sets = (issuer.key_set for issuer in auth.issuers(spec) if has_envoy(spec))
    authorities |= {keyed[0] for keyed in key_sets if keyed}
    return References(
        dict(sorted(config_maps.items())), sorted(secrets), named, sorted(authorities)
    )


@dataclass(frozen=True)
class Mounted:
    """An object of the user's without which a kubelet starts no pod."""

    field: str
    kind: str
    name: str


def mounted(spec: Mapping[str, Any]) -> list[Mounted]:
    """In the order of the spec, door first."""
    return [
        *(_mounted_for_envoy(spec) if has_envoy(spec) else []),
        *_mounted_by_listener(spec),
        *_mounted_by_user(spec),
    ]


def _mounted_by_listener(spec: Mapping[str, Any]) -> Iterator[Mounted]:
    if certificate := listener.tls_secret(spec):
        yield Mounted("spec.gateway.tls.secretName", "Secret", certificate)


def _mounted_for_envoy(spec: Mapping[str, Any]) -> Iterator[Mounted]:
    yield from _mounted_at_the_door(spec)
    for tls in backend_tls.by_endpoint(spec).values():
        for where, each in tls.named:
            yield Mounted(where, each.kind, each.name)


def _mounted_at_the_door(spec: Mapping[str, Any]) -> Iterator[Mounted]:
    for keys in auth.key_secrets(spec):
        yield Mounted(f"{keys.field}.secretRef.name", "Secret", keys.secret)
    for issuer in auth.issuers(spec):
        for key, keyed in (("jwksRef", issuer.key_set), ("caRef", issuer.ca)):
            if keyed:
                yield Mounted(f"{issuer.field}.{key}.name", "ConfigMap", keyed[0])


def _mounted_by_user(spec: Mapping[str, Any]) -> Iterator[Mounted]:
    for index, volume in enumerate(compact(spec.get("extraVolumes") or [])):
        where = f"spec.extraVolumes[{index}]"
        yield from _sources_of_volume(where, volume, "secretName")
        for number, source in enumerate((volume.get("projected") or {}).get("sources") or []):
            yield from _sources_of_volume(f"{where}.projected.sources[{number}]", source, "name")


def _sources_of_volume(
    where: str, volume: Mapping[str, Any], secret_name: str
) -> Iterator[Mounted]:
    for kind, key, name in (("Secret", "secret", secret_name), ("ConfigMap", "configMap", "name")):
        source = volume.get(key) or {}
        if source.get(name) and not source.get("optional"):
            yield Mounted(f"{where}.{key}.{name}", kind, str(source[name]))


def config_maps_digest(wanted: Mapping[str, Keys], found: Mapping[str, Manifest | None]) -> str:
    """Changes with the content that is used; "" when none is used, or one is not there.

    A ConfigMap that is briefly gone must not replace pods that run.
    """
    contents = {}
    for name, keys in wanted.items():
        live = found.get(name)
        if live is None:
            return ""
        data = {**(live.get("binaryData") or {}), **(live.get("data") or {})}
        contents[name] = {key: data.get(key) for key in (data if keys is None else keys)}
    return _digest(contents)


def secrets_digest(wanted: list[str], found: Mapping[str, Manifest | None]) -> str:
    """Changes with every write to a Secret that is used; "" as for ConfigMaps."""
    versions = {}
    for name in wanted:
        live = found.get(name)
        if live is None:
            return ""
        metadata = live["metadata"]
        versions[name] = [metadata.get("uid"), metadata.get("resourceVersion")]
    return _digest(versions)


def _digest(content: Mapping[str, Any]) -> str:
    if not content:
        return ""
    canonical = json.dumps(content, sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _sources(spec: Mapping[str, Any]) -> Iterator[tuple[str, str, Keys]]:
    """Kind, name and keys of each place that takes something."""
    router = {
        "env": [
            *credentials.secret_environment(dict(spec)),
            *auth.key_environment(spec),
            *(spec.get("env") or []),
        ],
        "envFrom": spec.get("envFrom") or [],
    }
    for container in (router, *(spec.get("extraContainers") or [])):
        for variable in container.get("env") or []:
            source = variable.get("valueFrom") or {}
            yield from _keyed(source.get("configMapKeyRef"), source.get("secretKeyRef"))
        for source in container.get("envFrom") or []:
            yield from _whole(source.get("configMapRef"), source.get("secretRef"), "name")
    if listener.tls_secret(spec):
        # Nobody says that the router reads its certificate anew.
        yield "Secret", listener.tls_secret(spec), None
    for issuer in auth.issuers(spec) if has_envoy(spec) else []:
        if issuer.ca:
            # Envoy reads a CA when it starts.
            yield "ConfigMap", issuer.ca[0], frozenset({issuer.ca[1]})
    for volume in spec.get("extraVolumes") or []:
        yield from _volume(volume.get("configMap"), volume.get("secret"), "secretName")
        for source in (volume.get("projected") or {}).get("sources") or []:
            yield from _volume(source.get("configMap"), source.get("secret"), "name")


def _keyed(config_map: Any, secret: Any) -> Iterator[tuple[str, str, Keys]]:
    if config_map:
        yield "ConfigMap", config_map.get("name", ""), frozenset({config_map.get("key", "")})
    if secret:
        yield "Secret", secret.get("name", ""), None


def _whole(config_map: Any, secret: Any, secret_name: str) -> Iterator[tuple[str, str, Keys]]:
    if config_map:
        yield "ConfigMap", config_map.get("name", ""), None
    if secret:
        yield "Secret", secret.get(secret_name, ""), None


def _volume(config_map: Any, secret: Any, secret_name: str) -> Iterator[tuple[str, str, Keys]]:
    if config_map and config_map.get("items"):
        keys = frozenset(item.get("key", "") for item in config_map["items"])
        yield "ConfigMap", config_map.get("name", ""), keys
        config_map = None
    yield from _whole(config_map, secret, secret_name)
