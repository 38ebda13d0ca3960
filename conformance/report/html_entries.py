"""The requirements as a page shows them: what became of each at every target, and the exchanges that show it.

Everything here is legible text, cut to a sensible size; an exchange is handed out once, and linked to from then on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from conformance.analysis.differences import Row, Sides
from conformance.analysis.summary import Lookup, by_code
from conformance.core.finding import Finding, Kind
from conformance.core.reading.json import ABSENT
from conformance.core.text import legible, listed, number_of, value_text, where
from conformance.evidence.documented import Claim
from conformance.evidence.record import Result
from conformance.evidence.run import WORST_FIRST
from conformance.report import html_front as front
from conformance.report.html_exchange import Panel, panel

PLACES = 12
"""Places shown of one finding."""
PANELS = 6
"""Exchanges shown of one result."""
WEIGHT = 8_000_000
"""Characters of exchanges in the whole file: beyond that, browsers stop being pleasant."""


@dataclass(frozen=True)
class Told:
    """The findings of one code, and where they apply."""

    code: str
    message: str
    places: tuple[Mapping[str, str], ...]
    """`at`, `expected`, `found`; `on` and `to`: the exchange and its anchor, where there are several."""
    more: int


@dataclass(frozen=True)
class Side:
    """What became of a requirement at one target."""

    name: str
    ruling: str
    reason: str
    waiver: str
    issue: str
    said: tuple[Told, ...]
    panels: tuple[Panel, ...]
    elsewhere: tuple[tuple[str, str], ...]
    """(anchor, words) of exchanges that are shown somewhere else on the page, or not at all (no anchor)."""
    only: bool
    others: tuple[tuple[str, Panel], ...]
    """(target, exchange): what another target answered to the same request."""
    documented: tuple[Claim, ...] = ()
    """What the vendor documents that this bears out."""


@dataclass(frozen=True)
class Item:
    """One requirement on the page."""

    row: Row
    anchor: str
    marks: tuple[tuple[str, str], ...]
    """(words, ruling): for each target, or where there are many for each ruling."""
    sides: tuple[Side, ...]
    observed: tuple[tuple[str, tuple[str, ...]], ...]
    words: str
    """What the filter looks into."""
    changed: str
    """How the second run stands to the first here; "" where there are not two, or nothing differs."""


@dataclass
class Shelf:
    """Hands out each exchange once: a second citation is a link to the first."""

    sides: Sides
    lookup: Lookup
    left: int
    shown: set[str] = field(default_factory=set)
    """Their anchors."""

    def of(self, place: int, result: Result) -> tuple[tuple[Panel, ...], tuple[tuple[str, str], ...]]:
        """The panels of a result, and what is to be said of exchanges that have none."""
        panels, elsewhere = [], []
        keys = _keys(result)
        for key in keys[:PANELS]:
            anchor = anchor_of(place, key)
            if anchor in self.shown:
                elsewhere.append((anchor, f"exchange {key[:8]}, shown further up"))
                continue
            made = self.take(place, key, result.findings)
            if made is not None:
                panels.append(made)
            elif self.left <= 0:
                elsewhere.append(("", f"exchange {key[:8]}: see exchanges.jsonl, this file is large enough"))
            else:
                elsewhere.append(("", f"exchange {key[:8]} is not on disk any more"))
        if len(keys) > PANELS:
            elsewhere.append(("", f"and {number_of(len(keys) - PANELS, 'more exchange')} in exchanges.jsonl"))
        return tuple(panels), tuple(elsewhere)

    def take(self, place: int, key: str, findings: Sequence[Finding]) -> Panel | None:
        """The panel of an exchange; None where it has been handed out, is not on disk, or would make the file too large."""
        run = self.sides.runs[place]
        anchor, told = anchor_of(place, key), run.header
        x = self.lookup(run, key) if self.left > 0 and anchor not in self.shown else None
        if x is None:
            return None
        made = panel(x, told.base_url, told.model, findings, carriage=told.carriage, query=told.query)
        self.left -= made.weight
        self.shown.add(anchor)
        return made


def entry(sides: Sides, number: int, row: Row, shelf: Shelf, changed: str) -> Item:
    told = row.told
    shown = tuple(
        _side(sides, place, result, shelf)
        for place, result in enumerate(row.results)
        if result is not None and result.ruling != "passed"
    )
    messages = [f"{said.message} {said.code}" for side in shown for said in side.said]
    words = [told.check, told.level, told.title, *messages, *(side.reason for side in shown)]
    searched = legible(" ".join(words), 1500).casefold()
    return Item(row, f"r{number}", tuple(_marks(sides, row)), shown, tuple(_observed(row)), searched, changed)


def _marks(sides: Sides, row: Row) -> Iterator[tuple[str, str]]:
    """What became of a requirement everywhere, for its line on the page."""
    judged = [(name, result.ruling) for name, result in zip(sides.names, row.results, strict=True) if result]
    if len(sides.runs) == 1:
        yield from ((ruling, ruling) for _, ruling in judged)
    elif len(sides.runs) <= front.FEW:
        yield from ((f"{legible(name, 60)} {ruling}", ruling) for name, ruling in judged)
    else:
        for ruling in WORST_FIRST:
            at = [legible(name, 40) for name, one in judged if one == ruling]
            if at:
                yield f"{ruling} {listed(at) if len(at) <= front.FEW and ruling != 'passed' else len(at)}", ruling


def _side(sides: Sides, place: int, result: Result, shelf: Shelf) -> Side:
    waiver = result.waiver
    owner = f"{waiver.owner}{f', until {waiver.until}' if waiver.until else ''}" if waiver else ""
    # A stale waiver is about no exchange: everything was as it has to be.
    panels, elsewhere = shelf.of(place, result) if result.outcome.kind is not Kind.HOLDS else ((), ())
    anchors = {finding.on: anchor_of(place, finding.on) for finding in result.findings}
    anchors = {key: anchor if anchor in shelf.shown else "" for key, anchor in anchors.items()}
    return Side(
        name=legible(sides.names[place], 60),
        ruling=result.ruling,
        reason=legible("; ".join(dict.fromkeys(one for one in (result.because, result.outcome.reason) if one)), 500),
        waiver=legible(owner, 200),
        issue=legible(waiver.issue or "", 300) if waiver else "",
        said=tuple(_told(findings, anchors) for findings in by_code(result.findings)),
        panels=panels,
        elsewhere=elsewhere,
        only=result.check in sides.unique[place],
        documented=result.documented,
        others=_others(sides, place, result, shelf, [one.key for one in panels]),
    )


def _others(
    sides: Sides, place: int, result: Result, shelf: Shelf, keys: Sequence[str]
) -> tuple[tuple[str, Panel], ...]:
    """Of two runs: what the other one answered to the same request, where it met the requirement."""
    if len(sides.runs) != 2 or result.outcome.kind is not Kind.VIOLATED:
        return ()
    run = sides.runs[1 - place]
    other = run.by_check.get(result.check)
    if other is None or other.outcome.kind is not Kind.HOLDS:
        return ()
    found = ((key, shelf.take(1 - place, key, ())) for key in keys[:1])
    return tuple((legible(sides.names[1 - place], 60), made) for _, made in found if made is not None)


def _told(findings: Sequence[Finding], anchors: Mapping[str, str]) -> Told:
    several = len(anchors) > 1
    places = [
        {
            "at": where(finding.at),
            "expected": "" if finding.expected is ABSENT else value_text(finding.expected, 800),
            "found": "" if finding.expected is finding.found is ABSENT else value_text(finding.found, 800),
            "on": finding.on[:8] if several else "",
            "to": anchors.get(finding.on, ""),
        }
        for finding in findings[:PLACES]
    ]
    code, message = legible(findings[0].code, 100), legible(findings[0].message, 500)
    return Told(code, message, tuple(places), len(findings) - len(places))


def _observed(row: Row) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each observed value by name: what it is in each run."""
    results = row.results
    for name in dict.fromkeys(name for result in results if result for name in result.outcome.observed):
        values = [result.outcome.observed.get(name, ABSENT) if result else ABSENT for result in results]
        yield legible(name, 100), tuple("" if value is ABSENT else value_text(value, 300) for value in values)


def _keys(result: Result) -> tuple[str, ...]:
    """The exchanges worth showing: those of the findings, and what they were compared with."""
    keys = dict.fromkeys(result.keys)
    if result.outcome.kind is Kind.VIOLATED:
        for case in result.outcome.evidence:
            if any(key in keys for key in case):
                keys |= dict.fromkeys(case)
    return tuple(keys)


def anchor_of(place: int, key: str) -> str:
    """The anchor of an exchange of the run at a place."""
    return f"x{place}-{re.sub(r'[^A-Za-z0-9]', '', key)}"
