# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The status of a SemanticRouter, and what makes its phase. Its conditions are ``conditions.py``.

Pure: the clock is an argument, the live objects come in as a Workload (``live_workload.py``).
Reading them and writing the status is ``cluster/status.py``.

Phase: the first line that holds.

==============  ===================================================================================
Paused          somebody asked that nothing be written, see spec/writing.py
Degraded        a blocking problem: the spec is not in effect, the last good objects stay
Pending         no Deployment yet, or no pod available because the volume claim is not bound
Degraded        pods cannot be made or started, the rollout ran out of time, a claim is lost
Progressing     the Deployment is not yet what was asked for, or a pod says that it goes by another
                configuration
Degraded        all pods run, but a backend is unresolved, a model has no route, something asked for
                was left out, or a Route or HTTPRoute is refused
Progressing     all pods run, but the Route or HTTPRoute is not admitted yet
Running         all pods run and nothing is missing
==============  ===================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import (
    Facts,
    discovery,
    verification,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import gateway_mode, writing
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.labels import as_selector
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    ANNOTATION_CONFIG_HASH,
    selector,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.status import (
    conditions,
    convergence,
    live_workload,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.admission import (
    admission_of,
    openshift_admission,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.conditions import (
    sanitized,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.situation import (
    Situation,
)

PHASE_PENDING = "Pending"
PHASE_PROGRESSING = "Progressing"
PHASE_RUNNING = "Running"
PHASE_DEGRADED = "Degraded"
PHASE_PAUSED = "Paused"
PHASES = (PHASE_PENDING, PHASE_PROGRESSING, PHASE_RUNNING, PHASE_DEGRADED, PHASE_PAUSED)


def build(
    situation: Situation,
    now: str,
    previous: Mapping[str, Any],
    plan: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The whole status.

    now: RFC 3339. previous: the status that is in the cluster. plan: what a dry run found.
    """
    deployment_status = live_workload.status_of(situation.workload.deployment)
    built: dict[str, Any] = {
        "phase": phase(situation),
        "replicas": int(deployment_status.get("replicas") or 0),
        "readyReplicas": int(deployment_status.get("readyReplicas") or 0),
        # The scale subresource has it: autoscalers measure these pods.
        "selector": as_selector(selector(situation.router.name)),
        "observedGeneration": situation.router.generation,
        **_written(situation, previous),
        **_dry_run(situation, previous, plan),
        "gatewayMode": gateway_mode.mode(situation.router.spec),
        **_active_config(situation),
        **_openshift_features(situation, previous),
        "endpoints": _endpoints(situation, previous),
    }
    built["conditions"] = conditions.build(situation, now, previous, built)
    return built


def phase(situation: Situation) -> str:
    """One word; the table is in the module's docstring."""
    if not situation.may_write:
        return PHASE_PAUSED
    if situation.blocking:
        return PHASE_DEGRADED
    if situation.workload.deployment is None or _waits_for_volume(situation):
        return PHASE_PENDING
    if any(trouble.failing for trouble in situation.troubles):
        return PHASE_DEGRADED
    if not situation.is_rolled_out or situation.is_overtaken:
        return PHASE_PROGRESSING
    admission = admission_of(situation)
    is_refused = admission is not None and admission.failing
    lacks_backends = situation.facts.unresolved or situation.without_route
    if conditions.degrading(situation.problems) or lacks_backends or is_refused:
        return PHASE_DEGRADED
    return PHASE_PROGRESSING if admission and not admission.ready else PHASE_RUNNING


def _waits_for_volume(situation: Situation) -> bool:
    found = live_workload.status_of(situation.workload.deployment)
    is_pending = any(trouble.reason == "VolumePending" for trouble in situation.troubles)
    return is_pending and not found.get("availableReplicas")


def _written(situation: Situation, previous: Mapping[str, Any]) -> dict[str, Any]:
    """What is in effect: what the last run wrote, or found written."""
    router = situation.router
    if situation.blocking or situation.is_blind or not situation.may_write:
        # A status from before this field says what it had observed, and so 0, "none", is said too.
        applied = previous.get("appliedGeneration", previous.get("observedGeneration", 0))
        config = previous.get("config")
        return {"appliedGeneration": applied, **({"config": config} if config else {})}
    # Only here, as in conditions.py: who shows a status, and makes none, need not wait for it.
    from ansible_collections.vllm.semantic_router.plugins.module_utils import router_config

    template = ((situation.workload.deployment or {}).get("spec") or {}).get("template") or {}
    annotations = (template.get("metadata") or {}).get("annotations") or {}
    config = {
        "contract": router_config.contract(router.spec),
        "assumed": router_config.assumption(router.spec),
        "schema": router_config.schema_name(router.spec),
        "hash": str(annotations.get(ANNOTATION_CONFIG_HASH, "")),
        "lastGood": _last_good(situation),
    }
    return {
        "appliedGeneration": router.generation,
        "config": {name: value for name, value in config.items() if value},
    }


def _last_good(situation: Situation) -> list[str]:
    """ConfigMaps of the pods that go on serving while others replace them."""
    found = (
        live_workload.config_maps_of(pod).values()
        for pod in live_workload.last_good(situation.workload)
    )
    return sorted({name for names in found for name in names})


def _active_config(situation: Situation) -> dict[str, Any]:
    found = situation.convergence
    return {"activeConfig": convergence.as_status(found)} if found else {}


def _dry_run(
    situation: Situation, previous: Mapping[str, Any], plan: Mapping[str, Any] | None
) -> dict[str, Any]:
    if not writing.is_dry_run(situation.router):
        return {}
    if situation.is_blind:
        known = previous.get("dryRun")
        return {"dryRun": known} if known else {}
    if situation.blocking or not plan:
        found = {"summary": "it would be refused, see condition DryRun", "changes": []}
    else:
        found = {"summary": plan["summary"], "changes": list(plan["changes"])}
    return {"dryRun": {"observedGeneration": situation.router.generation, **found}}


def _openshift_features(situation: Situation, previous: Mapping[str, Any]) -> dict[str, Any]:
    if situation.is_blind:
        known = previous.get("openshiftFeatures")
        return {"openshiftFeatures": known} if known else {}
    if not situation.facts.is_openshift:
        return {}
    admission = openshift_admission(situation)
    host = {"routeHostname": sanitized(admission.host)} if admission and admission.host else {}
    return {"openshiftFeatures": {"routesEnabled": situation.workload.route is not None, **host}}


def _endpoints(situation: Situation, previous: Mapping[str, Any]) -> list[dict[str, Any]]:
    if situation.is_blind:
        # The next run needs the addresses to stay with its backends.
        return list(previous.get("endpoints") or [])
    found = verification.by_endpoint(situation.router, situation.facts)
    unverified = {name for name, wanted in found.items() if wanted.is_skipped}
    return [
        {
            "name": endpoint.name,
            "model": endpoint.model,
            "address": endpoint.address,
            **({"url": endpoint.url} if endpoint.url else {}),
            "ready": endpoint.ready,
            "message": sanitized("; ".join(filter(None, (endpoint.message, endpoint.remark)))),
            **({"insecureSkipVerify": True} if endpoint.name in unverified else {}),
        }
        for endpoint in situation.facts.endpoints
    ]


def messages(situation: Situation, current: Mapping[str, Any]) -> list[str]:
    """Lines for the operator's log: problems, then one line that sums up."""
    told = [sanitized(str(problem)) for problem in situation.problems]
    return [*told, summary(situation.facts, current)]


def summary(facts: Facts, current: Mapping[str, Any]) -> str:
    """One line without any text from the SemanticRouter: it becomes a task's name.

    The stock engine logs the names of tasks and nothing of their results, so the words that users
    look for in the log are in it.
    """
    resolved = sum(1 for endpoint in facts.endpoints if endpoint.ready)
    found = {item["type"]: item for item in current["conditions"]}
    counts = (
        f"{current['phase']} ({found[conditions.READY]['reason']}), "
        f"{current['readyReplicas']} of {current['replicas']} replicas ready, "
        f"{resolved} of {len(facts.endpoints)} backends resolved"
    )
    failures = [
        f"{discovery.FAILED_MESSAGE} spec.vllmEndpoints[{number}]: {endpoint.reason}"
        for number, endpoint in enumerate(facts.endpoints)
        if not endpoint.ready
    ]
    if found[conditions.BACKENDS_RESOLVED]["reason"] in ("NoBackends", "NoBackendsResolved"):
        failures.append(discovery.NO_BACKENDS_MESSAGE)
    return "; ".join([counts, *failures])
