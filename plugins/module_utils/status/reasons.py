# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every reason that users are told, and what helps when a backend is not resolved.

Which condition carries which reason, and when, is ``conditions.py``.
"""

from __future__ import annotations

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem

# Every reason that a condition, an endpoint's explanation or an Event can carry: users write alerts
# on these words, so one that was released stays.
REASONS = {
    # all is well
    "RouterReady": "The current spec is in effect and at least one backend is resolved.",
    "AsExpected": "Nothing is wrong.",
    "MinimumReplicasAvailable": "Enough pods answer.",
    "RolloutComplete": "Every pod runs the current configuration.",
    "ConfigActive": "Every router goes by the configuration that was written.",
    "ScaledToZero": "spec.replicas is 0: no pod runs, as asked.",
    "AllBackendsResolved": "Every entry of spec.vllmEndpoints is resolved.",
    "BackendsInConfig": "spec.config.providers names the backends, to which routes of yours lead.",
    "ConfigAccepted": "Every field of the spec is understood and in effect.",
    "ReleaseAssumed": "The image's tag names no known release; the newest contract is assumed.",
    "FieldsIgnored": "The spec is in effect, except for fields that nothing reads.",
    "PartlyInEffect": "The spec is understood; some of it does less than it says.",
    "PlainTextCredential": "A password stands in the spec itself; it is in effect.",
    "InsecureSkipVerify": "A backend's certificate is not verified, as the spec says.",
    "ProxyNotPassedOn": "The operator's own proxy is none for the router's pods.",
    "InvalidAnnotation": "An annotation has a value that means nothing; it is off.",
    "NoEnvoyInPod": "The router serves clients itself, without what Envoy does for them.",
    # nothing is written
    "Paused": "The annotation vllm.ai/paused is set: nothing is written.",
    "DryRun": "The annotation vllm.ai/dry-run is set: nothing is written.",
    "Resumed": "Objects are written again.",
    "DryRunChanges": "A write would change objects; status.dryRun says which.",
    "DryRunNoChanges": "A write would change nothing.",
    "DryRunRefused": "A write would be refused.",
    # on the way
    "DeploymentMissing": "There is no Deployment yet.",
    "RolloutInProgress": "Pods are being created or replaced.",
    "VolumePending": "The volume claim is not bound yet.",
    "MinimumReplicasUnavailable": "Fewer pods answer than the Deployment needs.",
    "Unschedulable": "No node takes a pod.",
    "PodNotStarted": "A node has a pod, and has not started it yet.",
    # what the routers say of their configuration
    "ConfigNotActive": "A router goes by another configuration than what was written.",
    "ActiveConfigNotTold": "A router does not say which configuration it goes by.",
    "PodsUnreachable": "The operator cannot ask a pod which configuration it goes by.",
    "OperatorOutsideCluster": "Only an operator in the cluster can ask the pods for it.",
    # pods
    "ImagePullBackOff": "An image cannot be pulled.",
    "CrashLoopBackOff": "A container ends again and again.",
    "NewConfigFails": "Pods with a changed configuration do not start; older ones go on serving.",
    "CreateContainerConfigError": "A container refers to something that does not exist.",
    "ReplicaFailure": "The API server refuses to create pods (quota, admission).",
    "ProgressDeadlineExceeded": "A rollout made no progress for too long.",
    "VolumeLost": "The volume behind the claim is gone.",
    "VolumeClaimNotFound": "The claim of spec.persistence.existingClaim does not exist.",
    # backends
    "NoBackends": "spec.vllmEndpoints is empty.",
    "NoBackendsResolved": "No entry of spec.vllmEndpoints is resolved.",
    "SomeBackendsUnresolved": "Some entries of spec.vllmEndpoints are not resolved.",
    "ModelsWithoutRoute": "spec.config.providers names models that no request can get to.",
    "BackendIncomplete": "An entry lacks what its backend type needs.",
    "BackendUnreadable": "The operator may not read the objects of a backend.",
    "KServeNotInstalled": "The API server does not serve KServe's InferenceService.",
    "InferenceServiceNotFound": "The InferenceService does not exist.",
    "InferenceServiceNotReady": "The InferenceService is not Ready.",
    "NoServiceMatches": "No Service carries the discoveryLabels.",
    "NothingSelected": "No Service of the namespace carries the labels of backend.selector.",
    "ServiceNotFound": "The Service does not exist.",
    "ServicePortNotFound": "The Service has no such port.",
    "NoReadyAddress": "No address stands behind the Service.",
    "PredictorNotFound": "The InferenceService does not say where it is.",
    "BackendNotVerified": "Nothing says by which CA a backend's certificate is verified.",
    "AuthorityNotFound": "A CA that the spec names for a backend is not there.",
    "BackendApiNotInstalled": "The API server does not serve the object that stands for a backend.",
    "BackendObjectNotFound": "The object that stands for a backend does not exist.",
    "BackendObjectNotReady": "The object that stands for a backend is not Ready.",
    "BackendAddressUnknown": "The object that stands for a backend does not say where it is.",
    "BackendOutOfReach": "A backend is where no route can lead to.",
    # the Route of OpenShift
    "RouteAdmitted": "A router of OpenShift serves the Route.",
    "RouteMissing": "There is no Route yet.",
    "RouteNotAdmitted": "No router of OpenShift has looked at the Route yet.",
    "RouteRefused": "OpenShift's routers refuse the Route.",
    "RouteApiMissing": "The API server does not serve Routes: it is not OpenShift.",
    # the Gateway of gateway mode, and its HTTPRoute
    "HTTPRouteAccepted": "The Gateway's controller serves the HTTPRoute.",
    "HTTPRouteMissing": "There is no HTTPRoute yet.",
    "HTTPRoutePending": "The Gateway's controller has not looked at the HTTPRoute yet.",
    "HTTPRouteNotAccepted": "The Gateway's controller refuses the HTTPRoute.",
    "HTTPRouteRefsNotResolved": "The Gateway's controller finds no way to a Service.",
    "GatewayPolicyPending": "Envoy Gateway has not looked at a policy of the router yet.",
    "GatewayPolicyNotAccepted": "Envoy Gateway refuses a policy of the router.",
    "GatewayApiNotInstalled": "The API server does not serve the Gateway API.",
    "GatewayNotFound": "The Gateway of spec.gateway.existingRef does not exist.",
    "GatewayUnreadable": "The operator may not read the Gateway or its class.",
    "GatewayRefusesRoutes": "No listener of the Gateway takes an HTTPRoute from here.",
    "GatewayControllerUnknown": "ext_proc cannot be attached to a Gateway of this controller.",
    "ExtProcNotAttached": "The Gateway cannot be told to ask the router.",
    "AuthNotAttached": "The Gateway cannot be told who may use the API.",
    "BackendPolicyNotAttached": "The Gateway cannot be told how to ask a backend.",
    "ReferenceGrantMissing": "A backend's namespace does not let HTTPRoutes of another one in.",
    "ManagementApiExposed": "The router's management API would be open to others.",
    # the cluster
    "KeySetNotFound": "A ConfigMap that spec.auth names holds no public keys.",
    "SecretNotFound": "A Secret that the spec names does not exist.",
    "MonitoringApiMissing": "The API server does not serve the Prometheus operator's kinds.",
    "DiscoveryFailed": "The cluster could not be read; nothing was changed.",
    "StorageClassNotFound": "The StorageClass does not exist.",
    "AutoscalerBlind": "A container does not request what the autoscaler measures.",
    "DrainBlocked": "The PodDisruptionBudget never lets a pod go.",
    "PodsCoveredAlready": "A PodDisruptionBudget of somebody else covers the pods already.",
    "PodsScaledAlready": "A HorizontalPodAutoscaler of somebody else scales the pods already.",
    "StorageClassesUnreadable": "The operator may not list StorageClasses.",
    "ApiUnavailable": "The API server did not answer, or answered with an error of its own.",
    "Forbidden": "The operator lacks a permission, or a quota or policy is in the way.",
    "Conflict": "The cluster changed meanwhile.",
    "ApplyRefused": "The API server refused an object.",
    "ReconcileFailed": "The run ended with an error of the operator itself.",
    # the spec
    "InvalidSpec": "A field of the spec is wrong.",
    "InvalidConfig": "A field of spec.config is wrong.",
    "FeatureNotAvailable": "This version of the operator does not build what was asked for.",
}

# An endpoint's reason: the field below its entry that it is about, and what to do.
_BACKEND_REMEDIES = {
    "BackendIncomplete": ("backend", "Set what its type needs"),
    "BackendUnreadable": ("backend", "Allow the operator to read it"),
    "KServeNotInstalled": ("backend.type", "Install KServe, or use another type"),
    "InferenceServiceNotFound": (
        "backend.inferenceServiceName",
        "Create it in the router's namespace, or correct the name",
    ),
    "InferenceServiceNotReady": (
        "backend.inferenceServiceName",
        "Wait, or see kubectl describe inferenceservice",
    ),
    "NoServiceMatches": (
        "backend.discoveryLabels",
        "Give a Service these labels, or correct them",
    ),
    "BackendApiNotInstalled": ("backend.type", "Install what serves it, or use another type"),
    "BackendObjectNotFound": (
        "backend.name",
        "Create it in the router's namespace, or correct the name",
    ),
    "BackendObjectNotReady": ("backend.name", "Wait, or see kubectl describe"),
    "BackendAddressUnknown": ("backend.name", "See its status, and its controller's log"),
    "BackendOutOfReach": (
        "backend",
        "Use another type, or give the model of this endpoint a name of its own",
    ),
    "NothingSelected": ("backend.selector", "Give a Service these labels, or correct them"),
    "ServiceNotFound": ("backend.service", "Create it, or correct name and namespace"),
    "ServicePortNotFound": ("backend.service.port", "Use a port of the Service"),
    "NoReadyAddress": ("backend", "See why the Service selects no pod that is ready"),
    "PredictorNotFound": (
        "backend.inferenceServiceName",
        "See the Services that KServe has made for it",
    ),
}

# A reason's and a message's bounds in metav1.Condition; an Event's note holds less.


def without_route(models: list[str]) -> Problem:
    """No request gets to these models, which spec.config.providers names."""
    plural = len(models) > 1
    return Problem(
        reason="ModelsWithoutRoute",
        field="spec.config.providers.models",
        found=f"there is no route to {', '.join(models)}, so requests for "
        f"{'them' if plural else 'it'} are answered with 503",
        remedy=f"Give {'each' if plural else 'it'} an entry in spec.vllmEndpoints, or backend_refs "
        "with a base_url",
        blocking=False,
    )


def backend_problem(number: int, endpoint: Endpoint) -> Problem:
    """Why an entry of spec.vllmEndpoints, counted from 0, is not resolved, and what to do."""
    field, remedy = _BACKEND_REMEDIES.get(endpoint.reason, ("backend", "Correct the entry"))
    return Problem(
        reason=endpoint.reason,
        field=f"spec.vllmEndpoints[{number}].{field}",
        found=endpoint.message,
        remedy=remedy,
        retry=True,
        blocking=False,
    )
