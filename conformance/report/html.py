"""A report for a browser: one file that needs nothing else and asks nobody for anything.

It works without JavaScript and better with it. What a server said is text there, whatever it looks like: the template
escapes everything, and the page's own policy would not run or load it anyway.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from conformance.finding import Finding, Kind
from conformance.reading.json import ABSENT
from conformance.report.claims import Claim, tally
from conformance.report.diff import Row, Sides, side_by_side
from conformance.report.digest import Lookup, by_message, in_words, losses, standing
from conformance.report.legible import legible, legible_lines, listed, number_of, value_text, where
from conformance.report.panel import Panel, panel
from conformance.report.run import RULINGS, WORST_FIRST, Result, Run

TEMPLATES = Path(__file__).parent / "templates"

PLACES = 12
"""Places shown of one finding."""
PANELS = 6
"""Exchanges shown of one result."""
WEIGHT = 8_000_000
"""Characters of exchanges in the whole file: beyond that, browsers stop being pleasant."""

HEADINGS: Mapping[str, tuple[str, str]] = {
    "failed": ("Failed", "A MUST is broken, or a waiver is stale."),
    "errored": ("Could not be tested", "There was no evidence: this says nothing about the requirement."),
    "advised": ("Advised", "A SHOULD is broken: common clients break or degrade."),
    "noted": ("Noted", "A MAY is broken: nobody breaks without it."),
    "waived": ("Waived", "Broken, and somebody answers for it."),
    "unsupported": ("Unsupported", "The server says that it does not do this."),
    "unwitnessed": ("Unwitnessed", "The model never showed the behaviour, so nothing is known about the server."),
    "passed": ("Passed", "Evidence was gathered, and nothing was found."),
}


@dataclass(frozen=True)
class Told:
    """One sentence of findings, and where it applies."""

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
    documented: tuple[Claim, ...] = ()
    """What the vendor documents that this bears out."""


@dataclass(frozen=True)
class Item:
    """One requirement on the page."""

    row: Row
    anchor: str
    marks: tuple[tuple[str, str], ...]
    """(target, ruling)."""
    sides: tuple[Side, ...]
    observed: tuple[tuple[str, tuple[str, ...]], ...]
    words: str
    """What the filter looks into."""


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
        run = self.sides.runs[place]
        panels, elsewhere = [], []
        keys = _keys(result)
        for key in keys[:PANELS]:
            anchor = anchor_of(place, key)
            if anchor in self.shown:
                elsewhere.append((anchor, f"exchange {key[:8]}, shown further up"))
                continue
            x = self.lookup(run.target, key)
            if x is None:
                elsewhere.append(("", f"exchange {key[:8]} is not on disk any more"))
            elif self.left <= 0:
                elsewhere.append(("", f"exchange {key[:8]}: see exchanges.jsonl, this file is large enough"))
            else:
                told = run.header
                made = panel(x, told.base_url, told.model, result.findings, kind=told.kind, query=told.query)
                self.left -= made.weight
                self.shown.add(anchor)
                panels.append(made)
        if len(keys) > PANELS:
            elsewhere.append(("", f"and {number_of(len(keys) - PANELS, 'more exchange')} in exchanges.jsonl"))
        return tuple(panels), tuple(elsewhere)


Parameters = Sequence[tuple[str, Sequence[str]]]
"""A row for each request parameter: its name, and what became of it at each target."""


def render(runs: Sequence[Run], exchange: Lookup, parameters: Parameters = ()) -> str:
    """The whole file for runs that have been ruled. `exchange` finds evidence by target and key.

    `parameters` has a row for each optional request parameter: its name, and what became of it at each target.
    """
    sides = side_by_side(runs)
    shelf = Shelf(sides, exchange, WEIGHT)
    sections = []
    for ruling in WORST_FIRST:
        rows = [(number, row) for number, row in enumerate(sides.rows) if row.worst == ruling]
        if rows:
            items = [_item(sides, number, row, shelf) for number, row in rows]
            sections.append({"ruling": ruling, "heading": HEADINGS[ruling], "items": items})
    style, script = (TEMPLATES / "report.css").read_text("utf-8"), (TEMPLATES / "report.js").read_text("utf-8")
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            sides=sides,
            names=[legible(name, 60) for name in sides.names],
            word=standing(runs),
            targets=[_target(run, legible(name, 60)) for run, name in zip(runs, sides.names, strict=True)],
            sections=sections,
            parameters=parameters,
            claims=[(name, run.claims, tally(run.claims)) for run, name in zip(runs, sides.names, strict=True)],
            first=_first(sections),
            rulings=[one for one in RULINGS if any(run.counts[one] for run in runs)],
            lost=[(name, losses(run, exchange)) for run, name in zip(runs, sides.names, strict=True)],
            policy=policy(style, script),
            style=Markup(style),  # noqa: S704  (our own file, whose hash the policy names)
            script=Markup(script),  # noqa: S704
        )
    )


def policy(style: str, script: str = "") -> str:
    """What a browser may load and run: our own style and script, by their hashes, and nothing else."""
    scripts = _hash(script) if script else "'none'"
    return f"default-src 'none'; style-src {_hash(style)}; script-src {scripts}; base-uri 'none'; form-action 'none'"


@cache
def environment(*folders: Path) -> Environment:
    """What renders the templates of these folders and of the reports: it escapes everything."""
    made = Environment(
        loader=FileSystemLoader([*folders, TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"legible": legible, "lines": legible_lines, "listed": listed, "web": web, "ticked": ticked}
    made.globals |= {"anchor_of": anchor_of}
    return made


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def web(url: str | None) -> str:
    """The address where it is one that may be followed, else ""."""
    return url if url and re.fullmatch(r"https?://[!-~]+", url) else ""


def ticked(text: str) -> Markup:
    """Text in which what stands between backticks is code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else escape(part) for number, part in enumerate(parts)
    )


def anchor_of(place: int, key: str) -> str:
    """The anchor of an exchange of the run at a place."""
    return f"x{place}-{re.sub(r'[^A-Za-z0-9]', '', key)}"


def _target(run: Run, name: str) -> dict[str, Any]:
    header, footer = run.header, run.footer
    tokens = footer.tokens if footer else {}
    facts = {
        "kind": header.kind,
        "address": header.base_url,
        "model": header.model,
        "started": header.started,
        "took": f"{footer.seconds:.1f} s" if footer else "",
        "requests": f"{footer.requests:,}" if footer else "",
        "tokens": f"{tokens.get('prompt', 0):,} in, {tokens.get('completion', 0):,} out" if tokens else "",
        "claims": listed(sorted(header.claims)) if header.claims is not None else "",
        "suite": header.suite,
        "run": run.directory.name,
        "note": header.note,
    }
    return {
        "name": name,
        "words": legible(in_words(run)),
        "sound": standing([run]),
        "facts": {key: legible(value, 300) for key, value in facts.items() if value},
    }


def _first(sections: Sequence[Mapping[str, Any]]) -> dict[tuple[str, int, str], str]:
    """By area, place and ruling: the anchor of the first such requirement on the page."""
    found: dict[tuple[str, int, str], str] = {}
    for section in sections:
        for item in section["items"]:
            for place, result in enumerate(item.row.results):
                if result is not None:
                    found.setdefault((result.area, place, result.ruling), item.anchor)
    return found


def _item(sides: Sides, number: int, row: Row, shelf: Shelf) -> Item:
    told = row.told
    names = zip(sides.names, row.results, strict=True)
    marks = tuple((legible(name, 60), result.ruling) for name, result in names if result)
    shown = tuple(
        _side(sides, place, result, shelf)
        for place, result in enumerate(row.results)
        if result is not None and result.ruling != "passed"
    )
    messages = [said.message for side in shown for said in side.said]
    words = [told.check, told.level, told.title, *messages, *(side.reason for side in shown)]
    searched = legible(" ".join(words), 1500).casefold()
    return Item(row, f"r{number}", marks, shown, tuple(_observed(row)), searched)


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
        said=tuple(_told(message, findings, anchors) for message, findings in by_message(result.findings)),
        panels=panels,
        elsewhere=elsewhere,
        only=result.check in sides.unique[place],
        documented=result.documented,
    )


def _told(message: str, findings: Sequence[Finding], anchors: Mapping[str, str]) -> Told:
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
    return Told(legible(message, 500), tuple(places), len(findings) - len(places))


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
