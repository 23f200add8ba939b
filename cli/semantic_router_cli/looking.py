"""The commands that look for what is wrong, and at what changes: doctor, wait."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import RenderableType
from rich.text import Text

from semantic_router_cli import display, tree
from semantic_router_cli.commands import LOOK, app
from semantic_router_cli.options import (
    NO,
    UNUSABLE,
    Access,
    Everywhere,
    Form,
    OneRouter,
    Selector,
    SomeRouters,
    asks_a_cluster,
    require_some,
    seconds,
)
from semantic_router_cli.tree import State

if TYPE_CHECKING:
    from semantic_router_cli.doctor import Finding


class FailOn(StrEnum):
    """What of the doctor's findings fails a pipeline."""

    PROBLEM = "problem"
    WARNING = "warning"


@app.command("doctor", rich_help_panel=LOOK)
@asks_a_cluster
def doctor(
    access: Access,
    names: SomeRouters = None,
    everywhere: Everywhere = False,
    selector: Selector = "",
    suppress_codes: Annotated[
        list[str] | None,
        typer.Option(
            "--suppress",
            help="Leave out findings of this code. May be given several times.",
            metavar="CODE",
        ),
    ] = None,
    fail_on: Annotated[
        FailOn, typer.Option("--fail-on", help="The least that makes the exit code 1.")
    ] = FailOn.PROBLEM,
    output: Form = None,
) -> None:
    """Look for everything that the troubleshooting chapter knows: what is wrong, and what to do."""
    from semantic_router_cli import doctor as examination

    suppressed = suppress_codes or []
    _require_known(suppressed)
    cluster = access.cluster()
    routers = cluster.routers(names or [], everywhere, selector)
    if names:
        require_some(routers, cluster, names, everywhere)
    every = list(examination.examine(cluster, routers))
    found = [finding for finding in every if finding.code not in suppressed]
    if output:
        display.data([finding.as_dict() for finding in found], output)
    else:
        _print_findings(found, len(every) - len(found))
    raise typer.Exit(NO if any(item.state in _FAILS[fail_on] for item in found) else 0)


_FAILS = {
    FailOn.PROBLEM: (State.BROKEN,),
    FailOn.WARNING: (State.BROKEN, State.WARNING, State.UNKNOWN),
}


def _require_known(codes: list[str]) -> None:
    from semantic_router_cli import findings

    for code, meant in findings.unknown(codes).items():
        hint = f" Did you mean {meant}?" if meant else ""
        display.error(f"--suppress {code}: no finding has this code.{hint}")
        raise typer.Exit(UNUSABLE)


def _print_findings(found: list[Finding], left_out: int) -> None:
    for router, findings in groupby(found, key=lambda item: item.router):
        display.show(
            "",
            Text.assemble("SemanticRouter ", (router, "bold"))
            if router
            else Text("The cluster and the operator", "bold"),
        )
        topic = ""
        for finding in findings:
            label = finding.topic if finding.topic != topic else ""
            topic = finding.topic
            display.show(_of_finding(label, finding))
    counts = Counter(item.state for item in found)
    broken, warnings = counts[State.BROKEN], counts[State.WARNING] + counts[State.UNKNOWN]
    summary = f"{_number(broken, 'problem')}, {_number(warnings, 'warning')}, {len(found)} looks"
    summary += f", {left_out} suppressed" if left_out else ""
    worst = tree.worst([tree.Node("", "", item.state) for item in found])
    display.show("", Text.assemble(display.mark(worst), f" {summary}"))


def _number(count: int, noun: str) -> str:
    return f"{count or 'no'} {noun}{'' if count == 1 else 's'}"


def _of_finding(label: str, finding: Finding) -> RenderableType:
    head = Text.assemble((f"  {label:<10}", "cyan"), display.mark(finding.state), " ")
    quiet = "bright_black" if finding.state is State.OK else ""
    lines = [Text(finding.found.rstrip("."), quiet)]
    lines[0].append(f"  {finding.code}" if finding.code else "", "bright_black")
    if finding.state is not State.OK and (finding.where or finding.remedy):
        where = f"{finding.where}: " if finding.where and finding.remedy else finding.where
        remedy = finding.remedy.rstrip(".")
        lines.append(Text.assemble(display.arrow(), " ", (where, "cyan"), remedy))
    return display.beside(head, *lines)


@app.command("wait", rich_help_panel=LOOK)
@asks_a_cluster
def wait(
    access: Access,
    name: OneRouter,
    goal: Annotated[
        str,
        typer.Option(
            "--for", help="ready, available, backends, route, deleted, or condition=TYPE[=STATUS]."
        ),
    ] = "ready",
    timeout: Annotated[str, typer.Option("--timeout", help="As in 90s, 10m, 1h30m.")] = "10m",
) -> None:
    """Wait for a router, with its pods and their models' download on the way."""
    from semantic_router_cli import motion, rollout

    try:
        wanted = rollout.Goal.parse(goal)
    except rollout.GoalError as error:
        display.error(str(error))
        raise typer.Exit(UNUSABLE) from error
    patience = seconds("--timeout", timeout)
    cluster = access.cluster()
    said = rollout.follow(cluster, name, wanted, patience, motion.ProgressLine(name))
    if said.reached:
        display.show(Text.assemble(display.mark(State.OK), f" {name}: {said.step}"))
        return
    display.error(f"{name} is not {goal} after {timeout}. {said.step}")
    one = f"{name} -n {cluster.namespace}"
    display.show_on_stderr(
        Text(f"`kubectl sr status {one}` and `kubectl sr doctor {one}` say more.")
    )
    raise typer.Exit(NO)
