"""The tables of the terminal summary: area x target, in 80 columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from conformance.analysis.differences import Sides
from conformance.core.text import legible
from conformance.evidence.run import RULINGS

STYLES = {
    "passed": "green",
    "failed": "bold red",
    "advised": "yellow",
    "noted": "cyan",
    "waived": "magenta",
    "unsupported": "dim",
    "unwitnessed": "dim",
    "errored": "bold red",
}
SHORT = {
    "passed": "",
    "failed": "F",
    "advised": "A",
    "noted": "N",
    "waived": "W",
    "unsupported": "U",
    "unwitnessed": "?",
    "errored": "E",
}
"""Where many targets share a table. Numbers without a letter have passed."""

WIDEST = 12
"""Columns that are kept for the name of an area; longer ones are broken where the terminal is narrow."""

PER_TABLE = 4
"""Targets beside each other: more do not fit 80 columns."""

Write = Callable[[str], str]
"""Makes text fit for the terminal at hand."""


def tables(sides: Sides, width: int, write: Write) -> Iterator[Table]:
    """For one target, its areas by ruling. For several, their totals, then the area x target matrix in parts."""
    columns = [ruling for ruling in RULINGS if any(run.counts[ruling] for run in sides.runs)]
    if len(sides.runs) == 1:
        yield _areas(sides, columns, width, write)
        return
    yield _totals(sides, columns, width, write)
    for first in range(0, len(sides.runs), PER_TABLE):
        yield _matrix(sides, range(first, min(first + PER_TABLE, len(sides.runs))), write)


def legend(sides: Sides) -> str:
    """What the letters of the matrix mean, as far as they occur."""
    used = {ruling for run in sides.runs for ruling in run.counts}
    letters = ", ".join(f"{SHORT[ruling]} {ruling}" for ruling in RULINGS if ruling in used and SHORT[ruling])
    return f"A number alone: so many passed{'; ' if letters else ''}{letters}."


def _grid(first: str, columns: Sequence[str] = (), width: int = 0) -> Table:
    """A table with a column for each ruling; their names are cut where not all of them fit."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False, header_style="bold")
    table.add_column(first, overflow="fold", min_width=WIDEST)
    wide = sum(len(name) + 2 for name in columns) + WIDEST <= width
    for ruling in columns:
        name = ruling if wide or len(ruling) < 8 else ruling[:6] + "."
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _cells(counts: Counter[str], columns: Sequence[str]) -> list[Text]:
    return [Text(f"{counts[one]:,}", STYLES[one]) if counts[one] else Text("-", "dim") for one in columns]


def _areas(sides: Sides, columns: Sequence[str], width: int, write: Write) -> Table:
    table = _grid("area", columns, width)
    for area in sides.areas:
        table.add_row(Text(write(legible(area))), *_cells(sides.matrix[area, 0], columns))
    if len(sides.areas) > 1:
        table.add_row(Text("all", "bold"), *_cells(sides.runs[0].counts, columns))
    return table


def _totals(sides: Sides, columns: Sequence[str], width: int, write: Write) -> Table:
    table = _grid("target", columns, width)
    for run, name in zip(sides.runs, sides.names, strict=True):
        table.add_row(Text(write(legible(name, 60))), *_cells(run.counts, columns))
    return table


def _matrix(sides: Sides, places: range, write: Write) -> Table:
    table = _grid("area")
    for place in places:
        table.add_column(Text(write(legible(sides.names[place], 40))), overflow="fold")
    for area in sides.areas:
        cells = [_cell(sides.matrix.get((area, place), Counter())) for place in places]
        table.add_row(Text(write(legible(area))), *cells)
    return table


def _cell(counts: Counter[str]) -> Text:
    parts = [Text(f"{counts[one]}{SHORT[one]}", STYLES[one]) for one in RULINGS if counts[one]]
    return Text(" ").join(parts) if parts else Text("-", "dim")
