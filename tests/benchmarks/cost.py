"""What recording costs: our transport, collector and recording over a bare httpx2 client, at the same server.

Processor time of this process is compared. On the clock both wait for the server, and the ratio flatters.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import wait
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import httpx2

from conformance.core.address import Address
from conformance.core.check import Check, Needs
from conformance.core.exchange import Exchange
from conformance.core.finding import Findings
from conformance.core.guard import guard_of
from conformance.core.probe import MODEL, Probe
from conformance.core.requirement import Level
from conformance.evidence.exchanges import Recording
from conformance.probes.chat import COUNT_STREAMED, HELLO, PATH
from conformance.reference.engine import DEFAULT_KEY
from conformance.runner.collector import Collector
from conformance.targets.target import Limits
from conformance.transport.http import Http
from tests.benchmarks.measure import Failed, Row, served

TARGET = 1.5
AT_ONCE = 8
ROUNDS = 9
EXCHANGES = 120
"""Sent in each round, each way."""
APART = 48
"""The same, where whole answers and streams are measured by themselves."""
SERVED = "reference"
MIX = (HELLO, HELLO, HELLO, HELLO, COUNT_STREAMED)
"""As in a run of the suite: one answer of five is a stream."""


@dataclass(frozen=True)
class Cost:
    """Seconds of processor time, and on the clock."""

    processor: float
    clock: float


class Watch:
    """Set up is not counted: it runs from when it is made."""

    def __init__(self) -> None:
        self._processor, self._clock = time.process_time(), time.perf_counter()

    def read(self) -> Cost:
        """What has gone by since."""
        return Cost(time.process_time() - self._processor, time.perf_counter() - self._clock)


def _nothing(x: Exchange) -> Findings:
    """Nothing is required."""
    yield from ()


def _ours(url: str, probes: list[Probe]) -> Cost:
    """Send the probes as the suite does; each is written down."""
    check = Check("benchmark.nothing", Level.NOTE, "", HELLO, None, _nothing, Needs.ANYTHING)
    limits, guard = Limits(at_once=AT_ONCE), guard_of([DEFAULT_KEY])
    with TemporaryDirectory() as directory:
        recording = Recording(Path(directory), guard)
        transport = Http("benchmark", Address(url, SERVED, lambda: DEFAULT_KEY), limits)
        with Collector(transport, recording, limits, guard) as collector:
            watch = Watch()
            futures = [collector.start(check, probe) for probe in probes]
            wait(futures)
            cost = watch.read()
            if any(len(future.result().keys) != 1 for future in futures) or len(recording) != len(probes):
                raise Failed(f"{len(recording)} of {len(probes)} exchanges were recorded")
            return cost


def bare(url: str, requests: int, at_once: int, kinds: Sequence[Probe] = (HELLO,)) -> Cost:
    """What so many requests take with nothing around them."""

    async def all_of_them() -> Cost:
        limits = httpx2.Limits(max_connections=at_once, max_keepalive_connections=at_once)
        headers = {"content-type": "application/json", "authorization": f"Bearer {DEFAULT_KEY}"}
        bodies = [(kind.body or b"").replace(MODEL.encode(), SERVED.encode()) for kind in kinds]
        async with httpx2.AsyncClient(limits=limits, trust_env=False) as client:
            waiting = iter(range(requests))

            async def lane() -> None:
                for number in waiting:
                    body = bodies[number % len(bodies)]
                    response = await client.post(f"{url}/{PATH}", content=body, headers=headers)
                    if response.status_code != 200:
                        raise Failed(f"the reference server answered {response.status_code}")

            watch = Watch()
            await asyncio.gather(*(lane() for _ in range(at_once)))
            return watch.read()

    return asyncio.run(all_of_them())


def _both(url: str, kinds: Sequence[Probe], exchanges: int, rounds: int) -> list[tuple[Cost, Cost]]:
    """What both took in each of so many rounds, one after the other."""
    probes = [kinds[number % len(kinds)].again(number) for number in range(exchanges)]
    pairs = [(_ours(url, probes), bare(url, exchanges, AT_ONCE, kinds)) for _ in range(rounds + 1)]
    return pairs[1:]  # the first one imports and warms up


def _ratio(pairs: list[tuple[Cost, Cost]]) -> float:
    return median(ours.processor / other.processor for ours, other in pairs)


def measure() -> Iterator[Row]:
    """The mix of a run; whole answers and streams by themselves are told, too."""
    with served() as url:
        pairs = _both(url, MIX, EXCHANGES, ROUNDS)
        whole, streamed = (_ratio(_both(url, (kind,), APART, 3)) for kind in (HELLO, COUNT_STREAMED))
    clock = median(ours.clock / other.clock for ours, other in pairs)
    each = [median(pair[side].processor for pair in pairs) / EXCHANGES * 1000 for side in (0, 1)]
    how = (
        f"processor time of {EXCHANGES} exchanges, {AT_ONCE} at once, median of {ROUNDS} rounds in turn:"
        f" {each[0]:.2f} ms over {each[1]:.2f} ms each; on the clock {clock:.2f}; whole answers alone {whole:.2f},"
        f" streams of forty events alone {streamed:.2f}"
    )
    facts = {"clock_ratio": clock, "ours_ms": each[0], "bare_ms": each[1], "whole": whole, "streamed": streamed}
    yield Row("an exchange recorded over a bare httpx2 one", _ratio(pairs), TARGET, how, facts)
