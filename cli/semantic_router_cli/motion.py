"""What moves on a terminal: a bar, and a picture that is drawn anew in its place.

A module of its own, as rich takes its time to bring what few commands need.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.live import Live
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column
from rich.text import Text

from semantic_router_cli import display

if TYPE_CHECKING:
    from semantic_router_cli import rollout


def _whole() -> Column:
    return Column(no_wrap=True, overflow="fold")


class ProgressLine:
    """A bar of pods on a terminal; anywhere else a line whenever something moves."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._out = display.console(stderr=True)
        self._last = ""
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.fields[router]}", style="bold", markup=False, table_column=_whole()),
            BarColumn(bar_width=20, table_column=_whole()),
            TextColumn("{task.completed:g}/{task.total:g} pods", table_column=_whole()),
            TimeElapsedColumn(table_column=_whole()),
            # What is going on may be long, and takes the room that is left.
            TextColumn(
                "{task.description}",
                markup=False,
                table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"),
            ),
            console=self._out,
            transient=True,
            expand=True,
        )
        self._task = self._bar.add_task("", total=1, router=name)

    def __enter__(self) -> Callable[[rollout.Progress], None]:
        if self._out.is_terminal:
            self._bar.start()
        return self._show

    def __exit__(self, *_: object) -> None:
        if self._out.is_terminal:
            self._bar.stop()

    def _show(self, said: rollout.Progress) -> None:
        line = f"{said.pods_ready}/{said.pods} pods  {said.step}" if said.pods else said.step
        if self._out.is_terminal:
            self._bar.update(
                self._task, completed=said.pods_ready, total=said.pods, description=said.step
            )
        elif line != self._last and not said.reached:
            self._out.print(Text(f"{self._name}  {line}"), soft_wrap=True)
        self._last = line


class Redrawn:
    """In the same place of a terminal; anywhere else it is printed when it differs."""

    def __init__(self) -> None:
        out = display.console()
        self._live = Live(console=out, auto_refresh=False, screen=out.is_terminal)
        self._last: object = None

    def __enter__(self) -> Callable[[object, RenderableType], None]:
        if self._live.console.is_terminal:
            self._live.start()
        return self._draw

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def _draw(self, shown: object, picture: RenderableType) -> None:
        """shown: what the picture is of, by which one knows whether it differs."""
        if self._live.console.is_terminal:
            self._live.update(picture, refresh=True)
        elif shown != self._last:
            display.show(picture)
        self._last = shown
