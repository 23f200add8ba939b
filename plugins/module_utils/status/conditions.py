# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The conditions of a SemanticRouter, of every type. Pure; see ``router_status.py``.

- **Ready** is about this generation: rolled out, no blocking problem, and at least one backend
  resolved. Some unresolved backends leave it True, because the other models are served.
- **Available** is about who answers now, also while a bad edit waits: the Deployment's own word,
  and at least one ready pod. Its word alone is that no more pods are missing than a rollout may
  take away, which of one or two pods may be all of them.
- **BackendsResolved** speaks of the models that requests can get to. Without any entry in
  spec.vllmEndpoints it is False (NoBackends), which is a fact and not a fault: the router's own API
  works without, so Ready and Degraded do not care. A model of spec.config.providers that there is
  no route to (ModelsWithoutRoute) is a fault.
- **ConfigValid** is False for what only an edit of the SemanticRouter can cure, whether or not a
  field is known to be to blame. It is True when something else is in the way: the cluster, a
  policy, an object that somebody has changed. A field that is ignored because no router of this
  contract reads it leaves it True (FieldsIgnored) and names it; so does a password in plain text
  (PlainTextCredential), which is in effect, what does less than it says (PartlyInEffect), a
  backend whose certificate is not verified, as asked (InsecureSkipVerify), and a proxy of the
  operator's that is not for the pods (ProxyNotPassedOn).
- **RouteReady** is there only when a Route is asked for, OpenShift's or an HTTPRoute of a Gateway:
  whether requests reach the Service through it. Ready does not care: clients inside the cluster
  are served.
- **RouterServesAlone** is there only where the router is asked to serve clients itself, and says
  what Envoy would have done. Nothing else cares: it is what was asked for.
- **Converged** is the word of the routers themselves, one by one: False while one of them says that
  it goes by another configuration than what was last written, or pods are being replaced, True when
  all ready ones go by it, Unknown when they cannot be asked or do not say. Only False holds up
  Ready.
- **ReleaseAssumed** is there only while the image does not say which release it is, and says for
  what it is taken. It is no fault, and nothing else cares.
- **Reconciling** and **Stalled** are for kstatus (Flux), which reads no other one but Ready: the
  router is on its way to this generation, or will not get there unless somebody helps. They are
  there only while they are True, and the two never together.
- **Paused** and **DryRun** are there only while their annotation is set. The others go on to say
  what the cluster shows; Ready is False for a generation that has not been written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import (
    Endpoint,
    Facts,
    discovery,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.backends import some
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.live_scaling import (
    wanted_replicas,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import gateway_mode, writing
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import at
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    ANNOTATION_DRY_RUN,
    ANNOTATION_PAUSED,
    ANNOTATION_REPLICAS_SET_ASIDE,
    Manifest,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import (
    Problem,
    joined,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from ansible_collections.vllm.semantic_router.plugins.module_utils.status import (
    convergence,
    live_workload,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.admission import (
    admission_of,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.live_workload import (
    Trouble,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.reasons import (
    REASONS,
    backend_problem,
    without_route,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.situation import (
    Situation,
)

READY = "Ready"
AVAILABLE = "Available"
PROGRESSING = "Progressing"
DEGRADED = "Degraded"
BACKENDS_RESOLVED = "BackendsResolved"
CONFIG_VALID = "ConfigValid"
ROUTE_READY = "RouteReady"
ROUTER_SERVES_ALONE = "RouterServesAlone"
CONVERGED = "Converged"
RELEASE_ASSUMED = "ReleaseAssumed"
RECONCILING = "Reconciling"
STALLED = "Stalled"
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
    ROUTER_SERVES_ALONE,
    CONVERGED,
    RELEASE_ASSUMED,
    RECONCILING,
    STALLED,
    PAUSED,
    DRY_RUN,
)

TRUE, FALSE, UNKNOWN = "True", "False", "Unknown"

_REASON = re.compile(r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")
MESSAGE_LIMIT = 32768
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")

_GOOD = {
    READY: TRUE,
    AVAILABLE: TRUE,
    PROGRESSING: FALSE,
    DEGRADED: FALSE,
    BACKENDS_RESOLVED: TRUE,
    CONFIG_VALID: TRUE,
    ROUTE_READY: TRUE,
    ROUTER_SERVES_ALONE: TRUE,
    CONVERGED: TRUE,
    # There only while it holds, and no trouble.
    RELEASE_ASSUMED: TRUE,
    RECONCILING: FALSE,
    STALLED: FALSE,
    PAUSED: FALSE,
    DRY_RUN: FALSE,
}

# What a condition that is as one hopes has to say all the same.
WARNINGS = (
    "PlainTextCredential",
    "InsecureSkipVerify",
    "ProxyNotPassedOn",
    "InvalidAnnotation",
    "PartlyInEffect",
    "FieldsIgnored",
)

# That nobody can tell is no sign of trouble.
_NOBODYS_FAULT = (convergence.OUTSIDE, convergence.NOT_TOLD)

_NO_MISTAKES = (
    "FeatureNotAvailable",
    "ManagementApiExposed",
    # Understood and in effect, but not to the end that it is meant for.
    "AutoscalerBlind",
    "DrainBlocked",
    "ReconcileFailed",
)

_UNDERSTOOD = (
    "Every field of the spec is understood. "
    "Ready and Degraded say what keeps it from being in effect."
)

# What docs/deployment-modes.md has as a table.
_GIVEN_UP = (
    "The router answers clients itself, as spec.gateway.mode says. Left to it, and not promised by "
    "the operator, are what Envoy in the pod does: to leave failing endpoints of a model alone, to "
    "retry on another one, to refuse requests before memory runs out, to drop headers that only "
    "the router may set, to ask connected clients to come back elsewhere before a pod ends (on a "
    "connection that is kept busy, an answer has 30 seconds then), to reach a backend under "
    "another host name, and tokens (spec.auth.jwt) and spec.cors. Its classification API is not "
    "among what clients reach, and nothing serves ext_proc."
)

Condition = dict[str, Any]


def build(
    situation: Situation, now: str, previous: Mapping[str, Any], built: Mapping[str, Any]
) -> list[Condition]:
    """All that there is something to say of.

    now: RFC 3339. previous: the status that is in the cluster. built: the rest of the new one.
    """
    conditions = [
        _in_effect(situation, built, _ready(situation)),
        _available(situation),
        _progressing(situation),
        _degraded(situation),
        _backends_resolved(situation),
        _config_valid(situation),
        *_route_ready(situation),
        *_router_serves_alone(situation),
        *_converged(situation),
        *_release_assumed(situation),
        *_on_its_way(situation),
        *_paused(situation),
        *_planned(situation, built),
    ]
    known = {item.get("type"): item for item in previous.get("conditions") or []}
    generation = situation.router.generation
    return [_finished(item, generation, now, known.get(item["type"])) for item in conditions]


def is_good(condition: Mapping[str, Any]) -> bool:
    """The condition has the value one hopes for."""
    if condition["type"] == CONVERGED and condition["reason"] in _NOBODYS_FAULT:
        return True
    hoped_for = _GOOD[str(condition["type"])] == str(condition["status"])
    return hoped_for and condition["reason"] not in WARNINGS


def sanitized(text: str, limit: int = MESSAGE_LIMIT) -> str:
    """One line of printable text, no longer than the API server takes."""
    line = _CONTROL.sub(" ", text).strip()
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _ready(situation: Situation) -> Condition:
    facts, deployment = situation.facts, situation.workload.deployment
    if situation.blocking:
        why = situation.blocking
        return condition(READY, FALSE, why[0].reason, joined(why))
    if deployment is None:
        return condition(READY, FALSE, "DeploymentMissing", "The Deployment does not exist yet.")
    if situation.troubles and not situation.is_rolled_out:
        return condition(READY, FALSE, situation.troubles[0].reason, _said(situation.troubles))
    if not situation.is_rolled_out:
        return condition(READY, FALSE, "RolloutInProgress", live_workload.rollout(deployment))
    if situation.is_overtaken:
        return {**_converged(situation)[0], "type": READY}
    if facts.endpoints and len(facts.unresolved) == len(facts.endpoints):
        return condition(READY, FALSE, "NoBackendsResolved", _explained(facts))
    if not facts.endpoints and situation.without_route:
        return condition(READY, FALSE, "ModelsWithoutRoute", str(_unreachable(situation)))
    if wanted_replicas(deployment) == 0:
        return condition(READY, TRUE, "ScaledToZero")
    return condition(READY, TRUE, "RouterReady", live_workload.rollout(deployment))


def _in_effect(situation: Situation, built: Mapping[str, Any], ready: Condition) -> Condition:
    """Ready, unless this generation waits for somebody to let the operator write."""
    router = situation.router
    applied = built.get("appliedGeneration")
    if situation.may_write or ready["status"] != TRUE or applied == router.generation:
        return ready
    ran = f"generation {applied} runs" if applied else "no generation was ever written"
    message = f"Generation {router.generation} is not in effect, {ran}: nothing is written. "
    return condition(READY, FALSE, _why_paused(router), message + _resume(router))


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


def _on_its_way(situation: Situation) -> list[Condition]:
    """Reconciling or Stalled; [] when the generation is there, or may not be written."""
    if not situation.may_write:
        return []
    final = [problem for problem in situation.blocking if not problem.retry]
    if final:
        return [condition(STALLED, TRUE, final[0].reason, joined(final))]
    if situation.blocking:
        why = situation.blocking
        return [condition(RECONCILING, TRUE, why[0].reason, joined(why))]
    if situation.is_overtaken:
        return [{**_progressing(situation), "type": RECONCILING}]
    if situation.is_rolled_out:
        return []
    failing = [trouble for trouble in situation.troubles if trouble.failing]
    if failing:
        return [condition(STALLED, TRUE, failing[0].reason, _said(failing))]
    return [{**_progressing(situation), "type": RECONCILING}]


def _paused(situation: Situation) -> list[Condition]:
    if situation.may_write:
        return []
    reason = _why_paused(situation.router)
    return [condition(PAUSED, TRUE, reason, f"{REASONS[reason]} {_resume(situation.router)}")]


def _planned(situation: Situation, built: Mapping[str, Any]) -> list[Condition]:
    """The dry run in words; [] when there is none, or nothing could be read."""
    planned = built.get("dryRun")
    if not planned:
        return []
    if situation.blocking:
        return [condition(DRY_RUN, TRUE, "DryRunRefused", joined(situation.blocking))]
    reason = "DryRunChanges" if planned["changes"] else "DryRunNoChanges"
    objects = [_change_in_words(item) for item in planned["changes"]]
    told = f"Generation {planned['observedGeneration']}: {planned['summary']}. "
    return [condition(DRY_RUN, TRUE, reason, told + " ".join(objects))]


def _change_in_words(change: Mapping[str, Any]) -> str:
    fields = f" ({', '.join(change['fields'])})" if change.get("fields") else ""
    return f"{change['action']} {change['kind']} {change['name']}{fields}."


def _available(situation: Situation) -> Condition:
    deployment = situation.workload.deployment
    if deployment is None:
        return condition(
            AVAILABLE, FALSE, "DeploymentMissing", "The Deployment does not exist yet."
        )
    if wanted_replicas(deployment) == 0:
        return condition(AVAILABLE, FALSE, "ScaledToZero")
    conditions = live_workload.status_of(deployment).get("conditions") or []
    available = any(item["type"] == "Available" and item["status"] == TRUE for item in conditions)
    if available and live_workload.status_of(deployment).get("readyReplicas"):
        return condition(
            AVAILABLE,
            TRUE,
            "MinimumReplicasAvailable",
            live_workload.availability(deployment) + _scaled(situation, deployment),
        )
    return condition(
        AVAILABLE, FALSE, "MinimumReplicasUnavailable", live_workload.availability(deployment)
    )


def _scaled(situation: Situation, deployment: Manifest) -> str:
    """Why there are another number of pods than spec.replicas; "" where there is nothing to say."""
    router, others = situation.router, situation.facts.foreign_autoscalers
    if others:
        return (
            f" HorizontalPodAutoscaler {some(others)} of somebody else sets this number; "
            f"spec.replicas ({router.spec['replicas']}) does not count meanwhile."
        )
    annotations = deployment["metadata"].get("annotations") or {}
    left = annotations.get(ANNOTATION_REPLICAS_SET_ASIDE)
    if router.spec["autoscaling"]["enabled"] or left != str(router.spec["replicas"]):
        return ""
    return f" Autoscaling left this number; spec.replicas ({left}) applies when it is next changed."


def _progressing(situation: Situation) -> Condition:
    deployment = situation.workload.deployment
    if situation.is_overtaken:
        return {**_converged(situation)[0], "type": PROGRESSING, "status": TRUE}
    if deployment is not None and situation.is_rolled_out:
        return condition(PROGRESSING, FALSE, "RolloutComplete", live_workload.rollout(deployment))
    failing = [trouble for trouble in situation.troubles if trouble.failing]
    if failing:
        return condition(PROGRESSING, FALSE, failing[0].reason, _said(failing))
    if deployment is not None:
        return condition(PROGRESSING, TRUE, "RolloutInProgress", live_workload.rollout(deployment))
    if situation.blocking:
        reason = situation.blocking[0].reason
        return condition(PROGRESSING, FALSE, reason, "Nothing is created until then.")
    return condition(PROGRESSING, TRUE, "DeploymentMissing", "The Deployment does not exist yet.")


def _degraded(situation: Situation) -> Condition:
    facts = situation.facts
    failing = [trouble for trouble in situation.troubles if trouble.failing]
    ordered = sorted(degrading(situation.problems), key=lambda problem: not problem.blocking)
    causes = [
        *((problem.reason, str(problem)) for problem in ordered),
        *((trouble.reason, trouble.message) for trouble in failing),
    ]
    if facts.unresolved:
        causes.append((_unresolved_reason(facts), _explained(facts)))
    if situation.without_route and not situation.is_blind:
        causes.append(("ModelsWithoutRoute", str(_unreachable(situation))))
    admission = admission_of(situation)
    if admission and admission.failing and admission.reason not in dict(causes):
        causes.append((admission.reason, admission.message))
    if not causes:
        return condition(DEGRADED, FALSE, "AsExpected")
    return condition(DEGRADED, TRUE, causes[0][0], " ".join(message for _, message in causes))


def _backends_resolved(situation: Situation) -> Condition:
    facts = situation.facts
    if situation.is_blind:
        return condition(BACKENDS_RESOLVED, UNKNOWN, "DiscoveryFailed")
    unreachable = str(_unreachable(situation)) if situation.without_route else ""
    if facts.unresolved:
        message = f"{_explained(facts)} {unreachable}"
        return condition(BACKENDS_RESOLVED, FALSE, _unresolved_reason(facts), message)
    if unreachable:
        return condition(BACKENDS_RESOLVED, FALSE, "ModelsWithoutRoute", unreachable)
    if not facts.endpoints:
        listed = at(situation.router.spec, ("config", "providers", "models"))
        if listed and not gateway_mode.has_routes_of_ours(situation.router.spec):
            return condition(BACKENDS_RESOLVED, TRUE, "BackendsInConfig")
        message = f"{discovery.NO_BACKENDS_MESSAGE}: spec.vllmEndpoints is empty."
        return condition(BACKENDS_RESOLVED, FALSE, "NoBackends", message)
    remarks = [f"{item.name}: {item.remark}." for item in facts.endpoints if item.remark]
    message = " ".join([f"{len(facts.endpoints)} of {len(facts.endpoints)} resolved.", *remarks])
    return condition(BACKENDS_RESOLVED, TRUE, "AllBackendsResolved", message)


def _unreachable(situation: Situation) -> Problem:
    return without_route(situation.without_route)


def _config_valid(situation: Situation) -> Condition:
    if situation.is_blind:
        return condition(CONFIG_VALID, UNKNOWN, "DiscoveryFailed")
    mistakes = [problem for problem in situation.problems if _is_mistake(problem)]
    blocking = [problem for problem in mistakes if problem.blocking]
    if blocking:
        return condition(CONFIG_VALID, FALSE, blocking[0].reason, joined(mistakes))
    if mistakes:
        found = {problem.reason for problem in mistakes}
        reason = next((item for item in WARNINGS if item in found), "FieldsIgnored")
        return condition(CONFIG_VALID, TRUE, reason, joined(mistakes))
    is_in_effect = situation.may_write and not situation.problems
    return condition(CONFIG_VALID, TRUE, "ConfigAccepted", "" if is_in_effect else _UNDERSTOOD)


def _is_mistake(problem: Problem) -> bool:
    """Only an edit of the SemanticRouter cures it.

    A feature that this version lacks, or leaves out for safety, is no mistake of the user's:
    Degraded says it. A mistake need not have a field: what the API server refuses may be made of
    several.
    """
    return not problem.retry and problem.reason not in _NO_MISTAKES


def degrading(problems: list[Problem]) -> list[Problem]:
    """Without the fields that nothing reads: what runs is all that can run, ConfigValid says so."""
    return [problem for problem in problems if problem.blocking or not _is_mistake(problem)]


def _router_serves_alone(situation: Situation) -> list[Condition]:
    spec = situation.router.spec
    if situation.is_blind or situation.blocking or not gateway_mode.serves_alone(spec):
        return []
    return [condition(ROUTER_SERVES_ALONE, TRUE, "NoEnvoyInPod", _GIVEN_UP)]


def _route_ready(situation: Situation) -> list[Condition]:
    """[] when no Route is asked for."""
    if (situation.workload.route_name or situation.workload.gateway) and situation.is_blind:
        return [condition(ROUTE_READY, UNKNOWN, "DiscoveryFailed")]
    admission = admission_of(situation)
    if admission is None:
        return []
    value = TRUE if admission.ready else FALSE
    return [condition(ROUTE_READY, value, admission.reason, admission.message)]


def _converged(situation: Situation) -> list[Condition]:
    """[] when there is no pod that could be asked."""
    if situation.convergence is None:
        return []
    return [condition(CONVERGED, *convergence.verdict(situation.convergence))]


def _release_assumed(situation: Situation) -> list[Condition]:
    """[] when the release is known, or its contract is given."""
    # Only here, as in router_status.py: who shows a status, and makes none, need not wait for it.
    from ansible_collections.vllm.semantic_router.plugins.module_utils import router_config

    assumed = router_config.assumption(situation.router.spec)
    return [condition(RELEASE_ASSUMED, TRUE, "ReleaseAssumed", assumed)] if assumed else []


def condition(name: str, value: str, reason: str, message: str = "") -> Condition:
    """message: what REASONS says, if there is nothing more to say."""
    return {
        "type": name,
        "status": value,
        "reason": reason if _REASON.match(reason) else "InvalidSpec",
        "message": sanitized(message or REASONS.get(reason, "")),
    }


def _finished(
    condition: Condition, generation: int, now: str, before: Mapping[str, Any] | None
) -> Condition:
    same = before is not None and before.get("status") == condition["status"]
    since = before.get("lastTransitionTime") if same and before else None
    return {**condition, "observedGeneration": generation, "lastTransitionTime": since or now}


def _unresolved_reason(facts: Facts) -> str:
    everything = len(facts.unresolved) == len(facts.endpoints)
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


def _said(troubles: list[Trouble]) -> str:
    return " ".join(trouble.message for trouble in troubles)
