"""What runs now: decisions, models, backends, their health and their traffic, of one router.

Pure. Envoy's admin interface and the router's API and metrics are asked by ``pods.py``; what they
said becomes a `Live` here, which commands and pages show.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import Manifest

if TYPE_CHECKING:
    from prometheus_client.samples import Sample

SELECTED_MODEL = "x-selected-model"
# Without a decision of its own.
DEFAULT = "default"

# A router that counts matches has counted evaluations, be it none; a decision that has not matched
# yet is not in its metrics.
_EVALUATED = "llm_decision_evaluation_total"
_MATCHED = "llm_decision_match_total"

# Envoy's flags of a host, as people say them.
_FLAGS = {
    "failed_active_health_check": "its health check fails",
    "failed_outlier_check": "ejected: it failed too often",
    "failed_degraded_active_health_check": "degraded",
    "pending_dynamic_removal": "about to go",
    "pending_active_hc": "its health check has not been made yet",
    "excluded_via_immediate_hc_fail": "it says itself that it is not well",
    "active_hc_timeout": "its health check takes too long",
}
_TRAFFIC = {
    "llm_model_requests_total": "requests",
    "llm_request_errors_total": "errors",
    "llm_model_prompt_tokens_total": "tokens_in",
    "llm_model_completion_tokens_total": "tokens_out",
    "llm_model_completion_latency_seconds_sum": "seconds",
    "llm_model_completion_latency_seconds_count": "timed",
    "llm_model_ttft_seconds_sum": "first_token_seconds",
    "llm_model_ttft_seconds_count": "first_tokens",
    "llm_model_inflight_requests": "in_flight",
}


@dataclass(frozen=True)
class Traffic:
    """Counted since the routers began, but for in_flight. timed: requests that seconds are of."""

    requests: float = 0
    errors: float = 0
    tokens_in: float = 0
    tokens_out: float = 0
    seconds: float = 0
    timed: float = 0
    first_token_seconds: float = 0
    first_tokens: float = 0
    in_flight: float = 0

    def __add__(self, other: Traffic) -> Traffic:
        return Traffic(**{name: value + vars(other)[name] for name, value in vars(self).items()})

    def since(self, before: Traffic) -> Traffic:
        """What came since then. A router that began anew has counted nothing before."""
        gone = {name: value - vars(before)[name] for name, value in vars(self).items()}
        came = {name: vars(self)[name] if value < 0 else value for name, value in gone.items()}
        return Traffic(**{**came, "in_flight": self.in_flight})

    @property
    def latency(self) -> float | None:
        """Mean seconds of an answer; None: nothing was timed."""
        return self.seconds / self.timed if self.timed else None

    @property
    def first_token(self) -> float | None:
        """Mean seconds to the first token."""
        return self.first_token_seconds / self.first_tokens if self.first_tokens else None


@dataclass(frozen=True)
class Host:
    """A backend's address, as the Envoys see it. why: "" while it gets requests from all.

    name: by which Envoy was told of it, "" when it was told the address.
    """

    address: str
    why: str = ""
    requests: int = 0
    errors: int = 0
    active: int = 0
    name: str = ""


@dataclass(frozen=True)
class Model:
    """decisions: that lead to it. hosts: behind it. routed: Envoys that answer have a way."""

    name: str
    decisions: tuple[str, ...] = ()
    hosts: tuple[Host, ...] = ()
    routed: bool = True
    traffic: Traffic = field(default_factory=Traffic)

    @property
    def healthy(self) -> int:
        return sum(not host.why for host in self.hosts)


@dataclass(frozen=True)
class Pod:
    """config: the digest of what its router goes by. why: not asked, or nothing was said."""

    name: str
    config: str = ""
    why: str = ""


@dataclass(frozen=True)
class Live:
    """One router. has_envoy: in its pods; else nobody here sees backends.

    wanted: the digest of the configuration that was written; "" when it cannot be read.
    matches: how often the rules of each decision have matched; None: nobody counts. Several may
    match a prompt, of which one is taken.
    """

    namespace: str
    name: str
    has_envoy: bool
    models: tuple[Model, ...] = ()
    pods: tuple[Pod, ...] = ()
    wanted: str = ""
    matches: Mapping[str, float] | None = None

    @property
    def well(self) -> bool:
        """Every model has a backend that takes requests, as far as one can see."""
        answering = [pod for pod in self.pods if not pod.why]
        seen = not self.has_envoy or all(model.healthy for model in self.models)
        return bool(answering) and seen

    def as_dict(self) -> dict[str, Any]:
        """Plain containers."""
        return {**asdict(self), "well": self.well}


@dataclass(frozen=True)
class Answers:
    """Of one pod, None for what was not asked or not answered. why: what one is told instead."""

    pod: str
    clusters: Mapping[str, Any] | None = None
    routes: Mapping[str, Any] | None = None
    config: Mapping[str, Any] | None = None
    metrics: str | None = None
    why: str = ""


def live(
    resource: Manifest,
    config: Mapping[str, Any],
    wanted: str,
    answers: Sequence[Answers],
    has_envoy: bool,
) -> Live:
    """config: the router's own document, {} when it cannot be read."""
    decisions = decisions_by_model(config)
    samples = list(samples_of(answer.metrics for answer in answers if answer.metrics))
    traffic = traffic_by_model(samples)
    ways = [_ways(answer) for answer in answers if answer.routes is not None]
    names = dict.fromkeys([*decisions, *(name for way in ways for name in way), *traffic])
    known = set(decisions).union(*ways)
    return Live(
        namespace=str(resource["metadata"].get("namespace", "")),
        name=str(resource["metadata"]["name"]),
        has_envoy=has_envoy,
        models=tuple(
            Model(
                name,
                tuple(decisions.get(name, ())),
                _merged([way.get(name, []) for way in ways]),
                not ways or any(name in way for way in ways),
                traffic.get(name, Traffic()),
            )
            for name in names
            # Metrics count under names of their own too, "unknown" say.
            if name in known
        ),
        pods=tuple(_pod(answer) for answer in answers),
        wanted=wanted,
        matches=matches_by_decision(samples, config),
    )


def decisions_by_model(config: Mapping[str, Any]) -> dict[str, list[str]]:
    """Model or adapter -> the decisions that may choose it, of the router's document."""
    found: dict[str, list[str]] = {}
    providers = config.get("providers") or {}
    for model in providers.get("models") or []:
        found.setdefault(str(model.get("name")), [])
    routing = config.get("routing") or {}
    for decision in routing.get("decisions") or []:
        for reference in decision.get("modelRefs") or []:
            name = str(reference.get("lora_name") or reference.get("model"))
            found.setdefault(name, []).append(str(decision.get("name")))
    defaults = providers.get("defaults") or {}
    default = defaults.get("model") or defaults.get("default_model")
    if default:
        found.setdefault(str(default), []).append(DEFAULT)
    return found


def _pod(answer: Answers) -> Pod:
    said = answer.config or {}
    return Pod(answer.pod, str(said.get("active_hash") or said.get("hash") or ""), answer.why)


def _ways(answer: Answers) -> dict[str, list[Host]]:
    """Model -> hosts, as one Envoy has them."""
    hosts = hosts_by_cluster(answer.clusters or {})
    return {
        model: [host for cluster in clusters for host in hosts.get(cluster, [])]
        for model, clusters in clusters_by_model(answer.routes or {}).items()
    }


def clusters_by_model(dump: Mapping[str, Any]) -> dict[str, list[str]]:
    """Of Envoy's /config_dump: the clusters that the routes of each model lead to."""
    found: dict[str, list[str]] = {}
    for route in _routes(dump):
        for header in (route.get("match") or {}).get("headers") or []:
            model = (header.get("string_match") or {}).get("exact")
            if header.get("name") == SELECTED_MODEL and model is not None:
                clusters = found.setdefault(str(model), [])
                clusters += [name for name in _clusters(route) if name not in clusters]
    return found


def _routes(dump: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for item in dump.get("configs") or []:
        config = item.get("route_config") or item
        for host in config.get("virtual_hosts") or []:
            yield from host.get("routes") or []


def _clusters(route: Mapping[str, Any]) -> list[str]:
    action = route.get("route") or {}
    weighted = (action.get("weighted_clusters") or {}).get("clusters") or []
    named = [action.get("cluster"), *(item.get("name") for item in weighted)]
    return [str(name) for name in named if name]


def hosts_by_cluster(said: Mapping[str, Any]) -> dict[str, list[Host]]:
    """Of Envoy's /clusters?format=json."""
    return {
        str(cluster.get("name")): [_host(item) for item in cluster.get("host_statuses") or []]
        for cluster in said.get("cluster_statuses") or []
    }


def _host(item: Mapping[str, Any]) -> Host:
    stats = {stat.get("name"): int(stat.get("value") or 0) for stat in item.get("stats") or []}
    health = item.get("health_status") or {}
    why = [text for flag, text in _FLAGS.items() if health.get(flag)]
    said = str(health.get("eds_health_status") or "HEALTHY")
    if said not in ("HEALTHY", "UNKNOWN"):
        why.append(said.lower())
    return Host(
        _address(item),
        ", ".join(why),
        stats.get("rq_total", 0),
        stats.get("rq_error", 0),
        stats.get("rq_active", 0),
        str(item.get("hostname") or ""),
    )


def _address(item: Mapping[str, Any]) -> str:
    found = item.get("address") or {}
    socket = found.get("socket_address") or {}
    address = f"{socket.get('address')}:{socket.get('port_value')}" if socket else ""
    if not address:
        address = str((found.get("pipe") or {}).get("path") or "")
    name = str(item.get("hostname") or "")
    return address or name


def _merged(found: Iterable[Sequence[Host]]) -> tuple[Host, ...]:
    """Of all Envoys: counts add up, and one that has something against a host is enough."""
    merged: dict[str, Host] = {}
    for hosts in found:
        for host in hosts:
            known = merged.get(host.address, Host(host.address))
            merged[host.address] = Host(
                host.address,
                known.why or host.why,
                known.requests + host.requests,
                known.errors + host.errors,
                known.active + host.active,
                known.name or host.name,
            )
    return tuple(merged.values())


def samples_of(texts: Iterable[str]) -> Iterator[Sample]:
    """Of the routers' metrics, all pods together."""
    # Only here: what shows no traffic need not wait for it.
    from prometheus_client.parser import text_string_to_metric_families

    for text in texts:
        for family in text_string_to_metric_families(text):
            yield from family.samples


def traffic_by_model(samples: Iterable[Sample]) -> dict[str, Traffic]:
    found: dict[str, Traffic] = {}
    for sample in samples:
        name, model = _TRAFFIC.get(sample.name), sample.labels.get("model")
        if name and model:
            found[model] = found.get(model, Traffic()) + Traffic(**{name: sample.value})
    return found


def matches_by_decision(
    samples: Iterable[Sample], config: Mapping[str, Any]
) -> dict[str, float] | None:
    """Of the decisions of the router's document; None where it is not counted."""
    counted: dict[str, float] = {}
    is_counted = False
    for sample in samples:
        if sample.name == _MATCHED:
            name = sample.labels.get("decision_name", "")
            counted[name] = counted.get(name, 0) + sample.value
        is_counted = is_counted or sample.name in (_EVALUATED, _MATCHED)
    decisions = (config.get("routing") or {}).get("decisions") or []
    names = [str(decision.get("name")) for decision in decisions]
    return {name: counted.get(name, 0) for name in names} if is_counted else None
