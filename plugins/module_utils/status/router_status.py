# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The status of a SemanticRouter, and what makes its phase. Its conditions are ``conditions.py``.

Pure: the clock is an argument, the live objects come in as a Workload (``live_workload.py``).
Reading them and writing the status is ``cluster/status.py``.

Phase: the first line that holds.

==============  ===================================================================================
Paused          somebody asked that nothing be written, see writing.py
Degraded        a blocking problem: the spec is not in effect, the last good objects stay
Pending         no Deployment yet, or no pod available because the volume claim is not bound
Degraded        pods cannot be made or started, the rollout ran out of time, a claim is lost
Progressing     the Deployment is not yet what was asked for
Degraded        all pods run, but a backend is unresolved, something asked for was left out, or a
                Route or HTTPRoute is refused
Progressing     all pods run, but the Route or HTTPRoute is not admitted yet
Running         all pods run and nothing is missing
==============  ===================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils import router_config
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts, discovery
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import gateway_mode, writing
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    ANNOTATION_CONFIG_HASH,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import (
    Problem,
    is_blind,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from ansible_collections.vllm.semantic_router.plugins.module_utils.status import (
    conditions,
    live_workload,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.admission import (
    admission_of,
    openshift_admission,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.conditions import (
    sanitized,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.live_workload import (
    Trouble,
    Workload,
)

PHASE_PENDING = "Pending"
PHASE_PROGRESSING = "Progressing"
PHASE_RUNNING = "Running"
PHASE_DEGRADED = "Degraded"
PHASE_PAUSED = "Paused"
PHASES = (PHASE_PENDING, PHASE_PROGRESSING, PHASE_RUNNING, PHASE_DEGRADED, PHASE_PAUSED)


def build(
    router: Router,
    facts: Facts,
    problems: list[Problem],
    workload: Workload,
    now: str,
    previous: Mapping[str, Any],
    plan: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The whole status.

    now: RFC 3339. previous: the status that is in the cluster. plan: what a dry run found.
    """
    troubles = live_workload.troubles_of(workload)
    deployment_status = live_workload.status_of(workload.deployment)
    built: dict[str, Any] = {
        "phase": phase(router, facts, problems, workload, troubles),
        "replicas": int(deployment_status.get("replicas") or 0),
        "readyReplicas": int(deployment_status.get("readyReplicas") or 0),
        "observedGeneration": router.generation,
        **_written(router, problems, workload, previous),
        **_dry_run(router, problems, previous, plan),
        "gatewayMode": gateway_mode.mode(router.spec),
        **_openshift_features(facts, problems, workload, previous),
        "endpoints": _endpoints(facts, problems, previous),
    }
    built["conditions"] = conditions.build(
        router, facts, problems, workload, troubles, now, previous, built
    )
    return built


def phase(
    router: Router,
    facts: Facts,
    problems: list[Problem],
    workload: Workload,
    troubles: list[Trouble],
) -> str:
    """One word; the table is in the module's docstring."""
    if writing.mode(router) != writing.WRITE:
        return PHASE_PAUSED
    if any(problem.blocking for problem in problems):
        return PHASE_DEGRADED
    if workload.deployment is None or _waits_for_volume(workload, troubles):
        return PHASE_PENDING
    if any(trouble.failing for trouble in troubles):
        return PHASE_DEGRADED
    if not live_workload.is_rolled_out(workload.deployment):
        return PHASE_PROGRESSING
    admission = admission_of(facts, problems, workload)
    if conditions.degrading(problems) or facts.unresolved or (admission and admission.failing):
        return PHASE_DEGRADED
    return PHASE_PROGRESSING if admission and not admission.ready else PHASE_RUNNING


def _waits_for_volume(workload: Workload, troubles: list[Trouble]) -> bool:
    pending = any(trouble.reason == "VolumePending" for trouble in troubles)
    return pending and not live_workload.status_of(workload.deployment).get("availableReplicas")


def _written(
    router: Router, problems: list[Problem], workload: Workload, previous: Mapping[str, Any]
) -> dict[str, Any]:
    """What is in effect: of the last run that wrote, or found everything written."""
    blocked = any(problem.blocking for problem in problems) or is_blind(problems)
    if blocked or writing.mode(router) != writing.WRITE:
        # Of a status from before this field: what it had observed. So 0, "none yet", is said too.
        applied = previous.get("appliedGeneration", previous.get("observedGeneration", 0))
        config = previous.get("config")
        return {"appliedGeneration": applied, **({"config": config} if config else {})}
    template = ((workload.deployment or {}).get("spec") or {}).get("template") or {}
    annotations = (template.get("metadata") or {}).get("annotations") or {}
    config = {
        "contract": router_config.contract(router.spec),
        "schema": router_config.schema_name(router.spec),
        "hash": str(annotations.get(ANNOTATION_CONFIG_HASH, "")),
    }
    return {
        "appliedGeneration": router.generation,
        "config": {name: value for name, value in config.items() if value},
    }


def _dry_run(
    router: Router,
    problems: list[Problem],
    previous: Mapping[str, Any],
    plan: Mapping[str, Any] | None,
) -> dict[str, Any]:
    if not writing.is_dry_run(router):
        return {}
    if is_blind(problems):
        known = previous.get("dryRun")
        return {"dryRun": known} if known else {}
    blocking = [problem for problem in problems if problem.blocking]
    if blocking or not plan:
        found = {"summary": "it would be refused, see condition DryRun", "changes": []}
    else:
        found = {"summary": plan["summary"], "changes": list(plan["changes"])}
    return {"dryRun": {"observedGeneration": router.generation, **found}}


def _openshift_features(
    facts: Facts, problems: list[Problem], workload: Workload, previous: Mapping[str, Any]
) -> dict[str, Any]:
    if is_blind(problems):
        known = previous.get("openshiftFeatures")
        return {"openshiftFeatures": known} if known else {}
    if not facts.is_openshift:
        return {}
    admission = openshift_admission(facts, problems, workload)
    host = {"routeHostname": sanitized(admission.host)} if admission and admission.host else {}
    return {"openshiftFeatures": {"routesEnabled": workload.route is not None, **host}}


def _endpoints(
    facts: Facts, problems: list[Problem], previous: Mapping[str, Any]
) -> list[dict[str, Any]]:
    if is_blind(problems):
        # The next run needs the addresses to stay with its backends.
        return list(previous.get("endpoints") or [])
    return [
        {
            "name": endpoint.name,
            "model": endpoint.model,
            "address": endpoint.address,
            "ready": endpoint.ready,
            "message": sanitized(endpoint.message),
        }
        for endpoint in facts.endpoints
    ]


def messages(facts: Facts, problems: list[Problem], current: Mapping[str, Any]) -> list[str]:
    """Lines for the operator's log: problems, then one line that sums up."""
    return [*(sanitized(str(problem)) for problem in problems), summary(facts, current)]


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
