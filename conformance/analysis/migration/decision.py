"""READY, READY WITH LIMITS, or NOT READY: one candidate, judged for the features that an application needs.

A pure function of two runs. What breaks, for whom and how badly is data (`needs`, `impact`); how it stands to the endpoint
that is used today is `report.diff`. What was not tested is a part of the answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from conformance.analysis.differences import Relation, compare
from conformance.analysis.migration.impact import ORDER, Impact, impact
from conformance.analysis.migration.needs import everything, features, mainly, matters, shown_by, understood
from conformance.analysis.summary import unfinished
from conformance.checks.traffic.reading import Traffic
from conformance.core.finding import JUDGED, Kind
from conformance.core.requirement import Level
from conformance.evidence.record import Result
from conformance.evidence.run import Run


class Answer(StrEnum):
    """What whoever decides is told."""

    READY = "READY"
    LIMITED = "READY WITH LIMITS"
    NOT_READY = "NOT READY"


class Weight(StrEnum):
    """What one requirement does to the answer."""

    BLOCKS = "blocks"
    """The application breaks: what it needs is documented, and does not hold any more."""
    LIMITS = "limits"
    """It works, but not all of it, or not for everybody."""
    BEFORE = "as before"
    """Wrong in the same way where the application runs today: it lives with it."""
    COSMETIC = "cosmetic"
    """Nobody breaks."""


BREAKING = (Impact.RAISES, Impact.STOPS_AGENTS, Impact.LOSES_DATA)
"""Impacts that an application does not survive. A server that takes what it should refuse misleads, and breaks nobody."""


@dataclass(frozen=True)
class Limit:
    """One requirement that the candidate does not meet."""

    result: Result
    before: Result | None
    """What became of it at the baseline."""
    weight: Weight
    impact: Impact
    needed_for: tuple[str, ...]
    relation: str = ""
    """How the candidate stands to the baseline in it; "" without a baseline."""


@dataclass(frozen=True)
class Untested:
    """Something of which nothing is known, and why."""

    what: tuple[str, ...]
    """Ids of checks."""
    why: str
    needed_for: tuple[str, ...]
    binding: bool
    """Whether a MUST is among them that is not merely unwitnessed."""


UNKNOWN = "NOT KNOWN"
"""What is said of a feature for which no check found evidence."""


@dataclass(frozen=True)
class Tally:
    """How a needed feature fares."""

    feature: str
    says: str
    held: int
    broken: int
    untested: int
    answer: str
    """An Answer, or UNKNOWN."""


@dataclass(frozen=True)
class Decision:
    """The answer, and all that it rests on."""

    answer: Answer
    because: str
    candidate: Run
    baseline: Run | None
    needs: frozenset[str]
    asked_for: bool
    """Whether somebody said (or showed) what is needed; else everything is."""
    limits: tuple[Limit, ...]
    untested: tuple[Untested, ...]
    features: tuple[Tally, ...]
    improved: tuple[str, ...]
    """Checks that the baseline breaks and the candidate meets."""

    def of(self, *weights: Weight) -> tuple[Limit, ...]:
        """The limits of these weights, worst first."""
        return tuple(limit for limit in self.limits if limit.weight in weights)


def decide(candidate: Run, baseline: Run | None, needs: frozenset[str], *, asked_for: bool) -> Decision:
    """The decision about a candidate. Both runs have been ruled."""
    relations = _relations(baseline, candidate)
    relevant = [result for result in candidate.results if matters(result, needs)]
    limits = []
    for result in relevant:
        before = baseline.by_check.get(result.check) if baseline else None
        if (weight := _weight(result, before, relations.get(result.check, frozenset()), asked_for)) is not None:
            relation = _worst(relations.get(result.check, frozenset())) if baseline else ""
            limits.append(Limit(result, before, weight, impact(result), mainly(result, needs), relation))
    limits.sort(key=lambda one: (list(Weight).index(one.weight), ORDER.index(one.impact), one.result.check))
    untested = tuple(_untested(candidate, relevant, baseline, needs))
    tallies = tuple(_tally(name, relevant, limits, needs) for name in features() if name in needs)
    tallies = tuple(one for one in tallies if one.held or one.broken or one.untested or asked_for)
    answer, because = _answer(candidate, limits, untested, tallies, asked_for)
    return Decision(
        answer, because, candidate, baseline, needs, asked_for, tuple(limits), untested, tallies,
        tuple(_improved(relevant, baseline)),
    )  # fmt: skip


def _relations(baseline: Run | None, candidate: Run) -> dict[str, frozenset[Relation]]:
    found: dict[str, set[Relation]] = {}
    for difference in compare(baseline, candidate) if baseline else ():
        found.setdefault(difference.check, set()).add(difference.relation)
    return {check: frozenset(some) for check, some in found.items()}


def _worst(relations: frozenset[Relation]) -> str:
    order = (Relation.BREAKS, Relation.DIFFERENTLY, Relation.INCOMPARABLE, Relation.ALIKE, Relation.DIFFERS)
    return next((one.value for one in order if one in relations), "")


def _weight(result: Result, before: Result | None, relations: frozenset[Relation], asked_for: bool) -> Weight | None:
    """What a result does to the answer; None for nothing."""
    kind, was = result.outcome.kind, before.outcome.kind if before else None
    if kind in (Kind.VIOLATED, Kind.UNSUPPORTED) and (result.level is Level.NOTE or impact(result) is Impact.COSMETIC):
        return Weight.COSMETIC
    if kind is Kind.UNSUPPORTED:
        if was is Kind.UNSUPPORTED:
            return Weight.BEFORE
        return Weight.BLOCKS if asked_for and result.level is Level.MUST else Weight.LIMITS
    if kind is not Kind.VIOLATED:
        return None
    if result.ruling == "waived":
        return Weight.LIMITS
    if was is Kind.VIOLATED and Relation.BREAKS not in relations:
        return Weight.BEFORE if Relation.DIFFERENTLY not in relations else Weight.LIMITS
    breaks = result.level is Level.MUST and impact(result) in BREAKING
    return Weight.BLOCKS if breaks else Weight.LIMITS


def _untested(
    candidate: Run, relevant: list[Result], baseline: Run | None, needs: frozenset[str]
) -> Iterator[Untested]:
    groups: dict[tuple[str, bool], list[Result]] = {}
    for result in relevant:
        if result.outcome.kind in (Kind.ERRORED, Kind.UNWITNESSED):
            errored = result.outcome.kind is Kind.ERRORED
            groups.setdefault((result.outcome.reason or "no reason was given", errored), []).append(result)
    for (why, errored), results in sorted(groups.items(), key=lambda group: -len(group[1])):
        ids = tuple(one.check for one in results)
        wanted = tuple(dict.fromkeys(name for one in results for name in mainly(one, needs)))
        yield Untested(ids, why, wanted, errored and any(one.level is Level.MUST for one in results))
    if baseline is not None:
        missing = [one for check, one in baseline.by_check.items() if check not in candidate.by_check]
        missing = [one for one in missing if matters(one, needs)]
        if missing:
            wanted = tuple(dict.fromkeys(name for one in missing for name in mainly(one, needs)))
            binding = any(one.level is Level.MUST for one in missing)
            yield Untested(tuple(one.check for one in missing), "the candidate was not asked", wanted, binding)


def _tally(feature: str, relevant: Iterable[Result], limits: Iterable[Limit], needs: frozenset[str]) -> Tally:
    mine = [result for result in relevant if feature in mainly(result, needs)]
    weights = [one.weight for one in limits if feature in one.needed_for]
    held = sum(1 for result in mine if result.outcome.kind is Kind.HOLDS)
    broken = sum(1 for weight in weights if weight in (Weight.BLOCKS, Weight.LIMITS))
    untested = sum(1 for result in mine if result.outcome.kind not in (*JUDGED, Kind.UNSUPPORTED))
    answer = Answer.READY.value
    if Weight.BLOCKS in weights:
        answer = Answer.NOT_READY
    elif broken:
        answer = Answer.LIMITED
    elif not held:
        answer = UNKNOWN
    return Tally(feature, features()[feature].says, held, broken, untested, answer)


def _answer(
    candidate: Run, limits: list[Limit], untested: tuple[Untested, ...], tallies: tuple[Tally, ...], asked_for: bool
) -> tuple[Answer, str]:
    """The answer, and the one sentence that says why."""
    blocks = [one for one in limits if one.weight is Weight.BLOCKS]
    limiting = [one for one in limits if one.weight is Weight.LIMITS]
    if not any(result.outcome.kind in JUDGED for result in candidate.results):
        return Answer.NOT_READY, "nothing could be tested, so nothing is known"
    unknown = [one.feature for one in tallies if one.answer == UNKNOWN and (one.untested or one.broken == 0)]
    if blocks:
        return Answer.NOT_READY, f"the candidate breaks {_many(blocks, 'requirement')} of what the application needs"
    if asked_for and (wanted := [name for name in unknown if not features()[name].always]):
        return Answer.NOT_READY, f"of {', '.join(wanted)} nothing is known: no check found evidence"
    reasons = []
    if unknown and asked_for:
        reasons.append(f"of {', '.join(unknown)} nothing is known")
    if limiting:
        reasons.append(f"{_many(limiting, 'limit')} to know of")
    if any(one.binding for one in untested):
        lost = sum(len(one.what) for one in untested if one.binding)
        reasons.append(f"{lost} requirement{'s' if lost > 1 else ''} could not be tested")
    if lacks := unfinished(candidate):
        reasons.append(f"the run is {lacks}")
    if reasons:
        return Answer.LIMITED, " and ".join(reasons)
    return Answer.READY, "every requirement that the application needs holds, or is as it is today"


def _many(items: list[Limit], word: str) -> str:
    return f"{len(items)} {word}{'s' if len(items) != 1 else ''}"


def _improved(relevant: Iterable[Result], baseline: Run | None) -> Iterator[str]:
    for result in relevant:
        before = baseline.by_check.get(result.check) if baseline else None
        if before and before.outcome.kind is Kind.VIOLATED and result.outcome.kind is Kind.HOLDS:
            yield result.check


def asked(candidate: Run, baseline: Run | None, needs: Sequence[str], traffic: Traffic | None = None) -> Decision:
    """The decision for an application that needs these, or what its traffic shows, or everything. Raises Mistake."""
    shown = {name for one in (traffic.requests if traffic else ()) for name in shown_by(one.probe.path, one.probe.wish)}
    given = bool(needs) or traffic is not None
    wanted = understood([*needs, *shown]) if given else everything()
    return decide(candidate, baseline, wanted, asked_for=given)
