# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The router's configuration: spec.config, spec.vllmEndpoints and spec.toolsDb become config.yaml.

spec -> sections.read -> one neutral model (model.py) -> document.build with the tables of one
contract (contract_0_3.py and its like) -> the canonical document. Pure; knows no Kubernetes
object but the environment entries that carry passwords.

Three rules for every text a user writes in spec.config:

- The router expands ${NAME}, ${NAME:-default} and $NAME from its environment, and reads $$ as one
  dollar (from contract 0.4 on; 0.3 expands nothing). We never expand or escape: a text reaches
  config.yaml as it was written.
- A password reaches the router through a *_secret_ref, as a bare ${NAME} of spec.env, or in plain
  text, which is told of; never through config.yaml.
- A number may be written as text.
"""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config import (
    checks,
    contract_0_3,
    contract_0_4,
    contract_0_5,
    document,
    schema,
    sections,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config.schema import (
    schema_version,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config.tools import (
    tools_database,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

__all__ = (
    "assumption",
    "contract",
    "problems",
    "render",
    "schema_name",
    "schema_version",
    "tools_database",
)

# A release more is one line here, its file, and its package: CONTRIBUTING.md has the steps.
CONTRACTS = {
    c.name: c for c in (contract_0_3.CONTRACT, contract_0_4.CONTRACT, contract_0_5.CONTRACT)
}

# What latest, nightly builds, tags that say nothing and releases to come are taken for.
NEWEST = contract_0_5.CONTRACT.name

_RELEASES = {
    "0.3": re.compile(r"v?0\.[23]($|[.+_@-].*)"),
    "0.4": re.compile(r"v?0\.4($|[.+_@-].*)"),
    "0.5": re.compile(r"v?0\.5($|[.+_@-].*)"),
}


def contract(spec: dict[str, Any]) -> str:
    """Name of the contract that the router image of a defaulted spec understands."""
    asked = (spec.get("config") or {}).get("contract")
    if asked:
        return str(asked)
    return _of_tag(spec) or NEWEST


def assumption(spec: dict[str, Any]) -> str:
    """What is taken for granted of an image that does not say which release it is; "": nothing."""
    if (spec.get("config") or {}).get("contract"):
        return ""
    tag = spec["image"]["tag"]
    if "@" in spec["image"]["repository"]:
        return (
            f'spec.image.repository names a digest, so spec.image.tag "{tag}" pulls nothing; the '
            f"image is taken for one that reads contract {contract(spec)}. If it does not, set "
            "spec.config.contract."
        )
    if _of_tag(spec):
        return ""
    named = f'spec.image.tag "{tag}"' if tag else "spec.image without a tag"
    return (
        f"{named} names no release that this operator knows; it is taken for one that reads "
        f"contract {NEWEST}, the newest. If it does not, set spec.config.contract."
    )


def _of_tag(spec: dict[str, Any]) -> str:
    tag = spec["image"]["tag"]
    return next((name for name, tags in _RELEASES.items() if tags.fullmatch(tag)), "")


def schema_name(spec: dict[str, Any]) -> str:
    """The schema that this spec's config.yaml is checked against, as "vllm-sr 0.5.1"; "": none."""
    used = CONTRACTS.get(contract(spec))
    version = schema_version(used.name) if used and used.has_schema else None
    return f"{schema.PACKAGE} {version}" if version else ""


def render(router: Router, facts: Facts) -> dict[str, Any]:
    """config.yaml as a document. Holds no credential, even when problems() has some to tell."""
    return document.build(CONTRACTS[contract(router.spec)], sections.read(router.spec, facts))


def problems(router: Router, facts: Facts) -> list[Problem]:
    """What the router would refuse, ignore or misread in this spec."""
    name = contract(router.spec)
    if name not in CONTRACTS:
        found, remedy = f"{name!r} is no contract", f"Give one of {', '.join(CONTRACTS)}"
        return [Problem(checks.REASON, "spec.config.contract", found, remedy)]
    return checks.problems(router.spec, facts, CONTRACTS[name])
