"""Compare two stored runs."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from conformance.cli.common import CLEAN, Command, console, reports_option, run_of, write
from conformance.core.mistake import Mistake


def add(command: Command) -> None:
    """Declare the command."""
    one = command("diff", _diff, "say what differs between two runs, the baseline first")
    one.add_argument(
        "baseline", metavar="A", help="the baseline: a run's directory, a target (its newest run), or `last`"
    )
    one.add_argument("candidate", metavar="B", help="the candidate")
    one.add_argument("--check", metavar="ID", help="lay the answers that one requirement was judged by side by side")
    one.add_argument("--whole", action="store_true", help="every difference, however many")
    one.add_argument("--json", action="store_true", help="for programs, to the terminal")
    one.add_argument("--markdown", type=Path, metavar="FILE", help="for a pull request")
    reports_option(one)


def _diff(options: argparse.Namespace) -> int:
    from conformance.analysis.comparison import beside
    from conformance.evidence.run import read
    from conformance.report import comparison as change

    baseline, candidate = (
        read(run_of(word, options.reports), forgiving=True) for word in (options.baseline, options.candidate)
    )
    if baseline.directory.resolve() == candidate.directory.resolve():
        raise Mistake("both are the same run: nothing would differ", where=str(candidate.directory))
    if not set(baseline.by_check) & set(candidate.by_check):
        raise Mistake(
            f"the two runs have nothing in common: {len(baseline.results)} and {len(candidate.results)} requirements,"
            f" none in both (made by version {baseline.header.suite or 'unknown'} and"
            f" {candidate.header.suite or 'unknown'} of the suite)",
            where=f"{baseline.directory}, {candidate.directory}",
        )
    one = beside(baseline, candidate)
    if options.json:
        print(json.dumps(change.to_json(one), indent=1))
    if options.markdown:
        write(options.markdown, change.markdown(one))
    if options.check:
        change.pairs_told(console(), one, options.check, verbose=options.whole)
    elif not options.json and not options.markdown:
        change.told(console(), one, verbose=options.whole)
        console().print(change.in_words(one), style=change.style(one), markup=False, soft_wrap=True)
    return CLEAN
