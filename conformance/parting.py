"""What a differential search found, in words and as a JSON value: each disagreement as two commands and two answers."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from conformance.analysis.wire import Departure
from conformance.core.text import legible, legible_lines, number_of
from conformance.evidence.run import Run
from conformance.report.side_by_side import line_of, pair, told_briefly
from conformance.report.text import Page
from conformance.runner.disagreements import Disagreement, Search

ALSO = 6
"""Further differences of the same two answers that are told."""
ANSWER = 2000
"""Characters of an answer in JSON."""


def told(console: Console, search: Search, runs: tuple[Run, Run]) -> None:
    """Write what was found, the gravest first. `runs` say where the two are, baseline first."""
    page = Page(console, lambda target, key: None, verbose=False)
    names = (runs[0].target, runs[1].target)
    if search.always:
        page.head("whatever is asked", "bold")
        for departure in search.always:
            page.say(line_of(departure, names), "dim")
    for number, one in enumerate(search.found, 1):
        page.head(f"disagreement {number} of {len(search.found)}: {legible(one.departure.sort)}", "bold")
        page.say(line_of(one.departure, names), "yellow")
        if one.shown_by > 1:
            page.say(f"the smallest of {number_of(one.shown_by, 'request')} that show it", "dim")
        both = pair(runs, one.answers, names=names)
        for also in both.departures[:ALSO]:
            if also.key != one.departure.key:
                page.say(line_of(also, names), "dim")
        told_briefly(page, both)


def to_json(search: Search, runs: tuple[Run, Run]) -> dict[str, Any]:
    """All of it, for programs."""
    return {
        "baseline": runs[0].target,
        "candidate": runs[1].target,
        "drawn": search.asked,
        "unsteady": search.unsteady,
        "left": search.left,
        "always": [_departure(one) for one in search.always],
        "disagreements": [_disagreement(one, runs) for one in search.found],
    }


def _departure(one: Departure) -> dict[str, Any]:
    return {"sort": one.sort, "place": one.place, "baseline": one.baseline, "candidate": one.candidate}


def _disagreement(one: Disagreement, runs: tuple[Run, Run]) -> dict[str, Any]:
    sides = pair(runs, one.answers).panels
    answers = [
        {
            "status": x.status,
            "ending": str(x.ending),
            "body": legible_lines(x.text, ANSWER),
            "command": side.command,
        }
        for x, side in zip(one.answers, sides, strict=True)
    ]
    return {
        **_departure(one.departure),
        "shown_by": one.shown_by,
        "request": one.probe.to_json(),
        "answers": {"baseline": answers[0], "candidate": answers[1]},
    }
