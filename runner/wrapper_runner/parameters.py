"""The extra vars of a run: the contract between ansible-operator and a playbook, pure.

As the stock binary's runner.go makes them, so that a playbook cannot tell who called it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wrapper_runner.watches import Kind

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
        "ansible_operator_meta": {
            "namespace": metadata.get("namespace", ""),
            "name": metadata["name"],
        },
        # A kind without a spec still gets one, as its playbooks rely on it.
        name: mark({**cr, "spec": spec}),
        f"{name}_spec": mark(spec),
        **variables,
    }


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
