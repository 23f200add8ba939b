"""The command that people run most, status, with nothing that it does not need: no rich."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from semantic_router_cli import display, outline, tree
from semantic_router_cli.commands import LOOK, app
from semantic_router_cli.options import (
    NO,
    UNUSABLE,
    Access,
    Everywhere,
    Form,
    Selector,
    SomeRouters,
    asks_a_cluster,
    some_routers,
)
from semantic_router_cli.tree import State

if TYPE_CHECKING:
    from semantic_router_cli.cluster import Cluster

WATCH_SECONDS = 2.0


@app.command("status", rich_help_panel=LOOK)
@asks_a_cluster
def show_status(
    access: Access,
    names: SomeRouters = None,
    everywhere: Everywhere = False,
    selector: Selector = "",
    watch: Annotated[bool, typer.Option("-w", "--watch", help="Go on until Ctrl-C.")] = False,
    output: Form = None,
) -> None:
    """Show routers, their objects, pods and backends, and why a link is broken."""
    cluster = access.cluster()
    if not watch:
        trees = _trees(cluster, names or [], everywhere, selector)
        display.forest(trees, output)
        raise typer.Exit(NO if _is_broken(trees) else 0)
    if output:
        display.error("--watch is for people. Leave --output out, or use kubectl get --watch.")
        raise typer.Exit(UNUSABLE)
    from semantic_router_cli import motion

    with suppress(KeyboardInterrupt), motion.Redrawn() as draw:
        while True:
            trees = _trees(cluster, names or [], everywhere, selector)
            columns = outline.width(sys.stdout)
            lines = [line for item in trees for line in outline.lines(item, columns)]
            draw(trees, display.as_text(lines))
            time.sleep(WATCH_SECONDS)


def _trees(cluster: Cluster, names: list[str], everywhere: bool, selector: str) -> list[tree.Node]:
    from semantic_router_cli import status

    found = some_routers(cluster, names, everywhere, selector)
    now = datetime.now(UTC)
    return [tree.tree(status.view(cluster, resource), now) for resource in found]


def _is_broken(trees: list[tree.Node]) -> bool:
    return any(link.state is State.BROKEN for node in trees for link in node.all())
