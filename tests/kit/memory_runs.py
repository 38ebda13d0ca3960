"""Runs of some checks against the reference server in memory, with faults planted in it, written to disk like any run. Not tests."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from conformance.checks.catalogue import catalogue
from conformance.core.check import Check
from conformance.evidence.exchanges import Recording
from conformance.evidence.log import RunLog
from conformance.evidence.record import Result
from conformance.evidence.run import Run
from conformance.judging.judge import judge
from conformance.reference.fault import faults, with_faults
from conformance.report.book import Book
from conformance.runner.kill_matrix import client, gather, still


def run_of(
    directory: Path, target: str, checks: Iterable[str | Check], planted: Iterable[str] = (), *, finished: bool = True
) -> Run:
    """The run of these checks at a server with these faults, ruled."""
    known = faults()
    ask = client(with_faults(still(), [known[one] for one in planted]))
    recording, log = Recording(directory), RunLog(directory)
    chosen = [catalogue()[one] if isinstance(one, str) else one for one in checks]
    log.note("begin", {"target": target, "kind": "reference", "base_url": "http://127.0.0.1:1/v1", "model": "reference",
               "started": "2026-11-24T00:00:00Z", "claims": None, "waives": [], "selected": len(chosen)})  # fmt: skip
    for check in chosen:
        gathered = gather(check, ask)
        for evidence in gathered:
            for x in evidence.exchanges:
                if x.key not in recording:
                    recording.append(x)
        log.outcome(Result.made(check, judge(check, gathered)), target)
    if finished:
        log.note("end", {"finished": "2026-11-24T00:00:09Z", "seconds": 9.0, "requests": len(recording), "exit": 0})
    recording.close()
    (run,) = Book.of([directory]).runs
    return run
