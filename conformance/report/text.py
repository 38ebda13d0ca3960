"""The end of a run in a terminal: what one has to know, and enough of the rest to act on it.

Plain where the terminal is plain. What a server said is shown as text: no markup in it is read, no control character
is sent.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.rule import Rule as Line
from rich.table import Table
from rich.text import Text

from conformance.analysis.differences import Row, Sides, side_by_side
from conformance.analysis.regressions import Night, Standing, night_of
from conformance.analysis.summary import (
    Lookup,
    by_code,
    by_reason,
    exchanges_of,
    in_words,
    losses,
    resend,
    standing,
    unfinished,
)
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding
from conformance.core.reading.json import ABSENT
from conformance.core.text import legible, listed, number_of, value_text, where
from conformance.evidence.documented import BY_THE_VENDOR, Seen, tally
from conformance.evidence.record import Result
from conformance.evidence.run import Run
from conformance.report.tables import STYLES, legend, tables

FEW = 3
"""Places shown of one finding; `verbose` shows all."""

MOST = 40
"""Failed requirements told in full: a server that breaks more of them has one reason, and the first ones tell it."""

_ORDERS = re.compile(r"::(?=[A-Za-z-]+(?:::|\s))|##(?=\[|vso)")
"""What GitHub and Azure take for an order where a line begins: wrapping could bring a server's words there."""


@dataclass(frozen=True)
class Page:
    """Where to write, and how much."""

    console: Console
    lookup: Lookup
    verbose: bool

    def say(self, text: str, style: str = "", indent: int = 0) -> None:
        """A paragraph, wrapped."""
        self.show(Text(self.writable(text), style), indent)

    def show(self, what: RenderableType, indent: int = 0) -> None:
        """Anything that rich renders."""
        self.console.print(Padding(what, (0, 0, 0, indent)) if indent else what, highlight=False)

    def line(self, text: str, style: str = "") -> None:
        """One line that can be copied: only the terminal itself breaks it."""
        self.console.print(Text(self.writable(text), style), soft_wrap=True, highlight=False)

    def command(self, run: Run, x: Exchange) -> None:
        """What sends the request of an exchange again."""
        self.line(resend(run, x), "cyan")

    def head(self, title: str, style: str) -> None:
        """The beginning of a section."""
        self.console.print()
        self.console.print(Line(Text(self.writable(title), style), style="dim", align="left"))

    def writable(self, text: str) -> str:
        """The text as this terminal can encode it, and a log of a pipeline can hold it."""
        text = _ORDERS.sub(lambda match: match[0][0] + f"\\x{ord(match[0][1]):02x}", text)
        return text.encode("ascii", "backslashreplace").decode() if self.console.options.ascii_only else text


def summary(console: Console, runs: Sequence[Run], *, exchange: Lookup, verbose: bool = False) -> None:
    """Write the summary of runs that have been ruled. `exchange` gives the evidence by target and key.

    `verbose` shows every place of a finding, and evidence for what is not binding too.
    """
    if not runs:
        return
    page = Page(console, exchange, verbose)
    sides = side_by_side(runs)
    if len(runs) == 1:
        page.say(legible(": ".join(part for part in (sides.names[0], _about(runs[0])) if part), 300), "bold")
    for number, table in enumerate(tables(sides, console.width, page.writable)):
        if number:
            console.print()
        page.show(table)
    if len(runs) > 1:
        page.say(legend(sides), "dim")
        for name, run in zip(sides.names, runs, strict=True):
            if about := _about(run):
                page.say(legible(f"{name}: {about}", 300), "dim")
    _broken(page, sides)
    _advised(page, sides)
    for place, run in enumerate(runs):
        _lost(page, run, sides.names[place])
    for place, run in enumerate(runs):
        _rest(page, run, sides.names[place], several=len(runs) > 1)
    for place, run in enumerate(runs):
        _claims(page, run, sides.names[place], several=len(runs) > 1)
    for run in runs:
        _night(page, night_of(run))
    _remarks(page, runs)
    _result(page, sides)


def _about(run: Run) -> str:
    """What a target is: what its server said, and what of it is not the real thing."""
    return "; ".join(part for part in (run.engine, run.header.note) if part)


def _broken(page: Page, sides: Sides) -> None:
    rows = [row for row in sides.rows if any(result and result.ruling == "failed" for result in row.results)]
    if not rows:
        return
    page.head(f"failed: {number_of(len(rows), 'requirement')}", STYLES["failed"])
    told = rows if page.verbose else rows[:MOST]
    for row in told:
        page.console.print()
        requirement(page, row.told, STYLES["failed"])
        for place, result in enumerate(row.results):
            if result is not None and result.ruling == "failed":
                _failure(page, sides, place, result)
        if row.told.remedy:
            labelled(page, [("remedy", Text(page.writable(legible(row.told.remedy)), "green"))])
    if len(rows) > len(told):
        page.head(f"failed too: {number_of(len(rows) - len(told), 'requirement')}, in brief", STYLES["failed"])
    for row in rows[len(told) :]:
        _brief(page, sides, row, "failed")


def requirement(page: Page, told: Result, style: str) -> None:
    """Id, level, title, and the source in its own words."""
    page.show(Text.assemble((page.writable(legible(told.check)), style), "  ", (str(told.level), "bold")))
    page.say(legible(told.title), indent=2)
    if told.source is None:
        return
    name = ", ".join(part for part in (told.source.source, told.source.section) if part)
    source = Text(page.writable(f'{legible(name)}: "{legible(told.source.quote)}"'), "italic")
    lines = [("source" if told.source.oracle == "contract" else "client", source)]
    if told.source.url:
        lines.append(("", Text(page.writable(legible(told.source.url)), "dim")))
    labelled(page, lines)


def labelled(page: Page, lines: Iterable[tuple[str, Text]], indent: int = 2) -> None:
    """Lines of text with a word before each."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True, min_width=8)
    grid.add_column(overflow="fold")
    for label, text in lines:
        grid.add_row(label, text)
    page.show(grid, indent)


def _failure(page: Page, sides: Sides, place: int, result: Result) -> None:
    """What one target did: findings by code, and a command that shows it."""
    run = sides.runs[place]
    if len(sides.runs) > 1:
        alone = " (only here)" if result.check in sides.unique[place] else ""
        page.say(f"at {legible(sides.names[place])}{alone}", "bold", 2)
    if result.because:
        labelled(page, [("because", Text(page.writable(legible(result.because))))])
    show_findings(page, result)
    labelled(page, [("vendor", Text(page.writable(legible(claim.sentence)))) for claim in result.documented])
    exchanges = exchanges_of(run, result, page.lookup, most=0 if page.verbose else 1)
    for x in exchanges if result.findings else ():
        page.command(run, x)


def show_findings(page: Page, result: Result) -> None:
    """The findings of a result by code, and where they are."""
    for findings in by_code(result.findings):
        times = f" ({len(findings)} times)" if len(findings) > 1 else ""
        message = Text(page.writable(legible(findings[0].message) + times), "bold")
        labelled(
            page, [("finding", message.append(page.writable(f"  [{legible(findings[0].code, 100)}]"), "not bold dim"))]
        )
        _places(page, findings)


def _places(page: Page, findings: Sequence[Finding]) -> None:
    """Where findings of one code are, and what was expected and found there."""
    kept = findings if page.verbose else findings[:FEW]
    rows = [_place(page, finding) for finding in kept]
    columns = [name for name in ("at", "expected", "found") if any(row[name] for row in rows)]
    widths = [max(cell_len(row[name]) for row in rows) for name in columns]
    if sum(widths) + 3 * len(widths) + 12 <= page.console.width:
        grid = Table.grid(padding=(0, 3))
        for _ in columns:
            grid.add_column(overflow="fold")
        if columns:
            grid.add_row(*(Text(name, "dim") for name in columns))
        for row in rows:
            grid.add_row(*(Text(row[name]) for name in columns))
        page.show(grid, 12)
    else:
        for row in rows:
            labelled(page, [(name, Text(row[name])) for name in columns if row[name]], indent=12)
    if len(findings) > len(kept):
        page.say(f"and {len(findings) - len(kept)} more", "dim", 12)


def _place(page: Page, finding: Finding) -> dict[str, str]:
    most = 2000 if page.verbose else 200
    texts = {
        "at": where(finding.at),
        "expected": "" if finding.expected is ABSENT else value_text(finding.expected, most),
        "found": "" if finding.expected is finding.found is ABSENT else value_text(finding.found, most),
    }
    return {name: page.writable(text) for name, text in texts.items()}


def _advised(page: Page, sides: Sides) -> None:
    for ruling, what in (("advised", "a SHOULD, does not fail the run"), ("noted", "does not fail the run")):
        rows = [row for row in sides.rows if any(result and result.ruling == ruling for result in row.results)]
        if not rows:
            continue
        page.head(f"{ruling}: {number_of(len(rows), 'requirement')} ({what})", STYLES[ruling])
        for row in rows:
            _brief(page, sides, row, ruling)


def _brief(page: Page, sides: Sides, row: Row, ruling: str) -> None:
    """One requirement in a few lines: what it is and the first finding; of those noted, only what it is."""
    told = row.told
    guilty = [(place, result) for place, result in enumerate(row.results) if result and result.ruling == ruling]
    at = f" [{listed(sides.names[place] for place, _ in guilty)}]" if len(sides.runs) > 1 else ""
    check, title = page.writable(legible(told.check)), page.writable(f"{legible(told.title)}{legible(at)}")
    if cell_len(check) + cell_len(title) + 2 <= page.console.width:
        page.show(Text.assemble((check, STYLES[ruling]), "  ", title))
    else:
        page.say(check, STYLES[ruling])
        page.say(title, indent=2)
    groups = by_code(guilty[0][1].findings)
    brief = 0 if ruling == "noted" else 1
    for findings in groups if page.verbose else groups[:brief]:
        first = _place(page, findings[0])
        facts = [f"{name} {text}" for name, text in first.items() if text and name != "at"]
        before = f"{first['at']}: " if first["at"] else ""
        times = f" ({len(findings)} times)" if len(findings) > 1 else ""
        page.say(before + "; ".join([legible(findings[0].message) + times, *facts]), indent=4)
    for claim in dict.fromkeys(claim for _, result in guilty for claim in result.documented):
        page.say(legible(claim.sentence if brief or page.verbose else BY_THE_VENDOR), indent=4)
    if told.remedy and (brief or page.verbose):
        page.say(f"remedy: {legible(told.remedy)}", "green", 4)
    for place, result in guilty if page.verbose else ():
        for x in exchanges_of(sides.runs[place], result, page.lookup, most=1):
            page.command(sides.runs[place], x)


def _lost(page: Page, run: Run, name: str) -> None:
    found = losses(run, page.lookup)
    if not found:
        return
    errored = number_of(run.counts["errored"], "requirement")
    page.head(f"errored: {errored} of {legible(name)} had no evidence", STYLES["errored"])
    for loss in found:
        page.say(f"{number_of(len(loss.results), 'check')} had no evidence: {loss.what}", "bold")
        ids = listed((result.check for result in loss.results), 0 if page.verbose else 8)
        page.say(legible(ids), "dim", 4)
        if loss.cause is not None:
            if loss.cause.raw and not 200 <= (loss.cause.status or 0) < 300:
                page.say(f"it said: {legible(loss.cause.text, 300)}", indent=4)
            page.command(run, loss.cause)


def _rest(page: Page, run: Run, name: str, *, several: bool) -> None:
    """What says nothing about the server, with the reason: it must be listed, and nobody wants to read much of it."""
    at = f" at {legible(name)}" if several else ""
    for ruling in ("unsupported", "unwitnessed"):
        if not run.counts[ruling]:
            continue
        page.head(f"{ruling}{at}: {run.counts[ruling]}", "dim bold")
        for reason, results in by_reason(run.of(ruling)):
            ids = listed((result.check for result in results), 0 if page.verbose else 6)
            page.say(f"{legible(reason, 200) or 'no reason was given'}: {legible(ids)}", "dim")
    if run.counts["waived"]:
        page.head(f"waived{at}: {run.counts['waived']}", STYLES["waived"])
        for result in run.of("waived"):
            page.say(f"{legible(result.check)}: {waived_by(result)}", STYLES["waived"])


def _claims(page: Page, run: Run, name: str, *, several: bool) -> None:
    """What the vendor documents of such a target, and whether it was seen so. No verdict follows."""
    if not run.claims:
        return
    at = f" of {legible(name)}" if several else ""
    page.head(f"documented deviations{at}: {tally(run.claims)} (no verdict)", "dim bold")
    for seen in Seen:
        told = [claim for claim in run.claims if claim.seen is seen]
        if told and not page.verbose and seen is not Seen.NOT_SEEN:
            page.say(f"{seen}: {legible(listed((claim.about for claim in told), 12))}", "dim")
            continue
        for claim in told:
            instead = f"; {claim.found}" if claim.found else ""
            page.say(legible(f'{seen}: {claim.about} ("{claim.quote}"){instead}'))
            page.say(legible(claim.url), "dim", 4)


def waived_by(result: Result) -> str:
    """Why a violation is waived, by whom, and until when."""
    waiver = result.waiver
    if waiver is None:
        return legible(result.because)
    facts = [waiver.owner, f"until {waiver.until}" if waiver.until else "", waiver.issue or ""]
    return legible(f"{waiver.because} ({', '.join(fact for fact in facts if fact)})")


def _night(page: Page, night: Night | None) -> None:
    """What has changed since the baseline: what is new or stale in full, what is fixed or flaky in a line each."""
    if night is None:
        return
    page.head("since the baseline", STYLES["failed" if night.fails else "passed"])
    page.say(legible(night.in_words(), 400), "bold")
    for one in (Standing.NEW, Standing.STALE, Standing.FLAKY, Standing.FIXED, Standing.FIRST):
        found = night.of(one)
        for entry in found if page.verbose else found[:MOST]:
            style = STYLES["failed"] if entry.fails else "green" if one is Standing.FIXED else ""
            page.say(legible(f"{one}: {entry}", 400), style, 2)
        if len(found) > MOST and not page.verbose:
            page.say(f"and {len(found) - MOST} more that are {one}", "dim", 2)


def _remarks(page: Page, runs: Sequence[Run]) -> None:
    """How the runs came about, where that is not as usual, and how those go on that were broken off."""
    for run in runs:
        for remark in run.remarks:
            page.say(legible(f"{run.target}: {remark}", 600), "yellow")
        if run.footer is None and not run.header.replay_of:
            page.console.print()
            page.line(f"to finish this run: pytest --conformance-resume {short(run.directory)}", "yellow")


def _result(page: Page, sides: Sides) -> None:
    page.console.print()
    word = standing(sides.runs)
    style = {"clean": "bold green", "violations": "bold red"}.get(word, "bold yellow")
    for run, name in zip(sides.runs, sides.names, strict=True):
        alone = len(sides.runs) == 1
        code = run.footer.exit if run.footer else None
        ending = f" (exit {code}: {word})" if code is not None and alone else f" ({word})" if alone else ""
        sound = not unfinished(run) and not any(one.fails for one in run.results)
        own = style if alone else STYLES["passed" if sound else "failed"]
        page.line(f"{legible(name)}: {legible(in_words(run))}; run: {short(run.directory)}{ending}", own)
    if len(sides.runs) > 1:
        codes = {run.footer.exit for run in sides.runs if run.footer}
        ending = f" (exit {codes.pop()})" if len(codes) == 1 and None not in codes else ""
        page.line(f"{len(sides.runs)} targets: {word}{ending}; runs: {short(_common(sides.runs))}", style)


def short(directory: Path) -> str:
    """The path as short as it can be copied from here."""
    try:
        return legible(str(directory.relative_to(Path.cwd())))
    except ValueError:
        return legible(str(directory))


def _common(runs: Sequence[Run]) -> Path:
    return Path(os.path.commonpath([run.directory.absolute() for run in runs]))
