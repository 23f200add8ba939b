# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Asks the routers in the pods which configuration they go by.

By plain HTTP to the pod's own address, so by no right at the API server but listing pods, and only
as a pod of the cluster. Who is known to go by what is written is not asked again. Why it is so:
docs/adr/0022-the-active-configuration.md.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from itertools import chain
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import access
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import (
    ApiError,
    Client,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.routes import (
    ACTIVE_CONFIG_PATH,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.live_scaling import (
    wanted_replicas,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.gateway_mode import (
    serves_alone,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.labels import as_selector
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    LABEL_NAMESPACE,
    OPERATOR_POD_LABELS,
    Manifest,
    selector,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.ports import pod_ports
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from ansible_collections.vllm.semantic_router.plugins.module_utils.status import (
    convergence,
    live_workload,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.convergence import (
    Convergence,
    Told,
)

# For all of them together, as long as a run may be held up.
SECONDS = 1.0
# maxItems of status.activeConfig.pods.
MOST_PODS = 100
_AT_ONCE = 16
_MOST_BYTES = 65536
_SHA_256 = re.compile(r"[0-9a-f]{64}")
_NOT_READY = (502, 503, 504)


def operator_namespace() -> str:
    """Where this runs as a pod; "" outside of a cluster."""
    try:
        return (access.SERVICE_ACCOUNT / "namespace").read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def let_in(own: Iterable[Manifest]) -> str:
    """The namespace of the operator for which the live NetworkPolicy is open; "" for none."""
    for rule in chain.from_iterable(
        (item.get("spec") or {}).get("ingress") or []
        for item in own
        if item["kind"] == "NetworkPolicy"
    ):
        for peer in rule.get("from") or []:
            if (peer.get("podSelector") or {}).get("matchLabels") == OPERATOR_POD_LABELS:
                labels = (peer.get("namespaceSelector") or {}).get("matchLabels") or {}
                return str(labels.get(LABEL_NAMESPACE, ""))
    return ""


def look(
    client: Client,
    router: Router,
    deployment: Manifest | None,
    config_map: Manifest | None,
    *,
    is_blind: bool = False,
) -> Convergence | None:
    """What the ready pods say; None where there is nobody to ask, and nothing to ask for."""
    config = ((config_map or {}).get("data") or {}).get("config.yaml")
    if deployment is None or config is None or wanted_replicas(deployment) == 0:
        return None
    desired = hashlib.sha256(config.encode()).hexdigest()
    if not live_workload.is_rolled_out(deployment):
        return Convergence(desired, unasked=convergence.ROLLING_OUT)
    if is_blind:
        return Convergence(desired, unasked="DiscoveryFailed")
    if not operator_namespace():
        return Convergence(desired, unasked=convergence.OUTSIDE)
    # The API of one that serves alone is on 127.0.0.1, and no Envoy leads to it.
    if serves_alone(router.spec) or _has_a_file_of_its_own(router):
        return Convergence(desired, unasked=convergence.NOT_TOLD)
    try:
        path = f"/api/v1/namespaces/{router.namespace}/pods"
        pods = client.list(path, as_selector(selector(router.name)))
    except ApiError:
        return Convergence(desired, unasked=convergence.UNREACHABLE)
    addresses = {
        str(pod["metadata"]["name"]): str(pod["status"]["podIP"])
        for pod in sorted(pods, key=lambda pod: str(pod["metadata"]["name"]))
        if live_workload.is_ready(pod) and live_workload.status_of(pod).get("podIP")
    }
    asked = dict(list(addresses.items())[:MOST_PODS])
    known = _known(router.status, desired)
    answers = _ask_all(
        {pod: address for pod, address in asked.items() if pod not in known},
        pod_ports(router.spec).told,
        desired,
    )
    told = [answers.get(pod) or Told(pod, desired) for pod in asked]
    return Convergence(desired, told, left_out=len(addresses) - len(asked))


def _has_a_file_of_its_own(router: Router) -> bool:
    """By spec.args, of which Go takes the last: what we have written is not meant to be active."""
    names = (
        str(argument).lstrip("-").partition("=")[0] for argument in router.spec.get("args") or []
    )
    return "config" in names


def _known(status: Mapping[str, Any], desired: str) -> set[str]:
    """Pods that have said so before. They cannot go back: what is written is what they read."""
    listed = (status.get("activeConfig") or {}).get("pods") or []
    return {str(item["name"]) for item in listed if item.get("hash") == desired}


def _ask_all(addresses: Mapping[str, str], port: int, desired: str) -> dict[str, Told]:
    if not addresses:
        return {}
    pool = ThreadPoolExecutor(min(_AT_ONCE, len(addresses)))
    asked = {
        pod: pool.submit(_ask, pod, address, port, desired) for pod, address in addresses.items()
    }
    wait(asked.values(), timeout=SECONDS)
    # Not joined: one that answers byte by byte must not hold up the run.
    pool.shutdown(wait=False, cancel_futures=True)
    late = f"it gave no answer within {SECONDS:g} s"
    return {
        pod: future.result()
        if future.done() and not future.cancelled()
        else Told(pod, reason=convergence.UNREACHABLE, why=late)
        for pod, future in asked.items()
    }


def _ask(pod: str, address: str, port: int, desired: str) -> Told:
    connection = http.client.HTTPConnection(address, port, timeout=SECONDS / 2)
    try:
        connection.request("GET", ACTIVE_CONFIG_PATH, headers={"Accept": "application/json"})
        answer = connection.getresponse()
        body = answer.read(_MOST_BYTES)
    except (OSError, http.client.HTTPException) as error:
        # In words that stay the same from look to look; that of an HTTPException may quote it.
        why = f"port {port} is out of the operator's reach ({type(error).__name__})"
        return Told(pod, reason=convergence.UNREACHABLE, why=why)
    finally:
        connection.close()
    if answer.status in _NOT_READY:
        why = f"the router does not answer yet ({answer.status})"
        return Told(pod, reason=convergence.UNREACHABLE, why=why)
    if answer.status != http.client.OK:
        why = f"the router does not say which configuration it goes by ({answer.status})"
        return Told(pod, reason=convergence.NOT_TOLD, why=why)
    return _read(pod, body, desired)


def _read(pod: str, body: bytes, desired: str) -> Told:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        said = None
    if isinstance(said, dict):
        active, of_file = (str(said.get(key) or "") for key in ("active_hash", "hash"))
        if _SHA_256.fullmatch(active):
            return Told(pod, active)
        if _SHA_256.fullmatch(of_file):
            if of_file != desired:
                # Whatever is active was read from this file.
                return Told(pod, of_file)
            why = "the router has the file, and does not say whether it goes by it"
            return Told(pod, reason=convergence.NOT_TOLD, why=why)
    why = "the router's answer has no hash"
    return Told(pod, reason=convergence.NOT_TOLD, why=why)
