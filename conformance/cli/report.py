"""Report runs: to a terminal, as HTML, Markdown or JSON, or as a badge."""

from __future__ import annotations

import argparse
from pathlib import Path

from conformance.cli.common import CLEAN, Command, console, reports_option, run_of, write


def add(command: Command) -> None:
    """Declare the commands."""
    one = command("report", _report, "report one run or several side by side")
    one.add_argument("runs", nargs="+", metavar="RUN", help="a run's directory, a target, or `last`")
    one.add_argument("--html", type=Path, metavar="FILE", help="one file for a browser, which needs no network")
    one.add_argument("--markdown", type=Path, metavar="FILE", help="a comment for a pull request")
    one.add_argument("--json", type=Path, metavar="FILE", help="for programs; `conformance schema report` describes it")
    reports_option(one)
    two = command("badge", _badge, "draw a badge for a README: how many MUSTs hold")
    two.add_argument("run_named", metavar="RUN", help="a run's directory, a target, or `last`")
    two.add_argument("-o", "--output", type=Path, metavar="FILE", help="where to write the SVG (default: the terminal)")
    two.add_argument("--label", default="openai-compatible", help="what stands on the left")
    reports_option(two)


def _report(options: argparse.Namespace) -> int:
    from conformance.report.book import Book

    book = Book.of(run_of(one, options.reports) for one in options.runs)
    for file, face in ((options.html, book.html), (options.markdown, book.markdown), (options.json, book.json)):
        if file:
            write(file, face())
    if not options.html and not options.markdown and not options.json:
        book.text(console())
    return CLEAN


def _badge(options: argparse.Namespace) -> int:
    from conformance.report import badge
    from conformance.report.book import Book

    (run,) = Book.of([run_of(options.run_named, options.reports)]).runs
    text = badge.render(run, options.label)
    if options.output:
        write(options.output, text)
    else:
        print(text, end="")
    return CLEAN
