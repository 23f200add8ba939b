"""The tree of ``tree.py`` as lines of a terminal.

Without rich, whose import takes a fifth of the time of `kubectl sr status`: docs/adr/0039.
"""

from __future__ import annotations

import os
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import IO

from semantic_router_cli.tree import Node, State

# A text and its style, in rich's words.
Span = tuple[str, str]
Line = list[Span]

# A pipe and a file have no width of their own: wide enough for a message, narrow enough for a log.
WIDTH_OF_NO_TERMINAL = 120
_LONGEST_COLUMN = 48
_SHORT_LINE = 80
# However deep and narrow.
_LEAST_WIDTH = 20

# Kinds whose words are a sentence and stand in no column.
_SENTENCES = frozenset({"condition", "event", "access", "status"})
# What stands before a node, and before what is below it: of any but the last, and of the last.
_GUIDES = (("├── ", "│   "), ("└── ", "    "))
_PLAIN_GUIDES = (("+-- ", "|   "), ("`-- ", "    "))
_GUIDE = "bright_black"

_MARKS = {
    State.OK: ("✓", "+", "green"),
    State.WAITING: ("◌", "~", "yellow"),
    State.WARNING: ("!", "!", "yellow"),
    State.BROKEN: ("✗", "x", "bold red"),
    State.UNKNOWN: ("?", "?", "magenta"),
}
_CODES = {
    "bold": "1", "red": "31", "bold red": "1;31", "green": "32", "yellow": "33", "magenta": "35",
    "cyan": "36", "bright_black": "90",
}  # fmt: skip


def mark(state: State) -> Span:
    """One character, the same everywhere."""
    sign, plain, style = _MARKS[state]
    return sign if speaks_unicode() else plain, style


def arrow() -> Span:
    """Before what to do."""
    return "→" if speaks_unicode() else "->", "bright_black"


def speaks_unicode() -> bool:
    return (getattr(sys.stdout, "encoding", "") or "").lower().startswith("utf")


def width(stream: IO[str]) -> int:
    is_known = stream.isatty() or "COLUMNS" in os.environ
    return shutil.get_terminal_size().columns if is_known else WIDTH_OF_NO_TERMINAL


def has_colours(stream: IO[str]) -> bool:
    """A console of Windows may show the codes as they are: there it is rich that writes."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def painted(line: Iterable[Span], colours: bool) -> str:
    """Without the blanks at the end, which nobody sees."""
    if not colours:
        return "".join(text for text, _ in line).rstrip()
    parts = [
        (style, "".join(text for text, _ in spans))
        for style, spans in groupby(line, key=itemgetter(1))
    ]
    return "".join(
        f"\x1b[{_CODES[style]}m{text}\x1b[0m" if style in _CODES else text for style, text in parts
    )


def lines(root: Node, columns: int) -> Iterator[Line]:
    """Links that are not well carry their reason and what to do."""
    yield from _label(root, 0, columns)
    yield from _below(root.children, [], columns)


def _below(children: Iterable[Node], before: Line, columns: int) -> Iterator[Line]:
    listed = list(children)
    lengths = [length(_head(node)) for node in listed if node.said and node.kind not in _SENTENCES]
    column = min(max(lengths, default=0), _LONGEST_COLUMN)
    guides = _GUIDES if speaks_unicode() else _PLAIN_GUIDES
    for number, node in enumerate(listed):
        first, later = guides[number == len(listed) - 1]
        room = max(_LEAST_WIDTH, columns - length(before) - len(first))
        for index, line in enumerate(_label(node, column, room)):
            yield [*before, (later if index else first, _GUIDE), *line]
        yield from _below(node.children, [*before, (later, _GUIDE)], columns)


def _head(node: Node) -> Line:
    kind = "" if node.kind in ("backend", "condition", "event") else node.kind
    named = [(kind, "cyan" if node.name else "bold"), (" " if kind else "", ""), (node.name, "")]
    if node.name:
        named[2] = node.name, "bold"
    return [mark(node.state), (" ", ""), *named]


def _label(node: Node, column: int, columns: int) -> Iterator[Line]:
    head = _head(node)
    if node.kind in _SENTENCES:
        yield from _sentence(node, head, columns)
        return
    head.append((" " * max(0, column - length(head)), ""))
    if node.said:
        head.append((f"  {node.said}", "bright_black" if node.name else ""))
    yield from folded(head, columns)
    yield from _why(node, columns)


def _sentence(node: Node, head: Line, columns: int) -> Iterator[Line]:
    if node.reason:
        head += [(" " if node.name else "", ""), (node.reason, _MARKS[node.state][2])]
    if length(head) + len(node.said) <= _SHORT_LINE:
        yield from folded([*head, (f"  {node.said}", "")], columns)
        return
    yield from folded(head, columns)
    yield from folded([(node.said, "")], columns, indent=2)


def _why(node: Node, columns: int) -> Iterator[Line]:
    style = "bright_black" if node.state is State.OK else _MARKS[node.state][2]
    if node.reason or node.found:
        gap = "  " if node.reason and node.found else ""
        yield from folded([(node.reason, style), (gap, ""), (node.found, "")], columns, indent=2)
    if node.remedy:
        where = f"{node.where}: " if node.where else ""
        yield from folded([arrow(), (" ", ""), (where, "cyan"), (node.remedy, "")], columns, 2)


def length(line: Iterable[Span]) -> int:
    """In columns of a terminal."""
    return sum(_columns(text) for text, _ in line)


def _columns(text: str) -> int:
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(sign) else 1 + (unicodedata.east_asian_width(sign) in "WF")
        for sign in text
    )


def folded(line: Iterable[Span], columns: int, indent: int = 0) -> Iterator[Line]:
    """At blanks, and where a word is longer than a line; every part behind the indent."""
    room = columns - indent
    start: Line = [(" " * indent, "")] if indent else []
    part, used = list(start), 0
    for word, style in _words(line):
        if used and used + _columns(word.rstrip(" ")) > room:
            yield part
            part, used = list(start), 0
            word = word.lstrip(" ")
        while _columns(word.rstrip(" ")) > room:
            yield [*part, (word[:room], style)]
            part, used, word = list(start), 0, word[room:]
        part.append((word, style))
        used += _columns(word)
    yield part


def _words(line: Iterable[Span]) -> Iterator[Span]:
    """Each with the blanks behind it; a line break becomes one."""
    for text, style in line:
        word = ""
        for sign in text.replace("\n", " "):
            if word.endswith(" ") and sign != " ":
                yield word, style
                word = ""
            word += sign
        if word:
            yield word, style
