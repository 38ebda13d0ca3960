"""Sends probes ahead: all that a run will need of one target, at most `at_once` of them at a time, each only once.

Runs in a thread of its own with an event loop, so that judging and waiting never hold each other up. Every exchange is cleaned
of secrets and written down the moment it ends; what waits for it gets it from the recording.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Awaitable, Iterable
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Protocol

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal

from conformance.core.check import Case, Check
from conformance.core.exchange import Ending, Exchange, How, Wait
from conformance.core.guard import Guard, Leak
from conformance.core.probe import Chain, Probe
from conformance.evidence.exchanges import Recording
from conformance.evidence.journal import Unwritable
from conformance.judging.judge import Evidence
from conformance.judging.plan import plan
from conformance.runner.budget import guessed, spent
from conformance.targets.target import Limits, Price
from conformance.transport.retry import ATTEMPTS, patience


class Transport(Protocol):
    """What carries a probe to a target and brings back an exchange. It never raises for what a server does."""

    def carry(self, probe: Probe) -> Awaitable[Exchange]:
        """Send a probe once."""

    def aclose(self) -> Awaitable[None]:
        """Let go of connections."""


@dataclass
class Counts:
    """What has been sent and spent so far."""

    wanted: int = 0
    sent: int = 0
    done: int = 0
    reused: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    unsaid: tuple[int, int] = (0, 0)
    """Tokens in and out, by guess, of answers that say nothing of them: most streams. Only budgets count them."""
    waiting: float = 0.0
    """Seconds spent waiting because the target asked for patience."""

    @property
    def tokens(self) -> int:
        """Both ways, with those that were not said."""
        return self.prompt_tokens + self.completion_tokens + sum(self.unsaid)

    def cost(self, price: Price | None) -> float:
        """What they cost, in the currency of the price list."""
        if price is None:
            return 0.0
        return price.of(self.prompt_tokens + self.unsaid[0], self.completion_tokens + self.unsaid[1]) or 0.0


@dataclass(frozen=True)
class Gathered:
    """The evidence of one case by its keys: the exchanges themselves stay on disk until somebody judges them."""

    keys: tuple[str, ...]
    stopped: str = ""
    witnessed: bool = True


class Lanes:
    """Lets so many through at a time; of those who wait, the lowest rank first. A chain's next step must not queue last."""

    def __init__(self, width: int) -> None:
        self._free = width
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._number = itertools.count()

    async def enter(self, rank: int) -> None:
        """Wait for a free lane."""
        if self._free > 0:
            self._free -= 1
            return
        go: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (rank, next(self._number), go))
        try:
            await go
        except asyncio.CancelledError:
            if not go.cancelled():  # let through in the same moment
                self.leave()
            raise

    def leave(self) -> None:
        """Give the lane to whoever is next."""
        while self._waiting:
            _, _, go = heapq.heappop(self._waiting)
            if not go.done():
                go.set_result(None)
                return
        self._free += 1


class Collector:
    """The collector of one target. A context manager; leaving it stops whatever is still being sent."""

    def __init__(
        self,
        transport: Transport,
        recording: Recording,
        limits: Limits,
        guard: Guard,
        *,
        record: bool = True,
        price: Price | None = None,
    ) -> None:
        self.transport = transport
        self.recording = recording
        self.limits = limits
        self.guard = guard
        self.record = record
        """Whether exchanges are written down; a replay's already are."""
        self.price = price
        """What tokens cost, for a budget of money."""
        self.counts = Counts()
        self.broken: Unwritable | None = None
        """Why nothing is sent any more: what would come back could not be kept."""
        self.begun = time.perf_counter()
        self._portal_manager: AbstractContextManager[BlockingPortal] | None = None
        self._portal: BlockingPortal | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lanes = Lanes(limits.at_once)
        self._pending: dict[str, asyncio.Event] = {}
        self._futures: set[Future[Gathered]] = set()
        self._unsent: dict[str, Exchange] = {}
        self._stopped = False

    def __enter__(self) -> Collector:
        self._portal_manager = start_blocking_portal("asyncio")
        self._portal = self._portal_manager.__enter__()
        self._loop = self._portal.call(asyncio.get_running_loop)
        return self

    def __exit__(self, *exc: object) -> None:
        assert self._portal is not None
        assert self._portal_manager is not None
        self._stopped = True
        for future in list(self._futures):
            future.cancel()
        self._portal.call(self.transport.aclose)
        self._portal_manager.__exit__(None, None, None)
        self.recording.close()

    def start(self, check: Check, case: Case) -> Future[Gathered]:
        """Begin to gather the evidence of one case. The future tells when it is there, or raises what broke the suite."""
        assert self._loop is not None
        future = asyncio.run_coroutine_threadsafe(
            self._gather(check, case), self._loop
        )  # the portal would wait for it to start
        self._futures.add(future)
        future.add_done_callback(self._futures.discard)
        return future

    def evidence(self, gathered: Gathered) -> Evidence:
        """The evidence itself, from the recording."""
        exchanges = tuple(self._unsent[key] if key in self._unsent else self.recording[key] for key in gathered.keys)
        return Evidence(exchanges, gathered.stopped, gathered.witnessed)

    def ask(self, probe: Probe) -> Exchange:
        """One exchange, now: waits for it."""
        assert self._portal is not None
        return self._portal.call(self._exchange, probe, -1000)

    def count_recorded(self) -> None:
        """Count what an earlier part of the same run has sent: the budget is one for all of it."""
        for key in self.recording:
            self.counts.sent += 1
            self._count(self.recording[key])

    def stop(self) -> None:
        """Send nothing more; what has not been sent ends as unsent."""
        self._stopped = True

    async def _gather(self, check: Check, case: Case) -> Gathered:
        rank = -max(
            (part.length for part in (case if isinstance(case, tuple) else (case,)) if isinstance(part, Chain)),
            default=0,
        )
        steps, answers = plan(check, case), None
        while True:
            try:
                probes = next(steps) if answers is None else steps.send(answers)
            except StopIteration as stop:
                evidence: Evidence = stop.value
                return Gathered(evidence.keys, evidence.stopped, evidence.witnessed)
            answers = await self._all(probes, rank)
            rank -= 100  # later steps go before first ones

    async def _all(self, probes: Iterable[Probe], rank: int) -> list[Exchange]:
        found: dict[int, Exchange] = {}

        async def one(place: int, probe: Probe) -> None:
            found[place] = await self._exchange(probe, rank)

        wanted = list(probes)
        if len(wanted) == 1:
            return [await self._exchange(wanted[0], rank)]
        async with anyio.create_task_group() as group:
            for place, probe in enumerate(wanted):
                group.start_soon(one, place, probe)
        return [found[place] for place in range(len(wanted))]

    async def _exchange(self, probe: Probe, rank: int) -> Exchange:
        """The exchange of a probe: from the recording, from whoever is already sending it, or sent now."""
        key = probe.key
        while key in self._pending:
            await self._pending[key].wait()
        if (recorded := self.recording.get(key)) is not None:
            self.counts.reused += 1
            return recorded
        done = self._pending[key] = asyncio.Event()
        self.counts.wanted += 1
        try:
            x = await self._send(probe, rank)
            if x.ending.how is How.UNSENT:
                self._unsent[key] = x
            elif self.record:
                x = self._keep(x)
            return x
        except Unwritable as problem:
            self.broken = problem
            self.stop()
            lost = Exchange(probe, "", time.time(), ending=Ending(How.UNSENT, "disk", problem.message))
            self._unsent[key] = lost
            return lost
        finally:
            del self._pending[key]
            done.set()
            self.counts.done += 1

    def _keep(self, x: Exchange) -> Exchange:
        """Write an exchange down; what a server hid from the guard is no reason to stop the run."""
        try:
            self.recording.append(x)
        except Leak:
            x = self.guard.withheld(x)
            self.recording.append(x)
        return x

    async def _send(self, probe: Probe, rank: int) -> Exchange:
        waits: list[Wait] = []
        if probe.pause and self.record:  # a replay's pauses are over
            await anyio.sleep(probe.pause)  # before the lane is taken: nothing is in flight meanwhile
        await self._lanes.enter(rank)
        try:
            for attempt in range(1, ATTEMPTS + 1):
                if refused := self._spent():
                    return Exchange(probe, "", time.time(), ending=Ending(How.UNSENT, "budget", refused))
                self.counts.sent += 1
                x = self.guard.clean(await self.transport.carry(probe))
                self._count(x)
                seconds = patience(x, self.limits.retry_after)
                if seconds is None or attempt == ATTEMPTS or not self.record:
                    break
                waits.append(Wait(x.status or 0, seconds))
                self.counts.waiting += seconds
                await anyio.sleep(seconds)
        finally:
            self._lanes.leave()
        return replace(x, waits=tuple(waits)) if waits else x

    def _spent(self) -> str:
        """Why nothing more may be sent; "" where it may."""
        if self._stopped:
            return "the run was stopped before it was sent"
        if self.limits.requests is not None and self.counts.sent >= self.limits.requests:
            return f"the budget of {self.limits.requests} requests is spent"
        if self.limits.tokens is not None and self.counts.tokens >= self.limits.tokens:
            return f"the budget of {self.limits.tokens} tokens is spent"
        if self.limits.cost is not None and self.counts.cost(self.price) >= self.limits.cost:
            return f"the budget of {self.limits.cost:g} (limits.cost) is spent"
        return ""

    def _count(self, x: Exchange) -> None:
        usage, counts = spent(x), self.counts
        if usage.missing:
            counts.unsaid = tuple(map(sum, zip(counts.unsaid, guessed(x), strict=True)))  # type: ignore[assignment]
        for name in ("prompt_tokens", "completion_tokens"):
            value = usage[name].value
            if isinstance(value, int) and 0 <= value < 10**9:
                setattr(counts, name, getattr(counts, name) + value)
