"""A report for a pull request: a comment of GitHub or GitLab, a job summary.

It fits the size limit by leaving out details first, and says what it left out. What a server said stands in code only,
so that it mentions nobody, links nothing and is no HTML.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape

from conformance.analysis.differences import Row, Sides, side_by_side
from conformance.analysis.regressions import Entry, Standing, night_of
from conformance.analysis.summary import Lookup, by_code, by_reason, exchanges_of, in_words, losses, resend, standing
from conformance.core.finding import Finding
from conformance.core.reading.json import ABSENT
from conformance.core.text import legible, legible_lines, listed, number_of, value_text, where
from conformance.evidence.documented import BY_THE_VENDOR, Seen, tally
from conformance.evidence.record import Result
from conformance.evidence.run import RULINGS, Run

LONGEST = 60_000
"""Characters. GitHub refuses comments of more than 65,536; other things may have to go into the same one."""

CUT = "\n\n</details>\n\n> The comparison does not fit: `conformance diff` has all of it.\n"
"""Where it is cut, a folded part is open; closing one that is not does no harm."""

_SPECIAL = re.compile(r"([\\`*_\[\]<>|~&]|^[#+-])")
_MENTION = re.compile(r"([@#])(?=\w)")
_TICKS = re.compile(r"`+")


@dataclass(frozen=True)
class Detail:
    """How much is told. `missing` says what is not, for the reader."""

    answers: int = 1500
    """Characters of each answer; 0: none."""
    commands: bool = True
    places: int = 5
    """Places of each finding; 0: only how many there are."""
    rows: int = 100_000
    """Requirements in each list."""
    width: int = 300
    """Characters of a value."""
    missing: str = ""


FULL = Detail()
STEPS = (
    FULL,
    replace(FULL, answers=400, missing="the end of long answers"),
    replace(FULL, answers=0, missing="the answers"),
    replace(FULL, answers=0, places=2, width=120, missing="the answers and most places"),
    replace(FULL, answers=0, places=1, width=80, commands=False, missing="answers, commands and most places"),
    replace(FULL, answers=0, places=0, commands=False, missing="everything but the sentences of the findings"),
    Detail(0, False, 0, 100, 80, "most details, and requirements beyond the first 100 of each list"),
    Detail(0, False, 0, 20, 60, "most details, and requirements beyond the first 20 of each list"),
    Detail(0, False, 0, 3, 40, "nearly everything"),
)
"""From all to nearly nothing; the first that fits is taken."""


def render(
    runs: Sequence[Run],
    exchange: Lookup,
    parameters: Sequence[tuple[str, Sequence[str]]] = (),
    beside: str = "",
) -> str:
    """At most LONGEST characters about runs that have been ruled. `exchange` finds evidence by target and key.

    `parameters` has a row for each optional request parameter: its name, and what became of it at each target.
    `beside` is Markdown about how the second run stands to the first; it comes first, and takes a third at most.
    """
    if len(beside) > LONGEST // 3:
        beside = beside[: LONGEST // 3].rpartition("\n")[0] + CUT
    sides = side_by_side(runs)
    text = ""
    for detail in STEPS:
        text = _page(sides, exchange, detail, beside) + _parameters(sides, parameters)
        if len(text) <= LONGEST:
            return text
    return text[: LONGEST - 40].rpartition("\n")[0] + "\n\n(The rest does not fit.)\n"


def _page(sides: Sides, lookup: Lookup, detail: Detail, beside: str) -> str:
    parts = [_head(sides), _facts(sides), *_nights(sides, detail), beside.rstrip("\n"), _matrix(sides, detail)]
    if detail.missing:
        parts.append(f"> Left out to fit a comment: {detail.missing}. The whole report is in the run directory.")
    parts += _broken(sides, lookup, detail)
    parts += _minor(sides, detail)
    for place in range(len(sides.runs)):
        parts += _lost(sides, place, lookup, detail)
        parts += _rest(sides, place, detail)
        parts += _claims(sides, place, detail)
    return "\n\n".join(part for part in parts if part) + "\n"


def _nights(sides: Sides, detail: Detail) -> list[str]:
    """What has changed since the baseline, for each run that was held against one."""
    parts = []
    for night in (night_of(run) for run in sides.runs):
        if night is None:
            continue
        lines = [f"**{plain(night.in_words(), 300)}**", ""]
        for one in (Standing.NEW, Standing.STALE, Standing.FLAKY, Standing.FIXED, Standing.FIRST):
            found = night.of(one)
            lines += [f"- {one}: {_entry(entry)}" for entry in found[: detail.rows]]
            lines += _more(len(found), detail)
        parts.append("\n".join(lines).rstrip())
    return parts


def _entry(entry: Entry) -> str:
    place = f" at {code(entry.place, 120)}" if entry.place else ""
    more = "; ".join(part for part in (plain(entry.reason, 200), str(entry.tries or "")) if part)
    said = f": {code(entry.message, 200)}{place}" if entry.message else ""
    return f"**{plain(entry.check)}** {entry.level}{said}{f' ({more})' if more else ''}"


def _parameters(sides: Sides, parameters: Sequence[tuple[str, Sequence[str]]]) -> str:
    """The request parameters as a table, folded; what is silently ignored stands out."""
    if not parameters:
        return ""
    rows = [
        f"| `{name}` | " + " | ".join(f"**{word}**" if word == "ignored" else word for word in words) + " |"
        for name, words in parameters
    ]
    head = (
        f"| parameter | {' | '.join(plain(name, 60) for name in sides.names)} |\n| --- |{' --- |' * len(sides.names)}"
    )
    table = "\n".join([head, *rows])
    return f"\n<details><summary>Request parameters: honoured, refused, or ignored</summary>\n\n{table}\n\n</details>\n"


def plain(text: str, most: int = 0) -> str:
    """Text as Markdown that shows it literally."""
    return _unmentioned(_SPECIAL.sub(r"\\\1", legible(text, most)))


def _unmentioned(text: str) -> str:
    """The text with no `@name` and no `#1`, which both call somebody, escaped or not."""
    return _MENTION.sub("\\1\u200b", text)


def code(text: str, most: int = 0) -> str:
    """Text as inline code, whatever is in it."""
    text = legible(text, most)
    ticks = "`" * (max((len(run) for run in _TICKS.findall(text)), default=0) + 1)
    pad = " " if not text or text[0] == "`" or text[-1] == "`" else ""
    return f"{ticks}{pad}{text}{pad}{ticks}"


def fenced(text: str, language: str = "") -> str:
    """Text as a block of code, whatever is in it."""
    longest = max((len(run) for run in _TICKS.findall(text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def folded(summary: str, body: str) -> str:
    """A part that one opens. `summary` is HTML, `body` Markdown."""
    return f"<details><summary>{summary}</summary>\n\n{body}\n\n</details>"


def html(text: str, most: int = 0) -> str:
    """Text as HTML that shows it literally."""
    return _unmentioned(escape(legible(text, most), quote=False))


def _head(sides: Sides) -> str:
    word = standing(sides.runs)
    names = listed((plain(name, 60) for name in sides.names), 5)
    return f"## Conformance of {names}: {word}"


def _facts(sides: Sides) -> str:
    lines = []
    for run, name in zip(sides.runs, sides.names, strict=True):
        facts = [code(run.header.model, 60)] if run.header.model else []
        if run.footer:
            facts += [f"{run.footer.seconds:.0f} s", number_of(run.footer.requests, "request")]
        if run.engine:
            facts.append(plain(run.engine, 200))
        if run.header.note:
            facts.append(plain(run.header.note, 200))
        facts += [code(remark, 200) for remark in run.remarks]
        lines.append(f"- **{plain(name, 60)}**: {plain(in_words(run), 400)} ({', '.join(facts)})")
    return "\n".join(lines)


def _matrix(sides: Sides, detail: Detail) -> str:
    if len(sides.runs) == 1:
        columns = [ruling for ruling in RULINGS if sides.runs[0].counts[ruling]]
        rows = [[plain(area), *(_count(sides.matrix[area, 0][one]) for one in columns)] for area in sides.areas]
        rows.append(["**all**", *(_count(sides.runs[0].counts[one]) for one in columns)])
        return _table(["area", *columns], rows)
    places = range(len(sides.runs))
    none: Counter[str] = Counter()
    rows = [[plain(area), *(_counts(sides.matrix.get((area, one), none)) for one in places)] for area in sides.areas]
    rows.append(["**all**", *(_counts(run.counts) for run in sides.runs)])
    return _table(["area", *(plain(name, 40) for name in sides.names)], rows[-1:] if detail.rows < 20 else rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _count(count: int) -> str:
    return str(count) if count else ""


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{counts[one]} {one}" for one in RULINGS if counts[one])


def _rows(sides: Sides, ruling: str) -> list[Row]:
    return [row for row in sides.rows if any(result and result.ruling == ruling for result in row.results)]


def _more(count: int, detail: Detail) -> list[str]:
    return [f"and {count - detail.rows} more"] if count > detail.rows else []


def _broken(sides: Sides, lookup: Lookup, detail: Detail) -> list[str]:
    rows = _rows(sides, "failed")
    if not rows:
        return []
    blocks = [_failure(sides, row, lookup, detail) for row in rows[: detail.rows]]
    return [f"### Failed: {number_of(len(rows), 'requirement')}", *blocks, *_more(len(rows), detail)]


def _failure(sides: Sides, row: Row, lookup: Lookup, detail: Detail) -> str:
    told = row.told
    places = [place for place, result in enumerate(row.results) if result and result.ruling == "failed"]
    at = f" ({html(listed(sides.names[place] for place in places), 80)})" if len(sides.runs) > 1 else ""
    summary = f"<b>{html(told.check)}</b> {told.level}{at}: {html(told.title, 200)}"
    body = []
    if told.source and detail.places:
        name = ", ".join(part for part in (told.source.source, told.source.section) if part)
        link = f" {_link(told.source.url)}".rstrip()
        body.append(f"> {plain(told.source.quote, 600)}\n>\n> {plain(name, 200)}{link}")
    for place in places:
        result = row.results[place]
        if result is not None:
            body += _result(sides, place, result, lookup, detail)
    if told.remedy:
        body.append(f"**Remedy:** {plain(told.remedy, 300)}")
    return folded(summary, "\n\n".join(body))


def _result(sides: Sides, place: int, result: Result, lookup: Lookup, detail: Detail) -> list[str]:
    run, parts = sides.runs[place], []
    if len(sides.runs) > 1:
        parts.append(f"**{plain(sides.names[place], 60)}**")
    if result.because:
        parts.append(plain(result.because, 300))
    lines = []
    for findings in by_code(result.findings):
        times = f" ({len(findings)} times)" if len(findings) > 1 else ""
        lines.append(f"- {code(findings[0].message, 300)}{times} {code(f'[{findings[0].code}]', 100)}")
        lines += [f"  - {_place(finding, detail)}" for finding in findings[: detail.places]]
    lines += [f"- {BY_THE_VENDOR}: {code(claim.quote, 300)} {_link(claim.url)}" for claim in result.documented]
    parts.append("\n".join(lines))
    for x in exchanges_of(run, result, lookup, most=1) if result.findings else ():
        if detail.commands:
            parts.append(fenced(legible_lines(resend(run, x)), "sh"))
        if detail.answers and x.raw:
            answered = f"HTTP {x.status}" if x.status is not None else "no answer"
            parts.append(f"{answered}, {number_of(len(x.raw), 'byte')}:")
            parts.append(fenced(legible_lines(x.text, detail.answers)))
    return [part for part in parts if part]


def _place(finding: Finding, detail: Detail) -> str:
    facts = [f"at {code(where(finding.at), detail.width)}"] if finding.at else []
    if finding.expected is not ABSENT:
        facts.append(f"expected {code(value_text(finding.expected, detail.width))}")
    if finding.found is not ABSENT or finding.expected is not ABSENT:
        facts.append(f"found {code(value_text(finding.found, detail.width))}")
    return ", ".join(facts) or "in the answer"


def _minor(sides: Sides, detail: Detail) -> list[str]:
    parts = []
    for ruling, what in (("advised", "SHOULDs, which do not fail the run"), ("noted", "for the record")):
        rows = _rows(sides, ruling)
        if not rows:
            continue
        lines = []
        for row in rows[: detail.rows]:
            guilty = [place for place, result in enumerate(row.results) if result and result.ruling == ruling]
            at = f" ({plain(listed(sides.names[place] for place in guilty), 80)})" if len(sides.runs) > 1 else ""
            result = row.results[guilty[0]]
            finding = result.findings[0] if result and result.findings else None
            said = f": {code(finding.message, 200)}, {_place(finding, detail)}" if finding and detail.places else ""
            vendor = f", {BY_THE_VENDOR}" if result and result.documented else ""
            lines.append(f"- **{plain(row.check)}**{at} {plain(row.told.title, 200)}{said}{vendor}")
        title = f"{ruling.capitalize()}: {number_of(len(rows), 'requirement')} ({what})"
        parts.append(folded(title, "\n".join(lines + _more(len(rows), detail))))
    return parts


def _lost(sides: Sides, place: int, lookup: Lookup, detail: Detail) -> list[str]:
    found = losses(sides.runs[place], lookup)
    if not found:
        return []
    lines = []
    for loss in found[: detail.rows]:
        ids = listed((code(result.check) for result in loss.results), min(detail.rows, 30))
        lines.append(f"- {number_of(len(loss.results), 'check')} had no evidence: {code(loss.what, 300)}: {ids}")
    return [f"### Could not be tested at {plain(sides.names[place], 60)}", "\n".join(lines + _more(len(found), detail))]


def _link(url: str) -> str:
    """The address as a link, where it is one that may be followed."""
    return f"<{url}>" if re.fullmatch(r"https://[\w./#?=&%~+-]+", url) else ""


def _claims(sides: Sides, place: int, detail: Detail) -> list[str]:
    """What the vendor documents of such a target, and whether it was seen so."""
    told = sorted(sides.runs[place].claims, key=lambda claim: list(Seen).index(claim.seen))
    if not told:
        return []
    of = f" of {html(sides.names[place], 60)}" if len(sides.runs) > 1 else ""
    lines = [
        f"- **{claim.seen}**: {code(claim.about, 80)}, {code(claim.quote, detail.width)} {_link(claim.url)}"
        + (f"; {plain(claim.found, 200)}" if claim.found else "")
        for claim in told[: detail.rows]
    ]
    title = f"Documented deviations{of}: {tally(told)} (no verdict)"
    return [folded(title, "\n".join(lines + _more(len(told), detail)))]


def _rest(sides: Sides, place: int, detail: Detail) -> list[str]:
    run, parts = sides.runs[place], []
    at = f" at {html(sides.names[place], 60)}" if len(sides.runs) > 1 else ""
    for ruling in ("unsupported", "unwitnessed", "waived"):
        groups = by_reason(run.of(ruling))
        if not groups:
            continue
        lines = []
        for reason, results in groups[: detail.rows]:
            ids = listed((code(one.check) for one in results), detail.rows)
            lines.append(f"- {code(reason or 'no reason was given', 200)}: {ids}")
        title = f"{ruling.capitalize()}{at}: {run.counts[ruling]}"
        parts.append(folded(title, "\n".join(lines + _more(len(groups), detail))))
    return parts
