# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How clients reach the way in: what spec.gateway and the listener of spec.config say of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.duration import (
    as_envoy_writes,
    seconds,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.gateway_mode import (
    serves_alone,
)

NO_LIMIT = "0s"
SINGLE_STACK = "SingleStack"

# In the container of a router that serves alone.
TLS_DIRECTORY = "/etc/semantic-router-tls"
CERTIFICATE_FILE = f"{TLS_DIRECTORY}/tls.crt"
KEY_FILE = f"{TLS_DIRECTORY}/tls.key"


def answer_timeout(spec: Mapping[str, Any]) -> str:
    """How long a whole answer of a model may take, as Envoy writes it."""
    wanted = seconds(given(spec).get("timeout"))
    return as_envoy_writes(wanted) if wanted else NO_LIMIT


def given(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The first listener of spec.config, which is the only one that counts; {} without."""
    listeners = (spec.get("config") or {}).get("listeners")
    first = listeners[0] if isinstance(listeners, list) and listeners else None
    return first if isinstance(first, dict) else {}


def tls_secret(spec: Mapping[str, Any]) -> str:
    """The Secret with certificate and key of a router that serves alone; "" for none."""
    if not serves_alone(spec):
        return ""
    return str((spec["gateway"].get("tls") or {}).get("secretName") or "")


def speaks_tls(spec: Mapping[str, Any]) -> bool:
    """What the pods serve clients with is HTTPS. Envoy and a Gateway's HTTP API speak HTTP."""
    return serves_alone(spec) and bool(tls_secret(spec) or given(spec).get("tls"))


def ip_family_policy(service: Mapping[str, Any]) -> str:
    """Of the Services. service: spec.service."""
    return service.get("ipFamilyPolicy") or SINGLE_STACK


def any_address(spec: Mapping[str, Any]) -> str:
    """Every address of the pod. IPv6 only where it is asked for: where a node's kernel was started
    without it, nothing could listen on it."""
    service = spec["service"]
    if ip_family_policy(service) == SINGLE_STACK and "IPv6" not in (
        service.get("ipFamilies") or []
    ):
        return "0.0.0.0"  # noqa: S104
    return "::"
