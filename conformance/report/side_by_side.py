"""Two exchanges of one probe side by side: what was sent, what came back, when, and where the answers differ.

A Pair is data for any face of a report; `told` writes one for a terminal.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from conformance.analysis.wire import SORTS, Change, Departure, departures
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding
from conformance.core.text import legible, value_text
from conformance.evidence.run import Run
from conformance.report.html_exchange import Panel, panel
from conformance.report.text import Page

WIDE = 100
"""Columns of a terminal from which two answers fit beside each other."""
LINES = 40
"""Lines of a body, and events of a stream, that are shown of each."""


@dataclass(frozen=True)
class Pair:
    """One probe at two targets."""

    names: tuple[str, str]
    panels: tuple[Panel, Panel]
    departures: tuple[Departure, ...]


def pair(
    runs: tuple[Run, Run],
    exchanges: tuple[Exchange, Exchange],
    findings: Sequence[Finding] = (),
    names: tuple[str, str] | None = None,
) -> Pair:
    """The two exchanges, baseline first. The findings mark the events that they are about."""
    first, second = (
        panel(
            x,
            run.header.base_url,
            run.header.model,
            findings,
            carriage=run.header.carriage,
            query=run.header.query,
        )
        for run, x in zip(runs, exchanges, strict=True)
    )
    return Pair(names or (runs[0].target, runs[1].target), (first, second), departures(*exchanges))


def line_of(one: Departure, names: tuple[str, str]) -> str:
    """A difference as one line."""
    where = f" at {legible(one.place, 120)}" if one.place else ""
    sides = zip(names, (one.baseline, one.candidate), strict=True)
    return f"{SORTS[one.sort]}{where}: " + ", ".join(f"{legible(name, 60)} {_short(value)}" for name, value in sides)


def _short(value: object) -> str:
    """A value on one side, without the brackets of a list of one."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return legible(value, 80) if isinstance(value, str) and value.isidentifier() else value_text(value, 80)


def change_line(one: Change, names: tuple[str, str], pairs: int) -> str:
    """A difference of many answers as one line."""
    ways = f", in {one.ways} ways" if one.ways > 1 else ""
    many = f" ({len(one.keys)} of {pairs} answers{ways})" if pairs > 1 else ""
    return line_of(one.departure, names) + many


def told(page: Page, one: Pair) -> None:
    """Write both, beside each other where the terminal is wide enough, and before them what differs."""
    for departure in one.departures:
        page.say(line_of(departure, one.names), "yellow")
    if not one.departures:
        page.say("the answers differ in nothing that matters", "dim")
    for each in one.panels:
        page.line(each.command, "cyan")
    columns = [[Text(page.writable(line), style) for line, style in _side(*both)] for both in _sides(one)]
    if page.console.width < WIDE:
        for column in columns:
            for line in column:
                page.show(line)
        return
    table = Table.grid(padding=(0, 2, 0, 0), expand=True)
    table.add_column(ratio=1, overflow="fold")
    table.add_column(ratio=1, overflow="fold")
    for row in range(max(map(len, columns))):
        table.add_row(*(column[row] if row < len(column) else Text() for column in columns))
    page.show(table)


BRIEF = 12
"""Lines of each answer where there are many to tell."""


def told_briefly(page: Page, one: Pair) -> None:
    """Write two commands and two answers, without headers and times."""
    for name, each in zip(one.names, one.panels, strict=True):
        page.line(each.command, "cyan")
        page.say(f"{legible(name, 100)}: {each.status}{f', {each.ending}' if each.ending else ''}", "bold", 2)
        lines = each.body.splitlines() or [event.data for event in each.events]
        for line in lines[:BRIEF]:
            page.say(legible(line, 300), indent=4)
        if len(lines) > BRIEF:
            page.say(f"… {len(lines) - BRIEF} more", "dim", 4)


def _sides(one: Pair) -> Iterator[tuple[str, Panel, frozenset[str]]]:
    marked = frozenset(departure.place for departure in one.departures)
    for name, each in zip(one.names, one.panels, strict=True):
        yield name, each, marked


def _side(name: str, one: Panel, marked: frozenset[str]) -> Iterator[tuple[str, str]]:
    """The lines of one side, each with its style."""
    yield legible(name, 100), "bold underline"
    yield one.status, "bold"
    for header, value in one.answer_headers:
        guilty = header.lower() in marked
        yield f"{'>' if guilty else ' '} {header}: {value}", "yellow" if guilty else "dim"
    yield one.times, "dim"
    if one.ending:
        yield f"it ended so: {one.ending}", "red"
    for line in one.body.splitlines()[:LINES]:
        yield line, ""
    if len(one.body.splitlines()) > LINES:
        yield f"… {len(one.body.splitlines()) - LINES} more lines", "dim"
    for event in one.events[:LINES]:
        if event.skipped:
            yield f"… {event.skipped} events", "dim"
        yield f"{event.at:>8} {event.gap:>7}  {legible(event.data, 160)}", ""
    rest = one.rest + max(0, len(one.events) - LINES)
    if rest:
        yield f"… {rest} more events", "dim"
