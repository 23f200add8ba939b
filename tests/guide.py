"""What the pages for users show: SemanticRouters, and commands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).resolve().parents[1]
PAGES = sorted([*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/**/*.md")])


def name(page: Path) -> str:
    """As a test's id and a report say it."""
    return str(page.relative_to(CHECKOUT))


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of one language; a block in a list is indented."""
    fence = re.compile(rf"^( *)```{language}\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
    return [block for _, block in fence.findall(page.read_text(encoding="utf-8"))]


def routers(page: Path) -> Iterator[dict[str, Any]]:
    """The SemanticRouters of a page; a lone ``spec`` is a fragment of one."""
    for block in blocks(page, "yaml"):
        for found in yaml.safe_load_all(block):
            if "spec" in found and found.get("kind", "SemanticRouter") == "SemanticRouter":
                yield {
                    "apiVersion": "vllm.ai/v1alpha1",
                    "kind": "SemanticRouter",
                    "metadata": {"name": "my-router"},
                    **found,
                }


def commands(page: Path) -> list[str]:
    """The commands of a page, each on one line."""
    joined = "\n".join(blocks(page, "bash")).replace("\\\n", " ")
    return [line.strip() for line in joined.splitlines() if line.strip()]
