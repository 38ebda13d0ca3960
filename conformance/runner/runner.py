"""All targets of one run: their trials opened, evidence sent for ahead, outcomes and verdicts as they are asked for.

It knows no pytest: the plugin drives it, and so can a script.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from conformance.analysis.deviations import claims, deviations
from conformance.analysis.history import enter
from conformance.analysis.regressions import AGAIN, NIGHT, Entry
from conformance.checks.golden.recorder import Recorder
from conformance.core.capabilities import UPSTREAM
from conformance.core.check import Case, Check
from conformance.core.exchange import How
from conformance.core.finding import Kind, Outcome
from conformance.core.mistake import COULD_NOT_TEST, CouldNotTest, Mistake
from conformance.core.secret import Secret
from conformance.core.text import legible
from conformance.core.verdict import Ruling, Verdict, Waived, Waiver, rule
from conformance.evidence.journal import Unwritable
from conformance.evidence.run import header_of, latest, now, read, slug
from conformance.judging.draw import draw, shrink
from conformance.judging.judge import Evidence, judge
from conformance.runner.budget import PROFILES, STANDARD, amount, estimate, scaled
from conformance.runner.collector import Gathered
from conformance.runner.reconfirm import Nights
from conformance.runner.resume import Resumed
from conformance.runner.target_run import Trial, opened, versions
from conformance.targets.target import Target

SHRINKING = 30
"""Cases tried, at most, to make a failing drawn one smaller: each is a request that somebody pays for."""
PULSE = 0.25
"""Seconds between two signs of life while waiting."""

LARGE = 1 << 20
"""Bytes of an answer that is judged by all who read it before the next: reading it takes seconds, and is done once for them."""


@dataclass(frozen=True)
class Made:
    """Checks made from a file of data, and the room of node ids that they live in."""

    room: str
    checks: tuple[Check, ...]


Progress = Callable[[str], None]
"""Told what is being waited for, a few times a second; "" when there is nothing more to wait for."""


@dataclass
class Session:
    """The trials of one run."""

    targets: Sequence[Target]
    reports: Path
    strict: bool = False
    profile: str = STANDARD
    progress: Progress = lambda line: None
    made: Mapping[Path, Made] = field(default_factory=dict)
    """Checks made from golden sets and from traffic, by their files."""
    recorder: Recorder | None = None
    beside: frozenset[str] = frozenset()
    """The targets that are asked only so that others can be compared with them (a baseline, what stands behind a gateway):
    their verdicts are not this run's."""
    nights: Nights = field(default_factory=Nights)
    """What the runs are held against."""
    resumed: Mapping[str, Resumed] = field(default_factory=dict)
    """Runs that are to be finished, by their targets."""
    trials: dict[str, Trial] = field(default_factory=dict)
    dead: dict[str, str] = field(default_factory=dict)
    """Targets that could not be tested, and why."""
    broken: Unwritable | None = None
    """What a run was broken off for: nothing can be written any more."""
    _futures: dict[tuple[str, str], list[Future[Gathered]]] = field(default_factory=dict)
    _checks: dict[tuple[str, str], Check] = field(default_factory=dict)
    """Those that evidence was sent for."""
    _ahead: dict[tuple[str, str], Outcome] = field(default_factory=dict)
    """What became of checks that were judged before they were asked about."""
    _to_record: dict[str, dict[str, Future[Gathered]]] = field(default_factory=dict)
    _stack: ExitStack = field(default_factory=ExitStack)
    _counts: dict[str, Counter[str]] = field(default_factory=dict)
    _counting: dict[str, set[str]] = field(default_factory=dict)
    """The rulings of each target that decide over the exit code."""
    _tried: dict[tuple[str, str], list[tuple[Case, Gathered]]] = field(default_factory=dict)
    """By target and check, until it is judged: each case, and where what came back is found."""
    _entries: dict[tuple[str, str], tuple[Entry, ...]] = field(default_factory=dict)
    _begun: float = 0.0

    def open(self, selected: Mapping[str, Sequence[Check]]) -> None:
        """Open a trial for each target that has selected checks, and send for all their evidence."""
        self._begun = self._begun or time.perf_counter()
        for target in sorted(self.targets, key=lambda one: one.upstream is not None):  # what stands behind first
            checks = selected.get(target.name)
            if not checks or target.name in self.trials or target.name in self.dead:
                continue
            if too_little := self._too_little(target, checks) if target.name not in self.resumed else "":
                self.dead[target.name] = f"{target.name}: {too_little}"
                continue
            try:
                made = self._made(checks)
                resumed = self.resumed.get(target.name)
                trial = self._stack.enter_context(
                    opened(self._behind(target), self.reports, self.progress, made, resumed)
                )
            except CouldNotTest as problem:
                self.dead[target.name] = self._down(target, str(problem))
                continue
            self.trials[target.name] = trial
            self._counts[target.name] = Counter()
            self._counting[target.name] = set()
            # Chains first: nothing else can take longer than the longest of them.
            for check in sorted(checks, key=lambda one: -one.cost if not one.drawn else 0):
                self._send_for(trial, check)
            if self.recorder is not None:
                self._to_record[trial.name] = {
                    name: trial.collector.start(check, check.cases[0])
                    for name, check in self.recorder.asks.items()
                    if not self._disclaimed(target, check)
                }
        self.progress("")

    def _made(self, checks: Sequence[Check]) -> dict[str, Any]:
        """What a header says about this run, whoever the target is."""
        rooms = sorted({one.room for one in self.made.values()})
        return {
            **versions(),
            "strict": self.strict,
            "profile": self.profile,
            "made": {room: [str(path) for path, one in self.made.items() if one.room == room] for room in rooms},
            "selected": len(checks),
            "checks": sorted(check.id for check in checks),
        }

    def _behind(self, target: Target) -> Target:
        """The target with the address of what stands behind it, where that runs already: it is not started twice."""
        trial = self.trials.get(target.upstream.name) if target.upstream else None
        if trial is None or target.upstream is None or target.launch is None:
            return target
        there = trial.address
        key = Secret("UPSTREAM_KEY", there.credential()) if there.credential else None
        behind = replace(
            target.upstream, kind="openai", base_url=there.base_url, model=there.model, key=key, launch=None
        )
        return replace(target, upstream=behind)

    def _down(self, target: Target, problem: str) -> str:
        """Why a target could not be tested; of a gateway also whether what stands behind it is up."""
        if target.upstream is None:
            return problem
        name, said = target.upstream.name, problem.removeprefix(f"{target.name}: ")
        if name not in self.trials and name not in self.dead and target.upstream.launch is None:
            up = _up(target.upstream, self.progress)
        else:
            up = name in self.trials
        if up:
            return f"{target.name}: the gateway is down while its upstream `{name}` is up: {said}"
        return f"{target.name}: the gateway is down, and so is its upstream `{name}`: {said}"

    def dry_run(self, selected: Mapping[str, Sequence[Check]]) -> list[str]:
        """What a run would send and cost, at most, in a line for each target. Nothing is sent."""
        lines = []
        for target in self.targets:
            checks = [one for one in selected.get(target.name, ()) if not self._disclaimed(target, one)]
            most, too_little = estimate(checks, PROFILES[self.profile]), self._too_little(target, checks)
            line = (
                f"{target.name}: {len(checks)} checks, at most {most.requests} requests, about {most.prompt_tokens} tokens in"
                f" and at most {most.completion_tokens} out"
            )
            if (cost := most.cost(target.price)) is not None:
                line += f", at most {cost:.2f} at the prices in {target.source}"
            for name, bound, needed in (
                ("requests", target.limits.requests, most.requests),
                ("tokens", target.limits.tokens, most.tokens),
                ("cost", target.limits.cost, cost),
            ):
                if bound is not None and needed is not None and needed > bound and not too_little:
                    line += f"; limits.{name} stops it at {amount(bound)}, and what is not sent by then is errored"
            lines.append(f"{line}; {too_little}" if too_little else line)
        return lines

    def _too_little(self, target: Target, checks: Sequence[Check]) -> str:
        """Why the budget of a target is not enough for a single one of these checks; "" where it is, or has no bound."""
        limits = target.limits
        if target.kind == "replay" or (limits.requests, limits.tokens, limits.cost) == (None, None, None):
            return ""
        each = [estimate([check], PROFILES[self.profile]) for check in checks]
        for name, bound, needed in (
            ("requests", limits.requests, [one.requests for one in each]),
            ("tokens", limits.tokens, [one.tokens for one in each]),
            ("cost", limits.cost, [one.cost(target.price) or 0.0 for one in each]),
        ):
            if bound is not None and needed and min(needed) > bound:
                said = f"limits.{name}: {amount(bound)} is too small for any of these checks"
                return f"{said}: the cheapest may take {amount(min(needed))}"
        return ""

    def _send_for(self, trial: Trial, check: Check) -> None:
        if self._disclaimed(trial.target, check):
            return
        self._checks[trial.name, check.id] = check
        self._futures[trial.name, check.id] = [
            trial.collector.start(check, case) for case in draw(check, scaled(check, PROFILES[self.profile]))
        ]

    @staticmethod
    def _disclaimed(target: Target, check: Check) -> str:
        """The capability that a check needs and the target says it has not; "" where there is none."""
        return target.lacks(check.requires)

    def outcome(self, check: Check, target: Target) -> Outcome:
        """What became of a check at a target: waits for its evidence, judges it, and writes the outcome down.

        Raises Unwritable once nothing can be written any more.
        """
        trial = self.trials[target.name]
        if capability := self._disclaimed(trial.target, check):
            outcome = Outcome(Kind.UNSUPPORTED, reason=f"the target does not claim `{capability}`")
        else:
            outcome = self._judged(trial, check)
        outcome = trial.guard.clean_outcome(replace(outcome, reason=legible(outcome.reason)))
        try:
            if trial.collector.broken is not None:
                raise trial.collector.broken  # it would be called errored, and the server has no part in that
            trial.note(check, outcome)
        except Unwritable as problem:
            self.broken = problem
            raise
        verdict = self.verdict(check, target, outcome)
        entries = self._held(trial, check, outcome, verdict)
        self._counts[target.name][verdict.ruling.value] += 1
        if not self.nights.excused(target.name, verdict.ruling.value, entries):
            self._counting[target.name].add(verdict.ruling.value)
        return outcome

    def _held(self, trial: Trial, check: Check, outcome: Outcome, verdict: Verdict) -> tuple[Entry, ...]:
        """What an outcome is, held against the baseline; what is new is asked again first."""
        nights, name = self.nights, trial.name
        waiver = self._waiver(check, trial)
        entries = nights.judged(name, check, outcome, verdict, waiver)
        tried = self._tried.pop((name, check.id), [])
        if trial.recorded is None and nights.doubted(name, entries):
            claims = trial.target.claims

            def ask(cases: Sequence[Case]) -> list[Evidence]:
                futures = [trial.collector.start(check, case) for case in cases]
                return [trial.collector.evidence(self._wait(trial, future)) for future in futures]

            brought = [(case, trial.collector.evidence(found)) for case, found in tried]
            if cases := nights.first_to_show(check, entries, brought, claims):
                tries = nights.again(name, check, entries, cases, ask, claims)
                trial.log.note(AGAIN, {"check": check.id, "seen": tries.seen, "of": tries.of})
                entries = nights.judged(name, check, outcome, verdict, waiver)
        self._entries[name, check.id] = entries
        return entries

    def entries(self, check: Check, target: Target) -> tuple[Entry, ...]:
        """What the outcome of a check is, held against the baseline; nothing where there is none."""
        return self._entries.get((target.name, check.id), ())

    def excused(self, check: Check, target: Target, verdict: Verdict) -> str:
        """Why a requirement that failed does not fail the job; "" where it does."""
        return self.nights.excused(target.name, verdict.ruling.value, self.entries(check, target))

    def _judged(self, trial: Trial, check: Check) -> Outcome:
        claims = trial.target.claims
        cases = draw(check, scaled(check, PROFILES[self.profile]))
        found = [self._wait(trial, future) for future in self._futures.pop((trial.name, check.id))]
        tried = self._tried[trial.name, check.id] = list(zip(cases, found, strict=True))
        if (ahead := self._ahead.pop((trial.name, check.id), None)) is not None:
            return ahead
        gathered = [trial.collector.evidence(one) for one in found]
        if not check.drawn:
            self._judge_ahead(trial, gathered)
            return judge(check, gathered, claims)
        if check.id in trial.cases and any(x.ending.how is How.UNSENT for one in gathered for x in one.exchanges):
            # Another version of Hypothesis draws other cases: those of the day are in the recording by their keys.
            gathered = _of_the_day(trial, check)
            return _first(check, gathered, claims)
        outcome = _first(check, gathered, claims)
        if outcome.kind is not Kind.VIOLATED:
            return outcome

        def fails(case: Case) -> bool:
            evidence = trial.collector.evidence(self._wait(trial, trial.collector.start(check, case)))
            return judge(check, [evidence], claims).kind is Kind.VIOLATED

        smallest = shrink(check, fails, SHRINKING)
        if smallest is None:
            return outcome
        shown = self._wait(trial, trial.collector.start(check, smallest))
        tried.insert(0, (smallest, shown))
        return _first(check, [trial.collector.evidence(shown), *gathered], claims)

    def _judge_ahead(self, trial: Trial, gathered: Sequence[Evidence]) -> None:
        """Judge whoever else reads a large answer of this evidence and has all of his own, while it is in memory."""
        large = {x.key for evidence in gathered for x in evidence.exchanges if len(x.body) > LARGE}
        for name, check in self._checks.items() if large else ():
            futures = self._futures.get(name, ()) if name not in self._ahead else ()
            if name[0] != trial.name or check.drawn or not all(future.done() for future in futures):
                continue
            found = [future.result() for future in futures if not future.cancelled() and future.exception() is None]
            if len(found) == len(futures) and any(large.intersection(one.keys) for one in found):
                evidence = [trial.collector.evidence(one) for one in found]
                self._ahead[name] = judge(check, evidence, trial.target.claims)

    def _wait(self, trial: Trial, future: Future[Gathered]) -> Gathered:
        waited = False
        while True:
            try:
                gathered = future.result(timeout=PULSE)
            except NotYet:
                waited = True
                if trial.collector.broken is not None:
                    self.broken = trial.collector.broken
                    raise trial.collector.broken from None
                counts = trial.collector.counts
                self.progress(f"{trial.name}: {counts.done} of {counts.wanted} requests answered")
                continue
            if waited:
                self.progress("")
            return gathered

    def verdict(self, check: Check, target: Target, outcome: Outcome) -> Verdict:
        """How an outcome counts, with the waivers of its target and the strictness of this run."""
        waiver = self._waiver(check, self.trials[target.name])
        waived = Waived(waiver.because, waiver.until) if waiver else None
        return rule(outcome.kind, check.level, waived, strict=self.strict, today=datetime.now(UTC).date())

    @staticmethod
    def _waiver(check: Check, trial: Trial) -> Waiver | None:
        """The waiver of a check; of a replay, that of the day."""
        return next((waiver for waiver in trial.target.waives if waiver.check == check.id), None)

    def record(self) -> list[str]:
        """Write the golden set that was asked for, and say so; nothing where none was. Raises Mistake."""
        said: list[str] = []
        for name, futures in self._to_record.items():
            assert self.recorder is not None
            trial = self.trials[name]
            found = {entry: self._wait(trial, future) for entry, future in futures.items()}
            answers = {entry: trial.collector.evidence(one).exchanges[0] for entry, one in found.items()}
            made = {"target": name, "kind": trial.kind, "model": trial.address.model}
            made |= {"date": now(), "suite": versions()["suite"]}
            said += self.recorder.save(answers, made, trial.guard)
        return said

    def close(self, *, finished: bool) -> None:
        """Write the footers (none for a run that was broken off), and let go of everything. Raises Unwritable."""
        seconds = time.perf_counter() - self._begun if self._begun else 0.0
        try:
            for name, trial in self.trials.items():
                if finished:
                    known = trial.kind in deviations()
                    trial.note_claims(claims(read(trial.directory, forgiving=True)) if known else ())
                    if (night := self.nights.night(name)) is not None:
                        trial.log.note(NIGHT, night.to_json())
                    trial.end(self._counts[name], exit_code(self._counting[name], 0), seconds)
        finally:
            self._stack.close()

    def entered(self, runs: Iterable[Path]) -> list[str]:
        """Enter these runs, and those of targets that could not be tested, into the history; why not, where that fails.

        A history that cannot be written is no reason to lose a run over.
        """
        dead = [latest(self.reports, slug(name)) for name in self.dead]
        try:
            for directory in dict.fromkeys([*runs, *(one for one in dead if one is not None)]):
                enter(self.reports, directory)
        except Mistake as mistake:
            return [f"not entered into the history: {mistake}"]
        return []

    @property
    def remarks(self) -> list[str]:
        """What a reader has to know about how these runs came about, in a line each."""
        said = []
        for name, trial in self.trials.items():
            said += [f"{name}: {line}" for line in trial.remarks]
            if name in self.resumed:
                sent = trial.collector.counts.sent - trial.before
                said.append(
                    f"{name}: resumed in {trial.directory}: {trial.before} requests had been sent, {sent} more were"
                )
        return said

    @property
    def directories(self) -> list[Path]:
        """Where the runs were written."""
        return [trial.directory for trial in self.trials.values()]


def _up(target: Target, progress: Progress) -> bool:
    """Whether a target that is running answers; nothing of it is kept."""
    try:
        with TemporaryDirectory() as folder, opened(target, Path(folder), progress):
            return True
    except CouldNotTest:
        return False


def about(check: Check, target: Target) -> bool:
    """Whether a check is about such a target at all: nobody asks OpenAI about SageMaker, or a server what it passes on."""
    if check.kinds and kind_of(target) not in check.kinds:
        return False
    return UPSTREAM not in check.requires or upstream_of(target) != ""


def upstream_of(target: Target) -> str:
    """The name of what stands behind a gateway; "" for a server. Of a replay, as it was in the run that is judged again."""
    if target.kind != "replay":
        return target.upstream.name if target.upstream else ""
    return str(header_of(target.directory).get("upstream", ""))


def kind_of(target: Target) -> str:
    """The kind of a target; of a replay, that of the run which is judged again."""
    if target.kind != "replay":
        return target.kind
    return str(header_of(target.directory).get("kind", ""))


def _of_the_day(trial: Trial, check: Check) -> list[Evidence]:
    """The evidence that a recorded run was judged by; of chains that stopped early nothing but their keys is known."""
    cases = [case for case in trial.cases[check.id] if all(key in trial.recording for key in case)]
    longest = max(map(len, cases), default=0)
    return [Evidence(tuple(trial.recording[key] for key in case)) for case in cases if len(case) == longest]


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


def exit_code(rulings: Iterable[str], dead: int) -> int:
    """0 clean, 1 something is violated, 6 something could not be tested (and nothing is violated)."""
    seen = set(rulings)
    if Ruling.FAILED.value in seen:
        return 1
    return COULD_NOT_TEST if dead or Ruling.ERRORED.value in seen else 0
