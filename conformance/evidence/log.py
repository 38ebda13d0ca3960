"""Writes a run: appends to `run.jsonl` as things happen, one line a thing, so that a killed run keeps what had become known."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from conformance.core.guard import Guard
from conformance.core.mistake import Mistake
from conformance.evidence.journal import Journal
from conformance.evidence.record import Footer, Header, Result
from conformance.evidence.run import RUN


class RunLog:
    """Appends to `run.jsonl`: a header, a line for each result, a footer. Without a footer the run was not finished."""

    def __init__(self, directory: Path, guard: Guard | None = None) -> None:
        self.path = directory / RUN
        self.guard = guard or Guard()
        self._journal = Journal(self.path)

    def _write(self, value: Mapping[str, Any]) -> None:
        line = self.guard.check(json.dumps(value, ensure_ascii=True, default=str), f"a line of {RUN}")
        self._journal.append(line.encode() + b"\n")

    def claim(self) -> None:
        """Make this run ours alone. Raises Mistake where another process is still writing it, and Unwritable."""
        if not self._journal.claim():
            raise Mistake("this run is still going on, in another process", where=str(self.path.parent))

    def close(self) -> None:
        """Let go of the file."""
        self._journal.close()

    def begin(self, header: Header) -> None:
        """Write the header: target, versions, when, what was selected."""
        self._write(header.line())

    def outcome(self, result: Result, target: str) -> None:
        """Write what became of a check at a target."""
        self._write(result.line(target))

    def note(self, kind: str, value: Mapping[str, Any]) -> None:
        """Write something else worth keeping."""
        self._write({"type": kind, **value})

    def end(self, footer: Footer) -> None:
        """Write the footer: counts and when."""
        self._write(footer.line())
