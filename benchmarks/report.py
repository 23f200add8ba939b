"""Shows rows to people: a table on the terminal, a plot for the documentation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.bars import AVAILABLE, CREATE, NO_OP, RUNNING, UPDATE
from benchmarks.rows import SUBJECTS, Bar, Row, median_of

_COLOURS = {
    "floor": "#9aa0a6",
    "conventional": "#c5504b",
    "cold": "#e0a030",
    "warm": "#2f7d5b",
    "stock": "#7fb069",
    "peer": "#4a6fa5",
}
# In the plot's legend, where the name alone says too little.
_NAMES = {
    "floor": "floor: one task that does nothing",
    "stock": "warm, stock engine",
    "peer": "another operator",
}


def table(rows: Sequence[Row], bars: Sequence[Bar], console: Console) -> None:
    """Medians with the spread of their runs, one column for each subject; then the bars."""
    measured = [name for name in SUBJECTS if any(row.subject == name for row in rows)]
    shown = Table("case", "unit", *measured)
    for case in dict.fromkeys(row.case for row in rows):
        found = {row.subject: row for row in rows if row.case == case}
        unit = next(iter(found.values())).unit
        shown.add_row(case, unit, *(_cell(found.get(name)) for name in measured))
    console.print(shown)
    promised = Table("bar", "measured", "limit", "")
    for bar in bars:
        verdict = "[green]met[/]" if bar.met else "[red]missed[/]"
        promised.add_row(bar.says, f"{bar.value:.3f}", f"{bar.limit:.3f}", verdict)
    console.print(promised)


def plot(rows: Sequence[Row], path: Path) -> None:
    """One reconcile (left) and many routers at once (right), in seconds, both logarithmic."""
    # Here, not above: it takes half a second, and only this needs it.
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "benchmarks"
    from matplotlib import pyplot
    from matplotlib.patches import Patch

    figure, (single, many) = pyplot.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    cases = [CREATE, UPDATE, NO_OP]
    subjects = [name for name in SUBJECTS if any(_values(rows, name, cases))]
    height = 0.8 / max(len(subjects), 1)
    for place, name in enumerate(subjects):
        values = _values(rows, name, cases)
        offsets = [number + place * height for number, value in enumerate(values) if value]
        found = [value for value in values if value]
        drawn = single.barh(offsets, found, height, color=_COLOURS[name])
        single.bar_label(drawn, fmt="%.2f s", padding=3, fontsize=8)
    single.set_yticks([0.4 - height / 2 + number for number in range(len(cases))], cases)
    single.invert_yaxis()
    single.set_xscale("log")
    single.margins(x=0.25)
    single.set_title("one reconcile, seconds")
    counts = [1, 10, 50, 200, 1000]
    for name in SUBJECTS:
        points = [
            (count, value)
            for count in counts
            if (value := _until_they_run(rows, name, count)) is not None
        ]
        if points:
            many.plot(*zip(*points, strict=True), "o-", color=_COLOURS[name])
    many.set_xscale("log")
    many.set_yscale("log")
    many.set_xticks(counts, [str(count) for count in counts])
    many.set_xlabel("routers created at once")
    many.set_title("until all are Running, seconds")
    many.grid(visible=True, which="both", alpha=0.2)
    for axis in (single.xaxis, many.yaxis):
        axis.set_major_formatter("{x:g}")
    shown = [name for name in SUBJECTS if any(row.subject == name for row in rows)]
    patches = [Patch(color=_COLOURS[name], label=_NAMES.get(name, name)) for name in shown]
    figure.legend(handles=patches, loc="outside lower center", ncols=len(shown), frameon=False)
    figure.savefig(path, metadata={"Date": None})


def _until_they_run(rows: Sequence[Row], name: str, count: int) -> float | None:
    """As the status says it, of subjects that write none as the Deployments say it."""
    running = median_of(rows, name, RUNNING.format(count))
    return median_of(rows, name, AVAILABLE.format(count)) if running is None else running


def _cell(row: Row | None) -> str:
    if row is None:
        return "-"
    digits = 0 if row.median >= 100 or row.unit in {"requests", "writes"} else 2
    spread = f" ± {row.spread / 2:.{digits}f}" if len(row.runs) > 1 else ""
    return f"{row.median:.{digits}f}{spread}"


def _values(rows: Sequence[Row], subject: str, cases: Sequence[str]) -> list[float | None]:
    return [median_of(rows, subject, case) for case in cases]
