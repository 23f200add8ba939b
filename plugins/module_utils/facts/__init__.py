# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What discovery learned from the cluster, as plain data that a golden test can replay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.apis import Api
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.dns_name import (
    service_host,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.url import usual_scheme

PLATFORM_KUBERNETES = "kubernetes"
PLATFORM_OPENSHIFT = "openshift"


@dataclass(frozen=True)
class Endpoint:
    """One entry of spec.vllmEndpoints, and its backend: the Service that it leads to.

    service, namespace: of the backend, "" when nothing has ever matched.
    port: 1..65535, 0 when there is no backend.
    scheme: "http" or "https".
    ready: an address stands behind it now.
    reason, message: why not, when not ready; else how that is known.
    remark: what its user may want to know all the same (several Services matched).
    server_name: what the backend wants to be called in Host and SNI, "" for its own host. Without a
        service, it is outside of the cluster at this name.
    is_assumed: nothing of it was seen, so port and scheme are what they would usually be.
    path: what stands in front of /v1 there, "" for nothing.
    pool: the InferencePool whose endpoint picker is there, "" for a backend that answers itself.
    """

    name: str
    model: str
    weight: int
    service: str
    namespace: str
    port: int
    scheme: str
    ready: bool
    reason: str = ""
    message: str = ""
    remark: str = ""
    server_name: str = ""
    is_assumed: bool = False
    path: str = ""
    pool: str = ""

    @property
    def host(self) -> str:
        """DNS name of the backend, "" when there is none."""
        return service_host(self.service, self.namespace) if self.service else self.server_name

    @property
    def is_outside(self) -> bool:
        """Not in the cluster, so that its certificate is one that everybody can verify."""
        return not self.service and bool(self.server_name)

    @property
    def address(self) -> str:
        """host:port, "" when unknown."""
        return f"{self.host}:{self.port}" if self.host else ""

    @property
    def url(self) -> str:
        """The same with what the address alone does not say, "" when there is no such thing."""
        if not self.host or (not self.path and self.scheme == usual_scheme(self.port)):
            return ""
        return f"{self.scheme}://{self.address}{self.path}"


@dataclass(frozen=True)
class Scale:
    """How many pods the live Deployment asks for, and who said so.

    ours: nobody has changed the number since we applied it.
    set_aside: the spec.replicas that does not count, because an autoscaler runs or has run; ""
        when there is none.
    """

    replicas: int
    ours: bool
    set_aside: str = ""


@dataclass(frozen=True)
class Rollout:
    """What decides whether pods are replaced, beside the spec.

    uses_config_maps, uses_secrets: the pods take something from ConfigMaps or Secrets of the user.
    config_maps, secrets: digests of those; "" when one is not there or may not be looked at.
    template: the live pod template's annotations.
    in_use: ConfigMaps that pods of the router mount, or would mount anew if they were replaced, the
        live template's first; with the hash of the content that those say to have started with, and
        of what is in it.
    secrets_seen: digest of the Secrets at the last look, as the live Deployment has it.
    """

    uses_config_maps: bool = False
    uses_secrets: bool = False
    config_maps: str = ""
    secrets: str = ""
    template: Mapping[str, str] = field(default_factory=dict)
    in_use: Mapping[str, list[str]] = field(default_factory=dict)
    secrets_seen: str = ""


@dataclass(frozen=True)
class Facts:
    """The second argument of every builder.

    platform: "kubernetes" or "openshift".
    capabilities: API group -> served versions, for the groups an optional feature needs.
    endpoints: in the order of spec.vllmEndpoints.
    gateway: what gateways.py knows of spec.gateway.existingRef; {} in standalone mode.
    scale: of the live Deployment; None when there is none, or nobody looked.
    claim_modes: access modes of the claim that spec.persistence.existingClaim names; [] when it is
        not there, or none is named.
    foreign_budgets: PodDisruptionBudgets of others that cover the router's pods.
    foreign_autoscalers: HorizontalPodAutoscalers of others that set the number of the pods.
    rollout: of ConfigMaps, Secrets and the live pod templates.
    operator_namespace: where the operator runs as a pod; "" where it does not, as far as is known.
    inherited: of spec/inherited.py, what its pod was told.
    """

    platform: str = PLATFORM_KUBERNETES
    capabilities: Mapping[str, list[str]] = field(default_factory=dict)
    endpoints: list[Endpoint] = field(default_factory=list)
    gateway: Mapping[str, Any] = field(default_factory=dict)
    scale: Scale | None = None
    claim_modes: list[str] = field(default_factory=list)
    foreign_budgets: list[str] = field(default_factory=list)
    foreign_autoscalers: list[str] = field(default_factory=list)
    rollout: Rollout = field(default_factory=Rollout)
    operator_namespace: str = ""
    inherited: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_openshift(self) -> bool:
        """True if and only if the API server serves route.openshift.io."""
        return self.platform == PLATFORM_OPENSHIFT

    def serves(self, api: Api) -> bool:
        """The API server serves this version; only of an API that is optional."""
        return api.is_served(self.capabilities)

    @property
    def unresolved(self) -> list[Endpoint]:
        """The entries of spec.vllmEndpoints that nothing stands behind now."""
        return [endpoint for endpoint in self.endpoints if not endpoint.ready]

    def as_dict(self) -> dict[str, Any]:
        """Plain containers: what crosses Jinja between two tasks."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Facts:
        """The inverse of as_dict."""
        endpoints = [Endpoint(**endpoint) for endpoint in value.get("endpoints", [])]
        scale = Scale(**value["scale"]) if value.get("scale") else None
        rollout = Rollout(**value.get("rollout") or {})
        return cls(**{**value, "endpoints": endpoints, "scale": scale, "rollout": rollout})
