# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The APIs that not every cluster serves, each in the version that is used here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Api:
    """A version of a group; as text it is the apiVersion of its objects."""

    group: str
    version: str

    def __str__(self) -> str:
        return f"{self.group}/{self.version}"

    def is_served(self, capabilities: Mapping[str, list[str]]) -> bool:
        """capabilities: API group -> served versions."""
        return self.version in capabilities.get(self.group, [])


ROUTE = Api("route.openshift.io", "v1")
GATEWAY = Api("gateway.networking.k8s.io", "v1")
REFERENCE_GRANT = Api("gateway.networking.k8s.io", "v1beta1")
ENVOY_GATEWAY = Api("gateway.envoyproxy.io", "v1alpha1")
KGATEWAY = Api("gateway.kgateway.dev", "v1alpha1")
AGENTGATEWAY = Api("agentgateway.dev", "v1alpha1")
ISTIO = Api("networking.istio.io", "v1alpha3")
ISTIO_SECURITY = Api("security.istio.io", "v1")
MONITORING = Api("monitoring.coreos.com", "v1")
