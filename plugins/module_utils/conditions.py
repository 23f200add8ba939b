# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The status of a SemanticRouter: every condition type, and what makes a phase.

Pure: the clock is an argument, the live objects come in as a Workload
(``live_workload.py``). Reading them and writing the status is ``cluster/status.py``.

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

Conditions, on purpose:

- **Ready** is about this generation: rolled out, no blocking problem, and at least one backend
  resolved. Some unresolved backends leave it True, because the other models are served.
- **Available** is about who answers now: the Deployment's own word, also while a bad edit waits.
- **BackendsResolved** without any entry in spec.vllmEndpoints is False (NoBackends), which is a
  fact and not a fault: the router's own API works without, so Ready and Degraded do not care.
- **ConfigValid** is False for what only an edit of the SemanticRouter can cure. A field that is
  ignored because no router of this contract reads it leaves it True (FieldsIgnored) and names it;
  so does a password in plain text (PlainTextCredential), which is in effect.
- **RouteReady** is there only when a Route is asked for, OpenShift's or an HTTPRoute of a Gateway:
  whether requests reach the Service through it. Ready does not care: clients inside the cluster
  are served.
- **Paused** and **DryRun** are there only while their annotation is set. The others go on to say
  what the cluster shows; Ready is False for a generation that has not been written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils import (
    discovery,
    gateway_mode,
    gateways,
    live_gateway_policy,
    live_http_route,
    live_route,
    live_workload,
    router_config,
    writing,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint, Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.live_route import Admission
from ansible_collections.vllm.semantic_router.plugins.module_utils.live_workload import (
    Trouble,
    Workload,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.metadata import (
    ANNOTATION_CONFIG_HASH,
    ANNOTATION_DRY_RUN,
    ANNOTATION_PAUSED,
    ANNOTATION_REPLICAS_SET_ASIDE,
    Manifest,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.problem import Problem
from ansible_collections.vllm.semantic_router.plugins.module_utils.reasons import (
    REASONS,
    backend_problem,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.router import Router

READY = "Ready"
AVAILABLE = "Available"
PROGRESSING = "Progressing"
DEGRADED = "Degraded"
BACKENDS_RESOLVED = "BackendsResolved"
CONFIG_VALID = "ConfigValid"
ROUTE_READY = "RouteReady"
PAUSED = "Paused"
DRY_RUN = "DryRun"
CONDITION_TYPES = (
    READY,
    AVAILABLE,
    PROGRESSING,
    DEGRADED,
    BACKENDS_RESOLVED,
    CONFIG_VALID,
    ROUTE_READY,
    PAUSED,
    DRY_RUN,
)

PHASE_PENDING = "Pending"
PHASE_PROGRESSING = "Progressing"
PHASE_RUNNING = "Running"
PHASE_DEGRADED = "Degraded"
PHASE_PAUSED = "Paused"
PHASES = (PHASE_PENDING, PHASE_PROGRESSING, PHASE_RUNNING, PHASE_DEGRADED, PHASE_PAUSED)

TRUE, FALSE, UNKNOWN = "True", "False", "Unknown"

_REASON = re.compile(r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")
MESSAGE_LIMIT = 32768
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")

REQUEUE_RETRY = "15s"
REQUEUE_PROGRESSING = "30s"
REQUEUE_UNTOLD = "1m"
REQUEUE_SETTLED = "10m"

_GOOD = {
    READY: TRUE,
    AVAILABLE: TRUE,
    PROGRESSING: FALSE,
    DEGRADED: FALSE,
    BACKENDS_RESOLVED: TRUE,
    CONFIG_VALID: TRUE,
    ROUTE_READY: TRUE,
    PAUSED: FALSE,
    DRY_RUN: FALSE,
}

# What a condition that is as one hopes has to say all the same.
_WARNINGS = ("PlainTextCredential", "InvalidAnnotation", "FieldsIgnored")

_NO_MISTAKES = (
    "FeatureNotAvailable",
    "ManagementApiExposed",
    # Understood and in effect, but not to the end that it is meant for.
    "AutoscalerBlind",
    "DrainBlocked",
)

Condition = dict[str, Any]


def status(
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
    conditions = [
        _in_effect(router, built, _ready(facts, problems, workload, troubles)),
        _available(router, workload),
        _progressing(problems, workload, troubles),
        _degraded(facts, problems, workload, troubles),
        _backends_resolved(router, facts, problems),
        _config_valid(problems),
        *_route_ready(facts, problems, workload),
        *_paused(router),
        *_planned(problems, built),
    ]
    known = {item.get("type"): item for item in previous.get("conditions") or []}
    built["conditions"] = [
        _finished(item, router.generation, now, known.get(item["type"])) for item in conditions
    ]
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
    admission = _admission(facts, problems, workload)
    if _degrading(problems) or _unresolved(facts) or (admission and admission.failing):
        return PHASE_DEGRADED
    return PHASE_PROGRESSING if admission and not admission.ready else PHASE_RUNNING


def requeue_after(
    facts: Facts,
    problems: list[Problem],
    workload: Workload,
    writes: bool = True,
    is_told_of_status: bool = True,
) -> str:
    """When to look again, as a Go duration. What waiting may cure is looked at soon.

    Changes of the router's own objects wake the operator by themselves; backends and StorageClasses
    do not, and the long period catches those that change without anything being wrong yet.

    is_told_of_status: False where nothing wakes the operator when only values in a child's status
    change. It hears of a Deployment that loses its pods all the same, as fields come and go then;
    another verdict on an HTTPRoute or a Route is another value of the same fields.
    """
    if any(problem.retry for problem in problems) or _unresolved(facts):
        return REQUEUE_RETRY
    # What nobody is going to write, nobody needs to wait for.
    expected = writes or workload.deployment is not None
    blocked = any(problem.blocking for problem in problems) or not expected
    if not blocked and not live_workload.is_rolled_out(workload.deployment):
        return REQUEUE_PROGRESSING
    is_judged = facts.is_openshift or workload.gateway
    admission = _admission(facts, problems, workload) if is_judged else None
    if admission is None:
        return REQUEUE_SETTLED
    if not admission.ready:
        return REQUEUE_PROGRESSING
    return REQUEUE_SETTLED if is_told_of_status else REQUEUE_UNTOLD


def transitions(previous: Mapping[str, Any], current: Mapping[str, Any]) -> list[Condition]:
    """The conditions worth an Event: those that flipped, those that are bad for another reason than
    before, new warnings and new plans; of a new object, what is wrong or Ready.

    One mistake flips several conditions for one reason: the most specific one speaks.
    """
    before = {item.get("type"): item for item in previous.get("conditions") or []}
    warned = {item.get("reason") for item in previous.get("conditions") or []}
    by_type = {item["type"]: item for item in current["conditions"]}
    told = {item["reason"]: item for item in _switched(previous, by_type)}
    order = (CONFIG_VALID, BACKENDS_RESOLVED, DEGRADED, READY, ROUTE_READY, AVAILABLE, PROGRESSING)
    for name in order:
        condition = by_type.get(name)
        if condition is None:
            continue
        if name in before:
            worth = _is_another(before[name], condition)
        else:
            worth = condition["status"] == (TRUE if name in (READY, DEGRADED) else FALSE)
            worth = worth and name not in (AVAILABLE, PROGRESSING, ROUTE_READY)
        if worth or (condition["reason"] in _WARNINGS and condition["reason"] not in warned):
            told.setdefault(condition["reason"], condition)
    return list(told.values())


def _is_another(before: Mapping[str, Any], now: Condition) -> bool:
    if before.get("status") != now["status"]:
        return True
    # The others go from one step of waiting to the next.
    is_trouble = now["type"] in (CONFIG_VALID, BACKENDS_RESOLVED, DEGRADED)
    return is_trouble and not is_good(now) and before.get("reason") != now["reason"]


def _switched(previous: Mapping[str, Any], current: Mapping[str, Condition]) -> list[Condition]:
    """Pausing, resuming, and each dry run that found something else than the one before."""
    before = {item.get("type"): item for item in previous.get("conditions") or []}
    told = []
    if PAUSED in current and PAUSED not in before:
        told.append(current[PAUSED])
    if PAUSED in before and PAUSED not in current:
        told.append(_condition(PAUSED, FALSE, "Resumed", REASONS["Resumed"]))
    planned = current.get(DRY_RUN)
    if planned and planned["message"] != before.get(DRY_RUN, {}).get("message"):
        told.append(planned)
    return told


def is_good(condition: Mapping[str, Any]) -> bool:
    """The condition has the value one hopes for."""
    hoped_for = _GOOD[str(condition["type"])] == str(condition["status"])
    return hoped_for and condition["reason"] not in _WARNINGS


def is_news(condition: Mapping[str, Any]) -> bool:
    """Neither good nor bad: somebody asked for it, or a rollout begins."""
    asked = condition["type"] in (PAUSED, DRY_RUN) and condition["reason"] != "DryRunRefused"
    return asked or bool(condition["type"] == PROGRESSING)


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
        f"{current['phase']} ({found[READY]['reason']}), "
        f"{current['readyReplicas']} of {current['replicas']} replicas ready, "
        f"{resolved} of {len(facts.endpoints)} backends resolved"
    )
    failures = [
        f"{discovery.FAILED_MESSAGE} spec.vllmEndpoints[{number}]: {endpoint.reason}"
        for number, endpoint in enumerate(facts.endpoints)
        if not endpoint.ready
    ]
    if found[BACKENDS_RESOLVED]["reason"] in ("NoBackends", "NoBackendsResolved"):
        failures.append(discovery.NO_BACKENDS_MESSAGE)
    return "; ".join([counts, *failures])


def sanitized(text: str, limit: int = MESSAGE_LIMIT) -> str:
    """One line of printable text, no longer than the API server takes."""
    line = _CONTROL.sub(" ", text).strip()
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _ready(
    facts: Facts, problems: list[Problem], workload: Workload, troubles: list[Trouble]
) -> Condition:
    blocking = [problem for problem in problems if problem.blocking]
    if blocking:
        return _condition(READY, FALSE, blocking[0].reason, _joined(blocking))
    if workload.deployment is None:
        return _condition(READY, FALSE, "DeploymentMissing", "The Deployment does not exist yet.")
    if troubles and not live_workload.is_rolled_out(workload.deployment):
        return _condition(READY, FALSE, troubles[0].reason, _said(troubles))
    if not live_workload.is_rolled_out(workload.deployment):
        return _condition(
            READY, FALSE, "RolloutInProgress", live_workload.rollout(workload.deployment)
        )
    if facts.endpoints and len(_unresolved(facts)) == len(facts.endpoints):
        return _condition(READY, FALSE, "NoBackendsResolved", _explained(facts))
    if live_workload.wanted_replicas(workload.deployment) == 0:
        return _condition(READY, TRUE, "ScaledToZero", REASONS["ScaledToZero"])
    return _condition(READY, TRUE, "RouterReady", live_workload.rollout(workload.deployment))


def _in_effect(router: Router, built: Mapping[str, Any], ready: Condition) -> Condition:
    """Ready, unless this generation waits for somebody to let the operator write."""
    waits = writing.mode(router) != writing.WRITE
    applied = built.get("appliedGeneration")
    if not waits or ready["status"] != TRUE or applied == router.generation:
        return ready
    ran = f"generation {applied} runs" if applied else "no generation was ever written"
    message = f"Generation {router.generation} is not in effect, {ran}: nothing is written. "
    return _condition(READY, FALSE, _why_paused(router), message + _resume(router))


def _why_paused(router: Router) -> str:
    return "Paused" if writing.is_paused(router) else "DryRun"


def _resume(router: Router) -> str:
    set_ones = [
        name
        for name, is_set in (
            (ANNOTATION_PAUSED, writing.is_paused(router)),
            (ANNOTATION_DRY_RUN, writing.is_dry_run(router)),
        )
        if is_set
    ]
    return f"To go on, remove the annotation {' and '.join(set_ones)}."


def _paused(router: Router) -> list[Condition]:
    if writing.mode(router) == writing.WRITE:
        return []
    reason = _why_paused(router)
    return [_condition(PAUSED, TRUE, reason, f"{REASONS[reason]} {_resume(router)}")]


def _planned(problems: list[Problem], built: Mapping[str, Any]) -> list[Condition]:
    """The dry run in words; [] when there is none, or nothing could be read."""
    planned = built.get("dryRun")
    if not planned:
        return []
    blocking = [problem for problem in problems if problem.blocking]
    if blocking:
        return [_condition(DRY_RUN, TRUE, "DryRunRefused", _joined(blocking))]
    reason = "DryRunChanges" if planned["changes"] else "DryRunNoChanges"
    objects = [_change_in_words(item) for item in planned["changes"]]
    told = f"Generation {planned['observedGeneration']}: {planned['summary']}. "
    return [_condition(DRY_RUN, TRUE, reason, told + " ".join(objects))]


def _change_in_words(change: Mapping[str, Any]) -> str:
    fields = f" ({', '.join(change['fields'])})" if change.get("fields") else ""
    return f"{change['action']} {change['kind']} {change['name']}{fields}."


def _available(router: Router, workload: Workload) -> Condition:
    deployment = workload.deployment
    if deployment is None:
        return _condition(
            AVAILABLE, FALSE, "DeploymentMissing", "The Deployment does not exist yet."
        )
    if live_workload.wanted_replicas(deployment) == 0:
        return _condition(AVAILABLE, FALSE, "ScaledToZero", REASONS["ScaledToZero"])
    conditions = live_workload.status_of(deployment).get("conditions") or []
    available = any(item["type"] == "Available" and item["status"] == TRUE for item in conditions)
    if available:
        return _condition(
            AVAILABLE,
            TRUE,
            "MinimumReplicasAvailable",
            live_workload.availability(deployment) + _kept(router, deployment),
        )
    return _condition(
        AVAILABLE, FALSE, "MinimumReplicasUnavailable", live_workload.availability(deployment)
    )


def _kept(router: Router, deployment: Manifest) -> str:
    annotations = deployment["metadata"].get("annotations") or {}
    left = annotations.get(ANNOTATION_REPLICAS_SET_ASIDE)
    if router.spec["autoscaling"]["enabled"] or left != str(router.spec["replicas"]):
        return ""
    return f" Autoscaling left this number; spec.replicas ({left}) applies when it is next changed."


def _progressing(problems: list[Problem], workload: Workload, troubles: list[Trouble]) -> Condition:
    if live_workload.is_rolled_out(workload.deployment) and workload.deployment is not None:
        return _condition(
            PROGRESSING, FALSE, "RolloutComplete", live_workload.rollout(workload.deployment)
        )
    failing = [trouble for trouble in troubles if trouble.failing]
    if failing:
        return _condition(PROGRESSING, FALSE, failing[0].reason, _said(failing))
    if workload.deployment is not None:
        return _condition(
            PROGRESSING, TRUE, "RolloutInProgress", live_workload.rollout(workload.deployment)
        )
    blocking = [problem for problem in problems if problem.blocking]
    if blocking:
        return _condition(PROGRESSING, FALSE, blocking[0].reason, "Nothing is created until then.")
    return _condition(PROGRESSING, TRUE, "DeploymentMissing", "The Deployment does not exist yet.")


def _degraded(
    facts: Facts, problems: list[Problem], workload: Workload, troubles: list[Trouble]
) -> Condition:
    failing = [trouble for trouble in troubles if trouble.failing]
    unresolved = _unresolved(facts)
    ordered = sorted(_degrading(problems), key=lambda problem: not problem.blocking)
    causes = [
        *((problem.reason, str(problem)) for problem in ordered),
        *((trouble.reason, trouble.message) for trouble in failing),
    ]
    if unresolved:
        causes.append((_unresolved_reason(facts), _explained(facts)))
    admission = _admission(facts, problems, workload)
    if admission and admission.failing and admission.reason not in dict(causes):
        causes.append((admission.reason, admission.message))
    if not causes:
        return _condition(DEGRADED, FALSE, "AsExpected", REASONS["AsExpected"])
    return _condition(DEGRADED, TRUE, causes[0][0], " ".join(message for _, message in causes))


def _backends_resolved(router: Router, facts: Facts, problems: list[Problem]) -> Condition:
    if _is_blind(problems):
        return _condition(BACKENDS_RESOLVED, UNKNOWN, "DiscoveryFailed", REASONS["DiscoveryFailed"])
    if not facts.endpoints:
        if (router.spec.get("config") or {}).get("providers"):
            return _condition(
                BACKENDS_RESOLVED, TRUE, "BackendsInConfig", REASONS["BackendsInConfig"]
            )
        message = f"{discovery.NO_BACKENDS_MESSAGE}: spec.vllmEndpoints is empty."
        return _condition(BACKENDS_RESOLVED, FALSE, "NoBackends", message)
    unresolved = _unresolved(facts)
    if unresolved:
        return _condition(BACKENDS_RESOLVED, FALSE, _unresolved_reason(facts), _explained(facts))
    remarks = [f"{item.name}: {item.message}." for item in facts.endpoints if item.message]
    message = " ".join([f"{len(facts.endpoints)} of {len(facts.endpoints)} resolved.", *remarks])
    return _condition(BACKENDS_RESOLVED, TRUE, "AllBackendsResolved", message)


def _config_valid(problems: list[Problem]) -> Condition:
    if _is_blind(problems):
        return _condition(CONFIG_VALID, UNKNOWN, "DiscoveryFailed", REASONS["DiscoveryFailed"])
    mistakes = [problem for problem in problems if _is_mistake(problem)]
    blocking = [problem for problem in mistakes if problem.blocking]
    if blocking:
        return _condition(CONFIG_VALID, FALSE, blocking[0].reason, _joined(mistakes))
    if mistakes:
        found = {problem.reason for problem in mistakes}
        reason = next((item for item in _WARNINGS if item in found), "FieldsIgnored")
        return _condition(CONFIG_VALID, TRUE, reason, _joined(mistakes))
    return _condition(CONFIG_VALID, TRUE, "ConfigAccepted", REASONS["ConfigAccepted"])


def _is_mistake(problem: Problem) -> bool:
    """Only an edit of the SemanticRouter cures it.

    A feature that this version lacks, or leaves out for safety, is no mistake of the user's:
    Degraded says it.
    """
    return bool(problem.field) and not problem.retry and problem.reason not in _NO_MISTAKES


def _degrading(problems: list[Problem]) -> list[Problem]:
    """Without the fields that nothing reads: what runs is all that can run, ConfigValid says so."""
    return [problem for problem in problems if problem.blocking or not _is_mistake(problem)]


def _route_ready(facts: Facts, problems: list[Problem], workload: Workload) -> list[Condition]:
    """[] when no Route is asked for."""
    if (workload.route_name or workload.gateway) and _is_blind(problems):
        return [_condition(ROUTE_READY, UNKNOWN, "DiscoveryFailed", REASONS["DiscoveryFailed"])]
    admission = _admission(facts, problems, workload)
    if admission is None:
        return []
    value = TRUE if admission.ready else FALSE
    return [_condition(ROUTE_READY, value, admission.reason, admission.message)]


def _admission(facts: Facts, problems: list[Problem], workload: Workload) -> Admission | None:
    """The worse of the two; None when no Route is asked for, or nothing is known."""
    verdicts = [
        verdict
        for verdict in (
            _gateway_admission(problems, workload),
            _openshift_admission(facts, problems, workload),
        )
        if verdict
    ]
    return min(verdicts, key=lambda verdict: (verdict.ready, not verdict.failing), default=None)


def _gateway_admission(problems: list[Problem], workload: Workload) -> Admission | None:
    if not workload.gateway or _is_blind(problems):
        return None
    missing = [problem for problem in problems if problem.reason in gateways.REASONS]
    if missing:
        return Admission(missing[0].reason, _joined(missing), failing=True)
    admission = live_http_route.admission_of(
        workload.http_route_names, workload.http_routes, workload.gateway
    )
    if not admission.ready:
        return admission
    has_pods = bool(live_workload.status_of(workload.deployment).get("readyReplicas"))
    return (
        live_gateway_policy.admission_of(
            workload.policy_kinds, workload.policies, workload.gateway, has_pods
        )
        or admission
    )


def _openshift_admission(
    facts: Facts, problems: list[Problem], workload: Workload
) -> Admission | None:
    if not workload.route_name or _is_blind(problems):
        return None
    if not facts.is_openshift:
        return Admission("RouteApiMissing", str(discovery.ROUTE_API_MISSING), failing=True)
    return live_route.admission_of(workload.route_name, workload.route)


def _condition(name: str, value: str, reason: str, message: str) -> Condition:
    return {
        "type": name,
        "status": value,
        "reason": reason if _REASON.match(reason) else "InvalidSpec",
        "message": sanitized(message),
    }


def _finished(
    condition: Condition, generation: int, now: str, before: Mapping[str, Any] | None
) -> Condition:
    same = before is not None and before.get("status") == condition["status"]
    since = before.get("lastTransitionTime") if same and before else None
    return {**condition, "observedGeneration": generation, "lastTransitionTime": since or now}


def _is_blind(problems: list[Problem]) -> bool:
    """The cluster could not be read, so the facts are empty and say nothing."""
    return any(problem.reason == "DiscoveryFailed" for problem in problems)


def _written(
    router: Router, problems: list[Problem], workload: Workload, previous: Mapping[str, Any]
) -> dict[str, Any]:
    """What is in effect: of the last run that wrote, or found everything written."""
    blocked = any(problem.blocking for problem in problems) or _is_blind(problems)
    if blocked or writing.mode(router) != writing.WRITE:
        # Of a status from before this field: what it had observed.
        observed = previous.get("appliedGeneration", previous.get("observedGeneration"))
        kept = {"appliedGeneration": observed, "config": previous.get("config")}
        return {name: value for name, value in kept.items() if value}
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
    if _is_blind(problems):
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
    if _is_blind(problems):
        known = previous.get("openshiftFeatures")
        return {"openshiftFeatures": known} if known else {}
    if not facts.is_openshift:
        return {}
    admission = _openshift_admission(facts, problems, workload)
    host = {"routeHostname": sanitized(admission.host)} if admission and admission.host else {}
    return {"openshiftFeatures": {"routesEnabled": workload.route is not None, **host}}


def _endpoints(
    facts: Facts, problems: list[Problem], previous: Mapping[str, Any]
) -> list[dict[str, Any]]:
    if _is_blind(problems):
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


def _unresolved(facts: Facts) -> list[Endpoint]:
    return [endpoint for endpoint in facts.endpoints if not endpoint.ready]


def _unresolved_reason(facts: Facts) -> str:
    everything = len(_unresolved(facts)) == len(facts.endpoints)
    return "NoBackendsResolved" if everything else "SomeBackendsUnresolved"


def _explained(facts: Facts) -> str:
    return " ".join(
        _why_unresolved(number, endpoint)
        for number, endpoint in enumerate(facts.endpoints)
        if not endpoint.ready
    )


def _why_unresolved(number: int, endpoint: Endpoint) -> str:
    problem = backend_problem(number, endpoint)
    return f"{problem.field} ({endpoint.name}): {problem.found}. {problem.remedy}."


def _joined(problems: list[Problem]) -> str:
    return " ".join(str(problem) for problem in problems)


def _said(troubles: list[Trouble]) -> str:
    return " ".join(trouble.message for trouble in troubles)


def _waits_for_volume(workload: Workload, troubles: list[Trouble]) -> bool:
    pending = any(trouble.reason == "VolumePending" for trouble in troubles)
    return pending and not live_workload.status_of(workload.deployment).get("availableReplicas")
