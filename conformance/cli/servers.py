"""List and install engines."""

from __future__ import annotations

import argparse

from rich.table import Table
from rich.text import Text

from conformance.cli.common import CLEAN, Command, console
from conformance.core.mistake import Mistake


def add(command: Command) -> None:
    """Declare the command."""
    one = command("servers", _servers, "engines that targets can launch: list them, or install one")
    one.add_argument("action", nargs="?", choices=("list", "install"), default="list")
    one.add_argument("engine", nargs="?")


def _servers(options: argparse.Namespace) -> int:
    from conformance.transport.engines import install as servers

    screen = console()
    if options.action == "install":
        if not options.engine:
            raise Mistake("which engine? `conformance servers list` shows them")
        program = servers.install(options.engine, tell=lambda line: screen.print(Text(line)))
        screen.print(Text(f"{options.engine} is ready: {program}"))
        return CLEAN
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("engine", "version", "state", "where"):
        table.add_column(name)
    for one in servers.installed():
        state = f"installed ({one.build})" if one.build else "not installed"
        table.add_row(one.engine.name, one.engine.version, state, Text(str(one.directory)))
    screen.print(table)
    return CLEAN
