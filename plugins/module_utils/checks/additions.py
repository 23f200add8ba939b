# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Does what users add to the pod (containers, volumes, labels, spreading) fit what is there?"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from ansible_collections.vllm.semantic_router.plugins.module_utils.checks.finding import (
    Problems,
    Spec,
    duplicates,
    label_problems,
    object_name_problems,
    source_problems,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.containers import (
    ENVOY,
    ROUTER,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.volumes import (
    own_mount_paths,
    own_volumes,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.workload import (
    volume_binds_to_node,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.dns_name import is_subdomain
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.ports import extra_ports
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import invalid
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.wants import existing_claim

_ENV_FROM = ("configMapRef", "secretRef")
_BOTH = ("maxSurge", "maxUnavailable")
_HOSTNAME = "kubernetes.io/hostname"


def _labels(spec: Spec) -> Problems:
    for name in ("podLabels", "commonLabels"):
        yield from label_problems(spec.get(name) or {}, f"spec.{name}")


def _env_from(spec: Spec) -> Problems:
    for index, source in enumerate(spec.get("envFrom") or []):
        path = f"spec.envFrom[{index}]"
        given = [name for name in _ENV_FROM if source.get(name) is not None]
        yield from source_problems(given, path, f"Give one of {', '.join(_ENV_FROM)}")
        if len(given) == 1 and not source[given[0]].get("name"):
            yield invalid(f"{path}.{given[0]}.name", "it is missing", "Name the object")


def _init_containers(spec: Spec) -> Problems:
    entries = spec.get("initContainers") or []
    yield from duplicates(entries, "spec.initContainers")
    others = {ROUTER, ENVOY, *(item["name"] for item in spec.get("extraContainers") or [])}
    for index, container in enumerate(entries):
        if container["name"] in others:
            found = f'another container of the pod is called "{container["name"]}"'
            yield invalid(f"spec.initContainers[{index}].name", found, "Choose another name")


def _containers(spec: Spec) -> Problems:
    entries = spec.get("extraContainers") or []
    yield from duplicates(entries, "spec.extraContainers")
    for index, container in enumerate(entries):
        if not container.get("image"):
            path = f"spec.extraContainers[{index}].image"
            yield invalid(path, "it is missing", "Give the container's image")


def _container_ports(spec: Spec) -> Problems:
    """The containers of a pod share its addresses; of our ports, only the user's cannot move."""
    service = spec["service"]
    chosen = {service[name]["targetPort"]: name for name in ("api", "grpc", "metrics")}
    for index, place, port in extra_ports(spec):
        if port in chosen:
            field = f"spec.service.{chosen[port]}.targetPort"
            yield invalid(
                f"spec.extraContainers[{index}].ports[{place}].containerPort",
                f"{port} is {field} too, and containers of a pod share its ports",
                f"Let this container listen on another port, or change {field}",
            )


def _volumes(spec: Spec) -> Problems:
    entries = spec.get("extraVolumes") or []
    yield from duplicates(entries, "spec.extraVolumes")
    taken = own_volumes(spec)
    for index, volume in enumerate(entries):
        path = f"spec.extraVolumes[{index}]"
        if volume["name"] in taken:
            found = f'"{volume["name"]}" is the operator\'s own volume'
            yield invalid(f"{path}.name", found, "Choose another name")
        given = [name for name, value in volume.items() if name != "name" and value is not None]
        yield from source_problems(given, path, "Give one source, e.g. secret or configMap")


def _mounts(spec: Spec) -> Problems:
    names = {volume["name"] for volume in spec.get("extraVolumes") or []} | own_volumes(spec)
    paths = own_mount_paths(spec)
    for index, mount in enumerate(spec.get("extraVolumeMounts") or []):
        path = f"spec.extraVolumeMounts[{index}]"
        if mount["name"] not in names:
            found = f'there is no volume "{mount["name"]}"'
            yield invalid(f"{path}.name", found, "Add it to spec.extraVolumes")
        place = mount["mountPath"].rstrip("/") or "/"
        if place in paths:
            yield invalid(
                f"{path}.mountPath",
                f"{place} is taken by the operator or an earlier mount",
                "Choose another directory",
            )
        paths.add(place)


def _priority(spec: Spec) -> Problems:
    name = spec.get("priorityClassName")
    yield from object_name_problems(name, "spec.priorityClassName", "a PriorityClass", is_subdomain)


def _runtime_class(spec: Spec) -> Problems:
    name = spec.get("runtimeClassName")
    yield from object_name_problems(name, "spec.runtimeClassName", "a RuntimeClass", is_subdomain)


def _names(spec: Spec) -> Problems:
    for index, alias in enumerate(spec.get("hostAliases") or []):
        yield from _address(alias["ip"], f"spec.hostAliases[{index}].ip")
    servers = (spec.get("dnsConfig") or {}).get("nameservers") or []
    for index, text in enumerate(servers):
        yield from _address(text, f"spec.dnsConfig.nameservers[{index}]")
    if spec.get("dnsPolicy") == "None" and not servers:
        found = "the pods would ask nobody: spec.dnsConfig.nameservers is empty"
        yield invalid("spec.dnsPolicy", found, "Name a server there, or choose ClusterFirst")


def _address(text: str, path: str) -> Problems:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        yield invalid(path, f'"{text}" is no address', "Give one such as 10.0.0.10")


def _rolling_update(spec: Spec) -> Problems:
    wanted = spec.get("rollingUpdate") or {}
    if wanted and all(str(wanted.get(name, "")) in ("0", "0%") for name in _BOTH):
        found = "with maxSurge and maxUnavailable 0 no pod could ever be replaced"
        yield invalid("spec.rollingUpdate", found, "Raise one of them")


def _spread(spec: Spec) -> Problems:
    """Pods that are kept on the node of their volume cannot be spread over nodes."""
    scaling = spec["autoscaling"]
    pods = scaling["maxReplicas"] if scaling["enabled"] else spec["replicas"]
    # What a claim of the user's can do, its own access modes say, not the spec.
    is_bound = volume_binds_to_node(spec) and not existing_claim(spec)
    stay_together = is_bound and spec.get("affinity") is None
    for index, one in enumerate(spec.get("topologySpreadConstraints") or []):
        path = f"spec.topologySpreadConstraints[{index}]"
        if one["maxSkew"] < 1:
            yield invalid(f"{path}.maxSkew", f"it is {one['maxSkew']}", "Give at least 1")
        must = one["whenUnsatisfiable"] == "DoNotSchedule" and one["topologyKey"] == _HOSTNAME
        if must and stay_together and pods > one["maxSkew"]:
            yield invalid(
                path,
                "it spreads the pods over nodes, but all of them share one volume that binds them "
                f"to one node (spec.persistence.accessMode {spec['persistence']['accessMode']})",
                "Set spec.persistence.accessMode to ReadWriteMany or spec.persistence.enabled to "
                "false",
            )


RULES: tuple[Callable[[Spec], Problems], ...] = (
    _labels,
    _env_from,
    _init_containers,
    _containers,
    _container_ports,
    _volumes,
    _mounts,
    _priority,
    _runtime_class,
    _names,
    _rolling_update,
    _spread,
)
