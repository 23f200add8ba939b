"""The program: what it takes before a command, and where each command is.

A command's module is imported when it is run, as most of what a start takes is imports. What a
command does is in the module of the same noun.

Exit codes: 0 all is well; 1 the answer is no (something is broken, invalid, different, or not yet
so); 2 the command line or a file cannot be used; 3 the cluster cannot be asked.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from typer.core import TyperGroup
from typer.main import get_command_from_info

from semantic_router_cli import display
from semantic_router_cli.options import Access, asks_a_cluster

if TYPE_CHECKING:
    from typer.core import TyperCommand

PROGRAM = "kubectl sr"
# Where a command stands in --help.
LOOK, CHECK, OPERATE = "Look", "Check files", "Operate"
# In the order of --help.
MODULES = {
    "status": "overview",
    **dict.fromkeys(("doctor", "wait"), "looking"),
    **dict.fromkeys(("render", "diff", "validate", "explain", "migrate", "verify"), "checking"),
    **dict.fromkeys(("pause", "resume", "restart", "logs", "report"), "operation"),
    **dict.fromkeys(("routes", "ask", "top", "ui"), "observation"),
}


class Commands(TyperGroup):
    """Each is imported when somebody asks for it."""

    def list_commands(self, _: Any) -> list[str]:
        return list(MODULES)

    def get_command(self, _: Any, cmd_name: str) -> TyperCommand | None:
        if cmd_name in MODULES:
            return command(cmd_name)
        # "Did you mean" looks here, for names only.
        self.commands = cast("Any", MODULES)
        return None


def command(name: str) -> TyperCommand:
    import_module(f"semantic_router_cli.{MODULES[name]}")
    (found,) = (item for item in app.registered_commands if item.name == name)
    built = get_command_from_info(
        found,
        pretty_exceptions_short=app.pretty_exceptions_short,
        rich_markup_mode=app.rich_markup_mode,
    )
    return cast("TyperCommand", built)


app = typer.Typer(
    cls=Commands,
    help="Looks into SemanticRouters, finds what is wrong, and checks files before you apply them.",
    epilog="Exit codes: 0 all is well, 1 the answer is no, 2 unusable arguments or file, "
    "3 the cluster cannot be asked.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_versions(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import client

        collection = client.user_agent().rpartition("/")[2]
        own = version("semantic-router-cli")
        display.show(f"plugin {own}, collection vllm.semantic_router {collection}")
        raise typer.Exit


@app.callback()
@asks_a_cluster
def _before_any_command(
    access: Access,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="The plugin's version and the collection's.",
            callback=_print_versions,
            is_eager=True,
        ),
    ] = False,
) -> None:
    pass
