"""How fast a target answered: percentiles from the times of network reads.

A conformance run is no load test: requests are few, small and several at once. The figures compare targets that were
asked the same, and tell today from yesterday; they say nothing about a server at its limit.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from conformance.core.exchange import DONE, Exchange

TOKENS = ("content", "reasoning_content", "reasoning", "refusal", "tool_calls")
"""Members of a delta that carry something a reader sees, where they are not empty."""
PATH = "chat/completions"


@dataclass(frozen=True)
class Spread:
    """A quantity over many exchanges, in seconds. All are None where nothing was measured."""

    count: int = 0
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    longest: float | None = None

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """The spread of these values; each percentile is one of them (nearest rank)."""
        ordered = sorted(values)
        if not ordered:
            return cls()
        return cls(len(ordered), rank(ordered, 50), rank(ordered, 95), rank(ordered, 99), ordered[-1])


def rank(ordered: Sequence[float], percent: int) -> float:
    """The least value that is not exceeded by so many percent of the values, which are in order."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


@dataclass(frozen=True)
class Latency:
    """How a target answered chat completions, as far as it answered them with success."""

    whole: Spread
    """From the request to the end of an answer that is no stream."""
    first_byte: Spread
    """From the request to the first bytes of a stream."""
    first_token: Spread
    """From the request to the first event that says something: text, reasoning, or part of a call."""
    between: Spread
    """Between two such events: the mean of each stream."""


@dataclass(frozen=True)
class Beat:
    """When a stream said something: seconds to the first such event, to the last, and how many there were."""

    first: float
    last: float
    count: int


def latency(exchanges: Iterable[Exchange]) -> Latency:
    """The spreads over the exchanges that are successful chat completions, taken as they came."""
    whole, first_byte, first_token, between = [], [], [], []
    for x in exchanges:
        if not x.ok or x.probe.path != PATH or x.probe.pause or not x.chunks:
            continue
        if not x.streamed:
            whole.append(x.ended)
            continue
        first_byte.append(x.chunks[0].at)
        if (beat := beat_of(x)) is not None:
            first_token.append(beat.first)
            if beat.count > 1:
                between.append((beat.last - beat.first) / (beat.count - 1))
    return Latency(Spread.of(whole), Spread.of(first_byte), Spread.of(first_token), Spread.of(between))


def beat_of(x: Exchange) -> Beat | None:
    """When a stream said something; None where it never did, or where it is compressed and its bytes have no times."""
    if x.packed:
        return None
    times = [x.at_byte(event.span[1] - 1) for event in x.events if says_something(event.data)]
    return Beat(times[0], times[-1], len(times)) if times else None


def says_something(data: str) -> bool:
    """Whether the data of an event holds any part of what the model says."""
    if not data or data == DONE:
        return False
    try:
        choices = json.loads(data)["choices"]
        return any(choice["delta"].get(name) for choice in choices for name in TOKENS)
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return False
