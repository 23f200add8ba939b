"""What the shell may offer next, which kubectl asks `kubectl_complete-sr` for.

It gives the words so far. An answer is a candidate a line, and last a directive of cobra's.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import suppress
from itertools import pairwise
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import RouterError

from semantic_router_cli import commands

FILES, NO_FILES = ":0", ":4"

_OF_FILES = ("FILE", "DIRECTORY")
_OF_ROUTERS = ("NAME", "NAME...")
_FILES = ("--kubeconfig", "--envoy", "--vllm-sr", "--token-file", "--trusted-root", "--file")


def main() -> None:
    """The words are the program's arguments, the last one being typed."""
    found, directive = candidates(sys.argv[1:] or [""])
    print("\n".join([*found, directive]))


def candidates(words: list[str]) -> tuple[list[str], str]:
    """(what the last word may become, whether files are offered too)."""
    *before, typed = words
    command, is_value = _command(before)
    if is_value:
        return [], FILES if before[-1] in _FILES else NO_FILES
    if not command:
        return _that_begin(commands.MODULES, typed), NO_FILES
    if command not in commands.MODULES:
        return [], NO_FILES
    parameters = commands.command(command).params
    options = {spelling: item for item in parameters for spelling in item.opts}
    takes_value = options.get(before[-1])
    if takes_value and before[-1].startswith("-") and not vars(takes_value).get("is_flag"):
        name = takes_value.opts[-1]
        return _that_begin(_values(name, takes_value), typed), FILES if name in _FILES else NO_FILES
    if typed.startswith("-"):
        return _that_begin((item for item in options if item.startswith("-")), typed), NO_FILES
    metavars = {item.metavar for item in parameters}
    if metavars.intersection(_OF_FILES):
        return [], FILES
    routers = _routers(before) if metavars.intersection(_OF_ROUTERS) else []
    return _that_begin(routers, typed), NO_FILES


def _command(words: list[str]) -> tuple[str, bool]:
    """(the command among the words, whether what follows is the value of an option before it)."""
    is_value = False
    for word in words:
        if not word.startswith("-") and not is_value:
            return word, False
        is_value = word.startswith("-") and "=" not in word
    return "", is_value


def _values(option: str, parameter: Any) -> Iterable[str]:
    if option == "--for":
        from semantic_router_cli import rollout

        return rollout.WORDS
    if option == "--suppress":
        from semantic_router_cli import findings

        return findings.codes()
    return [str(item) for item in getattr(parameter.type, "choices", ())]


def _that_begin(words: Iterable[str], typed: str) -> list[str]:
    return sorted(word for word in words if word.startswith(typed))


def _routers(words: list[str]) -> list[str]:
    """Those in the namespace that the words name; none when the cluster does not answer."""
    from semantic_router_cli.cluster import Cluster

    with suppress(RouterError):
        cluster = Cluster(
            _after(words, "--kubeconfig"),
            _after(words, "--context"),
            _after(words, "-n", "--namespace"),
        )
        return [str(item["metadata"]["name"]) for item in cluster.routers()]
    return []


def _after(words: list[str], *options: str) -> str | None:
    return next((value for option, value in pairwise(words) if option in options), None)
