"""Runs side by side, as data: a matrix of counts, the ruling on each requirement, and what differs between
two of them.

Nothing is rendered here, and nothing read from disk. All runs have been ruled (`Run.ruled`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import Any

from conformance.analysis.regressions import Spot
from conformance.core.finding import JUDGED, Finding, Kind
from conformance.core.reading.json import ABSENT
from conformance.core.requirement import Level
from conformance.core.text import anywhere
from conformance.evidence.record import Result
from conformance.evidence.run import WORST_FIRST, Run


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
    code: str = ""
    place: str = ""
    baseline: Any = None
    candidate: Any = None
    reason: str = ""
    level: Level = Level.MUST
    """How binding the requirement is."""
    title: str = ""
    """The requirement in a sentence."""

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What makes it the same difference in another comparison."""
        return self.check, self.relation.value, self.code, self.place

    @property
    def finding(self) -> Finding | None:
        """The finding that shows it, of the candidate where it has one; None where it is no finding."""
        return next((side for side in (self.candidate, self.baseline) if isinstance(side, Finding)), None)

    @property
    def message(self) -> str:
        """What is found, in a sentence; "" where it is no finding."""
        return self.finding.message if self.finding else ""

    @property
    def on(self) -> str:
        """The key of the exchange that shows it; "" where no single one does."""
        return self.finding.on if self.finding else ""


NOT_ASKED = "the {} was not asked"
"""Why nothing can be said where one side has no outcome."""
TOLD = 20
"""Findings that an outcome has at most: of more, only the first are on record."""

_VOLATILE = re.compile(
    r"\b(?:chatcmpl|call|req|fc|msg|cmpl|toolu|run)[-_][A-Za-z0-9_-]+"
    r"|\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b"
    r"|\b[0-9a-f]{16,}\b"
    r"|\b1[5-9]\d{8}\b"
)
"""Ids, digests and unix times: two answers of the same server differ in them."""


def settled(value: Any) -> Any:
    """A value without what differs between any two answers: ids, times and measurements (a number with a fraction is one)
    become `*`."""
    match value:
        case str():
            return _VOLATILE.sub("*", value)
        case bool():
            return value
        case float():
            return "*"
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
        replace(difference, level=checks[check].level, title=checks[check].title)
        for check in sorted(checks, key=lambda check: (checks[check].area, check))
        for difference in _differences(check, baseline.by_check.get(check), candidate.by_check.get(check))
    )


def _differences(check: str, old: Result | None, new: Result | None) -> Iterator[Difference]:
    if old is None or new is None:
        who = "baseline" if old is None else "candidate"
        yield Difference(check, Relation.INCOMPARABLE, reason=NOT_ASKED.format(who))
        return
    kinds = (old.outcome.kind, new.outcome.kind)
    if all(kind in JUDGED for kind in kinds):
        if kinds != (Kind.HOLDS, Kind.HOLDS):
            yield from _faults(check, old, new)
        yield from _observed(check, old, new)
    elif kinds == (Kind.HOLDS, Kind.UNSUPPORTED):
        # Nobody broke a rule, but an application that used it breaks all the same.
        yield Difference(
            check,
            _binding(Relation.BREAKS, new),
            candidate=new.outcome.reason,
            reason="the candidate does not support it",
        )
    elif kinds == (Kind.UNSUPPORTED, Kind.HOLDS):
        yield Difference(
            check,
            _binding(Relation.IMPROVES, new),
            baseline=old.outcome.reason,
            reason="only the candidate supports it",
        )
    elif kinds not in ((Kind.UNSUPPORTED, Kind.UNSUPPORTED), (Kind.UNWITNESSED, Kind.UNWITNESSED)):
        who, one = ("baseline", old) if old.outcome.kind not in JUDGED else ("candidate", new)
        reason = f"the {who} is {one.outcome.kind}: {one.outcome.reason}"
        yield Difference(check, Relation.INCOMPARABLE, reason=reason)


def _binding(relation: Relation, result: Result) -> Relation:
    """The relation where a rule is at stake; a NOTE is none, so nothing is broken or improved by it."""
    return Relation.DIFFERS if result.level is Level.NOTE else relation


def _faults(check: str, old: Result, new: Result) -> Iterator[Difference]:
    before, after = _by_place(old), _by_place(new)
    for spot in {**before, **after}:
        was, now = before.get(spot, {}), after.get(spot, {})
        first_was, first_now = next(iter(was.values()), None), next(iter(now.values()), None)
        if first_was is None:
            yield Difference(check, _binding(Relation.BREAKS, new), *spot, None, first_now)
        elif first_now is None:
            yield Difference(check, _binding(Relation.IMPROVES, new), *spot, first_was, None)
        else:
            pairs = [(was[on], now[on]) for on in now if on in was] or [(first_was, first_now)]
            unlike = [pair for pair in pairs if not _alike(*pair)]
            if unlike or new.level is not Level.NOTE:
                relation = _binding(Relation.DIFFERENTLY, new) if unlike else Relation.ALIKE
                yield Difference(check, relation, *spot, *(unlike or pairs)[0])
            yield from _elsewhere(check, old, new, spot, (was, now))


def _elsewhere(
    check: str, old: Result, new: Result, spot: Spot, found: tuple[Mapping[str, Finding], Mapping[str, Finding]]
) -> Iterator[Difference]:
    """The same fault in the answer to another request, which the other side was asked too and answered well.

    Of drawn requests only the first that fails is told, and of very many faults only the first: there, nothing follows
    from what is not told.
    """
    for relation, side, other, told in ((Relation.BREAKS, 1, 0, old), (Relation.IMPROVES, 0, 1, new)):
        if old.drawn or new.drawn or len(told.findings) >= TOLD:
            continue
        asked = {key for case in told.outcome.evidence for key in case}
        only = next((one for on, one in found[side].items() if on not in found[other] and on in asked), None)
        if only is not None:
            pair = (None, only) if side else (only, None)
            yield Difference(
                check, _binding(relation, new), *spot, pair[0], pair[1], reason="in the answer to another request"
            )


def _alike(one: Finding, other: Finding) -> bool:
    return bool(settled(_plain(one.found)) == settled(_plain(other.found)))


def _by_place(result: Result) -> dict[Spot, dict[str, Finding]]:
    """By code and place: the first finding in each exchange."""
    found: dict[Spot, dict[str, Finding]] = {}
    for finding in result.findings:
        found.setdefault((finding.code, anywhere(finding.at)), {}).setdefault(finding.on, finding)
    return found


def _observed(check: str, old: Result, new: Result) -> Iterator[Difference]:
    was, now = old.outcome.observed, new.outcome.observed
    for name in {**was, **now}:
        one, other = was.get(name), now.get(name)
        if settled(one) != settled(other):
            yield Difference(check, Relation.DIFFERS, place=name, baseline=one, candidate=other)


def _plain(value: Any) -> Any:
    return None if value is ABSENT else [value]  # so that absent is not null
