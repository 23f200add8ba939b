"""How things look: rich on a terminal, the same words without colour anywhere else."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from io import TextIOWrapper
from typing import IO, Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from semantic_router_cli.tree import Node, State

# A pipe and a file have no width of their own: wide enough for a message, narrow enough for a log.
_WIDTH_OF_NO_TERMINAL = 120
_LONGEST_COLUMN = 48
_SHORT_LINE = 80

# Kinds whose words are a sentence and stand in no column.
_SENTENCES = frozenset({"condition", "event", "access", "status"})

_MARKS = {
    State.OK: ("✓", "+", "green"),
    State.WAITING: ("◌", "~", "yellow"),
    State.WARNING: ("!", "!", "yellow"),
    State.BROKEN: ("✗", "x", "bold red"),
    State.UNKNOWN: ("?", "?", "magenta"),
}


class Output(StrEnum):
    """Forms for programs; without one, people are meant."""

    JSON = "json"
    YAML = "yaml"


def console(stderr: bool = False) -> Console:
    """Colours only on a terminal, and not with NO_COLOR."""
    stream: IO[str] = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else _WIDTH_OF_NO_TERMINAL
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
    for number, node in enumerate(trees):
        show(*([""] if number else []), as_tree(node))


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
    out = console(stderr=True)
    out.print(Text.assemble(("Error: ", "bold red"), message))


def remark(message: str) -> None:
    """On stderr: the command goes on."""
    console(stderr=True).print(Text.assemble(("Warning: ", "yellow"), message))


def mark(state: State) -> Text:
    """One character, the same everywhere."""
    sign, plain, style = _MARKS[state]
    return Text(sign if _speaks_unicode() else plain, style=style)


def as_tree(node: Node) -> Tree:
    """Links that are not well carry their reason and what to do."""
    root = Tree(_label(node, 0), guide_style="bright_black")
    _grow(root, node.children)
    return root


def _grow(tree: Tree, children: Iterable[Node]) -> None:
    listed = list(children)
    widths = [_head(node).cell_len for node in listed if node.said and node.kind not in _SENTENCES]
    column = min(max(widths, default=0), _LONGEST_COLUMN)
    for node in listed:
        _grow(tree.add(_label(node, column)), node.children)


def _head(node: Node) -> Text:
    kind = "" if node.kind in ("backend", "condition", "event") else node.kind
    named = Text.assemble((kind, "cyan" if node.name else "bold"), " " if kind else "", node.name)
    named.stylize("bold", len(kind) + 1 if kind else 0)
    return Text.assemble(mark(node.state), " ", named)


def _label(node: Node, column: int) -> RenderableType:
    if node.kind in _SENTENCES:
        return _sentence(node)
    line = _head(node)
    line.append(" " * max(0, column - line.cell_len))
    line.append(f"  {node.said}" if node.said else "", "bright_black" if node.name else "")
    return Group(line, *_why(node))


def _sentence(node: Node) -> RenderableType:
    head = _head(node)
    if node.reason:
        head.append(" " if node.name else "")
        head.append(node.reason, _MARKS[node.state][2])
    if head.cell_len + len(node.said) <= _SHORT_LINE:
        return head.append(f"  {node.said}")
    return Group(head, _indented(Text(node.said)))


def _why(node: Node) -> list[RenderableType]:
    style = "bright_black" if node.state is State.OK else _MARKS[node.state][2]
    lines: list[RenderableType] = []
    if node.reason or node.found:
        gap = "  " if node.reason and node.found else ""
        lines.append(_indented(Text.assemble((node.reason, style), gap, node.found)))
    if node.remedy:
        where = Text(f"{node.where}: " if node.where else "", "cyan")
        lines.append(_indented(Text.assemble(arrow(), " ", where, node.remedy)))
    return lines


def _indented(text: Text) -> RenderableType:
    return Padding(text, (0, 0, 0, 2))


def beside(head: Text, *lines: Text) -> RenderableType:
    """Lines that fold under themselves, to the right of a short head."""
    table = Table.grid(padding=0)
    table.add_column(width=head.cell_len)
    table.add_column()
    for number, line in enumerate(lines):
        table.add_row("" if number else head, line)
    return table


def arrow() -> Text:
    """Before what to do."""
    return Text("→" if _speaks_unicode() else "->", "bright_black")


def _speaks_unicode() -> bool:
    return (getattr(sys.stdout, "encoding", "") or "").lower().startswith("utf")
