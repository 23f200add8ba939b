# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The ConfigMaps that router and Envoy read; what is in them is for router_config and envoy."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils import envoy, router_config
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.upstream_tls import (
    secret_files,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.verification import (
    service_ca,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.gateway_mode import (
    has_envoy,
    serves_alone,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    ANNOTATION_CONFIG_HASH,
    Manifest,
    config_map_name,
    config_revision_name,
    envoy_config_map_name,
    metadata,
    service_ca_config_map_name,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

# Texts that YAML 1.1 as the router reads it (Go) takes for something else than a text, and PyYAML
# does not: y and n, and everything that looks like the start of a number.
_AMBIGUOUS = frozenset({"", "y", "n", "yes", "no", "on", "off", "true", "false", "null", "~"})
_NUMBER_START = frozenset("+-.0123456789")

HOT_RELOAD = "HotReload"

# What the values of one may have together; the API server's.
CONFIG_MAP_LIMIT_BYTES = 1024 * 1024


def config_maps(router: Router, facts: Facts) -> list[Manifest]:
    """What the router reads (config.yaml, tools_db.json), and what the Envoy in the pod reads.

    A pod that is replaced has to find what its ReplicaSet started with, as long as the one after it
    has not proved itself. So a changed content gets a ConfigMap of its own, and the one of the
    plain name, which people read, follows when no pod mounts it (docs/adr/0033-the-last-good.md).
    """
    return [
        _config_map(router, name, dict(content))
        for plain, mounted, content in _revisions(router, facts)
        for name in dict.fromkeys((mounted, plain))
        if name == mounted or name not in facts.rollout.in_use
    ]


def mounted_config_maps(router: Router, facts: Facts) -> list[str]:
    """Names of those that new pods mount: the router's, and Envoy's if one is in the pod."""
    return [mounted for _, mounted, _ in _revisions(router, facts)]


def _revisions(router: Router, facts: Facts) -> Iterator[tuple[str, str, dict[str, str]]]:
    """For each content the plain name, that of the ConfigMap which pods mount, and the files."""
    alone = serves_alone(router.spec)
    names = (config_map_name(router.name, alone), envoy_config_map_name(router.name))
    # Where no Envoy is in the pod, there is no second content.
    for plain, started, content in zip(
        names, started_with(router, facts), _contents(router, facts), strict=False
    ):
        own = config_revision_name(plain, started)
        in_use = {
            name: of_content
            for name, of_content in facts.rollout.in_use.items()
            if name in (plain, config_revision_name(plain, of_content))
        }
        there = (name for name, of_content in in_use.items() if of_content == started)
        yield plain, next(there, own if in_use else plain), content


def service_ca_config_map(router: Router, facts: Facts) -> list[Manifest]:
    """The ConfigMap that OpenShift writes its service CA into, and keeps it current."""
    if not service_ca(router, facts):
        return []
    name = service_ca_config_map_name(router.name)
    asked = {"service.beta.openshift.io/inject-cabundle": "true"}
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata(router.name, router.namespace, name=name, annotations=asked),
        }
    ]


def config_hashes(router: Router, facts: Facts) -> tuple[str, str]:
    """Hashes of the router's ConfigMap and of Envoy's, which change exactly when the content does.

    The second is "" where no Envoy runs in the pod.
    """
    hashes = [_content_hash(content) for content in _contents(router, facts)]
    return hashes[0], hashes[1] if len(hashes) > 1 else ""


def started_with(router: Router, facts: Facts) -> tuple[str, str]:
    """The same of what new pods are said to have started with, in their annotations."""
    config, envoys = config_hashes(router, facts)
    if router.spec.get("configRolloutPolicy") == HOT_RELOAD:
        # Stays what it was when the pods started, so that going back replaces them only if they
        # have been overtaken, and going over does not.
        config = facts.rollout.template.get(ANNOTATION_CONFIG_HASH, config)
    return config, envoys


def _contents(router: Router, facts: Facts) -> list[dict[str, str]]:
    """The files of each ConfigMap; the same ones for the same router and facts."""
    global _rendered
    known_router, known_facts, known = _rendered
    if known_router is router and known_facts is facts:
        return known
    tools = router_config.tools_database(router.spec)
    contents = [
        {
            "config.yaml": yaml_text(router_config.render(router, facts)),
            "tools_db.json": _readable_json(tools),
        }
    ]
    if has_envoy(router.spec):
        secrets = secret_files(router, facts)
        contents.append(
            {
                "envoy.yaml": _fitting(envoy.bootstrap(router, facts)),
                **{name: yaml_text(content) for name, content in secrets.items()},
            }
        )
    _rendered = (router, facts, contents)
    return contents


# The last ones: the Deployment asks for their hashes, and writing YAML is a third of a reconcile.
_rendered: tuple[Router | None, Facts | None, list[dict[str, str]]] = (None, None, [])


def _content_hash(content: dict[str, str]) -> str:
    canonical = json.dumps(content, sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def yaml_text(document: dict[str, Any]) -> str:
    """YAML for people: given order, block style, no aliases, no folded lines."""
    return yaml.dump(
        document,
        Dumper=_Dumper,
        sort_keys=False,
        default_flow_style=False,
        allow_unicode=True,
        width=10**6,
    )


def _fitting(document: dict[str, Any]) -> str:
    """YAML for people; where that has no room in a ConfigMap, as JSON, which is YAML too.

    It is of little more than half the size, without what block style puts before each line.
    """
    text = yaml_text(document)
    return text if size_of(text) <= CONFIG_MAP_LIMIT_BYTES else _compact_json(document)


def _readable_json(document: Any) -> str:
    """For people, unless that has no room in a ConfigMap."""
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    return text if size_of(text) <= CONFIG_MAP_LIMIT_BYTES else _compact_json(document)


def _compact_json(document: Any) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False) + "\n"


def size_of(text: str) -> int:
    """As the API server counts it."""
    return len(text.encode())


def _config_map(router: Router, name: str, data: dict[str, str]) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(router.name, router.namespace, name=name),
        "data": data,
    }


# libyaml writes the same text in a tenth of the time, which was half of a reconcile.
class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None
    if "\n" in text:
        style = "|"
    elif text.lower() in _AMBIGUOUS or text[0] in _NUMBER_START:
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)
