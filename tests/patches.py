"""Differences of YAML texts, with hunks that say the place in words instead of line numbers.

What changes in both texts alike changes no patch, and a patch can be read without its base:

    @@ Deployment my-router: spec.template.spec.containers[semantic-router].resources.requests
    -            cpu: "1"
    +            cpu: "500m"

Of many lines that go, the first is shown; the others are counted, and held by their digest:

    -  envoy.yaml: |
    ~ 638 more lines, sha256 5891b5b522d5df08
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import pairwise

_OBJECT = re.compile(r"^kind: (\S+)\nmetadata:\n  name: (\S+)$", re.MULTILINE)
_KEY = re.compile(r"([^\s:][^:]*):( .*)?$")

_MANY = 20
_REST = re.compile(r"~ (\d+) more lines, sha256 ([0-9a-f]{16})")

# In the old lines and in the new, the first that differs and the one after the last.
Change = tuple[int, int, int, int]


class Misfit(Exception):
    """The patch is not of this text."""


def patch(old: str, new: str) -> str:
    """What makes the new text of the old one; nothing if they are the same."""
    before, after = _lines(old), _lines(new)
    places = _places(before)
    end = 0
    text = []
    for start, stop, new_start, new_stop in _changes(before, after):
        context = start
        # Objects that come stand between two others; other lines are shown with the one above.
        if start == stop and after[new_start] != "---":
            context -= 1
        while _find(before, places, end, places[context], before[context:stop]) != context:
            context -= 1
        text += [
            f"@@ {places[context]}",
            *(f" {line}" for line in before[context:start]),
            *_gone(before[start:stop]),
            *(f"+{line}" for line in after[new_start:new_stop]),
        ]
        end = stop
    return "".join(f"{line}\n" for line in text)


def patched(old: str, difference: str) -> str:
    """The new text; Misfit, with the hunk, if the old one is not what the patch was made for."""
    before = _lines(old)
    places = _places(before)
    end = 0
    after = []
    for hunk in re.split(r"^@@ ", difference, flags=re.MULTILINE)[1:]:
        place, *lines = _lines(hunk)
        wanted = [line[1:] for line in lines if line[0] in " -"]
        rest = next((match for line in lines if (match := _REST.fullmatch(line))), None)
        start = _find(before, places, end, place, wanted, rest)
        if start is None:
            raise Misfit(f"@@ {hunk}")
        after += before[end:start]
        after += [line[1:] for line in lines if line[0] in " +"]
        end = start + len(wanted) + (int(rest[1]) if rest else 0)
    return "".join(f"{line}\n" for line in (*after, *before[end:]))


def _lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n")


def _gone(lines: list[str]) -> Iterator[str]:
    shown = lines if len(lines) <= _MANY else lines[:1]
    yield from (f"-{line}" for line in shown)
    if rest := lines[len(shown) :]:
        yield f"~ {len(rest)} more lines, sha256 {_digest(rest)}"


def _digest(lines: list[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _find(
    lines: list[str],
    places: list[str],
    start: int,
    place: str,
    wanted: list[str],
    rest: re.Match[str] | None = None,
) -> int | None:
    for index in range(start, len(places)):
        stop = index + len(wanted)
        if places[index] != place or lines[index:stop] != wanted:
            continue
        if rest is None or _digest(lines[stop : stop + int(rest[1])]) == rest[2]:
            return index
    return None


def _changes(before: list[str], after: list[str]) -> Iterator[Change]:
    """What differs, object by object: lines of one are never taken for those of another."""
    old, old_names = _objects(before)
    new, new_names = _objects(after)
    for i, i_end, j, j_end, equal in _runs(old_names, new_names):
        if not equal:
            yield old[i], old[i_end], new[j], new[j_end]
            continue
        for (a, a_end), (b, b_end) in zip(
            pairwise(old[i : i_end + 1]), pairwise(new[j : j_end + 1]), strict=True
        ):
            for start, stop, new_start, new_stop in _line_changes(before[a:a_end], after[b:b_end]):
                yield a + start, a + stop, b + new_start, b + new_stop


def _line_changes(before: list[str], after: list[str]) -> Iterator[Change]:
    end = 0
    runs = list(_runs(before, after))
    for index, (i, i_end, j, j_end, equal) in enumerate(runs):
        if equal:
            continue
        down = 0
        if i == i_end or j == j_end:
            rest = runs[index + 1][1] - i_end if index + 1 < len(runs) else 0
            longer, first, last = (after, j, j_end) if i == i_end else (before, i, i_end)
            down = _slide(longer, first, last, i - end, rest)
        yield i + down, i_end + down, j + down, j_end + down
        end = i_end + down


def _slide(lines: list[str], first: int, last: int, above: int, below: int) -> int:
    """How far down the same lines could stand to begin with the outermost of them."""
    slides = [0]
    while slides[0] - 1 > -above and lines[first + slides[0] - 1] == lines[last + slides[0] - 1]:
        slides.insert(0, slides[0] - 1)
    while slides[-1] + 1 < below and lines[first + slides[-1]] == lines[last + slides[-1]]:
        slides.append(slides[-1] + 1)
    return min(slides, key=lambda down: (_indent(lines[first + down]), abs(down)))


def _runs(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[int, int, int, int, bool]]:
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    for tag, *bounds in matcher.get_opcodes():
        yield *bounds, tag == "equal"


def _objects(lines: list[str]) -> tuple[list[int], list[str]]:
    """The first line of each object, and the one after all; kind and name of each."""
    starts = [index for index, line in enumerate(lines) if line == "---"] or [0]
    starts.append(len(lines))
    heads = (_OBJECT.search("\n".join(lines[start:end])) for start, end in pairwise(starts))
    return starts, [" ".join(head.groups()) if head else "" for head in heads]


def _places(lines: list[str]) -> list[str]:
    """For each line its object, and the keys and items that it lies in; for the end, the last."""
    starts, names = _objects(lines)
    places = []
    previous = "the beginning"
    for name, (start, end) in zip(names, pairwise(starts), strict=True):
        places += [": ".join(filter(None, (name, path))) for path in _paths(lines[start:end])]
        places[start] = f"after {previous}"
        previous = name
    return [*places, f"after {previous}"]


def _paths(lines: list[str]) -> Iterator[str]:
    around: list[tuple[int, str]] = []
    for line in lines:
        text = line.lstrip(" ")
        # An item stands as deep as the key of its list: half a level more makes it lie in it.
        depth = 2 * _indent(line)
        limit = depth + text.startswith("- ")
        around = [(deep, label) for deep, label in around if deep < limit]
        yield _path([label for _, label in around])
        while text.startswith("- "):
            text = text[2:]
            around.append((depth + 1, f"[{text.removeprefix('name: ').removesuffix(':')}]"))
            depth += 4
        if match := _KEY.match(text):
            around.append((depth, f".{match[1]}"))


def _path(labels: list[str]) -> str:
    if len(labels) <= 7:
        return "".join(labels).removeprefix(".")
    return f"{_path(labels[:2])} .. {_path(labels[-4:])}"


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
