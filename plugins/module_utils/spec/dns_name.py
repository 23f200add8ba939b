# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names as DNS and Kubernetes take them: of objects, of hosts, and of a Service in the cluster."""

from __future__ import annotations

_SERVICE_SUFFIX = "svc"


def service_host(name: str, namespace: str) -> str:
    """A name that resolves in a cluster of any domain, through the pod's search list."""
    return f"{name}.{namespace}.{_SERVICE_SUFFIX}"


def service_at(host: str) -> tuple[str, str] | None:
    """Name and namespace of the Service at such a name; None for a name of another form."""
    parts = host.split(".")
    if len(parts) != 3 or parts[2] != _SERVICE_SUFFIX:
        return None
    return parts[0], parts[1]
