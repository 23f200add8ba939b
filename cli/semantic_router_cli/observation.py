"""The commands that look at what runs: routes, ask, top, ui."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import gateway_mode
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.ports import pod_ports
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text

from semantic_router_cli import display
from semantic_router_cli.commands import OPERATE, app
from semantic_router_cli.options import (
    NO,
    UNUSABLE,
    Access,
    Everywhere,
    Form,
    Selector,
    SomeRouters,
    asks_a_cluster,
    router_name,
    seconds,
    some_routers,
)
from semantic_router_cli.tree import State

if TYPE_CHECKING:
    from semantic_router_cli.asking import Trace
    from semantic_router_cli.cluster import Cluster
    from semantic_router_cli.live import Live, Model, Traffic

_SHORT_DIGEST = 8


@app.command("routes", rich_help_panel=OPERATE)
@asks_a_cluster
def routes(
    access: Access,
    names: SomeRouters = None,
    everywhere: Everywhere = False,
    selector: Selector = "",
    output: Form = None,
) -> None:
    """Show what the running Envoys and routers have: models, decisions, backends, their health."""
    from semantic_router_cli import pods

    cluster = access.cluster()
    found = some_routers(cluster, names, everywhere, selector)
    with display.waiting("asking the pods"), pods.Ways(cluster) as ways:
        alive = [pods.look(cluster, ways, resource) for resource in found]
    if output:
        display.data([item.as_dict() for item in alive], output)
    else:
        for number, item in enumerate(alive):
            display.show(*([""] if number else []), _routes(item))
    raise typer.Exit(0 if all(item.well for item in alive) else NO)


def _routes(alive: Live) -> RenderableType:
    head = Text.assemble("SemanticRouter ", (f"{alive.namespace}/{alive.name}", "bold"))
    lines: list[RenderableType] = [head]
    if alive.models:
        lines.append(_table_of_models(alive))
    elif any(not pod.why for pod in alive.pods):
        lines.append(Text("  no model"))
    lines += [_line_of_pod(alive, number) for number in range(len(alive.pods))]
    if not alive.pods:
        lines.append(Text.assemble("  ", display.mark(State.BROKEN), " no pod"))
    if not alive.has_envoy:
        lines.append(
            Text(
                "  No Envoy of its own: the way to backends is not seen from here.", "bright_black"
            )
        )
    return Group(*lines)


def _table_of_models(alive: Live) -> Table:
    counted = ("REQUESTS", "ERRORS", "NOW") if alive.has_envoy else ("REQUESTS", "ERRORS")
    table = _table("MODEL", "DECISIONS", *(["BACKEND"] if alive.has_envoy else []), numbers=counted)
    for model in alive.models:
        decisions = ", ".join(model.decisions)
        if not alive.has_envoy:
            counts = (_count(model.traffic.requests), _count(model.traffic.errors))
            table.add_row(model.name, decisions, *counts)
            continue
        if not model.hosts:
            missing = _missing(alive, model)
            table.add_row(model.name, decisions, missing, "", "", "")
        for number, host in enumerate(model.hosts):
            state = State.BROKEN if host.why else State.OK
            backend = Text.assemble(display.mark(state), f" {host.address}")
            backend.append(f"  {host.why}" if host.why else "", "red")
            first = ("", "") if number else (model.name, decisions)
            table.add_row(
                *first, backend, _count(host.requests), _count(host.errors), _count(host.active)
            )
    return table


def _missing(alive: Live, model: Model) -> Text:
    if all(pod.why for pod in alive.pods):
        return Text.assemble(display.mark(State.UNKNOWN), " nobody says")
    why = "no address" if model.routed else "no route"
    return Text.assemble(display.mark(State.BROKEN), f" {why}")


def _line_of_pod(alive: Live, number: int) -> Text:
    pod = alive.pods[number]
    if pod.why:
        return Text.assemble(
            "  ", display.mark(State.UNKNOWN), f" {pod.name}  {pod.why.rstrip('.')}"
        )
    line = Text.assemble("  ", display.mark(State.OK), f" {pod.name}")
    if not pod.config:
        return line.append(
            "  its router does not say by which configuration it goes", "bright_black"
        )
    line.append(f"  config {pod.config[:_SHORT_DIGEST]}", "bright_black")
    if alive.wanted and pod.config != alive.wanted:
        line.append(f", not {alive.wanted[:_SHORT_DIGEST]} as it is written now", "yellow")
    return line


def _table(*words: str, numbers: tuple[str, ...] = ()) -> Table:
    columns = [Column(word, overflow="fold") for word in words]
    columns += [Column(word, justify="right", no_wrap=True) for word in numbers]
    return Table(*columns, box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")


def _count(value: float) -> str:
    return f"{value:.0f}"


@app.command("ask", rich_help_panel=OPERATE)
@asks_a_cluster
def ask(
    access: Access,
    prompt: Annotated[str, typer.Argument(help="- is standard input.", metavar="PROMPT")],
    router: Annotated[
        str, typer.Option("--router", help="Where there are several.", parser=router_name)
    ] = "",
    model: Annotated[
        str, typer.Option("--model", help="auto leaves the choice to the router.")
    ] = "auto",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Have it classified only: no model is asked.")
    ] = False,
    token_file: Annotated[
        str, typer.Option("--token-file", help="With a key or token, for a router that wants one.")
    ] = "",
    timeout: Annotated[str, typer.Option("--timeout", help="For the answer.")] = "2m",
    output: Form = None,
) -> None:
    """Send one prompt through a router: which decision, model, backend and guard, and how long."""
    from semantic_router_cli import asking, door, pods

    patience = seconds("--timeout", timeout)
    text = sys.stdin.read() if prompt == "-" else prompt
    token = _token(token_file)
    cluster = access.cluster()
    chosen = _the_one(cluster, router)
    asked = Router(chosen)
    by_a_gateway = gateway_mode.is_gateway_mode(asked.spec) and not dry_run
    ready = [] if by_a_gateway else pods.ready(cluster, asked.name)[0]
    if not ready and not by_a_gateway:
        display.error(
            f"No pod of {asked.name} is ready. `kubectl sr status {asked.name}` says why."
        )
        raise typer.Exit(NO)
    with display.waiting("asking"), pods.Ways(cluster, patience) as ways:
        if dry_run:
            way = ways.to(cluster.namespace, ready[0], [pod_ports(asked.spec).api])
            said = asking.rehearse(way, ready[0], asked, text)
        else:
            into = door.of_gateway(cluster, asked) if by_a_gateway else door.of_pod(asked, ready[0])
            said = asking.ask(cluster, ways.through(into), into, asked, text, model, token)
    if output:
        display.data(said.as_dict(), output)
    else:
        _print_trace(said)
    raise typer.Exit(0 if said.well else NO)


def _token(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8").strip() if file else ""
    except OSError as error:
        display.error(f"--token-file {file}: {error.strerror}")
        raise typer.Exit(UNUSABLE) from error


def _the_one(cluster: Cluster, name: str) -> dict[str, Any]:
    found = some_routers(cluster, [name] if name else [])
    if len(found) > 1:
        names = ", ".join(item["metadata"]["name"] for item in found)
        display.error(f"There are several routers: {names}. Name one with --router.")
        raise typer.Exit(UNUSABLE)
    return found[0]


_PATHS = {
    "upstream": "",
    "cache": "answered from the cache",
    "fast_response": "answered by the router itself",
    "looper": "answered from several models",
    "blocked": "blocked",
    "rate_limited": "refused: too many requests",
    "error": "an error of the router",
}


def _print_trace(said: Trace) -> None:
    state = State.OK if said.well else State.BROKEN
    head = "would be" if said.status is None else f"HTTP {said.status}"
    path = _PATHS.get(said.path, said.path)
    display.show(
        Text.assemble(
            display.mark(state), (f" {head}", "bold"), f"  {path}" if path else "",
            (f"  {said.pod}", "bright_black"),
        )
    )  # fmt: skip
    details = {
        "confidence": said.confidence, "category": said.category,
        "by algorithm": said.algorithm,
    }  # fmt: skip
    more = [f"{word} {text}" for word, text in details.items() if text]
    reasoning = f", reasoning {said.reasoning}" if said.reasoning else ""
    rows = {
        "decision": (said.decision or "none") + (f" ({', '.join(more)})" if more else ""),
        "signals": " · ".join(f"{kind}: {names}" for kind, names in said.signals.items()),
        "guard": said.guard or "none is switched on",
        "model": f"{said.model}{reasoning}" if said.model else "none was asked",
        "backend": said.backend,
        "took": _took(said),
        "request": said.request and f"{said.request}  see kubectl sr logs --request",
    }
    for word, text in rows.items():
        if text and not (said.error and said.status is None):
            display.show(display.beside(Text(f"  {word:<10}", "cyan"), Text(text)))
    for text in said.unseen:
        display.show(display.beside(Text("  not seen  ", "magenta"), Text(text)))
    if said.error:
        display.show(display.beside(Text("  error     ", "red"), Text(said.error)))
    if said.answer:
        display.show("", Padding(Text(said.answer), (0, 0, 0, 2)))


def _took(said: Trace) -> str:
    timing = said.timing
    if said.status is None:
        own = f" (the router itself {timing.router} ms)" if timing.router is not None else ""
        return f"{timing.whole} ms{own}"
    parts = [f"whole {timing.whole} ms"]
    if timing.backend is not None:
        parts.append(f"backend {timing.backend} ms")
    if timing.router is not None:
        parts.append(f"router {timing.router} ms")
    elif timing.backend is not None:
        parts.append(f"router and the way {max(0, timing.whole - timing.backend)} ms")
    return " · ".join(parts)


@app.command("top", rich_help_panel=OPERATE)
@asks_a_cluster
def top(
    access: Access,
    names: SomeRouters = None,
    everywhere: Everywhere = False,
    selector: Selector = "",
    watch: Annotated[bool, typer.Option("-w", "--watch", help="Rates, anew until Ctrl-C.")] = False,
    interval: Annotated[str, typer.Option("--interval", help="Between two looks.")] = "2s",
    output: Form = None,
) -> None:
    """Show requests, latency and tokens of each model, by the routers' metrics."""
    pause = max(seconds("--interval", interval), 0.5)
    if watch and output:
        display.error("--watch is for people. Leave --output out, or scrape the metrics.")
        raise typer.Exit(UNUSABLE)
    from semantic_router_cli import pods

    cluster = access.cluster()

    def look() -> list[Live]:
        found = some_routers(cluster, names, everywhere, selector)
        return [pods.look(cluster, ways, resource, envoy=False) for resource in found]

    with pods.Ways(cluster) as ways:
        with display.waiting("asking the pods"):
            first = look()
        if output:
            display.data([item.as_dict() for item in first], output)
        elif watch:
            _watch_traffic(look, first, pause)
        else:
            display.show(*_traffic(first), *_remarks(first))
    raise typer.Exit(0 if all(any(not pod.why for pod in item.pods) for item in first) else NO)


def _watch_traffic(look: Callable[[], list[Live]], first: list[Live], pause: float) -> None:
    from semantic_router_cli import motion

    before, since = first, time.monotonic()
    with suppress(KeyboardInterrupt), motion.Redrawn() as draw:
        draw(first, Group(*_traffic(first), *_remarks(first)))
        while True:
            time.sleep(pause)
            now, at = look(), time.monotonic()
            draw(now, Group(*_traffic(now, before, at - since), *_remarks(now)))
            before, since = now, at


@app.command("ui", rich_help_panel=OPERATE)
@asks_a_cluster
def ui(
    access: Access,
    names: SomeRouters = None,
    everywhere: Everywhere = False,
    selector: Selector = "",
    port: Annotated[
        int, typer.Option("--port", help="On loopback; 0 takes a free one.", min=0, max=65535)
    ] = 0,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the address only.")
    ] = False,
) -> None:
    """Show routers, decisions, models and backends as a live map in a browser. Read-only."""
    from semantic_router_cli import page

    cluster = access.cluster()

    def listed() -> list[dict[str, Any]]:
        return cluster.routers(names or [], everywhere, selector)

    some_routers(cluster, names, everywhere, selector)
    source = page.Looking(cluster, listed)
    try:
        with page.serving(source, port) as address, ExitStack() as stack:
            display.show("Until Ctrl-C, for whoever has this address:")
            display.show_unfolded(Text(address))
            sys.stdout.flush()
            if not no_browser:
                stack.enter_context(page.shown(address))
            threading.Event().wait()
    except KeyboardInterrupt:
        pass
    except OSError as error:
        display.error(f"--port {port}: {error.strerror}. Leave it out, and a free one is taken.")
        raise typer.Exit(UNUSABLE) from error
    finally:
        source.close()


def _traffic(
    alive: list[Live], before: list[Live] | None = None, passed: float = 0
) -> list[RenderableType]:
    """Since the routers began; with what was before, per second and of the time between."""
    decisions = _matches(alive, before or [], passed)
    models = _traffic_of_models(alive, before, passed)
    tables = [table for table in (models, decisions) if table.rows]
    parts: list[RenderableType] = [part for table in tables for part in (table, Text())]
    return parts[:-1]


def _matches(alive: list[Live], before: list[Live], passed: float) -> Table:
    """Several decisions may match a request, of which one is taken."""
    several = len(alive) > 1
    unit = "MATCHES/S" if passed else "MATCHES"
    table = _table(*(["ROUTER"] if several else []), "DECISION", numbers=(unit,))
    known = {(item.namespace, item.name): item.matches or {} for item in before}
    for item in alive:
        past = known.get((item.namespace, item.name), {})
        for number, (name, count) in enumerate((item.matches or {}).items()):
            first = ["" if number else f"{item.namespace}/{item.name}"] if several else []
            came = count - past[name] if count >= past.get(name, count + 1) else count
            table.add_row(*first, name, f"{came / passed:.1f}" if passed else _count(count))
    return table


def _traffic_of_models(alive: list[Live], before: list[Live] | None, passed: float) -> Table:
    unit = "/S" if before else ""
    numbers = (f"REQ{unit}", f"ERR{unit}", "LATENCY", "TTFT", f"TOK IN{unit}", f"OUT{unit}", "NOW")
    several = len(alive) > 1
    table = _table(*(["ROUTER"] if several else []), "MODEL", numbers=numbers)
    known = {(i.namespace, i.name, m.name): m for i in before or [] for m in i.models}
    for item in alive:
        name = f"{item.namespace}/{item.name}"
        for number, model in enumerate(item.models):
            past = known.get((item.namespace, item.name, model.name))
            first = ["" if number else name] if several else []
            table.add_row(*first, model.name, *_cells(model, past, passed))
    return table


def _cells(model: Model, past: Model | None, passed: float) -> list[str]:
    shown: Traffic = model.traffic.since(past.traffic) if past else model.traffic
    per = passed or 1

    def amount(value: float) -> str:
        return f"{value / per:.1f}" if passed else f"{value:.0f}"

    return [
        amount(shown.requests),
        amount(shown.errors),
        _milliseconds(shown.latency),
        _milliseconds(shown.first_token),
        amount(shown.tokens_in),
        amount(shown.tokens_out),
        f"{shown.in_flight:.0f}",
    ]


def _milliseconds(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1f} s" if value >= 1 else f"{1000 * value:.0f} ms"


def _remarks(alive: list[Live]) -> list[Text]:
    """Whose pods say nothing."""
    lines = [
        Text.assemble("  ", display.mark(State.UNKNOWN), f" {pod.name}  {pod.why.rstrip('.')}")
        for item in alive
        for pod in item.pods
        if pod.why
    ]
    return lines + [
        Text.assemble("  ", display.mark(State.BROKEN), f" {item.name}  no pod")
        for item in alive
        if not item.pods
    ]
