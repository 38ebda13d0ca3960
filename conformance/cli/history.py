"""What became of a target over time."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from conformance.cli.common import CLEAN, COULD_NOT, Command, console, reports_option
from conformance.core.mistake import Mistake

if TYPE_CHECKING:
    from conformance.analysis.history import Entry, Past

LAST = 14
"""Runs that are listed; `--json` has all of them."""


def add(command: Command) -> None:
    """Declare the command."""
    one = command(
        "history", _history, "what became of a target over time: since when what is violated, and how fast it was"
    )
    one.add_argument("target", nargs="?", help="its name")
    one.add_argument("check", nargs="*", help="only requirements whose ids begin so, whatever became of them")
    one.add_argument("--rebuild", action="store_true", help="make the history anew from the directories of runs")
    one.add_argument("--json", action="store_true")
    reports_option(one)


def _history(options: argparse.Namespace) -> int:
    from conformance.analysis.history import past, rebuild
    from conformance.cli.common import reports

    shelf = options.reports or reports(Path.cwd())
    code = CLEAN
    if options.rebuild:
        if not shelf.is_dir():
            raise Mistake("there are no runs here", where=str(shelf), fix="--reports DIR says where they are")
        count, lost = rebuild(shelf)
        for line in lost:
            print(f"conformance: left out: {line}", file=sys.stderr)
        print(f"{count} runs are in the history of {shelf}" + (f"; {len(lost)} could not be read" if lost else ""))
        code = COULD_NOT if lost else CLEAN
    if options.target is None:
        if not options.rebuild:
            raise Mistake("the history of which target?", fix="conformance history NAME")
        return code
    found = past(shelf, options.target)
    if options.json:
        print(json.dumps(found.to_json(), indent=2))
    else:
        _told(found, tuple(options.check))
    return code


def _told(found: Past, prefixes: tuple[str, ...]) -> None:
    screen = console()

    def say(text: str | Text) -> None:
        screen.print(text if isinstance(text, Text) else Text(text), soft_wrap=True)

    title = f"{found.target}: {len(found.entries)} run{'s' if len(found.entries) > 1 else ''}"
    say(Text(f"{title}, the last {LAST}" if len(found.entries) > LAST else title, style="bold"))
    say("run                   holds  violated  MUSTs  errored  answer p50/p95  first token p50/p95")
    engine = None
    for one in found.entries[-LAST:]:
        if one.engine != engine:
            say(Text(one.engine or "the engine does not say what it is", style="dim"))
            engine = one.engine
        say(_line(one))
    chosen = [
        it
        for it in found.requirements
        if (it.check.startswith(prefixes) if prefixes else it.outcome == "violated" or it.before)
    ]
    if not chosen:
        say("no such requirement was judged" if prefixes else "nothing is violated, and nothing ever was")
    for it in sorted(chosen, key=lambda it: (it.outcome != "violated", it.since, it.check)):
        before = f", {it.before} before" if it.before else ", and never seen otherwise"
        runs = f"{it.runs} run{'s' if it.runs > 1 else ''}"
        style = "red" if it.outcome == "violated" else "green"
        say(Text.assemble((it.check, style), f" {it.level}: {it.outcome} since {it.since} ({runs}){before}"))


def _line(one: Entry) -> Text:
    state = "" if one.complete else "could not be tested" if one.dead else "incomplete"
    counts = f"{one.holds:>6} {one.violated:>9} {one.musts:>6} {one.errored:>8}"
    speeds = f"{_pair(one.whole_p50, one.whole_p95):>15} {_pair(one.first_token_p50, one.first_token_p95):>20}"
    return Text(f"{one.started:<20} {counts} {speeds}  {state}".rstrip(), style="" if one.complete else "yellow")


def _pair(one: float | None, other: float | None) -> str:
    return "-" if one is None or other is None else f"{one:.2f}/{other:.2f} s"
