"""How things look: rich on a terminal, the same words without colour anywhere else.

rich is imported by what needs it: a start that shows a tree does not.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from io import TextIOWrapper
from typing import IO, TYPE_CHECKING, Any

from semantic_router_cli import outline

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

    from semantic_router_cli.outline import Line
    from semantic_router_cli.tree import Node, State


class Output(StrEnum):
    """Forms for programs; without one, people are meant."""

    JSON = "json"
    YAML = "yaml"


def console(stderr: bool = False) -> Console:
    """Colours only on a terminal, and not with NO_COLOR."""
    from rich.console import Console

    stream: IO[str] = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else outline.width(stream)
    return Console(stderr=stderr, highlight=False, width=width, emoji=False, markup=False)


def show(*renderables: RenderableType) -> None:
    """On stdout, without the blanks that fill up lines when nobody sees them."""
    out = console()
    if out.is_terminal:
        out.print(*renderables, sep="\n")
        return
    with out.capture() as captured:
        out.print(*renderables, sep="\n")
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def show_unfolded(text: Text) -> None:
    """A line that is somebody else's: long ones stay one line."""
    console().print(text, soft_wrap=True)


def show_on_stderr(text: Text) -> None:
    """For people, where the answer itself is an error."""
    console(stderr=True).print(text)


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Something moves on a terminal while something takes its time; nothing anywhere else."""
    out = console(stderr=True)
    if not out.is_terminal:
        yield
        return
    from rich.text import Text

    with out.status(Text(what)):
        yield


def take_any_terminal() -> None:
    """A terminal that cannot show a character shows another one, and no traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


def _for_programs() -> None:
    """Files of Kubernetes are UTF-8, whatever the locale."""
    if isinstance(sys.stdout, TextIOWrapper) and not sys.stdout.isatty():
        sys.stdout.reconfigure(encoding="utf-8")


def data(value: Any, output: Output) -> None:
    """For programs: no colour, no folding."""
    _for_programs()
    if output is Output.JSON:
        print(json.dumps(value, indent=2))
    else:
        sys.stdout.write(_yaml(value))


def forest(trees: list[Node], output: Output | None) -> None:
    """Trees one below the other, or for programs."""
    if output:
        data([node.as_dict() for node in trees], output)
        return
    columns = outline.width(sys.stdout)
    for number, node in enumerate(trees):
        _write(([[]] if number else []) + list(outline.lines(node, columns)), sys.stdout)


def _write(lines: Iterable[Line], stream: IO[str]) -> None:
    colours = outline.has_colours(stream)
    if colours and sys.platform == "win32":
        console(stream is sys.stderr).print(as_text(lines))
        return
    stream.write("".join(f"{outline.painted(line, colours)}\n" for line in lines))


def as_text(lines: Iterable[Line]) -> Text:
    """For rich."""
    from rich.text import Text

    return Text("\n").join(Text.assemble(*line) for line in lines)


def _yaml(value: Any) -> str:
    # Only here: what it comes with takes a tenth of a second to import, and people want none.
    from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.config import (
        yaml_text,
    )

    return yaml_text(value)


def manifests(found: Iterable[dict[str, Any]], output: Output) -> None:
    """Objects for kubectl: a List in JSON, a file of documents in YAML."""
    listed = list(found)
    if output is Output.JSON:
        data({"apiVersion": "v1", "kind": "List", "items": listed}, output)
    else:
        yaml_file("".join(f"---\n{_yaml(item)}" for item in listed))


def yaml_file(text: str) -> None:
    """Coloured on a terminal, byte for byte otherwise."""
    if sys.stdout.isatty() and "NO_COLOR" not in os.environ:
        # Only here: it knows every language, and takes its time.
        from rich.syntax import Syntax

        syntax = Syntax(text.rstrip("\n"), "yaml", theme="ansi_dark", background_color="default")
        console().print(syntax)
    else:
        _for_programs()
        sys.stdout.write(text)


def error(message: str) -> None:
    """On stderr, so that a pipe gets none of it."""
    _say(("Error: ", "bold red"), message)


def remark(message: str) -> None:
    """On stderr: the command goes on."""
    _say(("Warning: ", "yellow"), message)


def _say(head: outline.Span, message: str) -> None:
    first, *others = message.split("\n")
    columns = outline.width(sys.stderr)
    told = [[head, (first, "")], *([(line, "")] for line in others)]
    _write((part for line in told for part in outline.folded(line, columns)), sys.stderr)


def mark(state: State) -> Text:
    """One character, the same everywhere."""
    from rich.text import Text

    return Text(*outline.mark(state))


def beside(head: Text, *lines: Text) -> RenderableType:
    """Lines that fold under themselves, to the right of a short head."""
    from rich.table import Table

    table = Table.grid(padding=0)
    table.add_column(width=head.cell_len)
    table.add_column()
    for number, line in enumerate(lines):
        table.add_row("" if number else head, line)
    return table


def arrow() -> Text:
    """Before what to do."""
    from rich.text import Text

    return Text(*outline.arrow())
