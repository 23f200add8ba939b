# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Places in a manifest, as the API server and its admission spell them.

``rules[0].host`` by validation, ``.rules[host="a"].path`` by server-side
apply, ``object.data`` by a ValidatingAdmissionPolicy, ``/rules/0/host`` by
webhooks. Keys of maps stand in brackets or not, and may have dots: only the manifest tells.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import (
    Path,
    look_up,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import Manifest

_WHOLE = ("[]", "<nil>")
_IN_BRACKETS = re.compile(r'\[((?:[^\]"]|"(?:[^"\\]|\\.)*")*)\]')
_NAME = re.compile(r"[^.\[\]]+")
# How server-side apply names an item of a list: [containerPort=80,protocol="TCP"], ["text"].
_KEYS = re.compile(r'([^=,]*)=("(?:[^"\\]|\\.)*"|[^,]*)')

# In the middle of a sentence, which may end there.
_IN_A_TEXT = re.compile(r"(?<![\w-])/?(?:spec|metadata|data)(?:[./][\w~/-]+|\[[^\]]*\])+")
# What a message says of the value that it is about.
_VALUE = re.compile(r'\b(?:Invalid|Unsupported|Duplicate) value: ("(?:[^"\\]|\\.)*")')


def path(spelled: str, manifest: Manifest) -> Path:
    """As keys and indexes; () for the whole manifest. What it does not have follows what it has."""
    steps: Path = ()
    rest = spelled.removeprefix(".")
    while rest and rest not in _WHOLE:
        step, rest = _step(rest, look_up(manifest, steps))
        if step == "":
            break
        steps = (*steps, step)
    return steps


def named_in(message: str, manifest: Manifest) -> Iterator[Path]:
    """The places that a message without a field speaks of."""
    for found in _IN_A_TEXT.findall(message):
        if "/" in found.split(".", 1)[0].split("[", 1)[0]:
            yield _pointed_at(found, manifest)
        else:
            yield path(found, manifest)


def narrowed(where: Path, message: str, manifest: Manifest) -> Path:
    """The part of a map or a list that the message quotes: validation blames the whole of some."""
    value = look_up(manifest, where)
    match = _VALUE.search(message)
    if not match or not isinstance(value, (dict, list)):
        return where
    quoted = _literal(match[1])
    below = [found for found, key, item in _parts(value, where) if quoted in (key, item)]
    return below[0] if len(below) == 1 else where


def longest(where: Path, manifest: Manifest) -> Path:
    """The longest text of a map or a list."""
    value = look_up(manifest, where)
    texts = {
        found: len(item.encode())
        for found, _, item in _parts(value, where)
        if isinstance(item, str)
    }
    return max(texts, key=lambda found: texts[found], default=where)


def _parts(value: Any, where: Path) -> Iterator[tuple[Path, str | int, Any]]:
    """All that is below: where, its last step, and what."""
    if not isinstance(value, (dict, list)):
        return
    for step, item in value.items() if isinstance(value, dict) else enumerate(value):
        yield (*where, step), step, item
        yield from _parts(item, (*where, step))


def _step(rest: str, value: Any) -> tuple[str | int, str]:
    """The first step, and what follows it; "" where nothing can be made of it."""
    match = _IN_BRACKETS.match(rest)
    if match:
        step = match[1] if isinstance(value, dict) else _item(match[1], value)
        return step, rest[match.end() :].removeprefix(".")
    keys = [key for key in value if _begins_with(rest, key)] if isinstance(value, dict) else []
    name = max(keys, key=len, default="") or (m[0] if (m := _NAME.match(rest)) else "")
    return name, rest[len(name) :].removeprefix(".")


def _begins_with(rest: str, key: str) -> bool:
    return rest.startswith(key) and rest[len(key) :][:1] in ("", ".", "[")


def _item(spelled: str, items: Any) -> str | int:
    if spelled.isdecimal():
        return int(spelled)
    wanted = {key: _literal(text) for key, text in _KEYS.findall(spelled)}
    for index, item in enumerate(items if isinstance(items, list) and wanted else ()):
        # A key that the manifest leaves out was defaulted by the server.
        is_map = isinstance(item, Mapping)
        if (
            all(item.get(k, v) == v for k, v in wanted.items())
            if is_map
            else item == wanted.get("")
        ):
            return index
    return ""


def _literal(text: str) -> Any:
    """Go quotes some letters as JSON does not; what is so quoted is nothing that we have."""
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return text


def _pointed_at(pointer: str, manifest: Manifest) -> Path:
    steps: Path = ()
    for part in pointer.strip("/").split("/"):
        step = part.replace("~1", "/").replace("~0", "~")
        is_index = step.isdecimal() and isinstance(look_up(manifest, steps), list)
        steps = (*steps, int(step) if is_index else step)
    return steps
