"""A program: one run against a server, and how much memory it took. `python -m tests.kit.measured_run URL DIRECTORY`."""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path

from conformance.probes.chat import COUNT_STREAMED, HELLO, STREAMED
from conformance.probes.streams import USAGE
from conformance.probes.tools import WEATHER, WEATHER_STREAMED
from conformance.targets.target import Limits, Timeout
from tests.kit.whole_runs import LIST, run, sample

LIMITS = Limits(timeout=Timeout(connect=5, first_byte=5, idle=5, total=20, linger=0.2), retry_after=0.1)
"""The usual bounds of size; none of time that a busy machine could reach by itself."""


def peak() -> int:
    """The most memory that this program has had, in bytes. What `getrusage` has counts in the parent's."""
    found = re.search(r"VmHWM:\s+([0-9]+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    return int(found[1]) * 1024 if found else 0


def main(url: str, directory: Path) -> None:
    """Say, as JSON, how the checks came out, the peak of memory in bytes and what of it the run took, and the seconds."""
    chosen = sample((HELLO, STREAMED, COUNT_STREAMED, USAGE, WEATHER, WEATHER_STREAMED, LIST))
    before = peak()
    begun = time.monotonic()
    outcomes, dead = run(url, directory, chosen, LIMITS)
    grown = peak() - before
    kinds = {name: [outcome.kind.value, outcome.reason] for name, outcome in outcomes.items()}
    print(json.dumps({"dead": dead, "kinds": kinds, "grown": grown, "seconds": time.monotonic() - begun}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
