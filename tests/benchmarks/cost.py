"""What recording costs: our transport, collector and recording over a bare httpx2 client, at the same server.

Processor time of this process is compared. On the clock both wait for the server, and the ratio flatters.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
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
ROUNDS = 9
EXCHANGES = 160
"""Sent in each round, each way."""
SERVED = "reference"
MIX = (HELLO, HELLO, HELLO, HELLO, COUNT_STREAMED)
"""As in a run of the suite: one answer of five is a stream, and a long one is about a hundred events."""


def _nothing(x: Exchange) -> Findings:
    """Nothing is required."""
    yield from ()


def _ours(url: str, probes: list[Probe]) -> None:
    """Send the probes as the suite does; each is written down."""
    check = Check("benchmark.nothing", Level.NOTE, "", HELLO, None, _nothing, Needs.ANYTHING)
    limits, guard = Limits(at_once=AT_ONCE), guard_of([DEFAULT_KEY])
    with TemporaryDirectory() as directory:
        recording = Recording(Path(directory), guard)
        transport = Http("benchmark", Address(url, SERVED, lambda: DEFAULT_KEY), limits)
        with Collector(transport, recording, limits, guard) as collector:
            futures = [collector.start(check, probe) for probe in probes]
            for future in futures:
                future.result()
            if len(recording) != len(probes) or collector.counts.completion_tokens == 0:
                raise Failed(f"{len(recording)} of {len(probes)} exchanges were recorded")


def _bare(url: str, probes: list[Probe]) -> None:
    """Send the same with nothing around it."""

    async def all_of_them() -> None:
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

            await asyncio.gather(*(lane() for _ in range(AT_ONCE)))

    asyncio.run(all_of_them())


def _timed(send: Callable[[str, list[Probe]], None], url: str, probes: list[Probe]) -> tuple[float, float]:
    """Seconds of processor time, and on the clock."""
    processor, clock = time.process_time(), time.perf_counter()
    send(url, probes)
    return time.process_time() - processor, time.perf_counter() - clock


def _ratios(url: str, kinds: tuple[Probe, ...], rounds: int) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """What both took in each of so many rounds, one after the other."""
    probes = [kinds[number % len(kinds)].again(number) for number in range(EXCHANGES)]
    ours, bare = [], []
    for turn in range(rounds + 1):
        one, other = _timed(_ours, url, probes), _timed(_bare, url, probes)
        if turn:  # the first one imports and compiles
            ours.append(one)
            bare.append(other)
    return ours, bare


def measure() -> Iterator[Row]:
    """The mix of a run; whole answers and streams by themselves are told, too."""
    with served() as url:
        ours, bare = _ratios(url, MIX, ROUNDS)
        apart = {}
        for name, kind in (("whole", HELLO), ("streamed", COUNT_STREAMED)):
            one, other = _ratios(url, (kind,), 2)
            apart[name] = median(a[0] / b[0] for a, b in zip(one, other, strict=True))
    ratio = median(a[0] / b[0] for a, b in zip(ours, bare, strict=True))
    clock = median(a[1] / b[1] for a, b in zip(ours, bare, strict=True))
    each = [median(one[0] for one in taken) / EXCHANGES * 1000 for taken in (ours, bare)]
    how = (
        f"processor time of {EXCHANGES} exchanges, {AT_ONCE} at once, median of {ROUNDS} rounds in turn:"
        f" {each[0]:.2f} ms over {each[1]:.2f} ms each; on the clock {clock:.2f}; only whole answers"
        f" {apart['whole']:.2f}, only streams of a hundred events {apart['streamed']:.2f}"
    )
    facts = {"clock_ratio": clock, "ours_ms": each[0], "bare_ms": each[1], **apart}
    yield Row("an exchange recorded over a bare httpx2 one", ratio, TARGET, how, facts)
