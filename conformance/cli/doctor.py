"""Look at a target before anything is spent."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from conformance.cli.common import CLEAN, COULD_NOT, WRONG, Command, console, reports_option
from conformance.core.mistake import Mistake

if TYPE_CHECKING:
    from conformance.doctor.lines import Sheet
    from conformance.targets.target import Target

STYLES = {"ok": "green", "warning": "yellow", "failed": "bold red", "skipped": "dim"}


def add(command: Command) -> None:
    """Declare the command."""
    one = command(
        "doctor",
        _doctor,
        "look at a target before anything is spent: keys, permissions, the way there, and what a run costs",
    )
    one.add_argument("target", nargs="+", help="a name, a glob, or a URL, as for `pytest --target`")
    one.add_argument("--targets", metavar="FILE", help="the file of targets")
    one.add_argument("--free", action="store_true", help="do not send the one request that a model answers")
    one.add_argument("--json", action="store_true", help="the same for programs")
    reports_option(one)


def _doctor(options: argparse.Namespace) -> int:
    from conformance.cli.common import reports
    from conformance.doctor.examine import examine

    shelf = options.reports or reports(Path.cwd())
    sheets = [examine(one, os.environ, shelf, free=options.free) for one in _targets(options.target, options.targets)]
    if options.json:
        print(json.dumps([sheet.to_json() for sheet in sheets], indent=2))
    else:
        screen = console()
        for sheet in sheets:
            screen.print(Text(sheet.target, "bold"))
            screen.print(_table(sheet))
            screen.print(Text(_result(sheet)), "")
    if any(sheet.blocked for sheet in sheets):
        return COULD_NOT
    return WRONG if any(line.state == "failed" for sheet in sheets for line in sheet.lines) else CLEAN


def _targets(words: list[str], written: str | None) -> Iterator[Target]:
    """The targets that are meant, without their secrets. Raises Mistake."""
    from conformance.targets import find, read, select
    from conformance.targets.selection import REPLAY, named

    path = Path(written) if written else find(Path.cwd())
    if written and not Path(written).is_file():
        raise Mistake("there is no such file", where=written, fix="--targets names a file like targets.yaml")
    known = read(path) if path and any("://" not in word for word in words) else None
    seen = set()
    for word in words:
        if word.startswith(REPLAY):
            raise Mistake(f"`{word}` is a recorded run: there is nothing to reach")
        for target in select([word], file=None, environ=os.environ) if "://" in word else named(word, known):
            for one in filter(None, (target, target.upstream, target.container)):
                if one.name not in seen:  # a gateway is as well as what stands behind it
                    seen.add(one.name)
                    yield one


def _table(sheet: Sheet) -> Table:
    """The checklist: what to do stands below what is the matter, so that it fits a narrow terminal."""
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 1))
    table.add_column(no_wrap=True, min_width=7)
    table.add_column(no_wrap=True, max_width=16)
    table.add_column(overflow="fold")
    for line in sheet.lines:
        said = Text(line.said)
        if line.todo:
            said.append(f"\n-> {line.todo}", "" if line.state in ("failed", "warning") else "dim")
        table.add_row(Text(line.state.value, STYLES[line.state.value]), Text(line.topic), said)
    return table


def _result(sheet: Sheet) -> str:
    counts = ", ".join(f"{count} {state}" for state, count in sheet.counts.items())
    end = "a run could not begin" if sheet.blocked else f"`pytest --target {sheet.target}` can begin"
    return f"{sheet.target}: {counts}; {end}\n"
