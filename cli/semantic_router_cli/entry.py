"""Where kubectl comes in: finds the collection, then starts the commands."""

from __future__ import annotations

import sys

from semantic_router_cli import collection


def main() -> None:
    try:
        collection.make_importable()
    except collection.CollectionMissing as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(3)
    # Only now: the commands import the collection.
    from semantic_router_cli import commands, display

    display.take_any_terminal()
    # Not the file's name: kubectl takes dashes for spaces.
    commands.app(prog_name=commands.PROGRAM)
