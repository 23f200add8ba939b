"""kubectl's options, before and after the command; and which answer ends with which code."""

from __future__ import annotations

import pytest
import typer
from semantic_router_cli import options
from semantic_router_cli.options import Access, OneRouter, asks_a_cluster, require_some, seconds
from typer.testing import CliRunner


def asked(*words: str) -> tuple[int, list[Access], str]:
    """What a command hears."""
    app = typer.Typer()
    heard: list[Access] = []

    @app.callback()
    @asks_a_cluster
    def before(access: Access) -> None:
        """Options only."""

    @app.command()
    @asks_a_cluster
    def look(access: Access, name: OneRouter) -> None:
        heard.append(access)
        print(name)

    done = CliRunner().invoke(app, words)
    return done.exit_code, heard, done.output


@pytest.mark.parametrize("words", [["-n", "here", "look", "a"], ["look", "a", "-n", "here"]])
def test_the_namespace_may_stand_before_and_after_the_command(words: list[str]) -> None:
    code, heard, _ = asked(*words)
    assert (code, heard) == (0, [Access(namespace="here")])


def test_what_stands_after_the_command_wins() -> None:
    _, heard, _ = asked("-n", "one", "--as", "ann", "look", "a", "-n", "two")
    assert heard == [Access(namespace="two", user="ann")]


@pytest.mark.parametrize("name", ["a", "sr/a", "semanticrouter/a", "semanticrouters.vllm.ai/a"])
def test_a_router_is_named_as_kubectl_names_objects(name: str) -> None:
    code, _, said = asked("look", name)
    assert (code, said.strip()) == (0, "a")


@pytest.mark.parametrize("name", ["pod/a", "sr/"])
def test_another_kind_is_no_router(name: str) -> None:
    code, heard, said = asked("look", name)
    assert (code, heard) == (options.UNUSABLE, [])
    assert "semanticrouter/NAME" in said


def test_durations_are_those_of_kubectl() -> None:
    assert [seconds("--since", text) for text in ("90s", "10m", "1h30m", "5")] == [90, 600, 5400, 5]
    for text in ("soon", "", "-5s"):
        with pytest.raises(typer.Exit):
            seconds("--since", text)


class Elsewhere:
    """A cluster with the CRD."""

    namespace = "here"
    serves_routers = True


def test_each_router_that_was_named_and_is_not_there_is_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = [{"metadata": {"name": "a"}}]
    require_some(found, Elsewhere(), ["a"])  # type: ignore[arg-type]
    with pytest.raises(typer.Exit):
        require_some(found, Elsewhere(), ["a", "b"])  # type: ignore[arg-type]
    assert 'SemanticRouter "b" in namespace "here"' in capsys.readouterr().err
