"""Whether a file has the structure that commands read: no API server and no chart has looked
before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_CONFIG: dict[str, Any] = {
    "bert_model": Any,
    "observability": {"tracing": {"sampling": {}, "resource": {}}},
    "embedding_models": {"embedding_config": {}},
    "providers": {
        "defaults": {"reasoning_families": {}},
        "models": [{"reasoning": {}, "backend_refs": [{"protocol": str}]}],
    },
    "reasoning_families": {},
    "routing": {"modelCards": [{"name": str}]},
    "vllm_endpoints": [{"models": [str]}],
    "model_config": {"*": {"preferred_endpoints": [str]}},
    "global": {"model_catalog": {"embeddings": {"semantic": {}}}, "router": {}},
    "listeners": [{"api_keys": [str]}],
    "contract": str,
}
_IN_BOTH: dict[str, Any] = {
    "config": _CONFIG,
    "image": {"tag": str},
    "service": {"api": {}},
    "gateway": {"tls": {}, "mode": str},
}
OF_A_SPEC: dict[str, Any] = {
    **_IN_BOTH,
    "vllmEndpoints": [{"name": str}],
}
OF_VALUES: dict[str, Any] = {
    **_IN_BOTH,
    "configOverride": _CONFIG,
    "global": {},
    "env": [{}],
    "extraEnv": [{}],
    "router": {"skipProcessing": {}},
}
_METADATA: dict[str, Any] = {
    "name": str,
    "namespace": str,
    "labels": {"*": str},
    "annotations": {"*": str},
}
OF_AN_OBJECT: dict[str, Any] = {"kind": str, "apiVersion": str, "metadata": _METADATA, "spec": {}}
OF_A_ROUTER: dict[str, Any] = {**OF_AN_OBJECT, "spec": OF_A_SPEC}
OF_A_LIST: dict[str, Any] = {"items": [{}]}
_WANTED = {dict: "an object", list: "a list", str: "text"}


def mistake(value: Any, shape: Any, place: str = "") -> str:
    """The first place with something else, and what it should be; "" when there is none.

    What is not there, or null, is no mistake.
    """
    if shape is Any or value is None:
        return ""
    kind: Any = shape if isinstance(shape, type) else type(shape)
    if not isinstance(value, kind):
        return f"{place or 'it'} is a {type(value).__name__}. Give {_WANTED[kind]}."
    parts: list[tuple[Any, Any, str]] = []
    if isinstance(shape, list):
        parts = [(item, shape[0], f"{place}[{n}]") for n, item in enumerate(value)]
        empty = next((where for item, _, where in parts if item is None), "")
        if empty:
            return f"{empty} is empty. Remove it."
    elif isinstance(shape, Mapping):
        parts = [
            (item, shape.get(key, shape.get("*", Any)), f"{place}.{key}".removeprefix("."))
            for key, item in value.items()
        ]
    return next((found for part in parts if (found := mistake(*part))), "")
