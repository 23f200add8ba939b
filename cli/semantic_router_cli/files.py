"""Reads SemanticRouters, and what may become one, from files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import yaml_file
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    API_VERSION,
    KIND,
)

from semantic_router_cli import shape


class FileError(Exception):
    """A file that cannot be used; says why and what to give instead."""


def documents(source: str) -> list[dict[str, Any]]:
    """The mappings of a YAML or JSON file, or of standard input for ``-``."""
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
        found = yaml_file.documents(text)
    except yaml_file.DocumentError as error:
        raise FileError(f"{source}: {error.found}. {error.remedy}.") from error
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise FileError(f"{source}: {why}. Name a readable YAML file.") from error
    for item in found:
        if not isinstance(item, dict):
            raise FileError(f"{source} holds a {type(item).__name__}. Give Kubernetes objects.")
    return [item for each in found for item in _items(each, source)]


def _items(found: dict[str, Any], source: str) -> list[dict[str, Any]]:
    """Those of a List, as `kubectl get -o yaml` prints one; else the document itself."""
    is_list = str(found.get("kind")).endswith("List") and "items" in found
    if is_list and (wrong := shape.mistake(found, shape.OF_A_LIST)):
        raise FileError(f"{source}: {wrong}")
    items = found["items"] if is_list else [found]
    for item in items or []:
        if "kind" in item and (wrong := shape.mistake(item, shape.OF_AN_OBJECT)):
            raise FileError(f"{source}: {wrong}")
    return list(items or [])


def routers(source: str) -> list[dict[str, Any]]:
    """The SemanticRouters of a file, other objects left out; FileError when there is none."""
    found = documents(source)
    chosen = [
        item for item in found if (item.get("apiVersion"), item.get("kind")) == (API_VERSION, KIND)
    ]
    if not chosen:
        what = ", ".join(_what(item) for item in found)
        raise FileError(
            f"{source} holds no {KIND} of {API_VERSION} (it holds: {what or 'nothing'}). "
            "`kubectl sr migrate` makes one of Helm values."
        )
    return chosen


def _what(item: dict[str, Any]) -> str:
    kind = str(item.get("kind") or "something without kind")
    if kind != KIND:
        return kind
    return (
        f"{kind} of {item['apiVersion']}"
        if item.get("apiVersion")
        else f"{kind} without apiVersion"
    )
