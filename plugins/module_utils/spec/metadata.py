# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names, labels and annotations of every object of a SemanticRouter: their only home."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

API_GROUP = "vllm.ai"
API_VERSION = "vllm.ai/v1alpha1"
KIND = "SemanticRouter"
PLURAL = "semanticrouters"

FIELD_MANAGER = "semantic-router-operator"

# Of upstream's operator in Go, whose SemanticRouters have the same kind and the same names.
FORMER_FIELD_MANAGER = "manager"
FORMER_FINALIZER = "semanticrouter.vllm.ai/finalizer"

LABEL_NAME = "app.kubernetes.io/name"
LABEL_INSTANCE = "app.kubernetes.io/instance"
LABEL_COMPONENT = "app.kubernetes.io/component"
LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"

# The operator's own, in config/manager/manager.yaml.
OPERATOR_POD_LABELS = {"control-plane": "controller-manager"}

# Kubernetes gives it to every namespace.
LABEL_NAMESPACE = "kubernetes.io/metadata.name"

APP_NAME = "semantic-router"
COMPONENT_ROUTER = "router"

# On the pod template, see objects/rollout.py: new content, new pods.
ANNOTATION_CONFIG_HASH = "vllm.ai/config-hash"
ANNOTATION_ENVOY_CONFIG_HASH = "vllm.ai/envoy-config-hash"
ANNOTATION_CONFIG_MAPS_HASH = "vllm.ai/config-maps-hash"
ANNOTATION_SECRETS_HASH = "vllm.ai/secrets-hash"
# The pods' volumes of these two contents, and which annotation has the hash of which.
ROUTER_CONFIG_VOLUME, ENVOY_CONFIG_VOLUME = "config", "envoy-config"
CONFIG_VOLUMES = {
    ROUTER_CONFIG_VOLUME: ANNOTATION_CONFIG_HASH,
    ENVOY_CONFIG_VOLUME: ANNOTATION_ENVOY_CONFIG_HASH,
}
# On the Deployment: versions of the Secrets at the last look.
ANNOTATION_SECRETS_SEEN = "vllm.ai/secrets-seen"
# On the Deployment: what the operator's own pod was told for it, spec/inherited.py.
ANNOTATION_INHERITED = "vllm.ai/inherited"
# On every object: what was asked for when it was last applied.
ANNOTATION_APPLIED_HASH = "vllm.ai/applied-hash"
# On the Deployment: the spec.replicas that an autoscaler has replaced, see objects/scaling.py.
ANNOTATION_REPLICAS_SET_ASIDE = "vllm.ai/replicas-set-aside"

# On the router's ConfigMap: another value, and the stock engine runs it. See cluster/watching.py.
ANNOTATION_DOORBELL = "vllm.ai/doorbell"
# Who writes it, in managedFields: runner/.
DOORBELL_MANAGER = "wrapper-runner"

# On the SemanticRouter, by its user; see writing.py.
ANNOTATION_PAUSED = "vllm.ai/paused"
ANNOTATION_DRY_RUN = "vllm.ai/dry-run"

# How the names of environment variables begin that hold credentials of spec.config.
CREDENTIAL_PREFIX = "SR_"

SERVICE_NAME_LIMIT = 63

Manifest = dict[str, Any]


def config_map_name(router_name: str, alone: bool = False) -> str:
    """ConfigMap with config.yaml and tools_db.json.

    That of a router that serves alone has another name: while pods of one kind replace those of the
    other, none may read anew a file that asks for no keys because an Envoy does.
    """
    return f"{router_name}-alone-config" if alone else f"{router_name}-config"


def envoy_config_map_name(router_name: str) -> str:
    """ConfigMap with envoy.yaml."""
    return f"{router_name}-envoy-config"


def config_revision_name(name: str, content_hash: str) -> str:
    """ConfigMap with the files of one of the two above for the pods that start with this content.

    Its own name is what everybody reads; pods that started with another content keep theirs.
    """
    return f"{name}-{content_hash}"


def service_ca_config_map_name(router_name: str) -> str:
    """ConfigMap into which OpenShift writes the authority of its Services' certificates."""
    return f"{router_name}-service-ca"


def models_claim_name(router_name: str) -> str:
    """PersistentVolumeClaim that keeps downloaded models."""
    return f"{router_name}-models"


def dashboard_config_map_name(router_name: str) -> str:
    """ConfigMap with the Grafana dashboard."""
    return f"{router_name}-dashboard"


def health_route_name(name: str) -> str:
    """The HTTPRoute of what stays open where the rest does not."""
    return f"{name}-health"


def door_name(router_name: str) -> str:
    """What asks who is there, where a policy of the router's own name is about the models."""
    return f"{router_name}-door"


def models_route_name(router_name: str, number: int = 1) -> str:
    """An HTTPRoute of the models, in gateway mode with extProc. number: from 1."""
    return f"{router_name}-models" if number == 1 else f"{router_name}-models-{number}"


def backend_policy_name(router_name: str, service: str) -> str:
    """How a Gateway asks this Service for the router's sake."""
    return f"{router_name}-{service}"


def headless_service_name(router_name: str) -> str:
    """Headless Service: ext_proc streams pin to one pod behind a ClusterIP.

    A router's name may take all 63 characters of a Service's name; such a one is cut, and a digest
    of the whole keeps two of them apart.
    """
    name = f"{router_name}-headless"
    if len(name) <= SERVICE_NAME_LIMIT:
        return name
    digest = hashlib.sha256(router_name.encode()).hexdigest()[:8]
    suffix = f"-{digest}-headless"
    return f"{router_name[: SERVICE_NAME_LIMIT - len(suffix)].rstrip('-')}{suffix}"


def selector(router_name: str) -> dict[str, str]:
    """Labels of the router's pods. A Deployment's selector is immutable: never change it."""
    return {LABEL_NAME: APP_NAME, LABEL_INSTANCE: router_name}


def labels(router_name: str, component: str = COMPONENT_ROUTER) -> dict[str, str]:
    """Labels of every object and pod of one router."""
    return {
        **selector(router_name),
        LABEL_COMPONENT: component,
        LABEL_MANAGED_BY: FIELD_MANAGER,
    }


def is_labelled(manifest: Mapping[str, Any], router_name: str) -> bool:
    """The labels say that the object is this router's and was made here, whoever controls it."""
    found, own = manifest["metadata"].get("labels") or {}, labels(router_name)
    return all(found.get(key) == own[key] for key in (LABEL_INSTANCE, LABEL_MANAGED_BY))


def pod_labels(router_name: str, spec: Mapping[str, Any]) -> dict[str, str]:
    """Labels of the pods: the user's, and ours over them."""
    others = {**(spec.get("commonLabels") or {}), **(spec.get("podLabels") or {})}
    return {**others, **labels(router_name)}


def metadata(
    router_name: str,
    namespace: str,
    name: str | None = None,
    annotations: dict[str, str] | None = None,
    more_labels: Mapping[str, str] | None = None,
) -> Manifest:
    """The ``metadata`` of an object; ``name`` defaults to the router's own.

    more_labels: the user's, under which ours are put.
    """
    built: Manifest = {
        "name": name or router_name,
        "namespace": namespace,
        "labels": {**(more_labels or {}), **labels(router_name)},
    }
    if annotations:
        built["annotations"] = dict(annotations)
    return built
