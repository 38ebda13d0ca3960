"""List the checks."""

from __future__ import annotations

import argparse
import json

from rich.padding import Padding
from rich.text import Text

from conformance.cli.common import CLEAN, Command, console
from conformance.core.mistake import Mistake, nearest


def add(command: Command) -> None:
    """Declare the command."""
    one = command(
        "checks", _checks, "list the checks: id, level, title, requests each costs, and the codes of what it can find"
    )
    one.add_argument("prefix", nargs="*", help="only ids that begin so")
    one.add_argument("--json", action="store_true", help="as JSON, with areas, sources and remedies")


def _checks(options: argparse.Namespace) -> int:
    from conformance.checks.catalogue import catalogue
    from conformance.checks.codes import codes
    from conformance.evidence.record import described

    every = catalogue()
    prefixes = tuple(options.prefix)
    chosen = [check for check in every.values() if not prefixes or check.id.startswith(prefixes)]
    if not chosen:
        hint = nearest(prefixes[0], [*every, *{check.area for check in every.values()}])
        raise Mistake(f"no check begins with `{prefixes[0]}`{f'; {hint}' if hint else ''}")
    if options.json:
        told = [{**described(check), "requests": check.cost, "codes": codes(check)} for check in chosen]
        print(json.dumps(told, indent=2))
        return CLEAN
    screen = console()
    for check in chosen:
        cost = f"{check.cost}{'*' if check.drawn else ''} request{'s' if check.cost > 1 else ''}"
        screen.print(Text.assemble((check.id, "bold"), "  ", (check.level.value, "cyan"), f"  {cost}"))
        screen.print(Padding(Text(check.title), (0, 0, 0, 4)))
        for code, message in codes(check).items():
            screen.print(Padding(Text.assemble((code, "dim"), f"  {message}"), (0, 0, 0, 6)))
    distinct = len({probe.key for check in chosen for probe in check.probes})
    screen.print(
        f"\n{len(chosen)} checks; they share {distinct} fixed requests, and {sum(check.drawn for check in chosen)} of them draw"
        " their own (*: at most so many). `--json` adds areas, sources and remedies."
    )
    return CLEAN
