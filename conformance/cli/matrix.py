"""List the planted faults, and compute which checks each trips."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.table import Table
from rich.text import Text

from conformance.cli.common import CLEAN, Command, console, known


def add(command: Command) -> None:
    """Declare the command."""
    command("faults", _faults, "list the faults that the reference server can be given")
    one = command("matrix", _matrix, "compute the kill matrix: which checks each planted fault trips")
    one.add_argument("-o", "--output", type=Path, metavar="FILE", help="write it as YAML (default: to the terminal)")
    one.add_argument("fault", nargs="*", help="only these faults")


def _faults(options: argparse.Namespace) -> int:
    from conformance.reference.fault import faults

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("fault", "", "the server then"):
        table.add_column(name)
    for one in faults().values():
        table.add_row(one.id, "legal" if one.legal else "", Text(one.title))
    console().print(table)
    return CLEAN


def _matrix(options: argparse.Namespace) -> int:
    from conformance.checks.catalogue import catalogue
    from conformance.core.fixtures import of_yaml
    from conformance.reference.fault import faults
    from conformance.runner.kill_matrix import compute, published

    there = faults()
    known(options.fault, there)
    chosen = {name: there[name] for name in options.fault or there}
    rows = compute(chosen, catalogue().values(), tell=lambda line: print(line, file=sys.stderr, flush=True))
    before = options.output.read_text(encoding="utf-8") if options.output and options.output.exists() else ""
    names = {name: row.get("names", []) for name, row in (of_yaml(before) or {}).items()}
    text = published(rows, catalogue(), names)
    if options.output:
        options.output.write_text(text, encoding="utf-8")
    else:
        print(text, end="")
    return CLEAN
