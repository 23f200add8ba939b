"""What commands have in common: exit codes, kubectl's options, and the way to a cluster."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import durationpy
import typer
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import (
    Problem,
    RouterError,
)

from semantic_router_cli import display, files
from semantic_router_cli.display import Output

if TYPE_CHECKING:
    from semantic_router_cli.cluster import Cluster

NO = 1
UNUSABLE = 2
UNREACHABLE = 3

# The router's kind, as kubectl lets people write it before a slash.
_TYPE = re.compile(r"(sr|semanticrouters?(\.v1alpha1)?(\.vllm\.ai)?)", re.IGNORECASE)


def router_name(text: str) -> str:
    """Of NAME, or TYPE/NAME."""
    kind, slash, name = text.rpartition("/")
    if slash and not (name and _TYPE.fullmatch(kind)):
        raise typer.BadParameter(f"{text}: give NAME or semanticrouter/NAME")
    return name


OneRouter = Annotated[str, typer.Argument(help="The router.", metavar="NAME", parser=router_name)]
Routers = Annotated[
    list[str], typer.Argument(help="Routers by name.", metavar="NAME...", parser=router_name)
]
SomeRouters = Annotated[
    list[str] | None,
    typer.Argument(help="Routers by name; else all.", metavar="NAME...", parser=router_name),
]
Everywhere = Annotated[bool, typer.Option("-A", "--all-namespaces", help="In all namespaces.")]
Selector = Annotated[
    str, typer.Option("-l", "--selector", help="Those with these labels, as in team=search.")
]
Form = Annotated[Output | None, typer.Option("-o", "--output", help="For programs.")]
File = Annotated[str, typer.Argument(help="YAML or JSON; - is standard input.", metavar="FILE")]


def seconds(option: str, text: str) -> float:
    """As kubectl takes it, a number alone is seconds; what else there is ends the program."""
    try:
        found = durationpy.from_str(f"{text}s" if text.isdigit() else text).total_seconds()
    except durationpy.DurationError:
        found = -1.0
    if found < 0:
        display.error(f"{option} {text}: give numbers with h, m or s, as in 90s, 10m or 1h30m")
        raise typer.Exit(UNUSABLE)
    return float(found)


@dataclass(frozen=True)
class Access:
    """Which cluster, as whom, where in it. None: what the kubeconfig has."""

    namespace: str | None = None
    context: str | None = None
    kubeconfig: str | None = None
    user: str | None = None
    request_timeout: str | None = None

    def overridden_by(self, later: Access) -> Access:
        """Options after the command win over those before it."""
        return replace(self, **{name: value for name, value in vars(later).items() if value})

    def cluster(self) -> Cluster:
        # Only here: Tab and the commands that ask no cluster want nothing of what this imports.
        from semantic_router_cli.cluster import Cluster

        timeout = (
            seconds("--request-timeout", self.request_timeout) if self.request_timeout else None
        )
        return Cluster(self.kubeconfig, self.context, self.namespace, self.user, timeout)


_KUBECTLS: dict[str, Any] = {
    "namespace": Annotated[
        str | None, typer.Option("-n", "--namespace", help="Namespace; else the context's.")
    ],
    "context": Annotated[str | None, typer.Option("--context", help="Context of the kubeconfig.")],
    "kubeconfig": Annotated[
        str | None, typer.Option("--kubeconfig", help="File; else KUBECONFIG, else ~/.kube/config.")
    ],
    "user": Annotated[str | None, typer.Option("--as", help="Ask as this user.", metavar="USER")],
    "request_timeout": Annotated[
        str | None,
        typer.Option("--request-timeout", help="For one answer, as in 5s.", metavar="DURATION"),
    ],
}


def asks_a_cluster(command: Callable[..., None]) -> Callable[..., None]:
    """kubectl's options for a command, which hears of them as ``access``.

    They may stand before the command too, where the program itself takes them.
    """
    types = get_type_hints(command, include_extras=True)
    kept = [
        item.replace(annotation=types[name])
        for name, item in inspect.signature(command).parameters.items()
        if name != "access"
    ]
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in _KUBECTLS.items()
    ]
    context = inspect.Parameter(
        "typer_context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context
    )
    parameters = [context, *kept, *added]

    @functools.wraps(command)
    def run(typer_context: typer.Context, **given: Any) -> None:
        own = Access(**{name: given.pop(name) for name in _KUBECTLS})
        before = typer_context.obj or Access()
        typer_context.obj = before.overridden_by(own)
        with told():
            command(access=typer_context.obj, **given)

    run.__annotations__ = {item.name: item.annotation for item in parameters}
    vars(run)["__signature__"] = inspect.Signature(parameters)
    return run


@contextmanager
def told() -> Iterator[None]:
    """Errors that a person can do something about, without a traceback."""
    try:
        yield
    except files.FileError as error:
        display.error(str(error))
        raise typer.Exit(UNUSABLE) from error
    except RouterError as error:
        display.error(f"{error.problem.found}. {_remedy(error.problem)}.")
        raise typer.Exit(NO if _is_an_answer(error) else UNREACHABLE) from error


def _is_an_answer(error: RouterError) -> bool:
    """The cluster was asked, and refuses what is in the file."""
    return error.problem.reason == "ApplyRefused" or getattr(error, "is_a_policys", False)


def _remedy(problem: Problem) -> str:
    """The operator's own for some of these is to wait until it tries again: nobody does so here."""
    if not problem.remedy.startswith("Wait"):
        return problem.remedy
    if problem.reason == "Conflict":
        return "`kubectl sr doctor` says whether the CRD is installed"
    return "Check the cluster, the network and the kubeconfig"


def require_some(
    found: list[dict[str, Any]], cluster: Cluster, names: list[str], everywhere: bool = False
) -> None:
    """End the program when a router that was named is not there, or none at all."""
    missing = [name for name in names if name not in {item["metadata"]["name"] for item in found}]
    if found and not missing:
        return
    if not cluster.serves_routers:
        display.error("The CRD is not installed. `kubectl sr doctor` says what to do.")
        raise typer.Exit(NO)
    what = " and ".join(f'SemanticRouter "{name}"' for name in missing) or "SemanticRouter"
    where = "" if everywhere else f' in namespace "{cluster.namespace}"'
    hint = "" if everywhere else " `kubectl sr status -A` shows all there are."
    display.error(f"There is no {what}{where}.{hint}")
    raise typer.Exit(NO)


def some_routers(
    cluster: Cluster, names: list[str] | None, everywhere: bool = False, selector: str = ""
) -> list[dict[str, Any]]:
    """Those that were asked for; when one of them is not there, that ends the program."""
    found = cluster.routers(names or [], everywhere, selector)
    require_some(found, cluster, names or [], everywhere)
    return found


def the_router(cluster: Cluster, name: str) -> dict[str, Any]:
    """The one of this name; its absence ends the program."""
    return some_routers(cluster, [name])[0]
