"""The nightly job: each violation held against a baseline as it is judged, and asked again before it is called new.

A violation is called flaky only where it was asked again and not seen each time. Tries stop as soon as more of them would decide
nothing; those that bring no evidence do not count.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from conformance.analysis.regressions import SURE, TRIES, Entry, Night, Spot, Standing, Tries, entries_of, night, spots
from conformance.core.check import Case, Check
from conformance.core.finding import JUDGED
from conformance.evidence.record import Result
from conformance.evidence.run import Run
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
class Against:
    """What one target's run is held against, and how often its new violations were seen when they were asked for again."""

    fail_on: str = ANY
    name: str = ""
    """Of the baseline."""
    held: bool = False
    """Whether the run is held against anything: also the first night, which has no baseline yet."""
    baseline: Run | None = None
    tries: dict[str, Tries] = field(default_factory=dict)
    """By check."""

    def entries(self, result: Result) -> tuple[Entry, ...]:
        """What a result is, held against the baseline."""
        if not self.held:
            return ()
        old = self.baseline.by_check.get(result.check) if self.baseline else None
        return tuple(entries_of(result, old, self.tries.get(result.check), compared=self.baseline is not None))

    def doubted(self, entries: Collection[Entry]) -> bool:
        """Whether these are to be asked again before anybody is woken."""
        new = any(entry.standing is Standing.NEW and entry.fails for entry in entries)
        return self.fail_on == NEW and new and len(self.tries) < MOST

    def again(
        self, check: Check, entries: Collection[Entry], case: Case, ask: Ask, claims: frozenset[str] | None
    ) -> Tries:
        """Ask again for new violations, with a case that shows one of them, and remember how often they are seen."""
        new = _new(entries)
        tries, number = Tries(0, 0), 1
        while number <= TRIES and not tries.decided:
            count = min(SURE if number == 1 else MORE, TRIES + 1 - number)
            found = [judge(check, [one], claims) for one in ask([afresh(case, number + more) for more in range(count)])]
            counted = [outcome for outcome in found if outcome.kind in JUDGED]
            if not counted:
                break  # whoever does not answer any more decides nothing
            seen = sum(not new.isdisjoint(spots(outcome)) for outcome in counted)
            tries = Tries(tries.seen + seen, tries.of + len(counted))
            number += count
        self.tries[check.id] = tries
        return tries

    def night(self, run: Run) -> Night | None:
        """What has become of a whole run; None where it is not held against anything."""
        return night(self.baseline, self.name, run, self.tries) if self.held else None

    def excuse(self, result: Result, entries: Collection[Entry]) -> str:
        """Why a requirement that failed does not fail the job; "" where it does."""
        if result.ruling != "failed" or self.fail_on == ANY:
            return ""
        if self.fail_on == NEVER:
            return "nothing fails this run"
        if not self.held or any(entry.fails for entry in entries):
            return ""
        return "; ".join(dict.fromkeys(_excuse(entry, self.name) for entry in entries))


def first_to_show(
    check: Check,
    entries: Collection[Entry],
    tried: Sequence[tuple[Case, Evidence]],
    claims: frozenset[str] | None,
) -> Case | None:
    """The first case that shows one of the new violations."""
    new = _new(entries)
    for case, evidence in tried:
        if not new.isdisjoint(spots(judge(check, [evidence], claims))):
            return case
    return None


def _new(entries: Collection[Entry]) -> set[Spot]:
    return {entry.spot for entry in entries if entry.standing is Standing.NEW}


def _excuse(entry: Entry, name: str) -> str:
    if entry.standing is Standing.FLAKY:
        return f"flaky: {entry.tries}"
    return f"{entry.standing.value} ({name})"
