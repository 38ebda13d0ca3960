"""Judges a recording that `judging` made, and says what that took. A process of its own, so that its memory is its own.

python -m tests.benchmarks.judge DIR
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

from conformance.checks.catalogue import catalogue
from conformance.core.finding import Kind
from conformance.evidence.exchanges import Recording
from conformance.judging.judge import Evidence, judge


def peak() -> int:
    """The most memory that this process has had, in bytes. Linux's own count of it is free of what the parent had."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else largest * 1024


def main(directory: Path) -> None:
    """Judge every check by every repetition of its cases; print a line of JSON."""
    checks = catalogue()
    cases = json.loads((directory / "cases.json").read_text(encoding="utf-8"))
    before, begun, processor = peak(), time.perf_counter(), time.process_time()
    recording = Recording(directory)
    opened = time.perf_counter() - begun
    broken: set[str] = set()
    readings = 0
    for name, repetitions in cases.items():
        for listed in repetitions:
            gathered = [Evidence(tuple(recording[key] for key in keys)) for keys in listed]
            readings += sum(len(keys) for keys in listed)
            if judge(checks[name], gathered).kind is not Kind.HOLDS:
                broken.add(name)
    print(
        json.dumps(
            {
                "exchanges": len(recording),
                "readings": readings,
                "opening": opened,
                "clock": time.perf_counter() - begun,
                "processor": time.process_time() - processor,
                "before": before,
                "peak": peak(),
                "broken": sorted(broken),
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
