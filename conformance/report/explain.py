"""One requirement at one target, down to the bytes: what is asked of the server, what it did, when, and where in its answer.

For a terminal. Without colours a span is underlined with carets, so that a log shows it as well.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from conformance.analysis.latency import beat_of
from conformance.analysis.summary import Lookup, in_words, losses
from conformance.core.exchange import Exchange
from conformance.core.finding import Kind
from conformance.core.text import legible, number_of, value_text
from conformance.evidence.record import Result
from conformance.evidence.run import WORST_FIRST, Run
from conformance.report.bytes import Left, Line, Span, excerpt, lines
from conformance.report.pointing import mark_of
from conformance.report.tables import STYLES
from conformance.report.text import Page, labelled, requirement, short, show_findings, waived_by

HEAD, AROUND = 24, 2
"""Lines of bytes at the beginning, and on both sides of what a finding is about; `whole` shows all."""
EXCHANGES = 4
"""Exchanges that are shown; `whole` shows all."""
OFFSETS, TIMES = 9, 15
"""Columns for an offset and the mark beside it; for the time and the number of an event."""
MARKED = "bold reverse"


def explain(console: Console, run: Run, result: Result, lookup: Lookup, *, whole: bool = False) -> None:
    """Write all there is to know about a result of a run that has been ruled; `lookup` finds its exchanges."""
    page = Page(console, lookup, verbose=True)
    style = STYLES[result.ruling]
    requirement(page, result, style)
    _standing(page, run, result, style)
    cited = _keys(result)
    found = [(key, lookup(run, key)) for key in cited]
    for number, (key, x) in enumerate(found if whole else found[:EXCHANGES], 1):
        if x is None:
            page.head(f"exchange {legible(key[:8])} is not on disk any more", "dim")
            continue
        _exchange(page, run, x, result, f"exchange {number} of {len(found)}", whole)
    if not whole and len(found) > EXCHANGES:
        page.console.print()
        page.say(f"{number_of(len(found) - EXCHANGES, 'more exchange')}: --whole shows them", "dim")
    if not found:
        page.console.print()
        page.say("No exchange belongs to it: nothing was asked.", "dim")


def overview(console: Console, run: Run, lookup: Lookup) -> None:
    """Write the list of what `explain` can be asked about: every requirement, the worst first."""
    page = Page(console, lookup, verbose=False)
    page.say(legible(f"{run.target}: {in_words(run)}"), "bold")
    page.say(f"run: {short(run.directory)}, started {legible(run.header.started)}", "dim")
    for ruling in WORST_FIRST:
        results = run.of(ruling)
        if not results:
            continue
        page.head(f"{ruling}: {len(results)}", STYLES[ruling])
        for result in results:
            _listed(page, result)
    page.console.print()
    for loss in losses(run, lookup):
        page.say(f"{number_of(len(loss.results), 'check')} had no evidence: {loss.what}", "dim")
    page.say("`conformance show RUN CHECK` explains one of them.", "dim")


def _listed(page: Page, result: Result) -> None:
    check, title = page.writable(legible(result.check)), page.writable(legible(result.title))
    line = Text.assemble((check, STYLES[result.ruling]), "  ", title)
    if cell_len(line.plain) <= page.console.width:
        page.show(line)
    else:
        page.show(Text(check, STYLES[result.ruling]))
        page.say(legible(result.title), indent=2)


def _standing(page: Page, run: Run, result: Result, style: str) -> None:
    outcome = result.outcome
    rows = [
        ("at", Text(page.writable(legible(f"{run.target} ({run.header.base_url}, {run.header.model or 'no model'})"))))
    ]
    said = f"{outcome.kind}, {result.ruling}" if str(outcome.kind) != result.ruling else result.ruling
    reason = "; ".join(one for one in (result.because, outcome.reason) if one)
    rows.append(("outcome", Text(page.writable(f"{said}{f': {legible(reason, 400)}' if reason else ''}"), style)))
    if result.waiver:
        rows.append(("waiver", Text(page.writable(waived_by(result)))))
    if result.requires:
        rows.append(("requires", Text(page.writable(legible(", ".join(result.requires))))))
    rows += [
        ("observed", Text(page.writable(f"{legible(name, 80)}: {value_text(value, 400)}")))
        for name, value in outcome.observed.items()
    ]
    if result.remedy:
        rows.append(("remedy", Text(page.writable(legible(result.remedy)), "green")))
    labelled(page, rows)
    show_findings(page, result)


def _keys(result: Result) -> list[str]:
    """The exchanges with findings first, then those that they were compared with."""
    keys = dict.fromkeys(result.keys)
    if result.outcome.kind is Kind.VIOLATED:
        keys |= dict.fromkeys(
            key for case in result.outcome.evidence if any(one in keys for one in case) for key in case
        )
    return list(keys)


def _exchange(page: Page, run: Run, x: Exchange, result: Result, name: str, whole: bool) -> None:
    findings = [one for one in result.findings if one.on in ("", x.key)]
    marks = [mark_of(x, one) for one in findings]
    page.head(f"{name}: {legible(x.key[:8])}{'' if findings else ', for comparison'}", "bold")
    page.command(run, x)
    page.console.print()
    _answer_head(page, x, {mark.header for mark in marks if mark.header})
    _timing(page, x)
    if x.body:
        page.console.print()
        _body(page, x, [mark.span for mark in marks if mark.span], whole)


def _answer_head(page: Page, x: Exchange, marked: set[str]) -> None:
    status = "no answer" if x.status is None else f"{legible(x.http, 20)} {x.status}"
    page.show(Text(page.writable(status), f"bold {MARKED}" if "status" in marked else "bold"))
    for header, value in x.headers:
        guilty = header.lower() in marked
        text = f"{'> ' if guilty else '  '}{legible(header, 100)}: {legible(value, 300)}"
        page.say(text, MARKED if guilty else "dim")
    if str(x.ending) != "done":
        page.say(f"it ended so: {legible(str(x.ending), 300)}", STYLES["failed"])
    for wait in x.waits[:10]:
        page.say(f"answered {wait.status} before, and was asked again after {wait.seconds:g} s", "dim")


def _timing(page: Page, x: Exchange) -> None:
    """The moments of an answer, and a line on which they lie."""
    moments = [("headers", x.answered), ("first bytes", x.chunks[0].at if x.chunks else None)]
    beat = beat_of(x) if x.streamed else None
    moments += [("first token", beat.first if beat else None), ("end", x.ended)]
    told = [f"{name} {seconds:.3f} s" for name, seconds in moments if seconds is not None]
    counts = [number_of(len(x.chunks), "read"), number_of(len(x.raw), "byte")]
    page.console.print()
    page.say(", ".join(told))
    page.say(", ".join(counts + ([number_of(len(x.events), "event")] if x.streamed else [])), "dim")
    if x.streamed and len(x.chunks) > 1:
        page.show(Text(page.writable(_strip(x, page.console.width - 2, page.console.options.ascii_only)), "blue"))


def _strip(x: Exchange, width: int, ascii_only: bool) -> str:
    """When the reads of a stream came, from the request on the left to the end on the right."""
    empty, full = ("-", "|") if ascii_only else ("·", "┃")
    cells = [empty] * width
    last = max(x.ended, x.chunks[-1].at, 1e-6)
    for chunk in x.chunks:
        cells[min(int(chunk.at / last * width), width - 1)] = full
    return "".join(cells)


def _body(page: Page, x: Exchange, spans: Sequence[Span], whole: bool) -> None:
    if x.packed:
        page.say(f"unpacked from {number_of(len(x.raw), 'byte')}; offsets are of what is shown", "dim")
    ascii_only = page.console.options.ascii_only
    every = list(
        lines(
            x.body, max(page.console.width - (TIMES if x.streamed else 0) - OFFSETS, 20), spans, ascii_only=ascii_only
        )
    )
    begins = {event.span[0]: number for number, event in enumerate(x.events)} if x.streamed else {}
    columns = f"{'s':>8} {'event':>5} " if x.streamed else ""
    page.show(Text(f"{columns}{'byte':>7}", "dim"))
    for line in every if whole else excerpt(every, HEAD, AROUND):
        left = ""
        if x.streamed:
            number = begins.get(line.start)
            at = "" if number is None or x.packed else f"{x.at_byte(x.events[number].span[1] - 1):.3f}"
            left = f"{at:>8} {'' if number is None else number:>5} " if isinstance(line, Line) else " " * TIMES
        if isinstance(line, Left):
            more = number_of(line.end - line.start, "byte")
            page.show(Text(f"{left}{'…' if not ascii_only else '...':>7}  {more} more (--whole shows them)", "dim"))
        else:
            _line(page, left, line)


def _line(page: Page, left: str, line: Line) -> None:
    text = Text(line.text)
    for start, end in line.marks:
        text.stylize(MARKED, start, end)
    sign = "> " if line.marks else "  "
    # One piece, unwrapped: `lines` has made it fit.
    page.console.print(Text.assemble((f"{left}{line.start:>7}", "dim"), sign, text), soft_wrap=True, highlight=False)
    if line.marks and page.console.color_system is None and line.marks != ((0, len(line.text)),):
        carets = "".join(
            "^" * cell_len(line.text[at])
            if any(start <= at < end for start, end in line.marks)
            else " " * cell_len(line.text[at])
            for at in range(len(line.text))
        )
        page.console.print(Text(" " * (len(left) + OFFSETS) + carets.rstrip()), soft_wrap=True, highlight=False)
