"""Documented deviations of each kind of target, held against what a run saw: confirmed, not seen, or not tested.

`fixtures/kinds.yaml` has them, with the vendor's words. They are claims: none makes a violation less of one. Read from the
outcomes of a run that is on disk; nothing is asked, and no check is run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from conformance.analysis.parameters import Row, Standing, rows
from conformance.core.finding import Kind
from conformance.core.fixtures import fixtures, of_yaml
from conformance.core.mistake import Mistake, together
from conformance.evidence.documented import Claim, Seen
from conformance.evidence.run import Run

KINDS = "kinds.yaml"
STANDINGS = {"ignored": Standing.IGNORED, "refused": Standing.REFUSED}
OUTCOMES = {"violated": Kind.VIOLATED, "unsupported": Kind.UNSUPPORTED}
SERVED = (Kind.HOLDS, Kind.VIOLATED)
UNKNOWN = "no check of this run says anything about it"


@dataclass(frozen=True)
class Deviation:
    """What a vendor documents, and what would show it."""

    about: str
    quote: str
    url: str
    parameter: str = ""
    standing: str = ""
    check: str = ""
    outcome: str = "violated"
    noted: str = ""
    value: str = ""
    least: int | None = None
    untested: str = ""

    @property
    def says(self) -> str:
        """What is claimed, in a few words."""
        if self.untested:
            return ""
        if self.parameter:
            return self.standing
        if self.noted:
            return f"at least {self.least}" if self.least is not None else self.value
        return "differs" if self.outcome == "violated" else self.outcome


@cache
def deviations() -> Mapping[str, tuple[Deviation, ...]]:
    """Those that come with the suite, by kind of target."""
    return load(fixtures() / KINDS)


def load(path: Path) -> Mapping[str, tuple[Deviation, ...]]:
    """The deviations of a file. Raises Mistake for one that is not of the right form; all mistakes are told together."""
    try:
        data = of_yaml(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as problem:
        raise Mistake(f"the deviations cannot be read: {problem}", where=str(path)) from None
    wrong: list[str] = []
    found = {}
    for kind, entries in data.items() if isinstance(data, dict) else ():
        found[kind] = tuple(_entry(kind, number, value, wrong) for number, value in enumerate(entries or (), 1))
    if wrong or not found:
        told = wrong or ["there is no mapping from kinds to lists"]
        raise together([Mistake(one, where="" if len(told) > 1 else str(path)) for one in told], where=str(path))
    return found


def _entry(kind: str, number: int, value: Any, wrong: list[str]) -> Deviation:
    """One deviation, with what is wrong about it told."""
    here = f"{kind}, {number}"
    try:
        one = Deviation(**value)
    except TypeError as problem:
        wrong.append(f"{here}: {problem}".replace("Deviation.__init__() ", ""))
        return Deviation("", "", "")
    if not (one.about and one.quote and one.url.startswith("https://")):
        wrong.append(f"{here}: needs about, quote, and a url")
    if sum(map(bool, (one.parameter, one.check, one.untested))) != 1:
        wrong.append(f"{here}: needs one of parameter, check, untested")
    if bool(one.parameter) != (one.standing in STANDINGS):
        wrong.append(f"{here}: a parameter has a standing, one of {', '.join(STANDINGS)}")
    if one.outcome not in OUTCOMES:
        wrong.append(f"{here}: an outcome is one of {', '.join(OUTCOMES)}")
    if bool(one.noted) != (bool(one.value) or one.least is not None) or (one.noted and not one.check):
        wrong.append(f"{here}: noted goes with check, and with value or least")
    return one


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
    if one.parameter:
        return _of_parameter(one, parameters.get(one.parameter))
    return _of_note(one, run) if one.noted else _of_check(one, run)


def _of_parameter(one: Deviation, row: Row | None) -> Answer:
    if row is None or row.standing is Standing.UNKNOWN:
        return Seen.NOT_TESTED, UNKNOWN, ()
    if row.standing is STANDINGS[one.standing]:
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
