"""Make a baseline to be committed."""

from __future__ import annotations

import argparse
from pathlib import Path

from conformance.cli.common import CLEAN, Command, console, reports_option, run_of, write
from conformance.core.mistake import Mistake


def add(command: Command) -> None:
    """Declare the command."""
    one = command("baseline", _baseline, "write what a run knows to be violated into a small file, for --baseline FILE")
    one.add_argument("run_named", metavar="RUN", help="a run's directory, a target, or `last`")
    one.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="where to write it, *.yaml (default: the terminal)"
    )
    reports_option(one)


def _baseline(options: argparse.Namespace) -> int:
    from conformance.analysis.baseline_file import SUFFIXES, text_of
    from conformance.evidence.run import read

    run = read(run_of(options.run_named, options.reports))
    if not run.complete:
        raise Mistake(
            "this run is incomplete: what it has not judged would all be new",
            where=str(run.directory),
            fix=f"finish it first: pytest --resume {run.directory}",
        )
    if options.output is None:
        print(text_of(run, "FILE"), end="")
        return CLEAN
    if options.output.suffix not in SUFFIXES:
        raise Mistake("a baseline is a *.yaml file", where=str(options.output))
    options.output.parent.mkdir(parents=True, exist_ok=True)
    write(options.output, text_of(run, str(options.output)))
    counts = {
        kind: sum(one.outcome.kind.value == kind for one in run.results) for kind in ("violated", "holds", "errored")
    }
    lost = f"; {counts['errored']} could not be tested, and excuse nothing" if counts["errored"] else ""
    console().print(f"{options.output}: {counts['violated']} violated, {counts['holds']} hold{lost}", soft_wrap=True)
    return CLEAN
