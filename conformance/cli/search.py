"""Search for requests on which two targets disagree."""

from __future__ import annotations

import argparse
import json
import os
from contextlib import ExitStack
from pathlib import Path

from conformance.cli.common import CLEAN, Command, console, reports_option
from conformance.core.mistake import Mistake

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
    from conformance.core.text import number_of
    from conformance.evidence.find import reports
    from conformance.evidence.run import read
    from conformance.parting import to_json, told
    from conformance.runner.disagreements import REQUESTS, Search
    from conformance.runner.target_run import opened
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
