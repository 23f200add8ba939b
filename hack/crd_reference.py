"""The pages of the CRD reference: one for each field of spec, one for status.

Tables are HTML, since a cell of a Markdown table holds neither a list nor an anchor. Each object
has a table of its own under its path, so that a row names one field and never a path: a path of
eight names fits into no column.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

Schema = dict[str, Any]

INDEX = "reference.md"
TYPE = "x-core-type"
UPSTREAM = "https://kubernetes.io/docs/reference/generated/kubernetes-api/v{minor}/#{type}-{group}"
GROUPS = {"io.k8s.api.core.v1": "v1-core", "io.k8s.apimachinery.pkg.apis.meta.v1": "v1-meta"}
# A field with more fields of ours below it gets a page for each of its children: `config`, that is.
MOST_ROWS = 150

HEAD = "<thead><tr><th>Field</th><th>Type</th><th>Description</th></tr></thead>"


@dataclass(frozen=True)
class Page:
    """``source``: path below docs/. ``title``: what the navigation calls it."""

    source: str
    title: str
    text: str
    below: tuple[Page, ...] = ()


@dataclass(frozen=True)
class Group:
    """The fields of one object. ``path`` is relative to the page's field, and empty for itself."""

    path: str
    field: Schema  # the object, or what it is an entry of
    depth: int | None  # below a type of Kubernetes'; None for what is ours

    @property
    def deep(self) -> bool:
        return self.depth is not None and self.depth > 1


@dataclass(frozen=True)
class Writer:
    """``samples``: texts of the sample that has every field. ``minor``: Kubernetes' version."""

    samples: list[str]
    minor: str

    def pages(self, root: Schema) -> list[Page]:
        """``root``: the properties of the CRD's schema."""
        spec = root["spec"]
        fields = [
            self.page(("spec", name), node, name in spec.get("required", []))
            for name, node in spec["properties"].items()
        ]
        return [*fields, self.page(("status",), root["status"], required=False)]

    def page(self, path: tuple[str, ...], node: Schema, required: bool) -> Page:
        """The page of one field, with those below it."""
        children = self._children(path, node) if len(path) == 2 and _size(node) > MOST_ROWS else ()
        name = ".".join(path)
        lines = [f"# {_breakable(name)}", "", f"<p>{_text(node.get('description', ''))}</p>"]
        lines += [f'<p class="facts">{self._type(node)}. {_facts(node, required, path)}</p>']
        lines += _refused(node)
        if children:
            rows = "".join(
                _row(child.title, "", f"{self._type(inner)}", _text(inner["description"]), link)
                for child, inner in zip(children, node["properties"].values(), strict=True)
                for link in (f"{path[-1]}/{child.title}.html",)
            )
            lines += ["", f'<table class="fields">{HEAD}<tbody>{rows}</tbody></table>']
        else:
            lines += self._tables(node)
            lines += self._examples(path)
        source = f"reference/{'/'.join(path[1:] or path)}.md"
        return Page(source, path[-1], "\n".join(lines) + "\n", children)

    def index(self, root: Schema) -> str:
        """The table of all pages, for the first page of the reference."""
        lines = []
        for part in ("spec", "status"):
            node = root[part]
            lines += ["", f"## {part}", "", f"<p>{_text(node['description'])}</p>"]
            rows = "".join(
                _row(
                    name,
                    "",
                    self._type(child),
                    _first_sentence(_text(child["description"])),
                    f"reference/{name}.html" if part == "spec" else f"reference/status.html#{name}",
                )
                for name, child in node["properties"].items()
            )
            lines += [f'<table class="fields">{HEAD}<tbody>{rows}</tbody></table>', *_refused(node)]
        return "\n".join(lines) + "\n"

    def _children(self, path: tuple[str, ...], node: Schema) -> tuple[Page, ...]:
        required = node.get("required", [])
        return tuple(
            self.page((*path, name), child, name in required)
            for name, child in node["properties"].items()
        )

    def _tables(self, node: Schema) -> Iterator[str]:
        """A table for each object. What is deep in a type of Kubernetes' opens at a click."""
        hidden = False
        for group in _groups("", node, None):
            deep = group.deep
            if deep and not hidden:
                yield from ("", '<details class="core" markdown="1">')
                yield "<summary>Fields further down, which are Kubernetes' own</summary>"
            if hidden and not deep:
                yield from ("", "</details>")
            hidden = deep
            yield from ("", self._table(group))
        if hidden:
            yield from ("", "</details>")

    def _table(self, group: Group) -> str:
        prefix = f"{group.path}." if group.path else ""
        node = _entry(group.field, "")[0]
        required = node.get("required", [])
        rows = "".join(
            _row(
                name,
                _anchor(f"{prefix}{name}"),
                self._type(child),
                _text(child.get("description", ""))
                + _facts(child, name in required, (name,))
                + "".join(_refused(child) if not _has_group(child) else ()),
                f"#{_anchor(prefix + name)}-fields" if _has_group(child) else "",
            )
            for name, child in node["properties"].items()
        )
        heading = ""
        if group.path:
            level = "###" if group.deep else "##"
            anchor = f"{_anchor(group.path)}-fields"
            heading = f"{level} {_breakable(group.path)} {{ #{anchor} }}\n\n"
        table = f'<table class="fields">{HEAD}<tbody>{rows}</tbody></table>'
        return "\n".join((heading + table, *(_refused(group.field) if group.path else ())))

    def _type(self, node: Schema) -> str:
        if "items" in node:
            return f"list of {self._type(node['items'])}"
        if node.get(TYPE):
            return self._upstream(node[TYPE])
        if node.get("x-kubernetes-int-or-string"):
            return "integer or string"
        if isinstance(node.get("additionalProperties"), dict):
            return f"map of {self._type(node['additionalProperties'])}"
        if "type" not in node:
            return "any"
        return str(node.get("format") or node["type"])

    def _upstream(self, name: str) -> str:
        package, _, kind = name.rpartition(".")
        if package not in GROUPS:
            return kind
        place = UPSTREAM.format(minor=self.minor, type=kind.lower(), group=GROUPS[package])
        return f'<a href="{place}">{kind}</a>'

    def _examples(self, path: tuple[str, ...]) -> Iterator[str]:
        found = [text for sample in self.samples if (text := excerpt(sample, path))]
        if not found:
            return
        yield from ("", "## Example" if len(found) == 1 else "## Examples", "")
        for text in found:
            yield from ("```yaml", text, "```", "")


def excerpt(sample: str, path: tuple[str, ...]) -> str:
    """The lines of one field of a sample, under those that lead to it, comments and all."""
    lines = sample.splitlines()
    kept: list[str] = []
    start, end = 0, len(lines)
    for depth, name in enumerate(path):
        indent = "  " * depth
        head = re.compile(rf"{indent}{re.escape(name)}:")
        at = next((i for i in range(start, end) if head.match(lines[i])), None)
        if at is None:
            return ""
        beyond = re.compile(rf" {{0,{len(indent)}}}[^\s#-]" if depth else r"[^\s#]")
        end = next((i for i in range(at + 1, end) if beyond.match(lines[i])), end)
        kept.append(lines[at])
        start = at + 1
    # A comment before the next field is that one's.
    body = lines[start:end]
    while body and (not body[-1].strip() or body[-1].lstrip().startswith("#")):
        body.pop()
    return "\n".join(kept + body)


def _groups(path: str, field: Schema, depth: int | None) -> Iterator[Group]:
    """Every object in ``field``, outer ones first."""
    node, path = _entry(field, path)
    if "properties" not in node:
        return
    if depth is None and node.get(TYPE):
        depth = 0
    yield Group(path, field, depth)
    for name, child in node["properties"].items():
        below = f"{path}.{name}" if path else name
        yield from _groups(below, child, None if depth is None else depth + 1)


def _entry(node: Schema, path: str) -> tuple[Schema, str]:
    """What is in a list or map, whose mark its path gets; and any other node as it is."""
    if "items" in node:
        return _entry(node["items"], f"{path}[]" if path else path)
    if isinstance(node.get("additionalProperties"), dict):
        return _entry(node["additionalProperties"], f"{path}{{}}" if path else path)
    return node, path


def _anchor(path: str) -> str:
    return path.replace("[]", "").replace("{}", "")


def _has_group(node: Schema) -> bool:
    return "properties" in _entry(node, "")[0]


def _size(node: Schema) -> int:
    """How many fields of ours are below ``node``."""
    inner = _entry(node, "")[0]
    if inner.get(TYPE):
        return 1
    return 1 + sum(_size(child) for child in inner.get("properties", {}).values())


def _row(name: str, anchor: str, kind: str, description: str, link: str) -> str:
    shown = f"<code>{escape(name)}</code>"
    if link:
        shown = f'<a href="{escape(link)}">{shown}</a>'
    identity = f' id="{escape(anchor)}"' if anchor else ""
    return f"<tr{identity}><td>{shown}</td><td>{kind}</td><td>{description}</td></tr>"


def _facts(node: Schema, required: bool, path: tuple[str, ...]) -> str:
    said = list(_constraints(node, required))
    if "default" in node and node["default"] != {}:
        said.insert(0, f"Default: {_code(json.dumps(node['default']))}.")
    if path == ("status",):
        return ""
    return f'<span class="facts">{" ".join(said)}</span>' if said else ""


def _constraints(node: Schema, required: bool) -> Iterator[str]:
    if required:
        yield "Required."
    if "enum" in node:
        values = (_code(str(value) or '""') for value in node["enum"])
        yield f"One of {', '.join(values)}."
    for key, words in (
        ("minimum", "At least {}."),
        ("maximum", "At most {}."),
        ("minLength", "At least {} characters."),
        ("maxLength", "At most {} characters."),
        ("minItems", "At least {} entries."),
        ("maxItems", "At most {} entries."),
        ("minProperties", "At least {} keys."),
        ("maxProperties", "At most {} keys."),
    ):
        if key in node:
            yield (
                words.format(node[key])
                .replace("At least 1 characters.", "Not empty.")
                .replace("At least 1 entries.", "At least one entry.")
            )
    if "pattern" in node:
        yield f"Pattern: {_code(node['pattern'])}."
    if node.get("x-kubernetes-list-map-keys"):
        yield f"No two entries with the same {' and '.join(node['x-kubernetes-list-map-keys'])}."
    inner = node.get("items") or node.get("additionalProperties")
    if isinstance(inner, dict) and not _has_group(node):
        said = " ".join(_constraints(inner, required=False))
        if said:
            yield f"Each entry: {said[0].lower()}{said[1:]}"


def _refused(field: Schema) -> list[str]:
    """The rules across fields, as sentences: what is refused, and what to do then."""
    rules = list(_rules(field))
    if not rules:
        return []
    told = "".join(f"<li>{_sentence(message)}</li>" for message in rules)
    return ["", f'<div class="refused"><p>Refused:</p><ul>{told}</ul></div>']


def _rules(field: Schema) -> Iterator[str]:
    """Those of what is in a list or map too, whose fields stand in the same table."""
    yield from (rule["message"] for rule in field.get("x-kubernetes-validations", []))
    for key in ("items", "additionalProperties"):
        if isinstance(field.get(key), dict):
            yield from _rules(field[key])


def _sentence(message: str) -> str:
    """``x is missing; give y`` as two sentences. The first may begin with a name, which is kept."""
    said, *remedies = message.rstrip(".").split("; ")
    return _text(". ".join([said, *(f"{one[0].upper()}{one[1:]}" for one in remedies)]) + ".")


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=[^.g]\.) (?=[A-Z])", text, maxsplit=1)[0]


def _breakable(path: str) -> str:
    """A path in a heading, which may go on in a new line after a dot."""
    return escape(path).replace("{", "&#123;").replace("}", "&#125;").replace(".", ".<wbr>")


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>"


def _text(text: str) -> str:
    """A description as HTML on one line; what stands between backticks is code."""
    parts = escape(" ".join(text.split()), quote=False).split("`")
    return "".join(
        f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts)
    )
