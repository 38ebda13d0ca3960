"""What it takes before anything is sent: collecting all checks at a target, against pytest that collects nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from tests.benchmarks.measure import Row, Took, took

ROUNDS = 4
COLLECT = ("-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider")
NOTHING = 5
"""pytest's exit code where there is nothing to collect."""


def measure() -> Iterator[Row]:
    """Fresh processes in turn, in an empty folder: without the plugin, with it, with it and a target."""
    ways = {
        "without": (*COLLECT, "-p", "no:conformance"),
        "bare": COLLECT,
        "target": (*COLLECT, "--target", "reference"),
    }
    runs: dict[str, list[Took]] = {name: [] for name in ways}
    with TemporaryDirectory() as folder:
        for turn in range(ROUNDS + 1):
            for name, arguments in ways.items():
                run = took(arguments, Path(folder), good=(0, NOTHING))
                if turn:  # the first may have to compile
                    runs[name].append(run)
    processor = {name: median(run.processor for run in taken) for name, taken in runs.items()}
    clock = {name: median(run.clock for run in taken) for name, taken in runs.items()}
    for title, one, other in (
        ("start-up: collecting all checks over bare pytest", "target", "bare"),
        ("start-up: bare pytest with the plugin over without", "bare", "without"),
    ):
        ratio = median(a.processor / b.processor for a, b in zip(runs[one], runs[other], strict=True))
        on_clock = median(a.clock / b.clock for a, b in zip(runs[one], runs[other], strict=True))
        how = (
            f"processor time of fresh processes in an empty folder, median of {ROUNDS} turns:"
            f" {processor[one]:.2f} s over {processor[other]:.2f} s; on the clock"
            f" {clock[one]:.2f} s over {clock[other]:.2f} s ({on_clock:.2f})"
        )
        yield Row(title, ratio, None, how, {"processor": processor, "clock": clock, "clock_ratio": on_clock})
