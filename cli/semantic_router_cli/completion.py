"""What the shell may offer next, which kubectl asks `kubectl_complete-sr` for.

It gives the words so far. An answer is a candidate a line, and last a directive of cobra's.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import suppress
from itertools import pairwise

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import RouterError
from typer.main import get_command

from semantic_router_cli import commands, findings, observation, rollout
from semantic_router_cli.display import Output

FILES, NO_FILES = ":0", ":4"

_OF_A_FILE = "FILE"
_VALUES: dict[str, Iterable[str]] = {
    "--output": list(Output),
    "--platform": list(commands.Platform),
    "--for": rollout.WORDS,
    "--fail-on": list(commands.FailOn),
    "--suppress": findings.codes(),
}
_FILES = ("--kubeconfig", "--envoy", "--vllm-sr", "--token-file")


def main() -> None:
    """The words are the program's arguments, the last one being typed."""
    found, directive = candidates(sys.argv[1:] or [""])
    print("\n".join([*found, directive]))


def candidates(words: list[str]) -> tuple[list[str], str]:
    """(what the last word may become, whether files are offered too)."""
    known = vars(get_command(observation.app))["commands"]
    *before, typed = words
    if not before:
        return _that_begin(known, typed), NO_FILES
    if before[0] not in known:
        return [], NO_FILES
    options = {spelling: item for item in known[before[0]].params for spelling in item.opts}
    takes_value = options.get(before[-1])
    if takes_value and before[-1].startswith("-") and not vars(takes_value).get("is_flag"):
        name = takes_value.opts[-1]
        return _that_begin(_VALUES.get(name, []), typed), FILES if name in _FILES else NO_FILES
    if typed.startswith("-"):
        return _that_begin((item for item in options if item.startswith("-")), typed), NO_FILES
    if any(item.metavar == _OF_A_FILE for item in known[before[0]].params):
        return [], FILES
    return _that_begin(_routers(before), typed), NO_FILES


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
