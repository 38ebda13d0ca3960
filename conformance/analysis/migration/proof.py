"""Proof of a limit: the same request at both sides, as a command, with what came back and what the official client makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from conformance.analysis.migration.decision import Limit
from conformance.analysis.summary import resend
from conformance.core.exchange import Exchange
from conformance.core.official_client import heard
from conformance.core.text import legible_lines, number_of
from conformance.evidence.exchanges import EXCHANGES, Recording
from conformance.evidence.run import Run

EXCERPT = 1200
"""Characters of an answer that are shown: the whole is in the run."""
CHAT = "chat/completions"


@dataclass(frozen=True)
class Side:
    """What one endpoint did with the request."""

    target: str
    answered: str
    """`HTTP 400, 120 bytes`, or how it ended."""
    excerpt: str
    client: str
    """What the official client makes of it; "" where it is no chat completion."""


@dataclass(frozen=True)
class Proof:
    """One request, and both answers to it."""

    key: str
    command: str
    candidate: Side
    baseline: Side | None


class Evidence:
    """The exchanges of some runs, by their directories; of a replay, those of the run that was judged again."""

    def __init__(self) -> None:
        self._recordings: dict[Path, Recording] = {}

    def of(self, run: Run, key: str) -> Exchange | None:
        """The exchange of a probe in a run; None where the run has none."""
        own = run.directory
        source = own if (own / EXCHANGES).exists() else Path(run.header.replay_of or own)
        if source not in self._recordings:
            self._recordings[source] = Recording(source, forgiving=True)
        recording = self._recordings[source]
        return recording.get(key)

    def proof(self, limit: Limit, candidate: Run, baseline: Run | None) -> Proof | None:
        """The proof of a limit; None where its exchanges are not on disk any more."""
        for key in limit.result.keys:
            x = self.of(candidate, key)
            if x is None:
                continue
            other = self.of(baseline, key) if baseline else None
            command = resend(candidate, x)
            return Proof(key, command, _side(candidate, x), _side(baseline, other) if baseline and other else None)
        return None


def _side(run: Run, x: Exchange) -> Side:
    answered = f"HTTP {x.status}, {number_of(len(x.raw), 'byte')}" if x.status is not None else str(x.ending)
    return Side(run.target, answered, legible_lines(x.text, EXCERPT), _client(x))


def _client(x: Exchange) -> str:
    if x.probe.path != CHAT or x.status is None or not isinstance(x.probe.wish, dict):
        return ""
    got = heard(x)
    if got.raised:
        return f"raises {got.raised}"
    said = [f"loses something: {', '.join(got.lost)}"] if got.lost else []
    said += [f"its .stream() raises {got.helper}"] if got.helper else []
    return "; ".join(said) or "reads it"
