"""The decision for a terminal: what an engineer reads before opening the report. The proof is in the files."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from conformance.analysis.migration.decision import UNKNOWN, Answer, Decision, Limit, Weight
from conformance.core.text import legible, listed, number_of, value_text, where
from conformance.report.migration.markdown import HEADINGS, needs_in_words

STYLES = {
    Answer.READY.value: "bold green",
    Answer.LIMITED.value: "bold yellow",
    Answer.NOT_READY.value: "bold red",
    UNKNOWN: "bold red",
}


def tell(console: Console, decision: Decision) -> None:
    """Write the decision."""
    other = f" in place of {legible(decision.baseline.target, 60)}" if decision.baseline else ""
    name = legible(decision.candidate.target, 60)
    console.print(Text.assemble((decision.answer.value, STYLES[decision.answer.value]), f"  {name}{other}"))
    console.print(Text(f"{decision.because[:1].upper()}{decision.because[1:]}."))
    console.print(Text(needs_in_words(decision), style="dim"))
    console.print()
    console.print(_features(decision))
    for weight in (Weight.BLOCKS, Weight.LIMITS):
        if limits := decision.of(weight):
            console.print(Rule(f"{HEADINGS[weight].lower()}: {len(limits)}", align="left", style="dim"))
            for limit in limits:
                console.print(
                    Text.assemble(
                        (limit.result.check, "bold"), f"  {limit.result.level}  ", legible(limit.result.title, 300)
                    )
                )
                console.print(Padding(_facts(limit), (0, 0, 0, 2)))
    if decision.untested:
        count = sum(len(one.what) for one in decision.untested)
        console.print(Rule(f"not tested: {count}", align="left", style="dim"))
        for one in decision.untested:
            console.print(Text(f"{legible(one.why, 200)}: {listed(one.what, 6)}"))
    for weight in (Weight.BEFORE, Weight.COSMETIC):
        if limits := decision.of(weight):
            ids = listed((one.result.check for one in limits), 12)
            console.print(
                Text(f"{HEADINGS[weight].lower()}: {number_of(len(limits), 'requirement')}: {ids}", style="dim")
            )
    if decision.improved:
        console.print(Text(f"better than today: {listed(decision.improved, 12)}", style="dim"))


def _features(decision: Decision) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("feature", "answer"):
        table.add_column(heading, no_wrap=True)
    for heading in ("holds", "broken", "not tested"):
        table.add_column(heading, justify="right")
    for one in decision.features:
        counts = (str(one.held), str(one.broken or "-"), str(one.untested or "-"))
        table.add_row(one.feature, Text(one.answer, style=STYLES[one.answer]), *counts)
    return table


def _facts(limit: Limit) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    for name, text in dict.fromkeys(_lines(limit)):
        table.add_row(name, Text(text))
    return table


def _lines(limit: Limit) -> Iterator[tuple[str, str]]:
    result = limit.result
    yield "for whom", f"{limit.impact.meaning} ({', '.join(limit.needed_for)})"
    for finding in result.findings[:2]:
        at = f" at {where(finding.at)}" if finding.at else ""
        values = f": expected {value_text(finding.expected, 80)}, found {value_text(finding.found, 80)}"
        yield "found", f"{legible(finding.message, 200)}{at}{values}"
    if not result.findings and result.outcome.reason:
        yield "found", legible(result.outcome.reason, 200)
    if result.waiver:
        yield "waived", legible(result.waiver.because, 200)
    if result.remedy:
        yield "remedy", legible(result.remedy, 300)
