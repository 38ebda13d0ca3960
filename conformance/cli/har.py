"""Export a run as HAR."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from conformance.cli.common import CLEAN, Command
from conformance.core.mistake import Mistake


def add(command: Command) -> None:
    """Declare the command."""
    one = command("har", _har, "export a run as HAR 1.2, for viewers of network traffic")
    one.add_argument("run_directory", type=Path, metavar="DIR")
    one.add_argument("-o", "--output", type=Path, metavar="FILE")


def _har(options: argparse.Namespace) -> int:
    from conformance.evidence.exchanges import EXCHANGES, Recording
    from conformance.evidence.har import har
    from conformance.evidence.run import read

    if not (options.run_directory / EXCHANGES).is_file():
        raise Mistake("no run is here: there is no exchanges.jsonl", where=str(options.run_directory))
    recording, run = Recording(options.run_directory, forgiving=True), read(options.run_directory, forgiving=True)
    text = json.dumps(har(recording, run.header.base_url), indent=1)
    for damage in (run.damage, recording.damage):
        if damage:
            print(f"conformance: damaged: {damage}", file=sys.stderr)
    if options.output:
        options.output.write_text(text, encoding="utf-8")
    else:
        print(text)
    return CLEAN
