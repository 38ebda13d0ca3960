"""The collector sends each probe once, bounded, in a good order, within the budget, and hands out what it wrote down."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from conformance.core.check import Check, Needs, check, each
from conformance.core.exchange import Chunk, Exchange, How
from conformance.core.finding import Findings, Kind
from conformance.core.guard import Guard
from conformance.core.probe import Probe
from conformance.core.requirement import NOTE
from conformance.evidence.exchanges import Recording
from conformance.judging.judge import judge
from conformance.probes.chat import HELLO, chat
from conformance.runner.collector import Collector, Lanes
from conformance.targets.target import Limits, Price

Reply = Callable[[Probe, int], Exchange]


def answer(probe: Probe, status: int = 200, body: bytes = b"{}", **headers: str) -> Exchange:
    """An exchange with this answer."""
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Exchange(probe, "t", 0.0, status, named, (Chunk(0.0, body),))


class Fake:
    """A transport that answers at once, after a while, or when so many have asked, and remembers what it was asked."""

    def __init__(self, reply: Reply | None = None, seconds: float = 0.0, full: int = 0) -> None:
        self.reply = reply or (lambda probe, nth: answer(probe))
        self.seconds = seconds
        self.full = full
        self.asked: list[Probe] = []
        self.busy = 0
        self.busiest = 0

    async def carry(self, probe: Probe) -> Exchange:
        self.asked.append(probe)
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        await anyio.sleep(self.seconds)
        while self.busiest < self.full:
            await anyio.sleep(0.001)
        self.busy -= 1
        return self.reply(probe, sum(one.key == probe.key for one in self.asked))

    async def aclose(self) -> None:
        pass


def checking(sends: object, **more: object) -> Check:
    """A check that sends this and finds nothing."""

    def judge(*xs: Exchange) -> Findings:
        """Nothing is required."""
        yield from ()

    return check("some.thing", NOTE, sends=sends, **more)(judge)  # type: ignore[arg-type]


def collector(transport: Fake, directory: Path, **limits: object) -> Collector:
    """A collector of a transport."""
    guard = Guard(("canary-4711",))
    price = Price(input=100, output=100)
    return Collector(transport, Recording(directory, guard), Limits(**limits), guard, price=price)  # type: ignore[arg-type]


def test_a_probe_is_sent_once(tmp_path: Path) -> None:
    """However many checks want it, at the same time or later."""
    fake = Fake(seconds=0.02)
    with collector(fake, tmp_path) as one:
        futures = [one.start(checking(HELLO), HELLO) for _ in range(10)]
        assert {future.result().keys for future in futures} == {(HELLO.key,)}
        one.ask(HELLO)
    assert len(fake.asked) == 1


def test_at_most_so_many_at_once(tmp_path: Path) -> None:
    """The target's bound is kept, and used."""
    fake = Fake(full=3)
    probes = [chat(f"{number}") for number in range(20)]
    with collector(fake, tmp_path, at_once=3) as one:
        for future in [one.start(checking(probe), probe) for probe in probes]:
            future.result()
    assert fake.busiest == 3


def test_the_next_step_of_a_chain_does_not_queue_last(tmp_path: Path) -> None:
    """Else the longest chain would end long after everything else."""
    fake = Fake(seconds=0.005)
    chain = chat("a").then(lambda x: chat("b"), lambda x, y: chat("c"))
    with collector(fake, tmp_path, at_once=1) as one:
        futures = [one.start(checking(chain), chain)]
        futures += [one.start(checking(probe), probe) for probe in [chat(f"{number}") for number in range(10)]]
        for future in futures:
            future.result()
    said = [probe.wish["messages"][0]["content"] for probe in fake.asked]
    assert said.index("c") <= 4, said


def test_a_chain_that_stops_says_why(tmp_path: Path) -> None:
    """A step that has nothing to follow up, or trips over a broken answer, ends the chain with a reason."""
    with collector(Fake(), tmp_path) as one:
        said = HELLO.then(lambda x: "no call was made")
        assert one.start(checking(said), said).result().stopped == "no call was made"
        tripped = HELLO.then(lambda x: x.json["a"].value["b"])
        assert "could not be made" in one.start(checking(tripped), tripped).result().stopped


def test_a_behaviour_is_looked_for_in_several_tries(tmp_path: Path) -> None:
    """Where the model does not show it at first, the same request is sent again as another probe."""
    fake = Fake(lambda probe, nth: answer(probe, body=b'{"seen": %d}' % probe.nth))
    wanted = checking(HELLO, witness=lambda x: x.json["seen"].value == 2, tries=4)
    with collector(fake, tmp_path) as one:
        evidence = one.evidence(one.start(wanted, HELLO).result())
    assert evidence.witnessed
    assert [probe.nth for probe in fake.asked] == [0, 1, 2]


def test_a_budget_ends_within_a_chain(tmp_path: Path) -> None:
    """Where the budget is spent between two steps, the chain is no evidence, and nothing of it is held against anybody."""
    fake = Fake(lambda probe, nth: answer(probe))
    chain = HELLO.then(lambda _: chat("two"), lambda *_: chat("three"))
    check = checking(chain, needs=Needs.REPLY)
    with collector(fake, tmp_path, at_once=1, requests=2) as one:
        evidence = one.evidence(one.start(check, chain).result())
    assert [x.ending.how for x in evidence.exchanges] == [How.DONE, How.DONE, How.UNSENT]
    outcome = judge(check, [evidence])
    assert (outcome.kind, outcome.reason) == (Kind.ERRORED, "the budget of 2 requests is spent")
    assert len(fake.asked) == 2


def test_tokens_that_are_not_said_are_guessed(tmp_path: Path) -> None:
    """A stream without usage costs what others cost: a budget counts its events, and what was asked."""
    sse = (("content-type", "text/event-stream"),)
    fake = Fake(lambda probe, nth: replace(answer(probe, body=b"data: {}\n\n" * 30), headers=sse))
    with collector(fake, tmp_path, at_once=1, tokens=100) as one:
        cases = each(*(chat(f"{number}", stream=True) for number in range(8))).cases
        got = [one.evidence(one.start(checking(case), case).result()) for case in cases]
        assert one.counts.unsaid[1] == 60
        assert one.counts.completion_tokens == 0
    assert [x.exchanges[0].ending.how for x in got].count(How.UNSENT) == 6


@pytest.mark.parametrize(("limit", "sent"), [({"requests": 3}, 3), ({"tokens": 20}, 2), ({"cost": 0.002}, 2)])
def test_a_spent_budget_stops_the_sending(limit: dict[str, int], sent: int, tmp_path: Path) -> None:
    """Requests, tokens and money are counted; what is not sent any more says so, and is not written down."""
    usage = b'{"usage": {"prompt_tokens": 8, "completion_tokens": 3}}'
    fake = Fake(lambda probe, nth: answer(probe, body=usage))
    with collector(fake, tmp_path, at_once=1, **limit) as one:
        cases = each(*(chat(f"{number}") for number in range(6))).cases
        got = [one.evidence(one.start(checking(case), case).result()) for case in cases]
        assert len(one.recording) == sent
    endings = [evidence.exchanges[0].ending for evidence in got]
    assert [ending.how for ending in endings] == [How.DONE] * sent + [How.UNSENT] * (6 - sent)
    assert "budget" in endings[-1].detail
    assert len(fake.asked) == sent


def test_patience_is_asked_for_and_given(tmp_path: Path) -> None:
    """A 429 with Retry-After is waited for and sent again; the waiting is recorded."""
    fake = Fake(lambda probe, nth: answer(probe, 429, retry_after="0.01") if nth < 3 else answer(probe))
    with collector(fake, tmp_path) as one:
        x = one.ask(HELLO)
    assert x.status == 200
    assert [(wait.status, wait.seconds) for wait in x.waits] == [(429, 0.01), (429, 0.01)]
    assert Recording(tmp_path)[HELLO.key].waits == x.waits


@pytest.mark.parametrize(("status", "after", "tries"), [(429, "3600", 1), (429, "0", 3), (503, "0", 3), (500, "0", 1)])
def test_patience_has_an_end(status: int, after: str, tries: int, tmp_path: Path) -> None:
    """Too long a wait is not waited for, a third refusal is final, and other errors are never sent again."""
    fake = Fake(lambda probe, nth: answer(probe, status, retry_after=after))
    with collector(fake, tmp_path, retry_after=30) as one:
        assert one.ask(HELLO).status == status
    assert len(fake.asked) == tries


def test_secrets_are_masked_before_anybody_reads_them(tmp_path: Path) -> None:
    """A key that the server echoes is gone from the evidence and from the disk."""
    fake = Fake(lambda probe, nth: answer(probe, 401, b'{"error": "bad key canary-4711"}'))
    with collector(fake, tmp_path) as one:
        assert "canary" not in one.evidence(one.start(checking(HELLO), HELLO).result()).exchanges[0].text
    assert "canary" not in (tmp_path / "exchanges.jsonl").read_text()


def test_what_is_recorded_is_not_sent_again(tmp_path: Path) -> None:
    """A second run in the same directory sends only what is missing."""
    with collector(Fake(), tmp_path) as one:
        one.ask(HELLO)
    fake = Fake()
    with collector(fake, tmp_path) as one:
        assert one.ask(HELLO).status == 200
        one.ask(chat("more"))
    assert [probe.wish["messages"][0]["content"] for probe in fake.asked] == ["more"]


def test_leaving_stops_what_is_under_way(tmp_path: Path) -> None:
    """No thread and no request outlives the collector."""
    before = threading.active_count()
    with collector(Fake(seconds=60), tmp_path) as one:
        for number in range(20):
            one.start(checking(chat(f"{number}")), chat(f"{number}"))
    assert threading.active_count() <= before


@pytest.mark.asyncio
async def test_lanes_let_the_urgent_go_first() -> None:
    """Of those who wait, the lowest rank is let through, and in order of arrival among equals."""
    order: list[str] = []
    lanes = Lanes(1)

    async def use(rank: int, name: str) -> None:
        await lanes.enter(rank)
        order.append(name)
        await anyio.sleep(0.001)
        lanes.leave()

    async with anyio.create_task_group() as group:
        for rank, name in [(0, "a"), (0, "b"), (0, "c"), (-5, "urgent"), (0, "d")]:
            group.start_soon(use, rank, name)
    assert order == ["a", "urgent", "b", "c", "d"]
