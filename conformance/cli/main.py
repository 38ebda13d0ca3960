"""The `conformance` command: what there is to know and to do besides running the checks, which is pytest's business.

Exit codes: 0 done, 1 something is not as it should be, 4 the command or a file was wrong, 6 a target or engine could not be used.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

from conformance.cli.common import CLEAN, COULD_NOT, USAGE, Run
from conformance.core.mistake import Mistake

COMMANDS = (
    "checks",
    "targets",
    "doctor",
    "coverage",
    "serve",
    "token",
    "matrix",
    "har",
    "report",
    "show",
    "diff",
    "baseline",
    "search",
    "history",
    "workflow",
    "merge",
    "migration",
    "servers",
)
"""Modules of `conformance.commands`, in the order in which `--help` lists them."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command. Mistakes are one line and exit code 4; what could not be done is one line and 6."""
    from conformance.core.mistake import CouldNotTest
    from conformance.transport.engines.install import InstallFailed, NotInstalled

    options = parser().parse_args(argv)
    try:
        return int(options.run(options))
    except Mistake as mistake:
        print(f"conformance: {mistake}", file=sys.stderr)
        return USAGE
    except (CouldNotTest, InstallFailed, NotInstalled) as problem:
        print(f"conformance: {problem}", file=sys.stderr)
        return COULD_NOT
    except KeyboardInterrupt:
        print("conformance: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # `| head` has seen enough
        return CLEAN


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, and exits like every other mistake."""

    def error(self, message: str) -> Any:
        print(f"{self.prog}: {message}\n  {self.prog} --help shows what there is", file=sys.stderr)
        raise SystemExit(USAGE)


def parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    whole = Parser(prog="conformance", description=f"{__doc__}".partition("\n")[0])
    commands = whole.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)

    def command(name: str, run: Run, about: str) -> argparse.ArgumentParser:
        one: argparse.ArgumentParser = commands.add_parser(name, help=about, description=about)
        one.set_defaults(run=run)
        return one

    for name in COMMANDS:
        importlib.import_module(f"conformance.cli.{name}").add(command)
    return whole


if __name__ == "__main__":
    sys.exit(main())
