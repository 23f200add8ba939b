"""`kubectl sr ask`: one request through a router, and what it met on its way.

The router says in headers what it has decided, Envoy in its access log where the request went, and
each of them how long it took.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import (
    gateway_mode,
    guards,
    metadata,
    ports,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.labels import as_selector
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import RouterError
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

from semantic_router_cli import log
from semantic_router_cli.cluster import Cluster
from semantic_router_cli.door import Door
from semantic_router_cli.pods import Reach

# Who leaves the choice of a model to the router asks for this one.
AUTO = "auto"
CHAT = "/v1/chat/completions"
_CLASSIFY = "/api/v1/classify"
_PREFIX = "x-vsr-"
_MATCHED = "x-vsr-matched-"
_GUARDS = ("jailbreak", "pii")
# Envoy writes its access log every ten seconds, unless there is much to write.
_LOG_SECONDS = 12.0
_LOG_PAUSE = 0.25


@dataclass(frozen=True)
class Timing:
    """Milliseconds, None where nobody says. router: until the decision. backend: until it began to
    answer. whole: as a client sees it."""

    whole: int
    router: int | None = None
    backend: int | None = None


@dataclass(frozen=True)
class Trace:
    """What became of a prompt.

    status: HTTP's; None when nothing was sent (a dry run). path: who has answered, by the router's
    own word. guard: what it has found, "" where none is switched on. signals: by kind.
    unseen: what one cannot see from here, and why.
    """

    model: str
    timing: Timing
    status: int | None = None
    request: str = ""
    pod: str = ""
    decision: str = ""
    confidence: str = ""
    category: str = ""
    reasoning: str = ""
    algorithm: str = ""
    path: str = ""
    guard: str = ""
    backend: str = ""
    signals: Mapping[str, str] = field(default_factory=dict)
    answer: str = ""
    error: str = ""
    unseen: tuple[str, ...] = ()

    @property
    def well(self) -> bool:
        return not self.error and (self.status is None or self.status < 400)

    def as_dict(self) -> dict[str, Any]:
        """Plain containers, empty ones left out."""
        values = asdict(self)
        timing = {name: value for name, value in values.pop("timing").items() if value is not None}
        kept = {key: value for key, value in values.items() if value not in ("", None, {}, ())}
        return {**kept, "milliseconds": timing}


def ask(
    cluster: Cluster, way: Reach, door: Door, router: Router, prompt: str, model: str, token: str
) -> Trace:
    """One question, answered whole. token: for a router that asks who is there, "" for none."""
    request = str(uuid.uuid4())
    # The newer routers tell of signals only when they are asked to.
    headers = {"x-request-id": request, "x-vsr-debug": "true"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    body = {"model": model, "messages": [{"role": "user", "content": prompt}]}
    began = time.monotonic()
    answer = way.ask(door.port, CHAT, body, headers, door.scheme)
    whole = round(1000 * (time.monotonic() - began))
    if answer is None:
        return Trace("", Timing(whole), request=request, pod=door.said, error="no answer came")
    said = {name.lower(): value for name, value in answer.headers.items()}
    # A Gateway may give the request another one.
    request = said.get("x-request-id", request)
    lines, why = _told(cluster, door, router, request, whole)
    found = trace(router, request, door.said, answer.status, said, answer.data, lines, whole)
    return replace(found, unseen=unseen(found, said, door, why))


def _told(
    cluster: Cluster, door: Door, router: Router, request: str, whole: int
) -> tuple[list[Mapping[str, Any]], str]:
    """What router and Envoy log of the request, and why it may be that Envoy's is not among it."""
    own = router.namespace, as_selector(metadata.selector(router.name))
    envoys, who = door.envoys, f"the Envoy of Gateway {door.gateway}"
    if not door.gateway:
        envoys, who = (own, "Envoy") if gateway_mode.has_envoy(router.spec) else (("", ""), "")
    sources = {
        place: log.containers_of(cluster, *place)
        for place in dict.fromkeys([own, envoys])
        if place[1]
    }
    unreadable = f"you may not read what {who} logs"
    if not envoys[1]:
        unreadable = "no pod of the Gateway is known" if who else "no Envoy is in its way"
    until = time.monotonic() + _LOG_SECONDS
    while True:
        # Whatever was said since it was sent, by a clock that may be another.
        recent = {"sinceSeconds": str(whole // 1000 + 60)}
        try:
            found = [
                _json(line.text)
                for (namespace, _), pods in sources.items()
                for line in log.lines(cluster, pods, recent, request, namespace)
            ]
        except RouterError:
            # One may ask without the right to read logs.
            return [], unreadable
        if not sources.get(envoys):
            return list(filter(None, found)), unreadable
        if any(_upstream(line) for line in found) or time.monotonic() > until:
            return list(filter(None, found)), f"{who} has logged nothing that names the request"
        time.sleep(_LOG_PAUSE)


def _upstream(line: Mapping[str, Any]) -> str:
    """Of an access log, "-" for nobody; Envoy Gateway calls it by its name in Envoy."""
    return str(line.get("upstream") or line.get("upstream_host") or "")


def unseen(found: Trace, headers: Mapping[str, str], door: Door, why: str) -> tuple[str, ...]:
    """What an answer leaves open. why: nobody says which backend it was."""
    missing = []
    if not any(name.startswith(_PREFIX) for name in headers):
        silent = f"Gateway {door.gateway} has not asked the router" if door.gateway else "no header"
        missing.append(f"decision, signals, guard: {silent}")
    if not found.backend and found.path in ("", "upstream"):
        missing.append(f"backend: {why}")
    return tuple(missing)


def _json(text: str | bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def trace(
    router: Router,
    request: str,
    pod: str,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    lines: Iterable[Mapping[str, Any]],
    whole: int,
) -> Trace:
    """lines: what router and Envoy have logged of it."""
    access: Mapping[str, Any] = {}
    decided: Mapping[str, Any] = {}
    for line in lines:
        if _upstream(line):
            access = line
        elif line.get("msg", line.get("event")) == "routing_decision":
            decided = line
    own = {name.removeprefix(_PREFIX): text for name, text in headers.items()}
    said = _json(body)
    backend = _number(headers.get("x-envoy-upstream-service-time"))
    return Trace(
        model=own.get("selected-model", "") or _known(access.get("model")),
        timing=Timing(whole, _number(decided.get("routing_latency_ms")), backend),
        status=status,
        request=request,
        pod=pod,
        decision=own.get("selected-decision", "") or str(decided.get("decision") or ""),
        confidence=own.get("selected-confidence", ""),
        category=own.get("selected-category", ""),
        reasoning=own.get("selected-reasoning", ""),
        algorithm=own.get("selected-algorithm", ""),
        path=own.get("response-path", "") or _former_path(own),
        guard=_guard(router, own),
        backend=_known(_upstream(access)),
        signals=_signals(headers),
        answer=_content(said),
        error=_error(status, said, body),
    )


def _known(text: Any) -> str:
    return "" if text in (None, "-") else str(text)


def _number(value: Any) -> int | None:
    try:
        return round(float(value))
    except (TypeError, ValueError, OverflowError):
        return None


def _former_path(own: Mapping[str, str]) -> str:
    """Of routers that do not say it in one header."""
    if "true" in (own.get("jailbreak-blocked"), own.get("pii-violation")):
        return "blocked"
    if own.get("cache-hit") == "true":
        return "cache"
    return "fast_response" if own.get("fast-response") == "true" else ""


def _guard(router: Router, own: Mapping[str, str]) -> str:
    found = [f"{kind}: {own[f'matched-{kind}']}" for kind in _GUARDS if own.get(f"matched-{kind}")]
    found += [
        f"{kind}: {own.get(detail, 'found')}"
        for kind, flag, detail in (
            ("jailbreak", "jailbreak-blocked", "jailbreak-type"),
            ("pii", "pii-violation", "pii-types"),
        )
        if own.get(flag) == "true"
    ]
    found += [own["response-warnings"]] if own.get("response-warnings") else []
    if found:
        return ", ".join(found)
    return "found nothing" if guards.checks_prompts(router.spec) else ""


def _signals(headers: Mapping[str, str]) -> dict[str, str]:
    return {
        name.removeprefix(_MATCHED): text
        for name, text in sorted(headers.items())
        if name.startswith(_MATCHED) and text
    }


def _content(said: Mapping[str, Any]) -> str:
    choices = said.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    message = first.get("message") if isinstance(first, dict) else None
    return str(message.get("content") or "") if isinstance(message, dict) else ""


def _error(status: int, said: Mapping[str, Any], body: bytes) -> str:
    if status < 400:
        return ""
    found = said.get("error")
    text = found.get("message") if isinstance(found, dict) else found or said.get("message")
    return str(text or body.decode(errors="replace").strip() or f"HTTP {status}")


def rehearse(way: Reach, pod: str, router: Router, prompt: str) -> Trace:
    """What the router would decide, by its classification API: no model is asked."""
    began = time.monotonic()
    intent = _classified(way, router, "intent", prompt)
    whole = round(1000 * (time.monotonic() - began))
    if isinstance(intent, str):
        return Trace("", Timing(whole), pod=pod, error=intent)
    checked = {kind: _classified(way, router, kind, prompt) for kind in ("security", "pii")}
    return rehearsed(router, pod, intent, checked, whole)


def _classified(way: Reach, router: Router, kind: str, prompt: str) -> dict[str, Any] | str:
    """The answer, or why there is none."""
    port = ports.pod_ports(router.spec).api
    answer = way.ask(port, f"{_CLASSIFY}/{kind}", {"text": prompt})
    if answer is None:
        return "the router's API does not answer"
    said = _json(answer.data)
    if answer.status != 200:
        return f"the router's API: {_error(answer.status, said, answer.data)}"
    return said


def rehearsed(
    router: Router,
    pod: str,
    intent: Mapping[str, Any],
    checked: Mapping[str, Mapping[str, Any] | str],
    whole: int,
) -> Trace:
    classified = intent.get("classification") or {}
    decided = intent.get("decision_result") or {}
    matched = intent.get("matched_signals") or {}
    confidence = decided.get("confidence") or classified.get("confidence")
    return Trace(
        model=str(intent.get("recommended_model") or ""),
        timing=Timing(whole, _number(classified.get("processing_time_ms"))),
        pod=pod,
        decision=str(decided.get("decision_name") or intent.get("routing_decision") or ""),
        confidence=f"{confidence:.2f}" if isinstance(confidence, int | float) else "",
        category=str(classified.get("category") or ""),
        guard=_rehearsed_guard(router, matched, checked),
        signals={
            kind: ",".join(map(str, names))
            for kind, names in matched.items()
            if isinstance(names, list) and names
        },
    )


def _rehearsed_guard(
    router: Router, matched: Mapping[str, Any], checked: Mapping[str, Mapping[str, Any] | str]
) -> str:
    found = [f"{kind}: {', '.join(matched[kind])}" for kind in _GUARDS if matched.get(kind)]
    security, pii = checked.get("security"), checked.get("pii")
    if isinstance(security, Mapping) and security.get("is_jailbreak"):
        types = security.get("detection_types") or ["found"]
        found.append(f"jailbreak: {', '.join(map(str, types))}")
    if isinstance(pii, Mapping) and pii.get("has_pii"):
        types = dict.fromkeys(str(item.get("type")) for item in pii.get("entities") or [])
        found.append(f"pii: {', '.join(types) or 'found'}")
    if found:
        return ", ".join(dict.fromkeys(found))
    return "found nothing" if guards.checks_prompts(router.spec) else ""
