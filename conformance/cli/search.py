"""Search for requests on which two targets disagree."""

from __future__ import annotations

import argparse
import json
import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from conformance.analysis.wire import Departure
from conformance.cli.common import CLEAN, Command, console, reports_option
from conformance.core.mistake import Mistake
from conformance.core.text import legible, legible_lines, number_of
from conformance.evidence.run import Run
from conformance.report.side_by_side import line_of, pair, told_briefly
from conformance.report.text import Page

if TYPE_CHECKING:  # pydantic is slow to import, and `--help` needs none
    from conformance.runner.disagreements import Disagreement, Search

SEARCHES = "searches"
"""The directory below that of runs where the exchanges of searches are."""


def add(command: Command) -> None:
    """Declare the command."""
    one = command("search", _search, "draw requests, ask two targets, and find the smallest on which they disagree")
    one.add_argument("baseline", metavar="A", help="the baseline: a target of targets.yaml, or a URL")
    one.add_argument("candidate", metavar="B", help="the candidate")
    one.add_argument("--requests", type=int, metavar="N", help="to each of them, at most (default: 300)")
    one.add_argument("--targets", metavar="FILE", help="the file of targets (default: targets.yaml here or above)")
    one.add_argument("--json", action="store_true", help="for programs")
    reports_option(one)


def _search(options: argparse.Namespace) -> int:
    from conformance.cli.common import reports
    from conformance.core.text import number_of
    from conformance.evidence.run import read
    from conformance.runner.disagreements import REQUESTS, Search
    from conformance.runner.opening import opened
    from conformance.targets import find, select

    wanted = REQUESTS if options.requests is None else options.requests
    if wanted < 10:
        raise Mistake("a search takes 10 requests at least", where="--requests")
    file = Path(options.targets) if options.targets else find(Path.cwd())
    targets = []
    for word in (options.baseline, options.candidate):
        if word.startswith("replay:"):
            raise Mistake(f"`{word}` is a recorded run: a search asks what nobody asked before", where="search")
        found = select([word], file=file, environ=os.environ)
        if len(found) > 1:
            raise Mistake(f"`{word}` matches several targets ({', '.join(one.name for one in found)})", where="search")
        targets += found
    if targets[0] == targets[1]:
        raise Mistake(f"`{options.candidate}` is the same target: nothing would differ", where="search")
    shelf = (options.reports or reports(Path.cwd())) / SEARCHES
    screen = console()
    with ExitStack() as stack, screen.status("opening both") as status:
        both = [stack.enter_context(opened(one, shelf, status.update)) for one in targets]
        search = Search(both[0], both[1], wanted, status.update)
        search.run()
        runs = [read(trial.directory, forgiving=True) for trial in both]
        sent = [trial.collector.counts.sent for trial in both]
    if options.json:
        print(json.dumps(to_json(search, (runs[0], runs[1])), indent=1))
    else:
        told(screen, search, (runs[0], runs[1]))
        words = f"{search.asked} requests drawn, {max(sent)} sent to each"
        if search.unsteady:
            words += f"; {search.unsteady} disagreements did not come again, and are not told"
        if search.left:
            words += f"; {search.left} more requests disagree: --requests {wanted * 2} looks into them"
        screen.print(f"{number_of(len(search.found), 'disagreement')}; {words}", markup=False, soft_wrap=True)
    return CLEAN


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
