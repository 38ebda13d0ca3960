"""Documented deviations of each kind of target, held against what a run saw: confirmed, not seen, or not tested.

`fixtures/kinds.yaml` has them, with the vendor's words. They are claims: none makes a violation less of one. Read from the
outcomes of a run that is on disk; nothing is asked, and no check is run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from conformance.analysis.parameters import Row, Standing, rows
from conformance.core.documents import Written, document, shipped
from conformance.core.finding import Kind
from conformance.evidence.documented import Claim, Seen
from conformance.evidence.run import Run

KINDS = "kinds.yaml"
STANDINGS = {"ignored": Standing.IGNORED, "refused": Standing.REFUSED}
OUTCOMES = {"violated": Kind.VIOLATED, "unsupported": Kind.UNSUPPORTED}
SERVED = (Kind.HOLDS, Kind.VIOLATED)
UNKNOWN = "no check of this run says anything about it"


class Deviation(Written):
    """What a vendor documents, and what would show it."""

    about: str
    quote: str
    url: Annotated[str, Field(pattern="^https://")]
    parameter: str = ""
    standing: Literal["ignored", "refused"] | None = None
    check: str = ""
    outcome: Literal["violated", "unsupported"] = "violated"
    noted: str = ""
    value: str = ""
    least: int | None = None
    untested: str = ""

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if sum(map(bool, (self.parameter, self.check, self.untested))) != 1:
            raise ValueError("needs one of parameter, check, untested")
        if bool(self.parameter) != bool(self.standing):
            raise ValueError("needs a standing with a parameter, and only there")
        if bool(self.noted) != (bool(self.value) or self.least is not None) or (self.noted and not self.check):
            raise ValueError("needs a check and a value or least with noted, and only there")
        return self

    @property
    def says(self) -> str:
        """What is claimed, in a few words."""
        if self.untested:
            return ""
        if self.standing:
            return self.standing
        if self.noted:
            return f"at least {self.least}" if self.least is not None else self.value
        return "differs" if self.outcome == "violated" else self.outcome


@cache
def deviations() -> Mapping[str, tuple[Deviation, ...]]:
    """Those that come with the suite, by kind of target."""
    return shipped(KINDS, dict[str, tuple[Deviation, ...]])


def load(path: Path) -> Mapping[str, tuple[Deviation, ...]]:
    """The deviations of a file. Raises Mistake for one that is not of the right form; all mistakes are told together."""
    return document(path, dict[str, tuple[Deviation, ...]])


Answer = tuple[Seen, str, tuple[str, ...]]
"""What was seen, what was seen instead, and which checks show it."""


def claims(run: Run) -> tuple[Claim, ...]:
    """What the run says of the deviations that are documented for its kind of target, in the order of the file."""
    documented = deviations().get(run.header.kind, ())
    if not documented:
        return ()
    parameters = {row.parameter: row for row in rows(run)}
    return tuple(_claim(one, run, parameters) for one in documented)


def marked(run: Run) -> Run:
    """The run with its claims, and with every violation that one of them covers marked as documented by the vendor."""
    told = claims(run)
    by_check: dict[str, list[Claim]] = {}
    for claim in told:
        for check in claim.checks if claim.seen is Seen.CONFIRMED else ():
            by_check.setdefault(check, []).append(claim)
    results = tuple(
        replace(result, documented=tuple(by_check[result.check]))
        if result.check in by_check and result.outcome.kind is Kind.VIOLATED
        else result
        for result in run.results
    )
    return replace(run, results=results, claims=told)


def _claim(one: Deviation, run: Run, parameters: Mapping[str, Row]) -> Claim:
    return Claim(one.about, one.says, one.quote, one.url, *_answer(one, run, parameters))


def _answer(one: Deviation, run: Run, parameters: Mapping[str, Row]) -> Answer:
    if one.untested:
        return Seen.NOT_TESTED, one.untested, ()
    if one.standing:
        return _of_parameter(one, parameters.get(one.parameter))
    return _of_note(one, run) if one.noted else _of_check(one, run)


def _of_parameter(one: Deviation, row: Row | None) -> Answer:
    if row is None or row.standing is Standing.UNKNOWN:
        return Seen.NOT_TESTED, UNKNOWN, ()
    if one.standing and row.standing is STANDINGS[one.standing]:
        return Seen.CONFIRMED, "", row.checks
    if row.standing is Standing.ACCEPTED:  # as good as ignored, for all that can be seen: no reason to doubt the vendor
        found = "it is taken, and its effect cannot be observed" if one.standing == "ignored" else "it is taken"
        return (Seen.NOT_TESTED if one.standing == "ignored" else Seen.NOT_SEEN), found, row.checks
    return Seen.NOT_SEEN, f"it is {row.standing.value}", row.checks


def _of_note(one: Deviation, run: Run) -> Answer:
    result = run.by_check.get(one.check)
    value = result.outcome.observed.get(one.noted) if result else None
    if result is None or value is None:
        return Seen.NOT_TESTED, UNKNOWN, ()
    values = value if isinstance(value, list) else [value]
    enough = one.least is not None and any(isinstance(each, int) and each >= one.least for each in values)
    fits = enough or (one.least is None and one.value in values)
    found = ", ".join(map(str, values)) or "none"
    return (Seen.CONFIRMED, "", (one.check,)) if fits else (Seen.NOT_SEEN, f"seen: {found}", (one.check,))


def _of_check(one: Deviation, run: Run) -> Answer:
    result = run.by_check.get(one.check)
    kind = result.outcome.kind if result else None
    if result is None or kind in (Kind.ERRORED, Kind.UNWITNESSED):
        return Seen.NOT_TESTED, result.outcome.reason if result and result.outcome.reason else UNKNOWN, ()
    if kind is OUTCOMES[one.outcome]:
        return Seen.CONFIRMED, "", (one.check,)
    if kind not in SERVED:
        return Seen.NOT_TESTED, result.outcome.reason, ()
    return Seen.NOT_SEEN, "it is as OpenAI has it" if kind is Kind.HOLDS else "it is served", (one.check,)
