"""List the targets, and print the schema of their file."""

from __future__ import annotations

import argparse
import json
import os

from conformance.cli.common import CLEAN, COULD_NOT, Command, console


def add(command: Command) -> None:
    """Declare the command."""
    one = command("targets", _targets, "list the targets: what is configured, reachable, claimed, and was observed")
    one.add_argument("name", nargs="*", help="names or globs (default: all)")
    one.add_argument("--targets", metavar="FILE", help="the file of targets")
    one.add_argument("--offline", action="store_true", help="do not ask whether they are reachable")
    one.add_argument("--json", action="store_true")
    two = command("schema", _schema, "print a JSON Schema: of targets.yaml, for editors, or of JSON reports")
    two.add_argument("of", nargs="?", choices=("targets", "report"), default="targets", help="(default: targets)")


def _targets(options: argparse.Namespace) -> int:
    from conformance.overview import block, overview

    rows = overview(options.name, options.targets, reach=not options.offline, environ=os.environ)
    if options.json:
        print(json.dumps([row.to_json() for row in rows], indent=2))
    else:
        screen = console()
        for row in rows:
            screen.print(block(row))
    return CLEAN if all(row.reachable is not False for row in rows) else COULD_NOT


def _schema(options: argparse.Namespace) -> int:
    from conformance.report.json import schema
    from conformance.targets import json_schema

    print(json.dumps(schema() if options.of == "report" else json_schema(), indent=2))
    return CLEAN
