# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How Envoy asks backends with TLS, and by what it verifies that they are who they should be.

What comes from a ConfigMap or Secret is a secret in Envoy's sense (SDS), read from a file beside
envoy.yaml: the only form in which Envoy looks at certificates again when they are replaced.
"""

from __future__ import annotations

import hashlib
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts, verification
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.verification import (
    Verification,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.backend_tls import (
    CA_FILE,
    CERTIFICATE_FILE,
    KEY_FILE,
    Mounted,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

# Where Envoy's container has envoy.yaml, and the files of its secrets.
ENVOY_DIRECTORY = "/etc/envoy"
# Where the image has the certificates of public authorities.
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"

PLAIN = "http"
_UNVERIFIED = "https"
# Against the authorities that the image brings, and for the name that was asked for.
_VERIFIED = "https-verified"

_KINDS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3"

# Endpoint -> how it is asked with TLS.
Verifications = dict[str, Verification]


def upstream_tls(validation: dict[str, Any] | None = None, **names: Any) -> dict[str, Any]:
    """A ``transport_socket``. validation: what the certificate has to be; None for any. names: how
    the server is asked for."""
    validated = {"validation_context": validation} if validation else {}
    return _socket(validated, names)


def transport(wanted: Verification | None) -> str:
    """Name of the transport socket for this; endpoints that are asked alike share one."""
    if wanted is None:
        return PLAIN
    beyond = [wanted.server_name, *(each.volume for each in _mounted(wanted))]
    if not any(beyond):
        return _UNVERIFIED if wanted.is_skipped else _VERIFIED
    what = "/".join((str(wanted.is_skipped), *beyond))
    return f"https-{hashlib.sha256(what.encode()).hexdigest()[:10]}"


def transport_socket(wanted: Verification) -> dict[str, Any]:
    """What makes the connection. Of a backend that is not asked for by a name of the spec, the name
    is that of its endpoint."""
    shown = wanted.client_certificate
    own = {"tls_certificate_sds_secret_configs": [_from_file(shown)]} if shown else {}
    name = {"sni": wanted.server_name} if wanted.server_name else {"auto_host_sni": True}
    if wanted.is_skipped:
        return _socket(own, name)
    if wanted.ca:
        by: dict[str, Any] = {"validation_context_sds_secret_config": _from_file(wanted.ca)}
    else:
        by = {"validation_context": {"trusted_ca": {"filename": AUTHORITIES}}}
    return _socket({**own, **by}, {**name, "auto_sni_san_validation": True})


def secret_files(router: Router, facts: Facts) -> dict[str, dict[str, Any]]:
    """What is beside envoy.yaml: name of the file -> its content."""
    found = verification.by_endpoint(router, facts).values()
    return {
        _file(each): {"resources": [_secret(each)]}
        for each in sorted({each for wanted in found for each in _mounted(wanted)}, key=_file)
    }


def node(router: Router, facts: Facts) -> dict[str, Any]:
    """Without a name Envoy takes no secret from anywhere."""
    name = {"id": router.name, "cluster": router.name}
    return {"node": name} if secret_files(router, facts) else {}


def _mounted(wanted: Verification) -> list[Mounted]:
    ca = None if wanted.is_skipped else wanted.ca
    return [each for each in (ca, wanted.client_certificate) if each]


def _socket(common: dict[str, Any], names: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": f"{_KINDS}.UpstreamTlsContext",
            **names,
            "common_tls_context": {
                "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
                **common,
            },
        },
    }


def _from_file(mounted: Mounted) -> dict[str, Any]:
    path = {"path": f"{ENVOY_DIRECTORY}/{_file(mounted)}"}
    source = {"path_config_source": path, "resource_api_version": "V3"}
    return {"name": mounted.volume, "sds_config": source}


def _file(mounted: Mounted) -> str:
    return f"{mounted.volume}.yaml"


def _secret(mounted: Mounted) -> dict[str, Any]:
    """Envoy watches the directory of its files, which a kubelet replaces by a link in it."""
    if CA_FILE in dict(mounted.keys):
        content = {"validation_context": {"trusted_ca": {"filename": mounted.file(CA_FILE)}}}
    else:
        content = {
            "tls_certificate": {
                "certificate_chain": {"filename": mounted.file(CERTIFICATE_FILE)},
                "private_key": {"filename": mounted.file(KEY_FILE)},
            },
        }
    return {"@type": f"{_KINDS}.Secret", "name": mounted.volume, **content}
