"""The commands that check and make files, and what comes with a release."""

from __future__ import annotations

import json
import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import (
    PLATFORM_KUBERNETES,
    PLATFORM_OPENSHIFT,
    discovery,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import KIND
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from rich.padding import Padding
from rich.text import Text

from semantic_router_cli import display, files
from semantic_router_cli.commands import CHECK, app
from semantic_router_cli.display import Output
from semantic_router_cli.judgement import Judge, Judgement, Verdict
from semantic_router_cli.options import (
    NO,
    UNUSABLE,
    Access,
    File,
    Form,
    asks_a_cluster,
    told,
)
from semantic_router_cli.tree import State

if TYPE_CHECKING:
    from semantic_router_cli.difference import Change


class Platform(StrEnum):
    """Where the objects are for."""

    KUBERNETES = PLATFORM_KUBERNETES
    OPENSHIFT = PLATFORM_OPENSHIFT


ForPlatform = Annotated[Platform, typer.Option("--platform", help="What the cluster would be.")]
Capabilities = Annotated[
    str,
    typer.Option(
        "--capabilities",
        help="Optional APIs that the cluster would serve, with commas between; '' for none.",
        metavar="GROUP,...",
    ),
]
EVERY_CAPABILITY = ",".join(discovery.OPTIONAL_APIS)


@app.command("render", rich_help_panel=CHECK)
def render(
    file: File,
    platform: ForPlatform = Platform.KUBERNETES,
    capabilities: Capabilities = EVERY_CAPABILITY,
    output: Annotated[Output, typer.Option("-o", "--output", help="Form.")] = Output.YAML,
) -> None:
    """Print the manifests that the operator makes of a file. Asks no cluster."""
    from ansible_collections.vllm.semantic_router.plugins.module_utils.objects import registry

    served = _served(capabilities)
    built: list[dict[str, Any]] = []
    with told():
        for resource in files.routers(file):
            router = _usable(resource, platform, served)
            facts = discovery.offline_facts(router, platform, served)
            built += registry.build(router, facts)
    display.manifests(built, output)


def _served(capabilities: str) -> list[str]:
    groups = [group.strip() for group in capabilities.split(",") if group.strip()]
    unknown = [group for group in groups if group not in discovery.OPTIONAL_APIS]
    if unknown:
        known = ", ".join(discovery.OPTIONAL_APIS)
        display.error(f"--capabilities: {', '.join(unknown)} is none of {known}.")
        raise typer.Exit(UNUSABLE)
    return groups


def _usable(resource: dict[str, Any], platform: str, served: list[str]) -> Router:
    from ansible_collections.vllm.semantic_router.plugins.module_utils.checks import rules
    from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import crd

    problems = crd.validate(resource)
    router = Router(resource)
    if not problems:
        problems = rules.check(router, discovery.offline_facts(router, platform, served))
        problems += discovery.offline_problems(router, platform, served)
    for problem in problems:
        if not problem.blocking:
            display.remark(str(problem))
    blocking = [str(problem) for problem in problems if problem.blocking]
    if blocking:
        for text in blocking:
            display.error(text)
        raise typer.Exit(NO)
    return router


@app.command("diff", rich_help_panel=CHECK)
@asks_a_cluster
def show_diff(access: Access, file: File, output: Form = None) -> None:
    """Show what applying a file would change. Server-side dry runs: nothing is written."""
    from semantic_router_cli import difference

    resources = files.routers(file)
    cluster = access.cluster()
    found = [difference.difference(cluster, resource) for resource in resources]
    changes = [change for item in found for change in item.changes]
    problems = [problem for item in found for problem in item.problems]
    if output:
        display.data(
            {
                "changes": [change.as_dict() for change in changes],
                "problems": [problem.as_dict() for problem in problems],
            },
            output,
        )
    else:
        _print_difference(changes, problems)
    raise typer.Exit(NO if changes or any(problem.blocking for problem in problems) else 0)


def _print_difference(changes: list[Change], problems: list[Problem]) -> None:
    for problem in problems:
        (display.error if problem.blocking else display.remark)(str(problem))
    styles = {"+": "green", "-": "red", "@": "cyan"}
    for change in changes:
        rolls = "  its pods are replaced" if change.rolls else ""
        display.show(Text.assemble((change.title, "bold"), f" {change.action}", (rolls, "yellow")))
        for line in change.lines()[2:]:
            display.show_unfolded(Text(f"  {line}", style=styles.get(line[0], "bright_black")))
    if not changes:
        display.show("Nothing would change.")


@app.command("validate", rich_help_panel=CHECK)
def validate(
    file: File,
    platform: ForPlatform = Platform.KUBERNETES,
    vllm_sr: Annotated[
        str | None, typer.Option("--vllm-sr", help="The router's validator; else on PATH.")
    ] = None,
    envoy: Annotated[str | None, typer.Option("--envoy", help="Envoy; else on PATH.")] = None,
    require: Annotated[
        list[Judge] | None,
        typer.Option(
            "--require",
            help="Fail when this one was not asked. May be given several times.",
            case_sensitive=False,
        ),
    ] = None,
    output: Form = None,
) -> None:
    """Hold a file against the CRD, the rules, the router's validator and Envoy. Asks no cluster."""
    from concurrent.futures import ThreadPoolExecutor

    from semantic_router_cli import validation

    with told():
        resources = files.routers(file)
    found = validation.programs(vllm_sr, envoy)
    required = require or []
    results = []
    failed = False
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        with display.waiting("the CRD and the rules look"):
            asked = [validation.ask(resource, platform, found, pool) for resource in resources]
        for resource, answers in zip(resources, asked, strict=True):
            name = str((resource.get("metadata") or {}).get("name") or "without a name")
            if not output:
                display.show(Text.assemble("SemanticRouter ", (name, "bold")))
            judgements = []
            for judge, answer in answers.items():
                with display.waiting(f"{name}: {judge} looks"):
                    judgement = answer()
                judgements.append(judgement)
                failed = failed or judgement.fails(required)
                if not output:
                    _print_judgement(judgement, judgement.fails(required))
            results.append({"name": name, "judgements": [item.as_dict() for item in judgements]})
    if output:
        display.data(results, output)
    raise typer.Exit(NO if failed else 0)


_STATE_OF = {
    Verdict.PASSED: State.OK,
    Verdict.WARNED: State.WARNING,
    Verdict.FAILED: State.BROKEN,
    Verdict.NOT_ASKED: State.UNKNOWN,
}


def _print_judgement(judgement: Judgement, fails: bool) -> None:
    style = "bright_black" if judgement.verdict is Verdict.PASSED else ""
    state = State.BROKEN if fails else _STATE_OF[judgement.verdict]
    head = Text.assemble("  ", display.mark(state), " ")
    head.append(f"{judgement.judge:<8}", "bold").append(f"{judgement.verdict:<11}")
    display.show(display.beside(head, Text(judgement.said, style)))
    for problem in judgement.problems:
        display.show(*_of_problem(problem))


def _of_problem(problem: Problem) -> list[Padding]:
    where = f"{problem.field}: " if problem.field else ""
    found = Text.assemble((where, "cyan"), problem.found)
    remedy = Text.assemble(display.arrow(), f" {problem.remedy}")
    return [Padding(line, (0, 0, 0, 4)) for line in (found, remedy)]


@app.command("explain", rich_help_panel=CHECK)
def explain(
    field: Annotated[
        str, typer.Argument(help="As in spec.config.prompt_guard.enabled.", metavar="FIELD")
    ],
    output: Form = None,
) -> None:
    """Say what a field is, who reads it and what makes it act. Asks no cluster."""
    from semantic_router_cli import explanation

    found = explanation.explain(field)
    if found is None:
        display.error(f"There is no field {field}. `kubectl sr explain spec.config` lists some.")
        raise typer.Exit(UNUSABLE)
    if output:
        display.data(found.as_dict(), output)
        return
    default = "" if found.default is None else f", {json.dumps(found.default)} unless it is given"
    display.show(
        Text.assemble((found.field, "bold"), f"  {found.type}{default}" if found.type else "")
    )
    if found.description:
        display.show(Padding(Text(found.description), (0, 0, 0, 2)))
    for reading in found.readings:
        for_contracts = f"contract {', '.join(reading.contracts)}" if reading.contracts else ""
        head = Text("  ")
        head.append("  ".join(part for part in (reading.field, for_contracts) if part), "cyan")
        head.append("  ")
        said = f"read by {reading.reader}: {reading.acts}"
        display.show(display.beside(head, Text(said)))


@app.command("migrate", rich_help_panel=CHECK)
def migrate(
    file: File,
    name: Annotated[
        str, typer.Option("--name", help="For Helm values, which name none: the release.")
    ] = "semantic-router",
    namespace: Annotated[
        str | None, typer.Option("-n", "--namespace", help="For Helm values.")
    ] = None,
) -> None:
    """Make a SemanticRouter of this CRD from Helm values or an older SemanticRouter."""
    from semantic_router_cli import migration

    with told():
        migrated = migration.of_a_file(files.documents(file), name, namespace)
        if not migrated:
            advice = f"Give a {KIND} or values of the router's chart"
            raise files.FileError(f"{file} holds neither. {advice}.")
    display.yaml_file("".join(item.text() for item in migrated))
    for item in migrated:
        for place, text in item.remarks:
            (display.error if place in item.lost else display.remark)(f"{place}: {text}.")
        for problem in item.problems():
            (display.error if problem.blocking else display.remark)(str(problem))
    blocking = [p for item in migrated for p in item.problems() if p.blocking]
    raise typer.Exit(NO if blocking or any(item.lost for item in migrated) else 0)


@app.command("verify", rich_help_panel=CHECK)
def verify(
    directory: Annotated[
        Path,
        typer.Argument(
            help="Where the files of a release are.",
            metavar="DIRECTORY",
            exists=True,
            file_okay=False,
        ),
    ],
    tag: Annotated[str, typer.Option("--tag", help="Which release it has to be, v0.1.0 say.")],
    trusted_root: Annotated[
        Path | None,
        typer.Option(help="Sigstore's roots in a file, for who keeps them.", exists=True),
    ] = None,
) -> None:
    """Hold the files of a release against their sums, signatures and provenance; asks nobody.

    Takes Sigstore's library: pip install sigstore
    """
    from semantic_router_cli import verification

    try:
        signatures = verification.Sigstore(tag, trusted_root)
    except ImportError:
        typer.echo("Error: verify takes Sigstore's library: pip install sigstore", err=True)
        raise typer.Exit(UNUSABLE) from None
    wrong = list(verification.problems(directory, signatures))
    for problem in wrong:
        typer.echo(f"{problem.file}: {problem.why}")
    if wrong:
        raise typer.Exit(NO)
    typer.echo(f"{directory} is release {tag}, as {verification.identity(tag)} signed it.")
