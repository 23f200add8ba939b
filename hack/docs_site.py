"""What mkdocs.yml cannot say: the CRD reference, the decisions, links into the checkout.

MkDocs calls the functions whose names start with ``on_``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).resolve().parents[1]
DOCS = CHECKOUT / "docs"
CRD = CHECKOUT / "config" / "crd" / "bases" / "vllm.ai_semanticrouters.yaml"
REFERENCE = "reference.md"

LINK = re.compile(r"(\]\()([^)\s#:]+)")
HEAD = "| Field | Type | Default | Constraints | Description |\n|---|---|---|---|---|"
Schema = dict[str, Any]


def on_config(config: Any) -> Any:
    """Adds every decision to the navigation; each names itself in its first line."""
    decisions = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.glob("adr/*.md"))
    config.nav.append({"Decisions": decisions})
    return config


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """The page, its links to files outside docs/ leading to the repository."""
    tables = reference(CRD.read_text("utf-8")) if page.file.src_uri == REFERENCE else ""
    return outward(markdown, page.file.src_uri, config.repo_url) + tables


def outward(markdown: str, page: str, repository: str) -> str:
    """``page``: path below docs/. Links to what does not exist stay, for MkDocs to complain."""

    def led(match: re.Match[str]) -> str:
        target = (DOCS / page).parent.joinpath(match[2]).resolve()
        if not target.exists() or target.is_relative_to(DOCS):
            return match[0]
        place = target.relative_to(CHECKOUT).as_posix()
        return f"{match[1]}{repository}/{'tree' if target.is_dir() else 'blob'}/main/{place}"

    return LINK.sub(led, markdown)


def reference(crd: str) -> str:
    """Tables of every field of the CRD: one chapter per field below spec and status."""
    loaded = yaml.load(crd, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    root = loaded["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    lines = [""]
    for part in ("spec", "status"):
        lines += ["", f"## {part}", "", root[part].get("description", ""), ""]
        lines += [f"- {message}" for message in _rules(root[part])]
        for name, node in root[part]["properties"].items():
            required = name in root[part].get("required", [])
            rows = list(_rows(f"{part}.{name}", node, required))
            lines += ["", f"### {part}.{name}", "", HEAD, *rows]
    return "\n".join(lines) + "\n"


def _rows(path: str, node: Schema, required: bool) -> Iterator[str]:
    cells = (
        f"`{path}`",
        _type(node),
        f"`{json.dumps(node['default'])}`" if "default" in node else "",
        "<br>".join(_constraints(node, required)),
        _text(node.get("description", "")),
    )
    yield f"| {' | '.join(cells)} |"
    yield from _children(path, node)


def _children(path: str, node: Schema) -> Iterator[str]:
    for name, child in node.get("properties", {}).items():
        yield from _rows(f"{path}.{name}", child, name in node.get("required", []))
    if "items" in node:
        yield from _children(f"{path}[]", node["items"])
    if isinstance(node.get("additionalProperties"), dict):
        yield from _children(f"{path}.{{}}", node["additionalProperties"])


def _type(node: Schema) -> str:
    if node.get("x-kubernetes-int-or-string"):
        return "integer or string"
    if "items" in node:
        return f"list of {_type(node['items'])}"
    if isinstance(node.get("additionalProperties"), dict):
        return f"map of {_type(node['additionalProperties'])}"
    if "type" not in node:
        return "any"
    return str(node.get("format") or node["type"])


def _constraints(node: Schema, required: bool) -> Iterator[str]:
    if required:
        yield "required"
    if "enum" in node:
        yield "one of " + ", ".join(f"`{value or json.dumps(value)}`" for value in node["enum"])
    for key, words in (
        ("minimum", "at least {}"),
        ("maximum", "at most {}"),
        ("minLength", "at least {} characters"),
        ("maxLength", "at most {} characters"),
        ("maxItems", "at most {} entries"),
    ):
        if key in node:
            yield words.format(node[key])
    if "pattern" in node:
        yield f"matches `{node['pattern']}`"
    if node.get("x-kubernetes-list-map-keys"):
        yield f"unique by {', '.join(node['x-kubernetes-list-map-keys'])}"
    yield from _rules(node)
    if "items" in node:
        yield from (f"each: {said}" for said in _constraints(node["items"], required=False))


def _rules(node: Schema) -> Iterator[str]:
    yield from (_text(rule["message"]) for rule in node.get("x-kubernetes-validations", []))


def _text(text: str) -> str:
    """Text for a cell of a table."""
    escaped = text.replace("|", "&#124;").replace("<", "&lt;").replace("{", "&#123;")
    return " ".join(escaped.split())
