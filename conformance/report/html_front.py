"""What the page for a browser says before its requirements: the verdict, the targets, what is broken, areas, speed and cost.

Data for templates, all of it legible text or numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log10
from typing import Any

from conformance.analysis.differences import Sides
from conformance.analysis.latency import Latency, Spread
from conformance.analysis.summary import in_words, score, standing, unfinished
from conformance.core.requirement import Level
from conformance.core.text import legible, listed
from conformance.evidence.run import RULINGS, Run
from conformance.report.tables import SHORT

BAR = 1000
"""Width of a bar, in its own units."""
FEW = 3
"""Targets up to which a cell of the matrix has room for words."""
MOST = 12
"""Broken requirements named at the top; the rest is further down."""
DECADES = (-3, 2)
"""The ends of the scale of times, as powers of ten: a millisecond, and a hundred seconds."""

QUANTITIES = (
    ("first_byte", "time to first byte", "streams: from the request to the first bytes"),
    ("first_token", "time to first token", "streams: to the first event with text, a thought or a call"),
    ("between", "between tokens", "streams: mean of each"),
    ("whole", "whole answer", "answers that are no stream"),
)


@dataclass(frozen=True)
class Slice:
    """Some of a whole, of one ruling."""

    ruling: str
    count: int
    start: float = 0.0
    width: float = 0.0
    """On a bar."""
    words: str = ""


def verdict(runs: Sequence[Run], names: Sequence[str]) -> str:
    """The result in one sentence: what a reader who stops here takes along."""
    if len(runs) == 1:
        return legible(in_words(runs[0]), 300)
    at: dict[str, list[str]] = {}
    for run, name in zip(runs, names, strict=True):
        word = standing([run])
        count = run.counts[COUNTED[word]] if word in COUNTED else 0
        at.setdefault(word, []).append(f"{name} ({count})" if count else name)
    return "; ".join(f"{said} {legible(listed(at[word], 6), 300)}" for word, said in WORDS.items() if word in at)


WORDS: Mapping[str, str] = {
    "violations": "requirements are broken at",
    "could not test": "not all could be tested at",
    "clean": "nothing is broken at",
}
COUNTED: Mapping[str, str] = {"violations": "failed", "could not test": "errored"}


def target(run: Run, name: str) -> dict[str, Any]:
    """What the page says of one target."""
    header, footer = run.header, run.footer
    must, should = score(run, Level.MUST), score(run, Level.SHOULD)
    untested = [f"{run.counts[one]} {one}" for one in ("errored", "unsupported", "unwitnessed") if run.counts[one]]
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
        "name": legible(name, 60),
        "words": legible(in_words(run), 500),
        "lacks": bool(unfinished(run)),
        "standing": standing([run]),
        "bar": slices(run.counts),
        "must": str(must),
        "must_broken": must.broken,
        "should": str(should),
        "untested": listed(untested) or "nothing",
        "errored": run.counts["errored"],
        "remarks": [legible(one, 300) for one in run.remarks],
        "facts": {key: legible(value, 300) for key, value in facts.items() if value},
    }


def slices(counts: Counter[str]) -> tuple[Slice, ...]:
    """The counts as parts of a bar, in the order of a table's columns."""
    whole, start, made = sum(counts.values()) or 1, 0.0, []
    for ruling in RULINGS:
        if counts[ruling]:
            width = round(counts[ruling] * BAR / whole, 2)
            made.append(Slice(ruling, counts[ruling], round(start, 2), width, f"{counts[ruling]} {ruling}"))
            start += width
    return tuple(made)


def cell(counts: Counter[str], targets: int) -> tuple[Slice, ...]:
    """The counts of an area at a target: in words, or in letters where many targets share the table."""
    return tuple(
        Slice(one, counts[one], words=f"{counts[one]} {one}" if targets <= FEW else f"{counts[one]}{SHORT[one]}")
        for one in RULINGS
        if counts[one]
    )


def speeds(names: Sequence[str], latencies: Sequence[Latency]) -> list[dict[str, Any]]:
    """For each quantity that was measured anywhere: a row for each target, with its place on a common scale."""
    made = []
    for member, title, how in QUANTITIES:
        spreads: list[Spread] = [getattr(one, member) for one in latencies]
        if any(spread.count for spread in spreads):
            rows = [_speed(legible(name, 60), spread) for name, spread in zip(names, spreads, strict=True)]
            made.append({"title": title, "how": how, "rows": rows})
    return made


def _speed(name: str, spread: Spread) -> dict[str, Any]:
    ends = [spread.p50, spread.p95, spread.p99, spread.longest]
    return {
        "name": name,
        "count": f"{spread.count:,}",
        "times": [seconds(one) for one in ends],
        "places": None if spread.count == 0 else [_place(one) for one in ends],
    }


def _place(value: float | None) -> float:
    """Where a time lies on the scale, which is logarithmic."""
    low, high = DECADES
    return round(BAR * min(max((log10(max(value or 0.0, 1e-9)) - low) / (high - low), 0.0), 1.0), 1)


def seconds(value: float | None) -> str:
    """A time that a person can compare: in milliseconds below a second."""
    if value is None:
        return "–"
    if value >= 1:
        return f"{value:,.2f} s"
    return f"{value * 1000:.1f} ms" if value < 0.01 else f"{value * 1000:.0f} ms"


def costs(runs: Sequence[Run], names: Sequence[str]) -> Iterator[dict[str, str]]:
    """What each run took: requests, tokens, time, and money where there is a price."""
    for run, name in zip(runs, names, strict=True):
        footer = run.footer
        tokens = footer.tokens if footer else {}
        yield {
            "name": legible(name, 60),
            "requests": f"{footer.requests:,}" if footer else "–",
            "prompt": f"{tokens.get('prompt', 0):,}" if tokens else "–",
            "completion": f"{tokens.get('completion', 0):,}" if tokens else "–",
            "took": f"{footer.seconds:,.1f} s" if footer else "–",
            "money": "no price given" if run.spent is None else f"{run.spent:,.4f}",
        }


def broken(sides: Sides, anchors: Mapping[str, str]) -> dict[str, Any]:
    """The requirements that fail, one line each: the binding ones first, and of those what most targets break.

    `anchors` says where on the page each is told.
    """
    rows = [row for row in sides.rows if _failing(row.results)]
    rows.sort(key=lambda row: (list(Level).index(row.told.level), -len(_failing(row.results))))
    named = [
        {
            "check": legible(row.check, 120),
            "title": legible(row.told.title, 300),
            "level": str(row.told.level),
            "anchor": anchors[row.check],
            "at": listed((legible(sides.names[place], 60) for place in _failing(row.results)), 4),
        }
        for row in rows[:MOST]
    ]
    return {"named": named, "more": len(rows) - MOST, "count": len(rows)}


def _failing(results: Sequence[Any]) -> list[int]:
    return [place for place, result in enumerate(results) if result and result.ruling == "failed"]
