"""`kubectl sr migrate`: older SemanticRouters and Helm values become one of this CRD. Pure.

What cannot be carried over is named, with what to do instead; nothing is dropped in silence, and
what somebody would miss is lost, which ends the command with 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils import router_config
from ansible_collections.vllm.semantic_router.plugins.module_utils.checks import rules
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import (
    PLATFORM_KUBERNETES,
    discovery,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.config import yaml_text
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import (
    backend_kinds,
    crd,
    hosted,
    ports,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.gateway_mode import (
    ROUTER_ALONE,
    serves_alone,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    API_VERSION,
    KIND,
    Manifest,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.url import HTTPS_PORTS

from semantic_router_cli import shape
from semantic_router_cli.files import FileError

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

_CHARTS_SECURITY_CONTEXT = {"runAsNonRoot": False, "allowPrivilegeEscalation": False}
_PLACEHOLDER = "replace-with-your-model"
# The chart's keys that have the same name and meaning in a spec.
_SAME = (
    "image", "imagePullSecrets", "resources", "autoscaling", "nodeSelector", "tolerations",
    "affinity", "podAnnotations", "podSecurityContext", "securityContext", "startupProbe",
    "livenessProbe", "readinessProbe", "persistence", "toolsDb", "args", "ingress", "service",
    "serviceAccount", "extraVolumes", "extraVolumeMounts",
)  # fmt: skip
# What nobody misses, and why.
_POINTLESS = {
    "rbac": "the operator creates what the pods need",
    "nameOverride": "metadata.name is the name",
    "safetyGuards": "there is none: keep replicas at 1 while learning state is local",
}
# What has no place in a spec, and what takes its place.
_ELSEWHERE = {
    "dashboard": "it is not the operator's: keep the chart for it, or deploy it by itself",
    "dependencies": "run these stores by themselves and give their hosts in spec.config",
    "observability": "see docs/guide/monitoring.md for alerts and dashboards",
    "knowledgeBases": "mount them with spec.extraVolumes and spec.extraVolumeMounts",
}
_SUBCHARTS = frozenset(
    {"semantic-cache-redis", "response-api-redis", "semantic-cache-milvus", "jaeger", "prometheus",
     "grafana"}
)  # fmt: skip
_HELM_KEYS = frozenset(
    {
        *_SAME,
        *_ELSEWHERE,
        *_POINTLESS,
        "replicaCount",
        "config",
        "configOverride",
        "gateway",
        "router",
        "env",
        "extraEnv",
        "envFromSecrets",
    }
)
# Of a listener, what Envoy's has from elsewhere, and what the chart has in every file.
_OF_THE_OPERATOR = frozenset({"name", "address", "port"})
_CHARTS_TIMEOUT = "300s"
_FROM_ENVIRONMENT = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
_KEYS = "keep keys in a Secret, and name it and its clients in spec.auth.apiKeys"
_GRPC_PORT = 50051
# Of a backend reference, what an entry of spec.vllmEndpoints says as well: these keys, and those
# with a value that the operator writes by itself.
_SAID = frozenset({"name", "endpoint", "base_url", "weight"})
_SAID_BY_ITSELF = (
    ("protocol", frozenset({"http", "https"})),
    ("type", frozenset({"vllm"})),
    ("provider", frozenset({"vllm"})),
)

# Keys of the router's configuration from before it had providers, routing and global.
_OLD_FLAT = frozenset(
    {"vllm_endpoints", "model_config", "default_model", "categories", "keyword_rules",
     "embedding_rules", "provider_profiles"}
)  # fmt: skip

_ENDPOINT = re.compile(
    r"^(?:(?P<scheme>https?)://)?(?P<name>[a-z]([-a-z0-9]*[a-z0-9])?)"
    r"(?:\.(?P<namespace>[a-z0-9]([-a-z0-9]*[a-z0-9])?))?(?:\.svc(?:\.cluster\.local)?)?"
    r"(?::(?P<port>\d+))?(?:/v1)?/?$"
)
_NOT_A_LABEL = re.compile(r"[^a-z0-9-]+")


@dataclass
class Migration:
    """The new object, and what a person has to look at: (place in the file, what became of it).

    lost: places of what has no way over, and would be missed.
    """

    resource: Manifest
    remarks: list[tuple[str, str]] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    def say(self, place: str, text: str) -> None:
        """Once each."""
        if (place, text) not in self.remarks:
            self.remarks.append((place, text))

    def lose(self, place: str, text: str) -> None:
        """Says it, and that somebody has to see to it before the object takes the other's place."""
        self.say(place, text)
        if place not in self.lost:
            self.lost.append(place)

    def problems(self) -> list[Problem]:
        """What is still wrong with the new object."""
        problems = crd.validate(self.resource)
        if problems:
            return problems
        router = Router(self.resource)
        return rules.check(router, discovery.offline_facts(router, PLATFORM_KUBERNETES))

    def text(self) -> str:
        """YAML, the remarks and problems as comments above it."""
        lines = [
            f"# {'Lost: ' if place in self.lost else ''}{place}: {text}."
            for place, text in self.remarks
        ]
        lines += [f"# To do: {problem}" for problem in self.problems()]
        head = ["# Made by `kubectl sr migrate`.", *(["# Look at:"] if lines else []), *lines]
        return "---\n" + "".join(f"{line}\n" for line in head) + yaml_text(self.resource)


def of_a_file(
    documents: Iterable[Mapping[str, Any]], name: str, namespace: str | None
) -> list[Migration]:
    """One for each SemanticRouter, and one for the first values: all would have the same name."""
    documents = list(documents)
    values = [item for item in documents if is_helm_values(item)]
    chosen = [*values[:1], *(item for item in documents if item.get("kind") == KIND)]
    migrated = [migrate(document, name, namespace) for document in chosen]
    if len(values) > 1:
        said = f"holds {len(values)} values; this is the first, give the others a file each"
        migrated[0].lose("the file", said)
    return migrated


def is_helm_values(document: Mapping[str, Any]) -> bool:
    """Values of the router's chart, not a Kubernetes object."""
    return "kind" not in document and bool(_HELM_KEYS & set(document))


def migrate(document: Mapping[str, Any], name: str, namespace: str | None) -> Migration:
    """Either form; ``name`` is for values, which have none. FileError for what is neither."""
    wanted = shape.OF_VALUES if is_helm_values(document) else shape.OF_A_ROUTER
    if wrong := shape.mistake(document, wanted):
        raise FileError(wrong)
    if is_helm_values(document):
        migration = _from_values(deepcopy(dict(document)), name, namespace)
    else:
        migration = _from_router(deepcopy(dict(document)))
    spec = migration.resource["spec"]
    if config := spec.get("config"):
        _modernise(config, migration)
        _rename_providers(config, migration)
        _extract_backends(spec, config, migration)
        _hide_passwords(config, migration, ("spec", "config"))
        if not config:
            del spec["config"]
    _drop_unknown(spec, migration)
    return migration


def _from_router(resource: dict[str, Any]) -> Migration:
    metadata = resource.get("metadata") or {}
    annotations = {
        key: value
        for key, value in (metadata.get("annotations") or {}).items()
        if key != LAST_APPLIED
    }
    kept = {key: metadata[key] for key in ("name", "namespace", "labels") if metadata.get(key)}
    if annotations:
        kept["annotations"] = annotations
    spec = resource.get("spec") or {}
    return Migration({"apiVersion": API_VERSION, "kind": KIND, "metadata": kept, "spec": spec})


def _from_values(values: dict[str, Any], name: str, namespace: str | None) -> Migration:
    everywhere = values.pop("global", None) or {}
    metadata = {"name": str(values.pop("fullnameOverride", "") or name)}
    if namespace or everywhere.get("namespace"):
        metadata["namespace"] = namespace or str(everywhere["namespace"])
    spec: dict[str, Any] = {}
    migration = Migration(
        {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec}
    )
    if "replicaCount" in values:
        spec["replicas"] = values.pop("replicaCount")
    for key in _SAME:
        if key in values and not _is_nothing(value := values.pop(key)):
            spec[key] = value
    _image(spec, everywhere, migration)
    _rest("global", everywhere, ("namespace", "imageRegistry"), migration)
    _service(spec, migration)
    _without_empty(spec, "persistence", "ingress", "autoscaling", "serviceAccount")
    if spec.get("securityContext") == _CHARTS_SECURITY_CONTEXT:
        del spec["securityContext"]
        migration.say("securityContext", "was the chart's own: the operator's is stricter")
    env = [*(values.pop("env", None) or []), *(values.pop("extraEnv", None) or [])]
    if env:
        spec["env"] = env
    _env_from(spec, values.pop("envFromSecrets", None), migration)
    _way_in(spec, values.pop("gateway", None) or {}, migration)
    config = values.pop("configOverride", None) or values.pop("config", None)
    values.pop("config", None)
    if config:
        spec["config"] = config
    _skip_processing(spec, values.pop("router", None) or {}, migration)
    _leftovers(values, migration)
    return migration


def _image(spec: dict[str, Any], everywhere: Mapping[str, Any], migration: Migration) -> None:
    image = spec.get("image") or {}
    if everywhere.get("imageRegistry"):
        image["imageRegistry"] = everywhere["imageRegistry"]
    if "tag" in image and not image["tag"]:
        del image["tag"]
        migration.say("image.tag", "was the chart's own version; unset, it is the CRD's default")
    if image:
        spec["image"] = image


def _service(spec: dict[str, Any], migration: Migration) -> None:
    service = spec.get("service") or {}
    if "port" in service:
        # Charts of old had one port.
        service.setdefault("api", {})["port"] = service.pop("port")
        migration.say("service.port", "became spec.service.api.port")


def _without_empty(spec: dict[str, Any], *keys: str) -> None:
    """The chart's "" stands for unset, and what is in a section that is off is an example."""
    for key in keys:
        section = spec.get(key)
        if not isinstance(section, dict):
            continue
        kept = {name: value for name, value in section.items() if value not in ("", [], {}, None)}
        if key in ("ingress", "autoscaling") and not kept.get("enabled"):
            kept = {}
        if kept:
            spec[key] = kept
        else:
            del spec[key]


def _rest(
    place: str, section: Mapping[str, Any], taken: Iterable[str], migration: Migration
) -> None:
    """What the section has besides."""
    for key, value in section.items():
        if key not in taken and not _is_nothing(value):
            migration.lose(f"{place}.{key}", "not carried over: the CRD has no such field")


def _skip_processing(spec: dict[str, Any], router: Mapping[str, Any], migration: Migration) -> None:
    _rest("router", router, ("skipProcessing",), migration)
    skipped = router.get("skipProcessing") or {}
    _rest("router.skipProcessing", skipped, ("enabled",), migration)
    wanted = skipped.get("enabled")
    if wanted is not None:
        config = spec.setdefault("config", {})
        section = config.setdefault("global", {}).setdefault("router", {})
        section["skip_processing"] = {"enabled": wanted}


def _env_from(spec: dict[str, Any], secrets: Any, migration: Migration) -> None:
    for secret in secrets if isinstance(secrets, list) else [secrets] if secrets else []:
        if isinstance(secret, str):
            spec.setdefault("envFrom", []).append({"secretRef": {"name": secret}})
        elif isinstance(secret, dict) and isinstance(secret.get("name"), str):
            kept = {key: secret[key] for key in ("name", "optional") if key in secret}
            spec.setdefault("envFrom", []).append({"secretRef": kept})
        else:
            migration.lose("envFromSecrets", "not carried over: name the Secrets in spec.envFrom")


def _way_in(spec: dict[str, Any], gateway: Mapping[str, Any], migration: Migration) -> None:
    """The newer chart's gateway: how requests come to the router."""
    mode = gateway.get("mode") or ""
    contract = router_config.CONTRACTS[router_config.contract(Router(migration.resource).spec)]
    is_alone = mode == "standalone" and contract.serves_alone
    if mode == "standalone":
        if is_alone:
            spec["gateway"] = {"mode": ROUTER_ALONE}
            migration.say("gateway.mode", "became spec.gateway.mode: router; envoy does more")
        else:
            migration.say("gateway.mode", "Envoy in the pod is the way in, and asks the router")
        secret = (gateway.get("tls") or {}).get("secretName")
        if is_alone and secret:
            spec["gateway"]["tls"] = {"secretName": secret}
            gateway = {**gateway, "tls": {**gateway["tls"], "secretName": ""}}
            migration.say("gateway.tls.secretName", "became spec.gateway.tls.secretName")
        if isinstance(gateway.get("port"), int):
            port = gateway["port"]
            spec.setdefault("service", {}).setdefault("api", {})["port"] = port
            migration.say("gateway.port", "became spec.service.api.port")
    elif mode:
        advice = "name the Gateway in spec.gateway.existingRef"
        migration.lose("gateway.mode", f"not carried over: for {mode}, {advice}")
    elsewhere = {
        "tls": "end TLS in front of the router, at an Ingress, a Route or a Gateway",
        "apiKeys": _KEYS if is_alone else "check keys in front of the router: nothing does here",
    }
    for key, value in gateway.items():
        if key in ("mode", "enabled") or (key == "port" and mode == "standalone"):
            continue
        if not _is_nothing(value) and not _is_off(value) and not _is_hollow(value):
            advice = elsewhere.get(key, "the CRD has no such field")
            migration.lose(f"gateway.{key}", f"not carried over: {advice}")


def _is_hollow(value: Any) -> bool:
    """A section of the chart whose every key is unset."""
    return isinstance(value, dict) and all(_is_nothing(v) or _is_hollow(v) for v in value.values())


def _listeners(config: dict[str, Any], migration: Migration) -> None:
    """What somebody asks of one is kept, or said to be lost; Envoy's is made of the service."""
    found = config.pop("listeners", None)
    if not isinstance(found, list) or not found:
        return
    migration.say("spec.config.listeners", "left out: the operator writes them from spec.service")
    kept: list[dict[str, Any]] = []
    for index, listener in enumerate(found):
        place = f"spec.config.listeners[{index}]"
        if not isinstance(listener, dict):
            continue
        asked = {
            key: value
            for key, value in listener.items()
            if key not in _OF_THE_OPERATOR and not _is_nothing(value) and not _is_hollow(value)
        }
        timeout = asked.pop("timeout", _CHARTS_TIMEOUT)
        # At the other one Gateways ask, and no client does.
        is_way_in = _is_http(listener)
        taken = _for_a_router_alone(asked, place, migration) if is_way_in else {}
        if is_way_in and any(_is_http(other) for other in found[:index]):
            migration.lose(place, "not carried over: there is one way in")
        elif is_way_in and (timeout != _CHARTS_TIMEOUT or taken):
            port = ports.pod_ports(Router(migration.resource).spec).listener
            kept = [
                {
                    "name": f"http-{port}",
                    "address": "0.0.0.0",  # noqa: S104
                    "port": port,
                    **({"timeout": timeout} if timeout != _CHARTS_TIMEOUT else {}),
                    **taken,
                }
            ]
        for key in asked:
            advice = "do it in front of the router, at an Ingress, a Route or a Gateway"
            migration.lose(f"{place}.{key}", f"not carried over: {advice}")
    if kept:
        config["listeners"] = kept


def _for_a_router_alone(asked: dict[str, Any], place: str, migration: Migration) -> dict[str, Any]:
    """What a router that serves alone reads of a listener; it is taken out of what was asked."""
    spec = migration.resource["spec"]
    if not serves_alone(spec):
        return {}
    keys = asked.get("api_keys")
    if keys and not all(_FROM_ENVIRONMENT.fullmatch(str(key)) for key in keys):
        del asked["api_keys"]
        migration.lose(f"{place}.api_keys", f"not carried over: {_KEYS}")
    if "tls" in asked and spec["gateway"].get("tls"):
        del asked["tls"]
        migration.say(f"{place}.tls", "left out: spec.gateway.tls says it")
    names = ("api_keys", "tls", "models", "identity", "systemone")
    return {name: asked.pop(name) for name in names if name in asked}


def _is_http(listener: Any) -> bool:
    return isinstance(listener, dict) and listener.get("port") != _GRPC_PORT


def _leftovers(values: dict[str, Any], migration: Migration) -> None:
    for key, value in values.items():
        if _is_nothing(value) or _is_off(value):
            continue
        if key in _SUBCHARTS:
            continue
        if key in _POINTLESS:
            migration.say(key, f"not carried over: {_POINTLESS[key]}")
            continue
        advice = _ELSEWHERE.get(key, "the CRD has no such field")
        migration.lose(key, f"not carried over: {advice}")


def _is_nothing(value: Any) -> bool:
    return value in (None, "", [], {})


def _is_off(value: Any) -> bool:
    """A section of the chart in which nothing is switched on."""
    if not isinstance(value, dict):
        return False
    flags = list(_flags(value))
    return bool(flags) and not any(flags)


def _flags(value: Any) -> list[bool]:
    if not isinstance(value, dict):
        return []
    own = [bool(value["enabled"])] if "enabled" in value else []
    # What is below a switch that is off does not count.
    if own and not own[0]:
        return own
    return own + [flag for item in value.values() for flag in _flags(item)]


def _modernise(config: dict[str, Any], migration: Migration) -> None:
    """Older names of sections and leaves."""
    bert = config.pop("bert_model", None)
    if isinstance(bert, dict):
        _embedding_model(config, bert, migration)
    if "semantic_cache" in config and "response_cache" not in config:
        config["response_cache"] = config.pop("semantic_cache")
        migration.say("spec.config.semantic_cache", "is called response_cache now")
    tracing = (config.get("observability") or {}).get("tracing") or {}
    for group, alias, now in (
        ("sampling", "probability", "rate"),
        ("resource", "environment", "deployment_environment"),
    ):
        section = tracing.get(group) or {}
        if alias in section:
            section[now] = section.pop(alias)
            migration.say(
                f"spec.config.observability.tracing.{group}.{alias}", f"is called {now} now"
            )
    _listeners(config, migration)


def _rename_providers(config: dict[str, Any], migration: Migration) -> None:
    """Gives the providers of a document for routers of 0.3 the names of later ones."""
    providers = config.get("providers") or {}
    defaults = providers.get("defaults") or {}
    if router_config.contract(Router(migration.resource).spec) == "0.3":
        return
    for old, new in (("default_model", "model"), ("default_reasoning_effort", "reasoning_effort")):
        if old in defaults and new not in defaults:
            defaults[new] = defaults.pop(old)
            migration.say(f"spec.config.providers.defaults.{old}", f"is called {new} now")
    families = defaults.pop("reasoning_families", None)
    if families:
        config["reasoning_families"] = {**families, **(config.get("reasoning_families") or {})}
        migration.say(
            "spec.config.providers.defaults.reasoning_families",
            "became spec.config.reasoning_families",
        )
    for index, model in enumerate(providers.get("models") or []):
        for number, reference in enumerate(model.get("backend_refs") or []):
            kind = reference.pop("type", None)
            if kind and not reference.get("provider"):
                reference["provider"] = kind
                place = f"spec.config.providers.models[{index}].backend_refs[{number}].type"
                migration.say(place, "is called provider now")


def _embedding_model(config: dict[str, Any], bert: Mapping[str, Any], migration: Migration) -> None:
    migration.say("spec.config.bert_model", "became the embedding model of embedding_models")
    section = config.setdefault("embedding_models", {})
    if "use_cpu" in bert:
        section.setdefault("use_cpu", bert["use_cpu"])
    if "threshold" in bert:
        settings = section.setdefault("embedding_config", {})
        settings.setdefault("min_score_threshold", bert["threshold"])
    if not section:
        del config["embedding_models"]
    if router_config.contract(Router(migration.resource).spec) not in ("0.3", "0.4"):
        said = "left out: routers of this release embed with a model of their own"
        migration.say("spec.config.bert_model.model_id", said)
    elif "model_id" in bert:
        # The CRD's section has no name for it; the router's own document has.
        place = config
        for step in ("global", "model_catalog", "embeddings", "semantic"):
            place = place.setdefault(step, {})
        place.setdefault("bert_model_path", bert["model_id"])


def _extract_backends(spec: dict[str, Any], config: dict[str, Any], migration: Migration) -> None:
    """Model servers become spec.vllmEndpoints: only those have a way through Envoy."""
    found = [
        *_from_flat(config, migration),
        *_from_providers(config.get("providers") or {}, migration),
    ]
    known = {str(entry.get("name")) for entry in spec.get("vllmEndpoints") or []}
    for entry in found:
        entry["name"] = _unused(entry["name"], known)
        known.add(entry["name"])
        spec.setdefault("vllmEndpoints", []).append(entry)
    _drop_placeholder(config, migration)
    for key in sorted(_OLD_FLAT & set(config)):
        del config[key]
        advice = "`vllm-sr config migrate` turns it into routing and providers, for spec.config"
        migration.lose(f"config.{key}", f"not carried over: {advice}")


def _from_flat(config: dict[str, Any], migration: Migration) -> list[dict[str, Any]]:
    endpoints = config.pop("vllm_endpoints", None) or []
    models = config.pop("model_config", None) or {}
    if endpoints:
        _default_model(config, migration)
    found = []
    for endpoint in endpoints:
        place = f"config.vllm_endpoints {endpoint.get('name')}"
        address = f"{endpoint.get('address', '')}:{endpoint.get('port', '')}"
        backend = _backend(address)
        if backend is None:
            migration.lose(place, f"not carried over: {_advice(address)}")
            continue
        served = [
            name
            for name, model in models.items()
            if endpoint.get("name") in (model.get("preferred_endpoints") or [])
        ] or list(endpoint.get("models") or [])
        if not served:
            migration.lose(place, "not carried over: no model names it in preferred_endpoints")
        for name in served:
            family = (models.get(name) or {}).get("reasoning_family")
            weight = endpoint.get("weight")
            found.append(_entry(str(endpoint.get("name")), name, backend, weight, family))
        for key in endpoint.keys() - {"name", "address", "port", "weight", "models"}:
            migration.lose(f"{place} {key}", "not carried over: say it in spec.config.providers")
    for name, model in models.items():
        for key in sorted((model or {}).keys() - {"preferred_endpoints", "reasoning_family"}):
            migration.lose(
                f"config.model_config {name} {key}",
                "not carried over: say it in spec.config.providers.models or routing.modelCards",
            )
    return found


def _default_model(config: dict[str, Any], migration: Migration) -> None:
    name = config.pop("default_model", None)
    if name:
        older = router_config.contract(Router(migration.resource).spec) == "0.3"
        defaults = config.setdefault("providers", {}).setdefault("defaults", {})
        defaults.setdefault("default_model" if older else "model", name)


def _from_providers(providers: dict[str, Any], migration: Migration) -> list[dict[str, Any]]:
    found = []
    kept = []
    for model in providers.get("models") or []:
        name = str(model.get("name"))
        family = model.get("reasoning_family") or (model.get("reasoning") or {}).get("family")
        stays = []
        references = model.get("backend_refs") or []
        # How the router is to ask it, with which key say, is its own document's to say; and one
        # model is not asked in two ways.
        is_told = any(map(_says_more, references))
        for reference in references:
            address = str(reference.get("endpoint") or reference.get("base_url") or "")
            backend = _backend(address, reference.get("protocol"))
            if backend is None or is_told:
                place = f"spec.config.providers.models {name}"
                migration.say(
                    place, f"{address or 'its backend'}: {_stays(migration, model, reference)}"
                )
                stays.append(reference)
                continue
            label = str(reference.get("name") or name)
            found.append(_entry(label, name, backend, reference.get("weight"), family))
        rest = {key: value for key, value in model.items() if key != "backend_refs" or stays}
        if stays:
            rest["backend_refs"] = stays
        elif found:
            rest.pop("reasoning_family", None)
        if set(rest) - {"name"}:
            kept.append(rest)
    if "models" in providers:
        providers["models"] = kept
        if not kept:
            del providers["models"]
    return found


def _says_more(reference: Mapping[str, Any]) -> bool:
    said = {key for key, values in _SAID_BY_ITSELF if reference.get(key) in (None, "", *values)}
    return bool(reference.keys() - _SAID - said)


def _backend(address: str, protocol: Any = None) -> dict[str, Any] | None:
    """A Service of the cluster, by its DNS name; None for addresses and names of the outside."""
    match = _ENDPOINT.match(address)
    if match is None or (match["namespace"] and ".svc" not in address):
        return None
    scheme = match["scheme"] or (protocol if protocol in ("http", "https") else None)
    port = int(match["port"] or (443 if scheme == "https" else 80))
    service: dict[str, Any] = {"name": match["name"], "port": port}
    if match["namespace"]:
        service["namespace"] = match["namespace"]
    if scheme and (scheme == "https") != (port in HTTPS_PORTS):
        service["scheme"] = scheme
    return {"type": backend_kinds.TYPE_SERVICE, "service": service}


def _stays(migration: Migration, model: Mapping[str, Any], reference: Mapping[str, Any]) -> str:
    config = {"providers": {"models": [{**model, "backend_refs": [reference]}]}}
    if hosted.provider_entries({**migration.resource["spec"], "config": config}):
        return "stays, and is reached as a hosted model is"
    return "stays, and nothing leads there; name its URL in base_url"


def _advice(address: str) -> str:
    return (
        f"{address or 'it'} is no Service of the cluster; name its URL in spec.vllmEndpoints, with "
        "backend.type external"
    )


def _entry(
    name: str, model: str, backend: dict[str, Any], weight: Any, family: Any
) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": _NOT_A_LABEL.sub("-", name.lower()).strip("-") or "backend",
        "model": model,
        "backend": deepcopy(backend),
    }
    if family:
        entry["reasoningFamily"] = family
    if isinstance(weight, int):
        entry["weight"] = weight
    return entry


def _unused(name: str, known: set[str]) -> str:
    number, candidate = 2, name
    while candidate in known:
        candidate, number = f"{name}-{number}", number + 1
    return candidate


def _drop_placeholder(config: dict[str, Any], migration: Migration) -> None:
    """The chart's default values name a model that nobody has."""
    providers = config.get("providers") or {}
    defaults = providers.get("defaults") or {}
    for key in ("default_model", "model"):
        if defaults.get(key) == _PLACEHOLDER:
            del defaults[key]
    cards = (config.get("routing") or {}).get("modelCards") or []
    if any(card.get("name") == _PLACEHOLDER for card in cards):
        migration.say("spec.config", f"{_PLACEHOLDER} is the chart's placeholder: name your models")
        config["routing"]["modelCards"] = [
            card for card in cards if card.get("name") != _PLACEHOLDER
        ]
        if not config["routing"]["modelCards"]:
            del config["routing"]["modelCards"]
    if "defaults" in providers and not defaults:
        del providers["defaults"]
    if "providers" in config and not providers:
        del config["providers"]


def _hide_passwords(value: Any, migration: Migration, path: tuple[str, ...]) -> None:
    """A password in a file becomes a reference to a Secret; its value is shown nowhere."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            _hide_passwords(item, migration, (*path[:-1], f"{path[-1]}[{index}]"))
    if not isinstance(value, dict):
        return
    if "password" in value and isinstance(value["password"], str):
        password = value.pop("password")
        if password:
            owner = next(step for step in reversed(path) if step not in ("connection", "auth"))
            router = migration.resource["metadata"].get("name", "router")
            name = f"{router}-{owner}".replace("_", "-")
            value.setdefault("password_secret_ref", {"name": name, "key": "password"})
            migration.say(
                ".".join((*path, "password")),
                f"became a reference: create Secret {name} with key password",
            )
    for key, item in value.items():
        _hide_passwords(item, migration, (*path, str(key)))


def _drop_unknown(spec: dict[str, Any], migration: Migration) -> None:
    known = crd.schema()["properties"]["spec"]["properties"]
    for key in sorted(set(spec) - set(known)):
        del spec[key]
        migration.lose(f"spec.{key}", "not carried over: the CRD has no such field")
