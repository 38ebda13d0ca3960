"""Run the reference server by hand."""

from __future__ import annotations

import argparse

from conformance.commands.common import CLEAN, Command, known
from conformance.mistake import Mistake


def add(command: Command) -> None:
    """Declare the command."""
    one = command("serve", _serve, "run the reference server by hand")
    one.add_argument("--host", default="127.0.0.1")
    one.add_argument("--port", type=int, default=8000)
    one.add_argument("--fault", action="append", default=[], metavar="ID", help="plant this fault; may be repeated")
    one.add_argument("--delay", type=float, default=0.0, metavar="SECONDS", help="before each answer")
    one.add_argument("--token-delay", type=float, default=0.0, metavar="SECONDS", help="before each streamed token")


def _serve(options: argparse.Namespace) -> int:
    from conformance.reference.engine import DEFAULT_KEY, Settings
    from conformance.reference.fault import faults
    from conformance.reference.serve import main as serve

    known(options.fault, faults())
    settings = Settings(delay=options.delay, token_delay=options.token_delay)
    try:
        serve(
            options.host,
            options.port,
            settings,
            options.fault,
            lambda url: print(f"serving at {url} (key: {DEFAULT_KEY})", flush=True),
        )
    except OSError as problem:
        raise Mistake(
            f"cannot serve at {options.host}:{options.port}: {problem.strerror}", fix="choose another --port"
        ) from None
    return CLEAN
