"""Account for what is covered."""

from __future__ import annotations

import argparse
import json

from rich.text import Text

from conformance.cli.common import CLEAN, Command, console
from conformance.core.mistake import Mistake


def add(command: Command) -> None:
    """Declare the command."""
    one = command(
        "coverage", _coverage, "what the suite covers: behaviours, request parameters, fields; and what it leaves out"
    )
    one.add_argument("prefix", nargs="*", help="only what begins so: an id, a section, or a check")
    one.add_argument("--json", action="store_true")


def _coverage(options: argparse.Namespace) -> int:
    from conformance.analysis.coverage import blocks, chosen, coverage, summary, to_json
    from conformance.checks.catalogue import catalogue

    entries = chosen(coverage(), options.prefix)
    if not entries:
        raise Mistake(f"nothing that is covered begins with `{options.prefix[0]}`; `conformance coverage` shows all")
    if options.json:
        print(json.dumps(to_json(entries), indent=2, ensure_ascii=False))
        return CLEAN
    screen = console()
    for block in blocks(entries, {check.id: check.level.value for check in catalogue().values()}):
        screen.print(block)
    screen.print(Text(summary(entries, len(catalogue()))))
    return CLEAN
