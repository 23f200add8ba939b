"""What mkdocs.yml cannot say: the CRD reference, the decisions, links into the checkout.

MkDocs calls the functions whose names start with ``on_``.
"""

from __future__ import annotations

import importlib
import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

CHECKOUT = Path(__file__).resolve().parents[1]
DOCS = CHECKOUT / "docs"
GENERATOR = CHECKOUT / "config" / "crd" / "generate.py"
SAMPLE = CHECKOUT / "config" / "samples" / "vllm.ai_v1alpha1_semanticrouter_every_field.yaml"
KUBERNETES = re.compile(r"^\s*k8s\.io/kubernetes v(\d+\.\d+)", re.MULTILINE)

# MkDocs loads a hook by its path, and knows nothing of what is beside it.
sys.path.append(str(Path(__file__).parent))
import crd_reference  # noqa: E402

CELL = re.compile(r"<td\b.*?</td>", re.DOTALL)
CODE = re.compile(r"<code>(?:[^<]|<wbr>)*</code>")
# Not within a tag, an entity, or a word.
SEAM = re.compile(r"(?<=\w)([_./])(?=\w)")
# A field or an alert in a menu, and where one of its words ends.
ENTRY = re.compile(r'(?<=<span class="md-ellipsis">)[^<]*')
HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[._])(?=\w)")
# In code of a sentence; in what can be copied, Pygments has put it between tags.
FLAG = re.compile(r"(?<![\w-])--?[a-z][\w-]*")
LINK = re.compile(r"(\]\()([^)\s#:]+)")


def on_config(config: Any) -> Any:
    """Adds every field and every decision to the navigation; decisions name themselves in their
    first line."""
    decisions = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.glob("adr/*.md"))
    for entry in config.nav:
        if crd_reference.INDEX in entry.values():
            (title,) = entry
            entry[title] = [crd_reference.INDEX, *(_entry(page) for page in reference())]
    config.nav.append({"Decisions": decisions})
    return config


def _entry(page: crd_reference.Page) -> dict[str, Any]:
    below = [page.source, *(_entry(child) for child in page.below)]
    return {page.title: below if page.below else page.source}


def on_files(files: Any, config: Any) -> Any:
    """Adds the pages of the CRD reference."""
    todo = list(reference())
    for page in todo:
        todo += page.below
        made = File.generated(config, page.source, content=page.text)
        made.edit_uri = "../../config/crd/semanticrouter.yaml"
        files.append(made)
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """The page, its links to files outside docs/ leading to the repository."""
    if page.file.src_uri == crd_reference.INDEX:
        markdown += writer().index(properties())
    return outward(markdown, page.file.src_uri, config.repo_url)


def on_post_page(output: str, **_: Any) -> str:
    """Lets a long name in a table or a menu go on in another line where one of its words ends, and
    no flag end behind its dashes. Search never sees this: its index is made before."""

    def seamed(cell: re.Match[str]) -> str:
        return CODE.sub(lambda code: "<code>" + SEAM.sub(r"\1<wbr>", code[0][6:]), cell[0])

    output = ENTRY.sub(lambda entry: HUMP.sub("<wbr>", entry[0]), output)
    output = CELL.sub(seamed, output)
    return CODE.sub(lambda code: FLAG.sub(r'<span class="flag">\g<0></span>', code[0]), output)


@cache
def reference() -> tuple[crd_reference.Page, ...]:
    """The pages of all fields."""
    return tuple(writer().pages(properties()))


@cache
def writer() -> crd_reference.Writer:
    """It quotes the sample that has every field, and links to the Kubernetes that is tested."""
    found = KUBERNETES.search((CHECKOUT / "hack" / "go.mod").read_text(encoding="utf-8"))
    if found is None:
        raise ValueError("hack/go.mod pins no k8s.io/kubernetes")
    return crd_reference.Writer(SAMPLE.read_text(encoding="utf-8").split("\n---\n"), found[1])


@cache
def properties() -> dict[str, Any]:
    """The CRD's schema as its source has it: with the names of Kubernetes' types."""
    sys.path.append(str(GENERATOR.parent))
    generator = importlib.import_module(GENERATOR.stem)
    version = generator.definition()["spec"]["versions"][0]
    known: dict[str, Any] = version["schema"]["openAPIV3Schema"]["properties"]
    return known


def outward(markdown: str, page: str, repository: str) -> str:
    """``page``: path below docs/. Links to what does not exist stay, for MkDocs to complain."""

    def led(match: re.Match[str]) -> str:
        target = (DOCS / page).parent.joinpath(match[2]).resolve()
        if not target.exists() or target.is_relative_to(DOCS):
            return match[0]
        place = target.relative_to(CHECKOUT).as_posix()
        return f"{match[1]}{repository}/{'tree' if target.is_dir() else 'blob'}/main/{place}"

    return LINK.sub(led, markdown)
