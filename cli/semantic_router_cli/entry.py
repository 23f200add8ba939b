"""Where kubectl comes in: finds the collection, then starts the commands."""

from __future__ import annotations

import gc
import signal
import sys

from semantic_router_cli import collection


def complete() -> None:
    """For the shell, by way of kubectl."""
    _find_the_collection()
    from semantic_router_cli import completion

    completion.main()


def _find_the_collection() -> None:
    try:
        collection.make_importable()
    except collection.CollectionMissing as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(3)


def main() -> None:
    _find_the_collection()
    # Only now: the commands import the collection.
    from semantic_router_cli import commands, display

    # Otherwise a kubectl that was started for a port or a request would outlive the plugin.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    display.take_any_terminal()
    try:
        # Not the file's name: kubectl takes dashes for spaces.
        commands.app(prog_name=commands.PROGRAM)
    finally:
        # What is left goes with the process: to look for garbage first takes a tenth of its time.
        gc.freeze()
