"""Decide from stored runs whether an application may move."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.table import Table
from rich.text import Text

from conformance.cli.common import CLEAN, WRONG, Command, console
from conformance.core.mistake import Mistake


def add(command: Command) -> None:
    """Declare the command."""
    one = command("migration", _migration, "may an application move to this endpoint? READY, WITH LIMITS, or NOT READY")
    one.add_argument(
        "candidate", nargs="?", metavar="RUN", help="the candidate's run: a directory, a target, or `last`"
    )
    one.add_argument("--baseline", metavar="RUN", help="the run of the endpoint that is used today")
    one.add_argument(
        "--needs", action="append", default=[], metavar="FEATURE[,FEATURE]", help="what the application needs"
    )
    one.add_argument("--traffic", type=Path, metavar="FILE", help="its requests: a HAR, or a line of JSON for each")
    one.add_argument(
        "-o", "--output", type=Path, action="append", default=[], metavar="FILE", help=".html, .md or .json"
    )
    one.add_argument("--list-needs", action="store_true", help="list what can be needed, for --needs")


def _migration(options: argparse.Namespace) -> int:
    from conformance.analysis.migration.decision import Answer, asked
    from conformance.checks.traffic.reading import described, read
    from conformance.cli.common import reports
    from conformance.evidence.find import located
    from conformance.report.book import Book
    from conformance.report.migration import text
    from conformance.report.migration.write import checked, write

    if options.list_needs:
        return _listed()
    if not options.candidate:
        raise Mistake("which run? name its directory, its target, or `last`", where="conformance migration")
    paths = checked(options.output, "-o")
    traffic = read(options.traffic) if options.traffic else None
    shelf = reports(Path.cwd())
    words = [options.candidate, *([options.baseline] if options.baseline else [])]
    candidate, *rest = Book.of([located(word, shelf) for word in words]).runs
    if rest and not candidate.by_check.keys() & rest[0].by_check.keys():
        raise Mistake("the two runs have no check in common", where=f"--baseline {options.baseline}")
    decision = asked(candidate, rest[0] if rest else None, options.needs, traffic)
    screen = console()
    for line in described(traffic) if traffic else ():
        screen.print(line, markup=False)
    if paths:
        write(decision, paths)
        screen.print(f"{decision.answer}: {decision.because}", markup=False)
        for path in paths:
            screen.print(f"written to {path}", markup=False)
    else:
        text.tell(screen, decision)
    return WRONG if decision.answer is Answer.NOT_READY else CLEAN


def _listed() -> int:
    from conformance.analysis.migration.needs import features

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("needed", "", "what it is"):
        table.add_column(name)
    for one in features().values():
        table.add_row(one.name, "always" if one.always else "", Text(one.says))
    console().print(table)
    return CLEAN
