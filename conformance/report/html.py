"""A report for a browser: one file that needs nothing else and asks nobody for anything.

It works without JavaScript and better with it. What a server said is text there, whatever it looks like: the template
escapes everything, and the page's own policy would not run or load it anyway.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from conformance.analysis.comparison import Comparison
from conformance.analysis.differences import side_by_side
from conformance.analysis.latency import Latency
from conformance.analysis.summary import Lookup, losses, standing
from conformance.analysis.trend import Trend
from conformance.core.text import legible, legible_lines, listed
from conformance.evidence.documented import tally
from conformance.evidence.run import RULINGS, WORST_FIRST, Run
from conformance.report import comparison as change
from conformance.report import html_front as front
from conformance.report.html_entries import PLACES, WEIGHT, Shelf, anchor_of, entry
from conformance.report.side_by_side import change_line
from conformance.report.tables import SHORT

TEMPLATES = Path(__file__).parent / "templates"

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


FIELDS = 100
"""Ways in which answers differ that are told."""
Parameters = Sequence[tuple[str, Sequence[str]]]
"""A row for each request parameter: its name, and what became of it at each target."""
WORST = ("ignored", "refused", "unknown", "accepted (effect not observable)", "honoured")
"""What becomes of a parameter, in the order of what a reader wants to see first."""


def render(
    runs: Sequence[Run],
    exchange: Lookup,
    parameters: Parameters = (),
    latencies: Sequence[Latency] = (),
    comparison: Comparison | None = None,
    trends: Sequence[Trend] = (),
) -> str:
    """The whole file for runs that have been ruled. `exchange` finds their evidence by key.

    `latencies` has one for each run, `comparison` is that of the second with the first, and
    `trends` say how targets went over their runs.
    """
    sides = side_by_side(runs)
    names = [legible(name, 60) for name in sides.names]
    shelf = Shelf(sides, exchange, WEIGHT)
    changed = {} if comparison is None else _changed(comparison)
    sections: list[dict[str, Any]] = []
    for ruling in WORST_FIRST:
        rows = [(number, row) for number, row in enumerate(sides.rows) if row.worst == ruling]
        if rows:
            items = [entry(sides, number, row, shelf, changed.get(row.check, "")) for number, row in rows]
            sections.append({"ruling": ruling, "heading": HEADINGS[ruling], "items": items})
    style, script = (TEMPLATES / "report.css").read_text("utf-8"), (TEMPLATES / "report.js").read_text("utf-8")
    anchors = {item.row.check: item.anchor for section in sections for item in section["items"]}
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            sides=sides,
            names=names,
            word=standing(runs),
            verdict=front.verdict(runs, sides.names),
            when=legible(max((run.header.started for run in runs), default=""), 40),
            targets=[front.target(run, name) for run, name in zip(runs, sides.names, strict=True)],
            broken=front.broken(sides, anchors),
            cells={key: front.cell(counts, len(runs)) for key, counts in sides.matrix.items()},
            totals=[front.cell(run.counts, len(runs)) for run in runs],
            letters={ruling: SHORT[ruling] for ruling in RULINGS if SHORT[ruling]} if len(runs) > front.FEW else {},
            comparison=comparison and _compared(comparison, anchors),
            sections=sections,
            parameters=sorted(parameters, key=lambda row: min(map(_rank, row[1]), default=0)),
            speeds=front.speeds(sides.names, latencies),
            costs=list(front.costs(runs, sides.names)),
            trends=[one for one in trends if one.lines],
            claims=[(name, run.claims, tally(run.claims)) for run, name in zip(runs, sides.names, strict=True)],
            first=_first(sections),
            rulings=[one for one in RULINGS if any(run.counts[one] for run in runs)],
            lost=[(name, losses(run, exchange)) for run, name in zip(runs, sides.names, strict=True)],
            policy=policy(style, script),
            style=Markup(style),  # noqa: S704  (our own file, whose hash the policy names)
            script=Markup(script),  # noqa: S704
        )
    )


def _rank(word: str) -> int:
    return WORST.index(word) if word in WORST else len(WORST)


def _changed(comparison: Comparison) -> dict[str, str]:
    """By requirement: the first relation that holds there, in the order in which relations are told."""
    order = (*change.TOLD, *change.BRIEF)
    found: dict[str, str] = {}
    for one in sorted(comparison.differences, key=lambda one: order.index(one.relation)):
        found.setdefault(one.check, one.relation.value)
    return found


def _compared(comparison: Comparison, anchors: Mapping[str, str]) -> dict[str, Any]:
    """What differs, relation by relation; only the requirements where both sides are alike or nothing can be said."""
    told = []
    for relation in change.TOLD:
        groups = change.by_check(comparison.of(relation))
        if groups:
            rows = [
                {
                    "check": legible(group[0].check, 120),
                    "level": str(group[0].level),
                    "title": legible(group[0].title, 300),
                    "anchor": anchors.get(group[0].check, ""),
                    "said": [legible(change.sentence(one, *comparison.names), 600) for one in group[:PLACES]],
                    "more": max(len(group) - PLACES, 0),
                }
                for group in groups
            ]
            told.append({"relation": relation.value, "rows": rows})
    brief = [
        {
            "relation": relation.value,
            "reason": legible(reason, 300),
            "checks": [(legible(check, 120), anchors.get(check, "")) for check in checks],
        }
        for relation in change.BRIEF
        for reason, checks in change.by_reason(comparison.of(relation))
    ]
    return {
        "names": [legible(name, 100) for name in comparison.names],
        "words": legible(change.in_words(comparison), 500),
        "caveats": [legible(caveat, 300) for caveat in comparison.caveats],
        "told": told,
        "brief": brief,
        "fields": [
            legible(change_line(one, comparison.names, comparison.pairs), 600) for one in comparison.changes[:FIELDS]
        ],
        "more": max(len(comparison.changes) - FIELDS, 0),
    }


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


def _first(sections: Sequence[Mapping[str, Any]]) -> dict[tuple[str, int, str], str]:
    """By area, place and ruling: the anchor of the first such requirement on the page."""
    found: dict[tuple[str, int, str], str] = {}
    for section in sections:
        for item in section["items"]:
            for place, result in enumerate(item.row.results):
                if result is not None:
                    found.setdefault((result.area, place, result.ruling), item.anchor)
    return found
