"""The nightly job: each violation held against a baseline as it is judged, and asked again before it is called new.

A violation is called flaky only where it was asked again and not seen each time. Tries stop as soon as more of them would decide
nothing; those that bring no evidence do not count.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from conformance.analysis.regressions import SURE, TRIES, Entry, Night, Standing, Tries, entries_of, night, spots
from conformance.core.check import Case, Check
from conformance.core.finding import JUDGED, Outcome
from conformance.core.verdict import Verdict, Waiver
from conformance.evidence.run import Header, Result, Run
from conformance.judging.judge import Evidence, judge
from conformance.judging.plan import afresh

OPTION = "--conformance-fail-on"
NEW, ANY, NEVER = "new", "any", "never"
MOST = 40
"""Requirements of a target that are asked again, at most: where more are new, it is not chance that broke them."""
MORE = 2
"""Tries at a time, after the first SURE of them."""

Ask = Callable[[Sequence[Case]], Sequence[Evidence]]
"""Brings the evidence of cases, asked for now and at the same time."""


@dataclass
class Nights:
    """What every target's run is held against, and what has come of it so far."""

    fail_on: str = ANY
    name: str = ""
    """Of the baseline."""
    baselines: Mapping[str, Run | None] = field(default_factory=dict)
    """By target; None where there is nothing to compare with. A target that is not in it is not held against anything."""
    _results: dict[str, list[Result]] = field(default_factory=dict)
    _tries: dict[str, dict[str, Tries]] = field(default_factory=dict)

    def judged(
        self, target: str, check: Check, outcome: Outcome, verdict: Verdict, waiver: Waiver | None
    ) -> tuple[Entry, ...]:
        """What an outcome is, held against the baseline; remembered for the whole."""
        if target not in self.baselines:
            return ()
        result = Result(
            check.id, check.level, check.title, outcome, check.area, waiver=waiver, ruling=verdict.ruling.value,
            because=verdict.because,
        )  # fmt: skip
        kept = self._results.setdefault(target, [])
        kept[:] = [one for one in kept if one.check != check.id]
        kept.append(result)
        return self._entries(target, result)

    def _entries(self, target: str, result: Result) -> tuple[Entry, ...]:
        baseline = self.baselines[target]
        old = baseline.by_check.get(result.check) if baseline else None
        tries = self._tries.get(target, {}).get(result.check)
        return tuple(entries_of(result, old, tries, compared=baseline is not None))

    def doubted(self, target: str, entries: Collection[Entry]) -> bool:
        """Whether these are to be asked again before anybody is woken."""
        new = any(entry.standing is Standing.NEW and entry.fails for entry in entries)
        return self.fail_on == NEW and new and len(self._tries.get(target, {})) < MOST

    def again(
        self,
        target: str,
        check: Check,
        entries: Collection[Entry],
        cases: Sequence[Case],
        ask: Ask,
        claims: frozenset[str] | None,
    ) -> Tries:
        """Ask again for new violations, with the first case that shows one of them, and remember how often they are seen."""
        new = {entry.spot for entry in entries if entry.standing is Standing.NEW}
        tries, number = Tries(0, 0), 1
        case = cases[0]
        while number <= TRIES and not tries.decided:
            count = min(SURE if number == 1 else MORE, TRIES + 1 - number)
            found = [judge(check, [one], claims) for one in ask([afresh(case, number + more) for more in range(count)])]
            counted = [one for one in found if one.kind in JUDGED]
            if not counted:
                break  # whoever does not answer any more decides nothing
            seen = sum(not new.isdisjoint(spots(one)) for one in counted)
            tries = Tries(tries.seen + seen, tries.of + len(counted))
            number += count
        self._tries.setdefault(target, {})[check.id] = tries
        return tries

    def first_to_show(
        self,
        check: Check,
        entries: Collection[Entry],
        tried: Sequence[tuple[Case, Evidence]],
        claims: frozenset[str] | None,
    ) -> list[Case]:
        """The cases that show one of the new violations."""
        new = {entry.spot for entry in entries if entry.standing is Standing.NEW}
        return [case for case, evidence in tried if not new.isdisjoint(spots(judge(check, [evidence], claims)))]

    def night(self, target: str) -> Night | None:
        """What has become of a target's run; None where it is not held against anything."""
        if target not in self.baselines:
            return None
        notes = tuple(
            {"type": "again", "check": check, "seen": one.seen, "of": one.of}
            for check, one in self._tries.get(target, {}).items()
        )
        run = Run(Path(), Header(target), tuple(self._results.get(target, ())), notes=notes)
        return night(self.baselines[target], self.name, run)

    def excused(self, target: str, ruling: str, entries: Collection[Entry]) -> str:
        """Why a requirement that failed does not fail the job; "" where it does."""
        if ruling != "failed" or self.fail_on == ANY:
            return ""
        if self.fail_on == NEVER:
            return "nothing fails this run"
        if target not in self.baselines or any(entry.fails for entry in entries):
            return ""
        return "; ".join(dict.fromkeys(_excuse(entry, self.name) for entry in entries))


def _excuse(entry: Entry, name: str) -> str:
    if entry.standing is Standing.FLAKY:
        return f"flaky: {entry.tries}"
    return f"{entry.standing.value} ({name})"
