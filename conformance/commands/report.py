"""Report runs."""

from __future__ import annotations

import argparse
from pathlib import Path

from conformance.commands.common import CLEAN, Command, console


def add(command: Command) -> None:
    """Declare the command."""
    one = command("report", _report, "report one run or several side by side")
    one.add_argument("runs", nargs="+", type=Path, metavar="DIR")
    one.add_argument("--html", type=Path, metavar="FILE")
    one.add_argument("--markdown", type=Path, metavar="FILE")


def _report(options: argparse.Namespace) -> int:
    from conformance.reporting import Book

    book = Book.of(options.runs)
    if options.html:
        options.html.write_text(book.html(), encoding="utf-8")
    if options.markdown:
        options.markdown.write_text(book.markdown(), encoding="utf-8")
    if not options.html and not options.markdown:
        book.text(console())
    return CLEAN
