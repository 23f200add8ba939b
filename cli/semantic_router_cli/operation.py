"""The commands for a router that runs: pause, resume, restart, logs, report."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated

import typer
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    ANNOTATION_PAUSED,
)
from rich.text import Text

from semantic_router_cli import display
from semantic_router_cli.commands import OPERATE, app
from semantic_router_cli.options import (
    NO,
    UNUSABLE,
    Access,
    Everywhere,
    Form,
    OneRouter,
    Routers,
    Selector,
    SomeRouters,
    asks_a_cluster,
    seconds,
    some_routers,
    the_router,
)
from semantic_router_cli.tree import State


@app.command("pause", rich_help_panel=OPERATE)
@asks_a_cluster
def pause(access: Access, names: Routers) -> None:
    """Have the operator write nothing for a router until it is resumed."""
    _annotate(access, names, "true", "paused: the operator writes nothing but the status")


@app.command("resume", rich_help_panel=OPERATE)
@asks_a_cluster
def resume(access: Access, names: Routers) -> None:
    """End a pause: the operator puts right what has changed meanwhile."""
    _annotate(access, names, None, "no pause: the operator looks after it")


def _annotate(access: Access, names: list[str], value: str | None, said: str) -> None:
    cluster = access.cluster()
    for router in some_routers(cluster, names):
        name = router["metadata"]["name"]
        annotations = router["metadata"].get("annotations") or {}
        if annotations.get(ANNOTATION_PAUSED) != value:
            cluster.annotate_router(name, {ANNOTATION_PAUSED: value})
        display.show(Text.assemble(display.mark(State.OK), f" {name}: {said}"))


@app.command("restart", rich_help_panel=OPERATE)
@asks_a_cluster
def restart(access: Access, names: Routers) -> None:
    """Replace the pods one after the other, as kubectl rollout restart does."""
    cluster = access.cluster()
    without = []
    for router in some_routers(cluster, names):
        name = router["metadata"]["name"]
        if cluster.restart_deployment(name, datetime.now(UTC)):
            said = f" {name}: its pods are replaced. `kubectl sr wait {name}` follows them"
            display.show(Text.assemble(display.mark(State.OK), said))
        else:
            without.append(name)
            display.error(f"{name} has no Deployment yet. `kubectl sr status {name}` says why.")
    if without:
        raise typer.Exit(NO)


@app.command("logs", rich_help_panel=OPERATE)
@asks_a_cluster
def logs(
    access: Access,
    name: OneRouter,
    request: Annotated[
        str, typer.Option("--request", help="Only lines that name this request.", metavar="ID")
    ] = "",
    container: Annotated[
        str | None, typer.Option("-c", "--container", help="Of this container alone.")
    ] = None,
    since: Annotated[str | None, typer.Option("--since", help="As in 90s, 10m, 1h.")] = None,
    tail: Annotated[int, typer.Option("--tail", help="Lines of each container.")] = 200,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on until Ctrl-C.")] = False,
    output: Form = None,
) -> None:
    """Show what the router and Envoy log in all pods, merged, of one request if you name it."""
    from semantic_router_cli import log

    if follow and output:
        display.error("--follow is for people. Leave --output out, or use kubectl logs --follow.")
        raise typer.Exit(UNUSABLE)
    cluster = access.cluster()
    the_router(cluster, name)
    sources = log.containers(cluster, name)
    if not sources and not follow:
        display.error(f"{name} has no pod. `kubectl sr status {name}` says why.")
        raise typer.Exit(NO)
    if container:
        named = sorted({item for _, item in sources})
        sources = [source for source in sources if source[1] == container]
        if not sources:
            display.error(f"No pod of {name} has a container {container}, but {', '.join(named)}.")
            raise typer.Exit(NO)
    query = {"tailLines": str(tail)}
    if since:
        query["sinceSeconds"] = str(max(1, int(seconds("--since", since))))
    if output:
        found = log.lines(cluster, sources, query, request)
        display.data([vars(line) for line in found], output)
        return
    written = (
        log.follow(cluster, name, container, query, request)
        if follow
        else log.lines(cluster, sources, query, request)
    )
    with suppress(KeyboardInterrupt):
        for line in written:
            head = Text.assemble((log.clock(line), "bright_black"), " ", (line.pod[-11:], "cyan"))
            head.append(f" {line.container:<15} ", "bold")
            display.show_unfolded(head.append(line.said))


@app.command("report", rich_help_panel=OPERATE)
@asks_a_cluster
def report(
    access: Access,
    names: SomeRouters = None,
    everywhere: Everywhere = False,
    selector: Selector = "",
    file: Annotated[
        str, typer.Option("-f", "--file", help="The archive to write; it must not be there.")
    ] = "semantic-router-report.tar.gz",
) -> None:
    """Write what one attaches to a question: objects, warnings, logs; no Secret, no credential."""
    from semantic_router_cli import report as reporting

    cluster = access.cluster()
    routers = some_routers(cluster, names, everywhere, selector)
    try:
        with display.waiting("reading objects and logs"):
            count = reporting.write(file, reporting.files(cluster, routers))
    except OSError as error:
        display.error(f"{file}: {error.strerror}. Name another one with --file.")
        raise typer.Exit(UNUSABLE) from error
    display.show(Text.assemble(display.mark(State.OK), f" {file}: {count} files"))
    display.show("Logs are as the pods wrote them: read them before you send the file.")
