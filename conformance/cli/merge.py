"""Make one run of several shards."""

from __future__ import annotations

import argparse
from pathlib import Path

from conformance.cli.common import CLEAN, Command, console


def add(command: Command) -> None:
    """Declare the command."""
    one = command("merge", _merge, "make one run of shards: the same target, asked about different requirements")
    one.add_argument("shards", nargs="+", type=Path, metavar="DIR", help="the directory of a run")
    one.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="where the merged run is written")


def _merge(options: argparse.Namespace) -> int:
    from conformance.core.text import legible, number_of
    from conformance.evidence.merge import merge

    merged = merge(options.shards, options.output)
    screen = console()
    for line in merged.said:
        screen.print(legible(line), style="yellow", markup=False, soft_wrap=True)
    what = f"{number_of(len(merged.results), 'requirement')}, {number_of(merged.exchanges, 'exchange')}"
    screen.print(f"{merged.directory}: {what} of {len(options.shards)} shards", markup=False, soft_wrap=True)
    return CLEAN
