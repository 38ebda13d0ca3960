"""Explain one requirement at one target."""

from __future__ import annotations

import argparse

from conformance.cli.common import CLEAN, Command, console, reports_option, run_of
from conformance.core.mistake import Mistake, nearest


def add(command: Command) -> None:
    """Declare the command."""
    one = command("show", _show, "explain one requirement at one target, down to the bytes; without CHECK: list them")
    one.add_argument("run_named", metavar="RUN", help="a run's directory, a target, or `last`")
    one.add_argument("check", nargs="?", metavar="CHECK", help="the id of a requirement")
    one.add_argument("--whole", action="store_true", help="every byte and every exchange, however many")
    reports_option(one)


def _show(options: argparse.Namespace) -> int:
    from conformance.report.book import Book
    from conformance.report.explain import explain, overview

    book = Book.of([run_of(options.run_named, options.reports)])
    (run,) = book.runs
    if options.check is None:
        overview(console(), run, book.exchange)
        return CLEAN
    result = run.by_check.get(options.check)
    if result is None:
        raise Mistake(_not_there(options.check, list(run.by_check)), where=str(run.directory))
    explain(console(), run, result, book.exchange, whole=options.whole)
    return CLEAN


def _not_there(wanted: str, judged: list[str]) -> str:
    from conformance.checks.catalogue import catalogue

    begun = [check for check in judged if check.startswith(wanted)]
    if begun:
        more = f", and {len(begun) - 5} more" if len(begun) > 5 else ""
        return f"`{wanted}` is not the whole id of a check: {', '.join(begun[:5])}{more}"
    if wanted in catalogue():
        return f"this run did not judge `{wanted}`: it was not selected"
    hint = nearest(wanted, judged) or "`conformance show RUN` lists those of this run"
    return f"no check is called `{wanted}`; {hint}"
