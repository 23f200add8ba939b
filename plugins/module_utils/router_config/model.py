# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The router's configuration in no contract's words: what sections.py reads and a writer writes.

It knows nothing of config.yaml's layout; it is what stays when a router release moves its keys.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import Path


@dataclass(frozen=True)
class ReasoningFamily:
    """How models of one family are told to think.

    given: the SemanticRouter defines it; False when it is one of the families we supply.
    """

    name: str
    type: str
    parameter: str
    given: bool


@dataclass(frozen=True)
class Provider:
    """Who serves an endpoint outside of the cluster, and how the router is to talk to it.

    api_key_env: the variable with the key; "" for none. version: of Azure's API.
    """

    name: str
    base_url: str
    api_key_env: str = ""
    version: str = ""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Model:
    """One model and every endpoint that serves it. providers: of those outside, by their name.

    reasoning: how it is told to think in the router's own form, which goes before the family.
    catalog: its name in the router's catalog.
    """

    name: str
    endpoints: tuple[Endpoint, ...]
    loras: tuple[dict[str, Any], ...] = ()
    family: ReasoningFamily | None = None
    reasoning: dict[str, Any] = field(default_factory=dict)
    catalog: str = ""
    providers: dict[str, Provider] = field(default_factory=dict)


@dataclass(frozen=True)
class Section:
    """One part of spec.config. source: where its values stand in the SemanticRouter.

    elsewhere: places of keys that have come from another part, or from a key of another name.
    """

    name: str
    source: Path
    value: Any
    elsewhere: dict[Path, Path] = field(default_factory=dict)

    def written_at(self, path: Path) -> Path:
        """Where below spec somebody wrote what stands at a path of the value."""
        return self.elsewhere.get(path, (*self.source, *path))


@dataclass(frozen=True)
class Door:
    """How a router that serves alone takes clients in.

    api_keys: what they have to send one of, as references to the environment; () for anybody.
    tls: the files of certificate and key, in the router's words; {} for those of the user, or none.
    """

    address: str
    api_keys: tuple[str, ...] = ()
    tls: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RouterConfig:
    """Everything that becomes config.yaml, but for the parts given in canonical form.

    looper_endpoint: the URL at which the router asks models itself; "" when we know none.
    has_tools: spec.toolsDb lists some.
    behind_gateway: requests come through a Gateway, which may say who a user is.
    knows_users: spec.auth says who a user is.
    door: where the router serves alone; None where Envoy or a Gateway takes the requests.
    """

    listener_port: int
    looper_endpoint: str = ""
    models: tuple[Model, ...] = ()
    default_model: str = ""
    families: tuple[ReasoningFamily, ...] = ()
    default_reasoning_effort: str = ""
    has_tools: bool = False
    behind_gateway: bool = False
    knows_users: bool = False
    door: Door | None = None
    sections: dict[str, Section] = field(default_factory=dict)
    canonical: dict[str, Any] = field(default_factory=dict)
