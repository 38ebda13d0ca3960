"""One target in one run: its evidence sent for ahead, its checks judged one by one, each result made once and written down.

It knows no pytest. How a target is opened, and what has to be let go of again, is in `opening`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from conformance.analysis.deviations import claims, deviations
from conformance.analysis.regressions import AGAIN, NIGHT, Entry
from conformance.core.address import Address
from conformance.core.check import Case, Check
from conformance.core.exchange import How
from conformance.core.finding import Kind, Outcome
from conformance.core.guard import Guard
from conformance.core.text import legible
from conformance.core.verdict import rule
from conformance.evidence.exchanges import Recording
from conformance.evidence.find import now
from conformance.evidence.log import RunLog
from conformance.evidence.record import Footer, Header, Result
from conformance.evidence.run import Run
from conformance.judging.draw import draw, shrink
from conformance.judging.judge import Evidence, judge
from conformance.runner.budget import PROFILES, STANDARD, scaled
from conformance.runner.collector import Collector, Gathered
from conformance.runner.reconfirm import Against, first_to_show
from conformance.targets.target import Target

PULSE = 0.25
"""Seconds between two signs of life while waiting."""
SHRINKING = 30
"""Cases tried, at most, to make a failing drawn one smaller: each is a request that somebody pays for."""
LARGE = 1 << 20
"""Bytes of an answer that is judged by all who read it before the next: reading it takes seconds, and is done once for them."""

Progress = Callable[[str], None]
"""Told what is being waited for, a few times a second; "" when there is nothing more to wait for."""


@dataclass
class TargetRun:
    """One target being tested: what is asked of it, and what has become of its checks."""

    target: Target
    directory: Path
    address: Address
    recording: Recording
    collector: Collector
    log: RunLog
    guard: Guard
    header: Header
    cases: Mapping[str, list[list[str]]] = field(default_factory=dict)
    """Of a replay: the keys of the exchanges that each check was judged by on the day."""
    recorded: Path | None = None
    """Of a replay: the run that is judged again."""
    before: int = 0
    """Of a resumed run: the requests that it had sent before."""
    remarks: list[str] = field(default_factory=list)
    """What a reader has to know about how this run came about."""
    profile: str = STANDARD
    against: Against = field(default_factory=Against)
    """What the run is held against."""
    progress: Progress = lambda line: None
    results: dict[str, Result] = field(default_factory=dict)
    """By check, as they are judged."""
    entries: dict[str, tuple[Entry, ...]] = field(default_factory=dict)
    """By check: its result, held against the baseline."""
    _sent: dict[str, tuple[Check, list[Future[Gathered]]]] = field(default_factory=dict)
    """The checks that evidence was sent for, until they are judged, and where it is found."""
    _ahead: dict[str, Outcome] = field(default_factory=dict)
    """What became of checks that were judged before they were asked about."""

    @property
    def name(self) -> str:
        """The target's name."""
        return self.target.name

    @property
    def kind(self) -> str:
        """The kind of the target whose answers are judged."""
        return self.header.kind

    def send(self, check: Check) -> None:
        """Send for the evidence of a check."""
        if not self.target.lacks(check.requires):
            cases = draw(check, scaled(check, PROFILES[self.profile]))
            self._sent[check.id] = check, [self.collector.start(check, case) for case in cases]

    def judge(self, check: Check) -> Result:
        """The result of a check: waits for its evidence, judges it once, rules it, and writes it down.

        What is new against the baseline is asked again first. Raises Unwritable once nothing can be written any more.
        """
        if (known := self.results.get(check.id)) is not None:
            return known
        tried: list[tuple[Case, Gathered]] = []
        if capability := self.target.lacks(check.requires):
            outcome = Outcome(Kind.UNSUPPORTED, reason=f"the target does not claim `{capability}`")
        else:
            outcome = self._outcome(check, tried)
        outcome = self.guard.clean_outcome(replace(outcome, reason=legible(outcome.reason)))
        if self.collector.broken is not None:
            raise self.collector.broken  # it would be called errored, and the server has no part in that
        waiver = next((waiver for waiver in self.target.waives if waiver.check == check.id), None)
        verdict = rule(outcome, check.level, waiver, strict=self.header.strict, today=datetime.now(UTC).date())
        result = replace(
            Result.made(check, outcome), waiver=waiver, ruling=verdict.ruling.value, because=verdict.because
        )
        self.log.outcome(result, self.name)
        self.results[check.id] = result
        self.entries[check.id] = self._compared(check, result, tried)
        return result

    def _compared(self, check: Check, result: Result, tried: Sequence[tuple[Case, Gathered]]) -> tuple[Entry, ...]:
        """What a result is, held against the baseline; what is new is asked again first."""
        entries, claims = self.against.entries(result), self.target.claims
        if self.recorded is not None or not self.against.doubted(entries):
            return entries
        brought = [(case, self.collector.evidence(found)) for case, found in tried]
        if (case := first_to_show(check, entries, brought, claims)) is None:
            return entries

        def ask(cases: Sequence[Case]) -> list[Evidence]:
            futures = [self.collector.start(check, case) for case in cases]
            return [self.collector.evidence(self.wait(future)) for future in futures]

        tries = self.against.again(check, entries, case, ask, claims)
        self.log.note(AGAIN, {"check": check.id, "seen": tries.seen, "of": tries.of})
        return self.against.entries(result)

    def excuse(self, check: str) -> str:
        """Why a requirement that failed does not fail the job; "" where it does."""
        return self.against.excuse(self.results[check], self.entries[check]) if check in self.results else ""

    def _outcome(self, check: Check, tried: list[tuple[Case, Gathered]]) -> Outcome:
        """Judge a check by its evidence; `tried` takes each case, and where what came back is found."""
        claims, evidence = self.target.claims, self.collector.evidence
        cases = draw(check, scaled(check, PROFILES[self.profile]))
        found = [self.wait(future) for future in self._sent.pop(check.id)[1]]
        tried += zip(cases, found, strict=True)
        if (ahead := self._ahead.pop(check.id, None)) is not None:
            return ahead
        gathered = [evidence(one) for one in found]
        if not check.drawn:
            self._judge_ahead(gathered)
            return judge(check, gathered, claims)
        if check.id in self.cases and any(x.ending.how is How.UNSENT for one in gathered for x in one.exchanges):
            # Another version of Hypothesis draws other cases: those of the day are in the recording by their keys.
            return _first(check, self._of_the_day(check), claims)
        outcome = _first(check, gathered, claims)
        if outcome.kind is not Kind.VIOLATED:
            return outcome

        def fails(case: Case) -> bool:
            shown = evidence(self.wait(self.collector.start(check, case)))
            return judge(check, [shown], claims).kind is Kind.VIOLATED

        smallest = shrink(check, fails, SHRINKING)
        if smallest is None:
            return outcome
        shown = self.wait(self.collector.start(check, smallest))
        tried.insert(0, (smallest, shown))
        return _first(check, [evidence(shown), *gathered], claims)

    def _judge_ahead(self, gathered: Sequence[Evidence]) -> None:
        """Judge whoever else reads a large answer of this evidence and has all of his own, while it is in memory."""
        large = {x.key for evidence in gathered for x in evidence.exchanges if len(x.body) > LARGE}
        for check, futures in self._sent.values() if large else ():
            if check.id in self._ahead or check.drawn or not all(future.done() for future in futures):
                continue
            found = [future.result() for future in futures if not future.cancelled() and future.exception() is None]
            if len(found) == len(futures) and any(large.intersection(one.keys) for one in found):
                evidence = [self.collector.evidence(one) for one in found]
                self._ahead[check.id] = judge(check, evidence, self.target.claims)

    def _of_the_day(self, check: Check) -> list[Evidence]:
        """The evidence that a recorded run was judged by; of chains that stopped early nothing but their keys is known."""
        cases = [case for case in self.cases[check.id] if all(key in self.recording for key in case)]
        longest = max(map(len, cases), default=0)
        return [Evidence(tuple(self.recording[key] for key in case)) for case in cases if len(case) == longest]

    def wait(self, future: Future[Gathered]) -> Gathered:
        """What was sent for, when it is there. Raises Unwritable once nothing can be written any more."""
        waited = False
        while True:
            try:
                gathered = future.result(timeout=PULSE)
            except NotYet:
                waited = True
                if self.collector.broken is not None:
                    raise self.collector.broken from None
                counts = self.collector.counts
                self.progress(f"{self.name}: {counts.done} of {counts.wanted} requests answered")
                continue
            if waited:
                self.progress("")
            return gathered

    def run(self) -> Run:
        """The run so far, as a reader would find it."""
        results = sorted(self.results.values(), key=lambda result: (result.area, result.check))
        return Run(self.directory, self.header, tuple(results))

    def end(self, exit_code: int, seconds: float) -> None:
        """Write what can be said when all is over, and the footer."""
        run, spent = self.run(), self.collector.counts
        for claim in claims(run) if self.kind in deviations() else ():
            self.log.note("deviation", {"target": self.name, **claim.to_json()})
        if (night := self.against.night(run)) is not None:
            self.log.note(NIGHT, night.to_json())
        tokens = {"prompt": spent.prompt_tokens, "completion": spent.completion_tokens}
        self.log.end(Footer(now(), seconds, spent.sent, tokens, exit_code, run.counts))


def _first(check: Check, gathered: Sequence[Evidence], claims: frozenset[str] | None) -> Outcome:
    """The outcome over drawn cases: the findings are those of the first case that fails, not of all of them."""
    whole = judge(check, gathered, claims)
    if whole.kind is not Kind.VIOLATED:
        return whole
    for evidence in gathered:
        one = judge(check, [evidence], claims)
        if one.kind is Kind.VIOLATED:
            return replace(whole, findings=one.findings)
    return whole
