# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the live Deployment, volume claim and pods say about themselves, in words that stay put.

Pure. What follows from it for a SemanticRouter is ``router_status.py`` and ``conditions.py``; the
reads are in ``cluster/status.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.backends import some
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.live_scaling import (
    wanted_replicas,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.references import Mounted
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    CONFIG_VOLUMES,
    Manifest,
)

# What a kubelet calls it -> the reason here. It swings between two words for one trouble, and each
# swing would be a write.
_WAITING_REASONS = {
    "ErrImagePull": "ImagePullBackOff",
    "ImagePullBackOff": "ImagePullBackOff",
    "ErrImageNeverPull": "ImagePullBackOff",
    "InvalidImageName": "ImagePullBackOff",
    "CrashLoopBackOff": "CrashLoopBackOff",
    "RunContainerError": "CrashLoopBackOff",
    "CreateContainerConfigError": "CreateContainerConfigError",
    "CreateContainerError": "CreateContainerConfigError",
}

# How long a node may take to start a pod before anybody is told. With the image there, nearly all
# do in seconds; to attach a disk takes some of them a minute.
START_SECONDS = 120


@dataclass(frozen=True)
class Workload:
    """The live objects that a status speaks about.

    claim: the volume claim; None when the router wants none, or there is none.
    claim_name: its name; "" when the router wants none.
    pods: read only while the Deployment is not rolled out.
    route, route_name: as with the claim, for the Route of OpenShift.
    gateway: spec.gateway in gateway mode, else empty.
    http_route_names: the HTTPRoutes that there should be. http_routes: those that there are.
    policy_names, policies: the same of the policies beside the HTTPRoutes, by kind and name.
    mounted: objects of the user's that the pods want.
    differing: paths by which the files that new pods start with differ from those of the pods that
        go on serving, as far as both are there.
    start_since: RFC 3339. A node that took a pod before then has had START_SECONDS.
    """

    deployment: Manifest | None = None
    claim: Manifest | None = None
    claim_name: str = ""
    pods: list[Manifest] = field(default_factory=list)
    route: Manifest | None = None
    route_name: str = ""
    gateway: Mapping[str, Any] = field(default_factory=dict)
    http_route_names: list[str] = field(default_factory=list)
    http_routes: Mapping[str, Manifest] = field(default_factory=dict)
    policy_names: list[str] = field(default_factory=list)
    policies: Mapping[str, Manifest] = field(default_factory=dict)
    mounted: list[Mounted] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)
    start_since: str = ""


@dataclass(frozen=True)
class Trouble:
    """What a workload suffers from; ``failing`` when waiting alone is unlikely to cure it."""

    reason: str
    message: str
    failing: bool = True


def is_rolled_out(deployment: Manifest | None) -> bool:
    """Every wanted pod runs the current template and is available, and no older pod is left."""
    if deployment is None:
        return False
    found = status_of(deployment)
    wanted = wanted_replicas(deployment)
    return (
        int(found.get("observedGeneration") or 0) >= int(deployment["metadata"]["generation"])
        and int(found.get("replicas") or 0) == wanted
        and int(found.get("updatedReplicas") or 0) == wanted
        and int(found.get("availableReplicas") or 0) == wanted
    )


def troubles_of(workload: Workload) -> list[Trouble]:
    """What the live objects complain of, worst first."""
    found = [
        *_new_config_troubles(workload),
        *_claim_troubles(workload),
        *_deployment_troubles(workload.deployment),
    ]
    if not is_rolled_out(workload.deployment):
        found += pod_troubles(workload.pods)
        found += _start_troubles(workload)
    return sorted(dict.fromkeys(found), key=lambda trouble: not trouble.failing)


def last_good(workload: Workload) -> list[Manifest]:
    """The ready pods that started with another configuration than what is rolled out now."""
    if workload.deployment is None or is_rolled_out(workload.deployment):
        return []
    wanted = _hashes(_template(workload.deployment))
    return [
        pod for pod in workload.pods if is_ready(pod) and _hashes(pod) and _hashes(pod) != wanted
    ]


def _new_config_troubles(workload: Workload) -> Iterator[Trouble]:
    """Whose fault it is, nobody can tell from outside; what has changed and who serves, one can."""
    serving = last_good(workload)
    if not serving:
        return
    template = _template(workload.deployment)
    new = [pod for pod in staying(workload.pods) if _hashes(pod) == _hashes(template)]
    failing = {one.reason for one in pod_troubles(new) if one.failing}
    # An image that cannot be pulled has read no configuration.
    if "CrashLoopBackOff" not in failing and (
        failing or not _deployment_troubles(workload.deployment)
    ):
        return
    named = some(sorted(str(pod["metadata"]["name"]) for pod in new)) or "none yet"
    old = some(sorted(str(pod["metadata"]["name"]) for pod in serving))
    wanted, there = config_maps_of(template), config_maps_of(serving[0])
    changed = [volume for volume in wanted if wanted[volume] != there.get(volume)]
    parts = [
        f"Pods with a changed configuration do not come up ({named}; "
        f"{_config_maps(wanted, changed)}).",
        f"{len(serving)} {'goes' if len(serving) == 1 else 'go'} on serving with the last good one "
        f"({old}; {_config_maps(there, changed)}).",
    ]
    if workload.differing:
        parts.append(f"The two differ in {some(workload.differing)}.")
    if _images(template) != _images(serving[0]):
        parts.append("The pods' images have changed as well.")
    parts.append(
        "Correct the SemanticRouter there, or take the change back: new pods then follow by "
        "themselves."
    )
    yield Trouble("NewConfigFails", " ".join(parts))


def _config_maps(names: Mapping[str, str], volumes: list[str]) -> str:
    return "ConfigMap " + " and ".join(names[one] for one in volumes or names if one in names)


def _template(deployment: Manifest | None) -> Manifest:
    return dict(((deployment or {}).get("spec") or {}).get("template") or {})


def _hashes(pod: Manifest) -> dict[str, str]:
    """What a pod or template is said to have started with."""
    annotations = (pod.get("metadata") or {}).get("annotations") or {}
    return {name: annotations[name] for name in CONFIG_VOLUMES.values() if name in annotations}


def _images(pod: Manifest) -> dict[str, str]:
    return {item["name"]: item["image"] for item in (pod.get("spec") or {}).get("containers") or []}


def _claim_troubles(workload: Workload) -> list[Trouble]:
    name = workload.claim_name
    if not name or workload.deployment is None:
        return []
    if workload.claim is None:
        return [Trouble("VolumeClaimNotFound", f"PersistentVolumeClaim {name} does not exist.")]
    claim_phase = status_of(workload.claim).get("phase")
    if claim_phase == "Lost":
        return [Trouble("VolumeLost", f"PersistentVolumeClaim {name} has lost its volume.")]
    if claim_phase == "Bound" or is_rolled_out(workload.deployment):
        return []
    wanted = (workload.claim.get("spec") or {}).get("storageClassName")
    what = f"of StorageClass {wanted}" if wanted else "without a StorageClass"
    message = (
        f"PersistentVolumeClaim {name} ({what}) is not bound. "
        f"kubectl describe pvc {name} says what it waits for."
    )
    return [Trouble("VolumePending", message, failing=False)]


def _deployment_troubles(deployment: Manifest | None) -> list[Trouble]:
    conditions = {item["type"]: item for item in status_of(deployment).get("conditions") or []}
    found = []
    failure = conditions.get("ReplicaFailure", {})
    if failure.get("status") == "True":
        message = f"Pods cannot be created: {failure.get('message', '')}"
        found.append(Trouble("ReplicaFailure", message))
    progress = conditions.get("Progressing", {})
    if progress.get("reason") == "ProgressDeadlineExceeded" and not is_rolled_out(deployment):
        message = f"The rollout made no progress: {progress.get('message', '')}"
        found.append(Trouble("ProgressDeadlineExceeded", message))
    return found


def staying(pods: Iterable[Manifest]) -> list[Manifest]:
    """Those that nobody has deleted.

    One that leaves may take minutes, and what it suffers from says nothing of those that come: a
    change that was taken back and is made again has the pods of the first time beside its own.
    """
    return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]


def is_ready(pod: Manifest) -> bool:
    """It gets requests, and will go on to."""
    said = status_of(pod).get("conditions") or []
    is_said = any(item["type"] == "Ready" and item.get("status") == "True" for item in said)
    return is_said and bool(staying([pod]))


def pod_troubles(pods: Iterable[Manifest]) -> list[Trouble]:
    """What keeps those of these pods that stay from running."""
    found = []
    for pod in staying(pods):
        found += [
            _container_trouble(pod, container)
            for kind in ("initContainerStatuses", "containerStatuses")
            for container in status_of(pod).get(kind) or []
            if _reason(container)
        ]
        found += [
            Trouble("Unschedulable", f"No node takes a pod: {said.get('message', '')}", False)
            for said in status_of(pod).get("conditions") or []
            if said.get("type") == "PodScheduled" and said.get("reason") == "Unschedulable"
        ]
    return found


def _start_troubles(workload: Workload) -> Iterator[Trouble]:
    """Why a node does not come to start a pod, its Events alone say, which are not read here.

    A Secret is not looked at to find out.
    """
    for pod in staying(workload.pods):
        if not _is_not_started(pod, workload.start_since):
            continue
        wanted = [
            f"{each.kind} {each.name} ({each.field})"
            for each in workload.mounted
            if (each.kind, each.name) in set(_mounts(pod))
        ]
        needs = f" It is not started without {', '.join(wanted)}." if wanted else ""
        message = (
            "A node has a pod and has not started it: a volume, the network or an image is not "
            f"there yet.{needs} The Events of kubectl describe pod say which."
        )
        yield Trouble("PodNotStarted", message, failing=False)


def _is_not_started(pod: Manifest, start_since: str) -> bool:
    """Since long. A kubelet tells an address once it has volumes, network and the first image."""
    status = status_of(pod)
    has_node_since = [
        str(item.get("lastTransitionTime") or "")
        for item in status.get("conditions") or []
        if item.get("type") == "PodScheduled" and item.get("status") == "True"
    ]
    if status.get("podIP") or status.get("phase") != "Pending":
        return False
    # Texts of one form, which sort as their times do.
    return any(since and since < start_since for since in has_node_since)


def _mounts(pod: Manifest) -> Iterator[tuple[str, str]]:
    for volume in (pod.get("spec") or {}).get("volumes") or []:
        for source in (volume, *((volume.get("projected") or {}).get("sources") or [])):
            secret, config_map = source.get("secret") or {}, source.get("configMap") or {}
            yield "Secret", str(secret.get("secretName") or secret.get("name") or "")
            yield "ConfigMap", str(config_map.get("name") or "")


def _container_trouble(pod: Manifest, container: Manifest) -> Trouble:
    """In words that stay the same from one restart to the next and from pod to pod.

    A kubelet's message counts back-off seconds and names the pod; quoting it would mean a write
    with every restart.
    """
    reason = _reason(container)
    name = container["name"]
    if reason == "ImagePullBackOff":
        image = _image(pod, name) or container.get("image", "")
        said = f"cannot pull {image}. Check spec.image and spec.imagePullSecrets."
    elif reason == "CreateContainerConfigError":
        said = f"cannot be created: {_waiting(container).get('message', '')}"
    else:
        ended = (container.get("lastState") or {}).get("terminated") or {}
        detail = f" (exit code {ended.get('exitCode')}, {ended.get('reason')})" if ended else ""
        said = f"ends again and again{detail}. kubectl logs --previous -c {name} says why."
    return Trouble(reason, f"Container {name} {said}")


def _reason(container: Manifest) -> str:
    """ "" for a container that nothing is wrong with.

    One that has ended twice and is tried again is no better off than while it waits for that.
    """
    waiting = _WAITING_REASONS.get(str(_waiting(container).get("reason")), "")
    is_tried_again = (
        int(container.get("restartCount") or 0) > 1
        and "terminated" in (container.get("lastState") or {})
        and container.get("started") is False
    )
    return waiting or ("CrashLoopBackOff" if is_tried_again else "")


def _image(pod: Manifest, container_name: str) -> str:
    spec = pod.get("spec") or {}
    containers = [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    return next((str(item["image"]) for item in containers if item["name"] == container_name), "")


def _waiting(container: Manifest) -> Manifest:
    return (container.get("state") or {}).get("waiting") or {}


def config_maps_of(pod: Manifest | None) -> dict[str, str]:
    """Those with the router's and Envoy's files in a pod or template, by volume."""
    volumes = ((pod or {}).get("spec") or {}).get("volumes") or []
    names = {item["name"]: (item.get("configMap") or {}).get("name") for item in volumes}
    return {name: str(names[name]) for name in CONFIG_VOLUMES if names.get(name)}


def rollout(deployment: Manifest) -> str:
    """How far the current template has come."""
    updated = int(status_of(deployment).get("updatedReplicas") or 0)
    return f"{updated} of {wanted_replicas(deployment)} pods updated, " + availability(deployment)


def availability(deployment: Manifest) -> str:
    """How many pods answer."""
    available = int(status_of(deployment).get("availableReplicas") or 0)
    return f"{available} of {wanted_replicas(deployment)} pods available."


def status_of(manifest: Manifest | None) -> dict[str, Any]:
    """``status``; {} when there is none yet."""
    return dict((manifest or {}).get("status") or {})
