"""What recording costs: our transport, collector and recording over a bare httpx2 client, at the same server.

Processor time of this process is compared. On the clock both wait for the server, and the ratio flatters.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import httpx2

from conformance.check import Check, Needs
from conformance.exchange import Exchange
from conformance.finding import Findings
from conformance.guard import guard_of
from conformance.collector import Collector
from conformance.probe import MODEL, Probe
from conformance.probes.chat import COUNT_STREAMED, HELLO
from conformance.recording import Recording
from conformance.reference.engine import DEFAULT_KEY
from conformance.requirement import Level
from conformance.target import Limits
from conformance.transport.http import Address, Http
from tests.benchmarks.measure import Failed, Row, served

TARGET = 1.5
AT_ONCE = 8
ROUNDS = 7
EXCHANGES = 120
"""Sent in each round, each way."""
APART = 32
"""The same, where whole answers and streams are measured by themselves."""
SERVED = "reference"
MIX = (HELLO, HELLO, HELLO, HELLO, COUNT_STREAMED)
"""As in a run of the suite: one answer of five is a stream, and a long one is about a hundred events."""


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
            for future in futures:
                future.result()
            cost = watch.read()
            if len(recording) != len(probes):
                raise Failed(f"{len(recording)} of {len(probes)} exchanges were recorded")
            return cost


def _bare(url: str, probes: list[Probe]) -> Cost:
    """Send the same with nothing around it."""

    async def all_of_them() -> Cost:
        limits = httpx2.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE)
        headers = {"content-type": "application/json", "authorization": f"Bearer {DEFAULT_KEY}"}
        async with httpx2.AsyncClient(limits=limits, trust_env=False) as client:
            waiting = iter(probes)

            async def lane() -> None:
                for probe in waiting:
                    body = (probe.body or b"").replace(MODEL.encode(), SERVED.encode())
                    response = await client.post(f"{url}/{probe.path}", content=body, headers=headers)
                    if response.status_code != 200:
                        raise Failed(f"the reference server answered {response.status_code}")

            watch = Watch()
            await asyncio.gather(*(lane() for _ in range(AT_ONCE)))
            return watch.read()

    return asyncio.run(all_of_them())


def _both(url: str, kinds: tuple[Probe, ...], exchanges: int, rounds: int) -> tuple[list[Cost], list[Cost]]:
    """What both took in each of so many rounds, one after the other."""
    probes = [kinds[number % len(kinds)].again(number) for number in range(exchanges)]
    ours: list[Cost] = []
    bare: list[Cost] = []
    for turn in range(rounds + 1):
        one, other = _ours(url, probes), _bare(url, probes)
        if turn:  # the first one imports and compiles
            ours.append(one)
            bare.append(other)
    return ours, bare


def measure() -> Iterator[Row]:
    """The mix of a run; whole answers and streams by themselves are told, too."""
    with served() as url:
        ours, bare = _both(url, MIX, EXCHANGES, ROUNDS)
        apart = {}
        for name, kind in (("whole", HELLO), ("streamed", COUNT_STREAMED)):
            one, other = _both(url, (kind,), APART, 3)
            apart[name] = median(a.processor / b.processor for a, b in zip(one, other, strict=True))
    ratio = median(a.processor / b.processor for a, b in zip(ours, bare, strict=True))
    clock = median(a.clock / b.clock for a, b in zip(ours, bare, strict=True))
    each = [median(one.processor for one in taken) / EXCHANGES * 1000 for taken in (ours, bare)]
    how = (
        f"processor time of {EXCHANGES} exchanges, {AT_ONCE} at once, median of {ROUNDS} rounds in turn:"
        f" {each[0]:.2f} ms over {each[1]:.2f} ms each; on the clock {clock:.2f}; only whole answers"
        f" {apart['whole']:.2f}, only streams of a hundred events {apart['streamed']:.2f}"
    )
    facts = {"clock_ratio": clock, "ours_ms": each[0], "bare_ms": each[1], **apart}
    yield Row("an exchange recorded over a bare httpx2 one", ratio, TARGET, how, facts)
