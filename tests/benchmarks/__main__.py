"""Runs the benchmarks by name, or all of them; prints a table, and with `--json FILE` writes what is in it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tests.benchmarks import cost, judging, reports, sharing, startup, suite
from tests.benchmarks.measure import Failed, Row

BENCHMARKS: dict[str, Callable[[], Iterable[Row]]] = {
    "sharing": sharing.measure,
    "startup": startup.measure,
    "cost": cost.measure,
    "judging": judging.measure,
    "reports": reports.measure,
    "suite": suite.measure,
}
WIDTH = 120
"""Columns where the output is no terminal."""
STYLES = {"met": "green", "missed": "red", "failed": "red"}


def table(rows: Iterable[Row]) -> Table:
    """The rows as a person reads them."""
    whole = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 1, 0))
    for name, justify in (
        ("benchmark", "left"),
        ("ratio", "right"),
        ("target", "right"),
        ("", "left"),
        ("how", "left"),
    ):
        whole.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for row in rows:
        target = "" if row.target is None else f"≤ {row.target:g}"
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        whole.add_row(row.name, ratio, target, Text(row.verdict, style=STYLES.get(row.verdict, "")), Text(row.how))
    return whole


def main() -> int:
    """Run what was asked for. 0 where every target is met, 1 where one is missed, 2 where something could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("name", nargs="*", help=f"which ones: {', '.join(BENCHMARKS)} (default: all)")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the numbers, and the facts behind them, to this file"
    )
    options = parser.parse_args()
    if unknown := [name for name in options.name if name not in BENCHMARKS]:
        parser.error(f"no benchmark is called {', '.join(unknown)}: there are {', '.join(BENCHMARKS)}")
    os.environ.pop(
        "PYTHONDONTWRITEBYTECODE", None
    )  # compiling the suite anew in each process is not what it costs a user
    rows: list[Row] = []
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    notes = Console(highlight=False, stderr=True)
    for name in options.name or BENCHMARKS:
        with notes.status(f"measuring: {name}"):
            try:
                rows += BENCHMARKS[name]()
            except Failed as failure:
                rows.append(Row(name, None, None, str(failure), failed=True))
    console.print(table(rows))
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    console.print(f"{os.cpu_count()} processors, load {load}, Python {sys.version.split()[0]}")
    if options.json:
        facts = {"processors": os.cpu_count(), "load": os.getloadavg(), "python": sys.version.split()[0]}
        text = json.dumps({**facts, "rows": [row.to_json() for row in rows]}, indent=2)
        options.json.write_text(text + "\n", encoding="utf-8")
    verdicts = {row.verdict for row in rows}
    return 2 if "failed" in verdicts else 1 if "missed" in verdicts else 0


if __name__ == "__main__":
    sys.exit(main())
