# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names as DNS and Kubernetes take them: of objects, of hosts, and of a Service in the cluster.

The CRD repeats two of these patterns in its validation rules; a test compares them.
"""

from __future__ import annotations

import re

# RFC 1123, section 2.1: what names a namespace, and a step of a host name.
LABEL = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
HOST_NAME = f"{LABEL}([.]{LABEL})*"
# Most objects. Kubernetes puts no limit on the single steps.
SUBDOMAIN = "[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*"

_LONGEST = 253
_WILDCARD = "*."
# It has the form of a host name, and is an address to everybody.
_ADDRESS = re.compile("[0-9.]+")
_SERVICE_SUFFIX = "svc"


def is_label(text: str) -> bool:
    """It can name a namespace."""
    return bool(re.fullmatch(LABEL, text))


def is_subdomain(text: str) -> bool:
    """It can name an object whose kind has no rule of its own."""
    return len(text) <= _LONGEST and bool(re.fullmatch(SUBDOMAIN, text))


def is_host_name(text: str) -> bool:
    """DNS can hold it. An API server looks at the length of its steps not everywhere."""
    return len(text) <= _LONGEST and bool(re.fullmatch(HOST_NAME, text))


def is_host_or_wildcard(text: str) -> bool:
    """An Ingress or a Gateway can tell requests by it: a host name, or all below one."""
    host = text.removeprefix(_WILDCARD)
    return len(text) <= _LONGEST and is_host_name(host) and not _ADDRESS.fullmatch(host)


def service_host(name: str, namespace: str) -> str:
    """A name that resolves in a cluster of any domain, through the pod's search list."""
    return f"{name}.{namespace}.{_SERVICE_SUFFIX}"


def service_at(host: str) -> tuple[str, str] | None:
    """Name and namespace of the Service at such a name, with or without the cluster's domain; None
    for a name of another form."""
    name, _, rest = host.partition(".")
    namespace, _, rest = rest.partition(".")
    is_service = rest == _SERVICE_SUFFIX or rest.startswith(f"{_SERVICE_SUFFIX}.")
    return (name, namespace) if is_service else None
