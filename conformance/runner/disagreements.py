"""Where do two targets part? Draws requests, valid and invalid ones, asks both, and makes each disagreement as small as it gets.

What is drawn are the strategies of the shipped checks, and mixtures of members of its own. Both sides see the same requests, in
the same order, every time. A disagreement counts when it comes again; it is told once, with the smallest request that shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest

from conformance.analysis.differences import settled
from conformance.analysis.wire import SORTS as EVERY_SORT
from conformance.analysis.wire import Departure, departures
from conformance.checks.catalogue import catalogue
from conformance.core.check import Case, Check, first
from conformance.core.exchange import Exchange, How
from conformance.core.finding import Findings
from conformance.core.probe import Probe
from conformance.core.requirement import NOTE
from conformance.judging.draw import draw, shrink
from conformance.probes.chat import HELLO, STREAMED
from conformance.probes.mixed import mixed
from conformance.runner.target_run import TargetRun

REQUESTS = 300
"""Requests to each side, where nobody says how many."""
PLAIN = (HELLO, STREAMED, HELLO.asking(messages=...))
"""The plainest answer, stream and refusal: what differs in them differs whatever is asked, and is told once."""
DRAWN = 0.6
"""The part of them that is drawn; the rest makes what was found smaller, and asks again."""
MIXED = 0.4
"""The part of what is drawn that are mixtures; the rest are the checks' own cases."""
TIMES = 2
"""Times that a disagreement has to come again, exactly so."""
SHRINKING = 25
"""Cases tried, at most, to make one disagreement smaller."""
SORTS = frozenset({"ending", "status", "error", "order", "member", "type", "value", "count", "not JSON", "media type"})
"""The differences that are looked for: those that depend on what is asked. The others, `conformance diff` tells."""
DECISIONS = ("ending", "status", "error")
"""Those that come of what the request asks for; the others are of how answers look."""
LEFT_OUT = ("timing.", "sagemaker.", "multimodal.many-images", "roles.long-history")
"""Checks whose cases take long, or have to come in crowds."""

Signature = tuple[str, str, str, str]


@dataclass(frozen=True)
class Disagreement:
    """One way in which the two part, and the smallest request found that shows it."""

    departure: Departure
    answers: tuple[Exchange, Exchange]
    """The baseline's, and the candidate's."""
    shown_by: int
    """How many of the drawn requests show it."""

    @property
    def probe(self) -> Probe:
        """The request."""
        return self.answers[0].probe


@dataclass
class Search:
    """A search and what came of it."""

    baseline: TargetRun
    candidate: TargetRun
    requests: int = REQUESTS
    say: Callable[[str], None] = lambda line: None
    found: list[Disagreement] = field(default_factory=list)
    always: tuple[Departure, ...] = ()
    """What differs in the answers to PLAIN: such things are told once, and not looked for again."""
    asked: int = 0
    """Requests drawn, and answered by both."""
    unsteady: int = 0
    """Disagreements that did not come again."""
    left: int = 0
    """Drawn requests that disagree in ways for which the budget left no room."""

    def run(self) -> None:
        """Search until the budget is spent: the gravest disagreements first, as each costs requests to be made smaller."""
        plain = [self._both(probe) for probe in PLAIN]
        self.always = tuple({one.key: one for pair in plain for one in departures(*pair)}.values())
        known = {one.key for one in self.always}
        drawn = [(check, part) for check, case in self._drawn() for part in parts(case)]
        order = list(EVERY_SORT)
        parted: list[tuple[int, Check, Probe, Departure]] = []
        for number, (check, probe) in enumerate(drawn):
            self.say(f"asking both: {number + 1} of {len(drawn)}")
            pair = self._both(probe)
            if any(x.ending.how is How.UNSENT for x in pair):
                continue
            self.asked += 1
            if found := [one for one in parting(*pair) if one.key not in known]:
                parted.append((order.index(found[0].sort), check, probe, found[0]))
        for number, (_, check, probe, one) in enumerate(sorted(parted, key=lambda each: each[0])):
            self.say(f"making disagreements smaller: {number + 1} of {len(parted)}")
            self._look(check, probe, one)
        self._settle()

    def _settle(self) -> None:
        """Order what was found, the gravest first, and leave out what another one accounts for."""
        order = list(EVERY_SORT)
        self.found.sort(key=lambda one: (order.index(one.departure.sort), len(members(one.probe)), -one.shown_by))
        kept: list[Disagreement] = []
        for one in self.found:
            if not any(_explains(other, one.departure, one.probe) for other in kept):
                kept.append(one)
        self.found = kept

    def _look(self, check: Check, probe: Probe, one: Departure) -> None:
        """Count a disagreement where another one accounts for it, and look into it where none does."""
        for place, old in enumerate(self.found):
            if _explains(old, one, probe):
                self.found[place] = replace(old, shown_by=old.shown_by + 1)
                return
        if self._spent():
            self.left += 1
        else:
            self._found(check, probe, one)

    def _found(self, check: Check, probe: Probe, one: Departure) -> None:
        wanted = signature(one)
        if not self._comes_again(probe, wanted):
            self.unsteady += 1
            return

        def differs(case: Case) -> bool:
            return self._showing(case, wanted) is not None

        before, smallest = self._showing(probe, wanted), shrink(check, differs, SHRINKING)
        pair = self._showing(smallest, wanted) if smallest is not None else None
        if pair is None or not self._comes_again(pair[0].probe, wanted):
            pair = before
        assert pair is not None
        self.found.append(Disagreement(one, pair, 1))

    def _showing(self, case: Case, wanted: Signature) -> tuple[Exchange, Exchange] | None:
        """The answers to the first request of a case in which the two part so."""
        for part in parts(case):
            pair = self._both(part)
            if wanted in map(signature, parting(*pair)):
                return pair
        return None

    def _comes_again(self, probe: Probe, wanted: Signature) -> bool:
        """Whether both sides answer so every time."""
        again = [probe.again(probe.nth + nth) for nth in range(1, TIMES + 1)]
        return all(self._showing(one, wanted) is not None for one in again)

    def _drawn(self) -> Iterator[tuple[Check, Case]]:
        """The drawn cases: a mixture, a case of each check in turn, and so on. All are sent for at once."""
        wanted = int(self.requests * DRAWN)
        mixtures = draw(MIXTURES, max(1, int(wanted * MIXED)))
        others = [check for check in catalogue().values() if check.drawn and not check.id.startswith(LEFT_OUT)]
        rows = zip_longest(*(draw(check, min(check.examples, 8)) for check in others))
        cases = [(check, case) for row in rows for check, case in zip(others, row, strict=True) if case is not None]
        chosen: list[tuple[Check, Case]] = [(MIXTURES, case) for case in mixtures]
        room = wanted - len(chosen)
        for check, case in cases:
            room -= len(parts(case))
            if room < 0:
                break
            chosen.append((check, case))
        for check, case in chosen:
            for part in parts(case):
                self._start(check, part)
        return iter(chosen)

    def _start(self, check: Check, probe: Probe) -> None:
        for trial in (self.baseline, self.candidate):
            trial.collector.start(check, probe)

    def _both(self, probe: Probe) -> tuple[Exchange, Exchange]:
        waiting = [trial.collector.start(MIXTURES, probe) for trial in (self.baseline, self.candidate)]
        one, other = (
            trial.collector.evidence(future.result()).exchanges[0]
            for trial, future in zip((self.baseline, self.candidate), waiting, strict=True)
        )
        return one, other

    def _spent(self) -> bool:
        """Whether there is no room for another one to be made smaller."""
        sent = max(trial.collector.counts.sent for trial in (self.baseline, self.candidate))
        return sent + SHRINKING + 2 * TIMES > self.requests


def _nothing(x: Exchange) -> Findings:
    yield from ()


MIXTURES = Check("search.mixtures", NOTE, "Mixtures of members.", mixed, None, _nothing)
"""Not a check of the catalogue: a name for what is drawn, which the draws depend on."""


def parts(case: Case) -> Sequence[Probe]:
    """The requests of a case that can be asked on their own: first steps, without pauses, hang-ups and lines of their own."""
    probes = [first(part) for part in (case if isinstance(case, tuple) else (case,))]
    return [one for one in probes if not one.pause and not one.line and one.leave is None]


def parting(baseline: Exchange, candidate: Exchange) -> list[Departure]:
    """How two answers part, in what depends on the request; the gravest first. Whoever had no time says nothing."""
    if baseline.put_off or candidate.put_off:
        return []
    return [one for one in departures(baseline, candidate) if one.sort in SORTS]


def signature(one: Departure) -> Signature:
    """What makes two disagreements the same."""
    return one.sort, one.place, repr(settled(one.baseline)), repr(settled(one.candidate))


def members(probe: Probe) -> frozenset[str]:
    """What a request has beyond the plainest one."""
    wish = probe.wish
    if not isinstance(wish, dict):
        return frozenset({"body"})
    plain = wish.get("messages") == HELLO.wish["messages"] and wish.get("model") == HELLO.wish["model"]
    return frozenset(
        set(wish) - {"model", "messages"} | (set() if plain else {"messages"}) | {probe.path} | {probe.auth}
    )


def _explains(old: Disagreement, one: Departure, probe: Probe) -> bool:
    """Whether a disagreement that was found accounts for another.

    Another answer of the same shape is the same wherever it shows. Whether a request is refused, and with what error, depends on
    its members: there, the other request has to have all of them.
    """
    alike = signature(old.departure) == signature(one)
    if one.sort not in DECISIONS:
        return alike
    passed_over = one.sort == "error" and old.departure.sort == "status"  # what only one refuses, the other blames last
    return (alike or passed_over) and members(old.probe) <= members(probe)
