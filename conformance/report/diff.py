"""Runs side by side, as data: a matrix of counts, the ruling on each requirement, and what differs between
two of them.

Nothing is rendered here, and nothing read from disk. All runs have been ruled (`Run.ruled`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

from conformance.finding import Finding, Kind
from conformance.reading.json import ABSENT
from conformance.report.legible import anywhere
from conformance.report.run import WORST_FIRST, Result, Run


@dataclass(frozen=True)
class Row:
    """One requirement, and what became of it in each run; None where a run did not judge it."""

    results: tuple[Result | None, ...]

    @cached_property
    def told(self) -> Result:
        """The result that describes the requirement: the last, whose words may have been mended meanwhile."""
        return next(result for result in reversed(self.results) if result is not None)

    @property
    def check(self) -> str:
        """The id of the requirement."""
        return self.told.check

    @cached_property
    def worst(self) -> str:
        """The worst ruling of all runs."""
        return min((result.ruling for result in self.results if result), key=WORST_FIRST.index)


@dataclass(frozen=True)
class Sides:
    """Several runs side by side. The place of a run is its index in `runs`."""

    runs: tuple[Run, ...]
    rows: tuple[Row, ...]
    """By area and id."""

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What to call each run: its target, and the time where a target was asked twice."""
        times = Counter(run.target for run in self.runs)
        return tuple(
            run.target if times[run.target] == 1 else f"{run.target} {run.header.started}" for run in self.runs
        )

    @cached_property
    def areas(self) -> tuple[str, ...]:
        """Every area of any run."""
        return tuple(dict.fromkeys(row.told.area for row in self.rows))

    @cached_property
    def matrix(self) -> Mapping[tuple[str, int], Counter[str]]:
        """By area and place of the run: how many results of each ruling."""
        matrix: dict[tuple[str, int], Counter[str]] = {}
        for row in self.rows:
            for place, result in enumerate(row.results):
                if result is not None:
                    matrix.setdefault((row.told.area, place), Counter())[result.ruling] += 1
        return matrix

    @cached_property
    def unique(self) -> tuple[frozenset[str], ...]:
        """By place: the requirements that only this run breaks, and at least one other meets."""
        found: list[set[str]] = [set() for _ in self.runs]
        for row in self.rows:
            failed = [place for place, result in enumerate(row.results) if result and result.ruling == "failed"]
            if len(failed) == 1 and any(result and result.ruling == "passed" for result in row.results):
                found[failed[0]].add(row.check)
        return tuple(frozenset(checks) for checks in found)


def side_by_side(runs: Sequence[Run]) -> Sides:
    """The runs in the order given, row by row. Raises ValueError where one has not been ruled."""
    for run in runs:
        run.counts  # noqa: B018  (raises for one that has not been ruled)
    areas = {check: result.area for run in runs for check, result in run.by_check.items()}
    checks = sorted(areas, key=lambda check: (areas[check], check))
    return Sides(tuple(runs), tuple(Row(tuple(run.by_check.get(check) for run in runs)) for check in checks))


class Relation(StrEnum):
    """How a candidate stands to a baseline, in one respect."""

    BREAKS = "breaks"
    """The baseline conforms, the candidate does not."""
    IMPROVES = "improves"
    ALIKE = "both wrong, alike"
    DIFFERENTLY = "both wrong, differently"
    DIFFERS = "differs, though both conform"
    INCOMPARABLE = "could not compare"


@dataclass(frozen=True)
class Difference:
    """One respect in which candidate and baseline stand in a relation: a check, what was found, and where.

    `place` has `*` for indexes, so that a fault in every chunk is one difference, and a new one beside it
    another. `baseline` and `candidate` are what each did: the first such finding, an observed value, or
    None where it conforms.
    """

    check: str
    relation: Relation
    message: str = ""
    place: str = ""
    baseline: Any = None
    candidate: Any = None
    reason: str = ""


JUDGED = (Kind.HOLDS, Kind.VIOLATED)

_VOLATILE = re.compile(
    r"\b(?:chatcmpl|call|req|fc|msg|cmpl|toolu|run)[-_][A-Za-z0-9_-]+"
    r"|\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b"
    r"|\b[0-9a-f]{16,}\b"
    r"|\b1[5-9]\d{8}\b"
)
"""Ids, digests and unix times: two answers of the same server differ in them."""


def settled(value: Any) -> Any:
    """A value without what differs between any two answers: ids and times become `*`."""
    match value:
        case str():
            return _VOLATILE.sub("*", value)
        case bool():
            return value
        case int() if 1_500_000_000 <= value < 2_000_000_000:
            return "*"
        case list():
            return [settled(one) for one in value]
        case dict():
            return {key: settled(one) for key, one in value.items()}
    return value


def compare(baseline: Run, candidate: Run) -> tuple[Difference, ...]:
    """Every difference, and every fault that both have, by check."""
    checks = {**baseline.by_check, **candidate.by_check}
    return tuple(
        difference
        for check in sorted(checks, key=lambda check: (checks[check].area, check))
        for difference in _differences(check, baseline.by_check.get(check), candidate.by_check.get(check))
    )


def _differences(check: str, old: Result | None, new: Result | None) -> Iterator[Difference]:
    if old is None or new is None:
        who = "baseline" if old is None else "candidate"
        yield Difference(check, Relation.INCOMPARABLE, reason=f"the {who} was not asked")
        return
    kinds = (old.outcome.kind, new.outcome.kind)
    if all(kind in JUDGED for kind in kinds):
        if kinds == (Kind.HOLDS, Kind.HOLDS):
            yield from _observed(check, old, new)
        else:
            yield from _faults(check, old, new)
    elif kinds == (Kind.HOLDS, Kind.UNSUPPORTED):
        # Nobody broke a rule, but an application that used it breaks all the same.
        yield Difference(
            check, Relation.BREAKS, candidate=new.outcome.reason, reason="the candidate does not support it"
        )
    elif kinds == (Kind.UNSUPPORTED, Kind.HOLDS):
        yield Difference(check, Relation.IMPROVES, baseline=old.outcome.reason, reason="only the candidate supports it")
    elif kinds not in ((Kind.UNSUPPORTED, Kind.UNSUPPORTED), (Kind.UNWITNESSED, Kind.UNWITNESSED)):
        who, one = ("baseline", old) if old.outcome.kind not in JUDGED else ("candidate", new)
        reason = f"the {who} is {one.outcome.kind}: {one.outcome.reason}"
        yield Difference(check, Relation.INCOMPARABLE, reason=reason)


def _faults(check: str, old: Result, new: Result) -> Iterator[Difference]:
    before, after = _by_place(old), _by_place(new)
    for message, place in {**before, **after}:
        was, now = before.get((message, place)), after.get((message, place))
        if was is None:
            relation = Relation.BREAKS
        elif now is None:
            relation = Relation.IMPROVES
        else:
            same = settled(_plain(was.found)) == settled(_plain(now.found))
            relation = Relation.ALIKE if same else Relation.DIFFERENTLY
        yield Difference(check, relation, message, place, was, now)


def _by_place(result: Result) -> dict[tuple[str, str], Finding]:
    """The first finding of each message and place."""
    found: dict[tuple[str, str], Finding] = {}
    for finding in result.findings:
        found.setdefault((finding.message, anywhere(finding.at)), finding)
    return found


def _observed(check: str, old: Result, new: Result) -> Iterator[Difference]:
    was, now = old.outcome.observed, new.outcome.observed
    for name in {**was, **now}:
        one, other = was.get(name), now.get(name)
        if settled(one) != settled(other):
            yield Difference(check, Relation.DIFFERS, place=name, baseline=one, candidate=other)


def _plain(value: Any) -> Any:
    return None if value is ABSENT else [value]  # so that absent is not null
