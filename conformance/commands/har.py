"""Export a run as HAR."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from conformance.commands.common import CLEAN, Command
from conformance.mistake import Mistake


def add(command: Command) -> None:
    """Declare the command."""
    one = command("har", _har, "export a run as HAR 1.2, for viewers of network traffic")
    one.add_argument("run_directory", type=Path, metavar="DIR")
    one.add_argument("-o", "--output", type=Path, metavar="FILE")


def _har(options: argparse.Namespace) -> int:
    from conformance.har import har
    from conformance.recording import EXCHANGES, Recording
    from conformance.report.run import read

    if not (options.run_directory / EXCHANGES).is_file():
        raise Mistake("no run is here: there is no exchanges.jsonl", where=str(options.run_directory))
    text = json.dumps(har(Recording(options.run_directory), read(options.run_directory).header.base_url), indent=1)
    if options.output:
        options.output.write_text(text, encoding="utf-8")
    else:
        print(text)
    return CLEAN
