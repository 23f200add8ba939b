"""What a benchmark found: one row for each subject and case. Everything else only shows rows."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

SUBJECTS = ("floor", "conventional", "cold", "warm", "stock", "peer")


@dataclass(frozen=True)
class Row:
    """subject: one of SUBJECTS; unit: "s", "MiB", "requests"...; runs: the measured values."""

    subject: str
    case: str
    unit: str
    runs: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.runs)

    @property
    def spread(self) -> float:
        """Between the quickest and the slowest."""
        return max(self.runs) - min(self.runs)

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "median": self.median}


@dataclass(frozen=True)
class Bar:
    """A promise about medians of one run: value <= limit."""

    says: str
    value: float
    limit: float

    @property
    def met(self) -> bool:
        return self.value <= self.limit


def joined(rows: Iterable[Row]) -> list[Row]:
    """One row for each subject and case, with the runs of all."""
    found: dict[tuple[str, str], Row] = {}
    for row in rows:
        key = row.subject, row.case
        found[key] = replace(row, runs=found[key].runs + row.runs) if key in found else row
    return list(found.values())


def median_of(rows: Iterable[Row], subject: str, case: str) -> float | None:
    """None when this was not measured."""
    found = [row for row in rows if (row.subject, row.case) == (subject, case)]
    return found[0].median if found else None


def write(path: Path, machine: dict[str, Any], rows: Sequence[Row], bars: Sequence[Bar]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "machine": machine,
        "rows": [row.as_dict() for row in rows],
        "bars": [{**asdict(bar), "met": bar.met} for bar in bars],
    }
    path.write_text(json.dumps(content, indent=2) + "\n")
