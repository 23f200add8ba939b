"""A field of a SemanticRouter that a text names is one that there is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import crd

CHECKOUT = Path(__file__).parents[3]
# It tells fields of manifests from those of the SemanticRouter.
ABOUT_MANIFESTS = CHECKOUT / "plugins" / "module_utils" / "cluster" / "refusal.py"
# Not a SemanticRouter's, but a Route's, of backends; and an example's mistake.
OTHERS = {
    "status.ingress[].conditions",
    "status.address.url",
    "status.addresses",
    "status.addresses.url",
    "status.url",
    "spec.endpointPickerRef",
    "spec.replcas",
}
TEXTS = sorted(
    file
    for pattern in (
        *("*.md", "docs/**/*.md", "roles/*/README.md", "cli/**/*.md", "runner/*.md"),
        *("changelogs/fragments/*.yml", "config/crd/semanticrouter.yaml"),
        *("plugins/**/*.py", "plugins/**/*.yml", "cli/semantic_router_cli/*.py"),
    )
    for file in CHECKOUT.glob(pattern)
    if file != ABOUT_MANIFESTS
)
# A step that is not the first may be an index, [0], [*] or [], or a key in brackets.
STEPS = r"(?:\.[a-zA-Z]\w*|\[[^\]\s]*\])"
WHOLE = re.compile(rf"(?<![\w./])(?:\.|`)?((?:spec|status)\.[a-zA-Z]\w*{STEPS}*)")
# In Markdown: `persistence.enabled`, when the first step is a field of spec.
SHORT = re.compile(rf"`([a-z]\w*(?:{STEPS})+)[`:]")
# What looks like one: names of files and of API groups.
NO_FIELD = re.compile(r"\.(yaml|yml|json|py|md|svg|io|com|dev)$")


def named(text: str, is_prose: bool) -> Iterator[str]:
    yield from WHOLE.findall(text)
    for short in SHORT.findall(text) if is_prose else ():
        if re.split(r"[.\[]", short)[0] in schema_of("spec")["properties"]:
            yield f"spec.{short}"


@cache
def schema_of(part: str) -> dict[str, Any]:
    found: dict[str, Any] = crd.schema()["properties"][part]
    return found


def exists(field: str) -> bool:
    part, *steps = re.findall(r"\w+|\[[^\]]*\]", field)
    node = schema_of(part)
    for step in steps:
        is_open = node.get("x-kubernetes-preserve-unknown-fields", False)
        others = node.get("additionalProperties")
        if step.startswith("["):
            node = node.get("items") or others or {}
        else:
            node = node.get("properties", {}).get(step) or others or ({} if is_open else None)
        if node is None:
            return False
        if node == {} or (is_open and not node):
            return True
    return True


def words_of(source: str) -> str:
    """What a Python file says in its strings and comments; 0 stands for what a string is given."""
    words = re.findall(r"^ *# .*$", source, re.MULTILINE)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            parts = (item.value if isinstance(item, ast.Constant) else 0 for item in node.values)
            words.append("".join(map(str, parts)))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            words.append(node.value)
    return "\n".join(words)


def unknown_fields(file: Path) -> list[str]:
    text = file.read_text(encoding="utf-8")
    text = words_of(text) if file.suffix == ".py" else text
    fields = {field for field in named(text, file.suffix == ".md") if not NO_FIELD.search(field)}
    return sorted(field for field in fields - OTHERS if not exists(field))


@pytest.mark.parametrize("file", TEXTS, ids=lambda file: str(file.relative_to(CHECKOUT)))
def test_every_field_that_is_named_exists(file: Path) -> None:
    assert unknown_fields(file) == []


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("`spec.persistence.enabled`, `persistence.size`, {.status.endpoints[*].name}", []),
        ("spec.vllmEndpoints[0].backend.service.port and spec.resources.limits.cpu.", []),
        ("spec.config.providers.defaults.model, `config.yaml`", []),
        ("spec.persistance.size", ["spec.persistance.size"]),
        ("`persistence.sise: 1Gi`", ["spec.persistence.sise"]),
        ("status.phase is not status.phases", ["status.phases"]),
        ("{.status.endpoints[*].adress}", ["status.endpoints[*].adress"]),
        ("`spec.service.port`", ["spec.service.port"]),
    ],
)
def test_a_field_that_does_not_exist_is_found(
    text: str, unknown: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "page.md"
    file.write_text(text, encoding="utf-8")
    assert unknown_fields(file) == unknown


def test_a_message_of_the_code_is_read_as_the_user_sees_it(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text(
        'found = f"spec.vllmEndpoints[{index}].modell"  # as in spec.repliccas\nspec.get("x")\n',
        encoding="utf-8",
    )
    assert unknown_fields(file) == ["spec.vllmEndpoints[0].modell"]
