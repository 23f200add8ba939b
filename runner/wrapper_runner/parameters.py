"""The variables of a run: the contract between ansible-operator and a playbook, pure.

For one object they are extra vars, as the stock binary's runner.go makes them, so that a playbook
cannot tell who called it. Several objects are hosts of one play, and each one's are its host's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wrapper_runner.schedule import Key
from wrapper_runner.watches import Kind

# The extra var of a run for several objects: the hosts of its play.
HOSTS = "routers"
ALL = "all"
META = "ansible_operator_meta"

Object = Mapping[str, Any]


def extra_vars(
    kind: Kind, cr: Object, variables: Mapping[str, Any], unsafe: bool
) -> dict[str, Any]:
    """Spec keys, then what the operator adds, then the watch's own `variables`: later ones win."""
    spec = cr.get("spec")
    spec = spec if isinstance(spec, Mapping) else {}
    mark = mark_unsafe if unsafe else _as_it_is
    metadata = cr["metadata"]
    name = object_variable(kind)
    return {
        **{key: mark(value) for key, value in spec.items()},
        META: {
            "namespace": metadata.get("namespace", ""),
            "name": metadata["name"],
        },
        # A kind without a spec still gets one, as its playbooks rely on it.
        name: mark({**cr, "spec": spec}),
        f"{name}_spec": mark(spec),
        **variables,
    }


def host_vars(kind: Kind, cr: Object) -> dict[str, Any]:
    """The same for the host of one object among others, as plain data."""
    variables = extra_vars(kind, cr, {}, unsafe=False)
    # A key of a spec is an object's, and how its host is reached is not the object's to say.
    return {
        name: value
        for name, value in variables.items()
        if name == META or not name.startswith("ansible_")
    }


def host_name(key: Key) -> str:
    """Unambiguous, as a namespace has no dot; and with one, never a group or localhost."""
    return f"{key.namespace or 'cluster'}.{key.name}"


def object_variable(kind: Kind) -> str:
    """`_vllm_ai_semanticrouter` for vllm.ai/v1alpha1, Kind=SemanticRouter."""
    return f"_{kind.group}_{kind.kind.lower()}".replace(".", "_").replace("-", "_")


def mark_unsafe(value: Any) -> Any:
    """Every string value becomes one that Ansible never templates; keys stay as they are."""
    if isinstance(value, Mapping):
        return {key: mark_unsafe(item) for key, item in value.items()}
    if isinstance(value, list):
        return [mark_unsafe(item) for item in value]
    if isinstance(value, str):
        return {"__ansible_unsafe": value}
    return value


def _as_it_is(value: Any) -> Any:
    return value
