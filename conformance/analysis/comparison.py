"""A candidate beside its baseline: what became of the requirements, how the answers differ, and what limits the comparison.

`comparison` is pure; `beside` reads the exchanges.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from conformance.analysis.differences import Difference, Relation, compare
from conformance.analysis.wire import Change, changes
from conformance.core.exchange import Exchange
from conformance.core.finding import JUDGED
from conformance.core.requirement import Level
from conformance.evidence.exchanges import Recording
from conformance.evidence.run import Run


@dataclass(frozen=True)
class Comparison:
    """A candidate beside its baseline."""

    baseline: Run
    candidate: Run
    differences: tuple[Difference, ...]
    caveats: tuple[str, ...] = ()
    """What a reader has to know about the two runs before drawing conclusions."""
    changes: tuple[Change, ...] = ()
    """How the answers to the same probes differ, field by field."""
    pairs: int = 0
    """How many answers were compared so."""
    behind: bool = False
    """Whether the baseline is what stands behind the candidate, which is a gateway: what differs, it changed."""

    def of(self, *relations: Relation) -> tuple[Difference, ...]:
        """The differences of these relations: the most binding requirements first."""
        levels = list(Level)
        found = [one for one in self.differences if one.relation in relations]
        return tuple(sorted(found, key=lambda one: levels.index(one.level)))

    @cached_property
    def counts(self) -> Counter[Relation]:
        """How many differences there are of each relation."""
        return Counter(one.relation for one in self.differences)

    @cached_property
    def common(self) -> int:
        """How many requirements both were judged by."""
        was = {result.check for result in self.baseline.results if result.outcome.kind in JUDGED}
        return sum(result.check in was for result in self.candidate.results if result.outcome.kind in JUDGED)

    @cached_property
    def names(self) -> tuple[str, str]:
        """What to call baseline and candidate: their targets, and the times where they are the same target."""
        pair = (self.baseline, self.candidate)
        if self.baseline.target != self.candidate.target:
            return self.baseline.target, self.candidate.target
        first, second = (f"{run.target} {run.directory.name}" for run in pair)
        return first, second


def comparison(baseline: Run, candidate: Run, pairs: Iterable[tuple[Exchange, Exchange]] = ()) -> Comparison:
    """A candidate beside its baseline. `pairs` are the answers of both to the same probes."""
    count = 0

    def counted() -> Iterator[tuple[Exchange, Exchange]]:
        nonlocal count
        for both in pairs:
            count += 1
            yield both

    found = changes(counted())
    caveats = tuple(_caveats(baseline, candidate))
    return Comparison(baseline, candidate, compare(baseline, candidate), caveats, found, count)


def beside(baseline: Run, candidate: Run) -> Comparison:
    """A candidate beside its baseline, with the exchanges of both read from disk, one pair after the other."""
    return comparison(
        baseline,
        candidate,
        _pairs(Recording(baseline.evidence, forgiving=True), Recording(candidate.evidence, forgiving=True)),
    )


def _pairs(old: Recording, new: Recording) -> Iterator[tuple[Exchange, Exchange]]:
    try:
        for key in new:
            if (one := old.get(key)) is not None and (other := new.get(key)) is not None:
                yield one, other
    finally:
        old.close()
        new.close()


def _caveats(baseline: Run, candidate: Run) -> Iterator[str]:
    for who, run in (("baseline", baseline), ("candidate", candidate)):
        if run.damage:
            yield f"the run of the {who} is damaged: {run.damage}"
        elif not run.complete:
            yield f"the run of the {who} is incomplete: {len(run.results)} of {run.header.selected} requirements were judged"
    was, now = (run.header.suite for run in (baseline, candidate))
    if was and now and was != now:
        yield f"the baseline was made by version {was} of the suite, the candidate by {now}"
    missing = [
        (who, len(set(other.by_check) - set(run.by_check)))
        for who, run, other in (("baseline", baseline, candidate), ("candidate", candidate, baseline))
    ]
    for who, count in missing:
        if count:
            yield f"{count} of the requirements were not asked of the {who}"
