# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""By what the certificate of a backend is verified, and what stands in the way of that.

What backend.tls names comes first. Without, a backend outside of the cluster is verified by the
authorities of Envoy's image, and one inside by OpenShift's service CA. Elsewhere nobody knows what
has signed it: what runs goes on, and nothing is written until the spec says it. What Envoy is told
takes no certificate unverified either, unless insecureSkipVerify is written. Behind a Gateway that
is the business of the Gateway's owner.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint, Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import backend_tls
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.backend_tls import (
    BackendTls,
    Mounted,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.dns_name import service_at
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.gateway_mode import (
    has_envoy,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    Manifest,
    service_ca_config_map_name,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

_CERTIFICATE = "-----BEGIN CERTIFICATE-----"
_WAITING = "and new pods wait for it"


@dataclass(frozen=True)
class Verification:
    """How an endpoint is asked with TLS.

    is_skipped: any certificate does, as the spec says. is_known: the spec or the platform says by
        what it is verified. ca: None for the authorities of Envoy's image.
    server_name: "" for the endpoint's own.
    """

    is_skipped: bool = False
    is_known: bool = True
    ca: Mounted | None = None
    server_name: str = ""
    client_certificate: Mounted | None = None


def by_endpoint(router: Router, facts: Facts) -> dict[str, Verification]:
    """Name of an endpoint -> how its backend is verified, for those that Envoy asks with TLS."""
    if not has_envoy(router.spec):
        return {}
    wanted = backend_tls.by_endpoint(router.spec)
    return {
        endpoint.name: _verification(router, facts, endpoint, wanted.get(endpoint.name))
        for endpoint in facts.endpoints
        if endpoint.scheme == "https"
    }


def service_ca(router: Router, facts: Facts) -> Mounted | None:
    """OpenShift's authority of Services, if a backend is verified by it."""
    wanted = _service_ca(router)
    found = by_endpoint(router, facts).values()
    return wanted if any(each.ca == wanted for each in found) else None


def problems(
    router: Router, facts: Facts, authorities: Mapping[str, Manifest | None]
) -> Iterator[Problem]:
    """authorities: the ConfigMaps with CAs, as far as they could be read. OpenShift's is among them
    once it was made."""
    found = by_endpoint(router, facts)
    listed = len(router.spec.get("vllmEndpoints") or [])
    for index, endpoint in enumerate(facts.endpoints[:listed]):
        verification = found.get(endpoint.name)
        field = f"spec.vllmEndpoints[{index}].backend.tls"
        if not verification:
            continue
        if not verification.is_known and endpoint.host and not endpoint.is_assumed:
            yield _unknown(field, endpoint)
        if verification.is_skipped:
            yield _skipped(f"{field}.insecureSkipVerify", endpoint)
        ca = verification.ca
        if ca and ca == _service_ca(router):
            yield from _unfilled(field, ca, authorities)
        elif ca and ca.kind == "ConfigMap" and ca.name in authorities:
            yield from _authority_problems(f"{field}.caRef", ca, authorities[ca.name])


def _verification(
    router: Router, facts: Facts, endpoint: Endpoint, tls: BackendTls | None
) -> Verification:
    inside = _is_inside(endpoint)
    by_platform = _service_ca(router) if inside and facts.is_openshift else None
    if tls is None:
        return Verification(is_known=bool(by_platform) or not inside, ca=by_platform)
    is_named = tls.is_insecure or tls.trusts_system or tls.ca is not None
    return Verification(
        is_skipped=tls.is_insecure,
        is_known=is_named or bool(by_platform) or not inside,
        ca=tls.ca if is_named else by_platform,
        server_name=tls.server_name,
        client_certificate=tls.client_certificate,
    )


def _is_inside(endpoint: Endpoint) -> bool:
    """It is a Service by a name of the cluster, for which no public authority signs."""
    if endpoint.is_outside:
        return False
    return not endpoint.server_name or service_at(endpoint.server_name) is not None


def _service_ca(router: Router) -> Mounted:
    return backend_tls.service_ca(service_ca_config_map_name(router.name))


def _unknown(field: str, endpoint: Endpoint) -> Problem:
    return Problem(
        reason="BackendNotVerified",
        field=field,
        found=f"{endpoint.address} is asked with TLS, and nothing says by which CA its certificate "
        "is verified; until then nothing is written",
        remedy="Name the CA in tls.caRef, or let any certificate do with tls.insecureSkipVerify",
    )


def _skipped(field: str, endpoint: Endpoint) -> Problem:
    return Problem(
        reason="InsecureSkipVerify",
        field=field,
        found=f"the certificate of {endpoint.address or endpoint.name} is not verified, so whoever "
        "is at this address gets the prompts and answers them",
        remedy="Name its CA in tls.caRef instead",
        blocking=False,
    )


def _unfilled(
    field: str, ca: Mounted, authorities: Mapping[str, Manifest | None]
) -> Iterator[Problem]:
    live = authorities.get(ca.name)
    if live is None or ca.keys[0][1] in (live.get("data") or {}):
        return
    found = f'OpenShift has not written its service CA into ConfigMap "{ca.name}" yet, {_WAITING}'
    remedy = "See clusteroperator service-ca, or name the CA in tls.caRef"
    yield Problem("AuthorityNotFound", field, found, remedy, retry=True, blocking=False)


def _authority_problems(field: str, ca: Mounted, live: Manifest | None) -> Iterator[Problem]:
    ((_, key),) = ca.keys
    texts = (live or {}).get("data") or {}
    if live is None:
        yield _no_authority(f"{field}.name", f'ConfigMap "{ca.name}" does not exist, {_WAITING}')
    elif key not in texts and key not in (live.get("binaryData") or {}):
        yield _no_authority(f"{field}.key", f'ConfigMap "{ca.name}" has no key {key}, {_WAITING}')
    elif key in texts and _CERTIFICATE not in texts[key]:
        found = f'{key} of ConfigMap "{ca.name}" has no certificate in PEM to verify by'
        yield _no_authority(f"{field}.key", found)


def _no_authority(field: str, found: str) -> Problem:
    return Problem(
        reason="AuthorityNotFound",
        field=field,
        found=found,
        remedy="Correct it, or name another",
        retry=True,
        blocking=False,
    )
