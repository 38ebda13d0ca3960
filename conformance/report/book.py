"""Runs on disk, ruled and with their exchanges at hand: what every face of a report is rendered from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path

from rich.console import Console

from conformance.analysis.comparison import Comparison, beside
from conformance.analysis.deviations import marked
from conformance.analysis.history import Entry, past
from conformance.analysis.latency import Latency, latency
from conformance.analysis.parameters import Standing, table
from conformance.analysis.trend import Trend, trend
from conformance.core.exchange import Exchange
from conformance.core.finding import Outcome
from conformance.core.mistake import Mistake
from conformance.core.requirement import Level
from conformance.core.verdict import Waiver, rule
from conformance.evidence.exchanges import Recording
from conformance.evidence.journal import Torn
from conformance.evidence.run import Run, read
from conformance.report import comparison as change
from conformance.report import json as data
from conformance.report import text


@dataclass
class Book:
    """Several runs side by side."""

    runs: Sequence[Run]
    _recordings: dict[Path, Recording] = field(default_factory=dict)

    @classmethod
    def of(cls, found: Iterable[Path | Run], today: date | None = None) -> Book:
        """These runs, or those in these directories, ruled as of today. Raises Mistake for what is no run.

        What is damaged is left out, and the runs say so: what is whole is worth reading.
        """
        runs = [read(one, forgiving=True) if isinstance(one, Path) else one for one in found]
        book = cls([ruled(run, today) for run in runs])
        book.runs = [book._with_damage(run) for run in book.runs]
        return book

    def _with_damage(self, run: Run) -> Run:
        """The run, with what its recording has lost."""
        recording = self.recording(run)
        if run.footer is None and all(isinstance(one, Torn) for one in recording.lost or ()):
            return run  # it was killed, and says so
        return replace(run, damage="; ".join(part for part in (run.damage, recording.damage) if part))

    def exchange(self, run: Run, key: str) -> Exchange | None:
        """The exchange of a probe in a run; None where the recording has none."""
        return self.recording(run).get(key)

    def parameters(self) -> list[tuple[str, list[str]]]:
        """Each optional request parameter, and what became of it at each target; none where no run looked at any."""
        tables = [table(run) for run in self.runs]
        if all(standing is Standing.UNKNOWN for one in tables for standing in one.values()):
            return []
        return [(name, [one[name].value for one in tables]) for name in (tables[0] if tables else ())]

    def recording(self, run: Run) -> Recording:
        """The exchanges of a run: its own, or those of the run that it judged again."""
        found = self._recordings.get(run.directory)
        if found is None:
            found = self._recordings[run.directory] = Recording(run.evidence, forgiving=True)
        return found

    def latencies(self) -> list[Latency]:
        """How fast each target answered."""
        made = []
        for run in self.runs:
            recording = self.recording(run)
            made.append(latency(x for key in recording if (x := recording.get(key)) is not None))
        return made

    def trends(self) -> list[Trend]:
        """How each target went over its runs up to this one, where its history has several."""
        return [trend(run.target, _past(run)) for run in self.runs]

    def comparison(self) -> Comparison | None:
        """The second run beside the first; None where there are not two."""
        return beside(*self.runs) if len(self.runs) == 2 else None

    def json(self) -> str:
        """The report for programs."""
        return data.render(self.runs, self.exchange, self.latencies(), self.parameters(), self.comparison())

    def text(self, console: Console) -> None:
        """The summary for a terminal."""
        text.summary(console, self.runs, exchange=self.exchange)

    def markdown(self) -> str:
        """The summary for a pull request."""
        from conformance.report import markdown

        compared = self.comparison()
        told = change.markdown(compared) if compared else ""
        return markdown.render(self.runs, self.exchange, self.parameters(), told)

    def html(self) -> str:
        """The report for a browser."""
        from conformance.report import html  # Jinja2 is slow to import, and terminals need none

        return html.render(
            self.runs, self.exchange, self.parameters(), self.latencies(), self.comparison(), self.trends()
        )


def _past(run: Run) -> Sequence[Entry]:
    """The entries of a run's target in the history beside it, up to the run itself; none where there is no history."""
    try:
        entries = past(run.directory.resolve().parent.parent, run.target).entries
    except Mistake:
        return ()
    return [one for one in entries if one.complete and one.started <= run.header.started]


def ruled(run: Run, today: date | None = None) -> Run:
    """A run with the verdicts of its own waivers and strictness, and with what is documented of its kind of target."""
    day = today or datetime.now(UTC).date()

    def one(outcome: Outcome, level: Level, waiver: Waiver | None) -> tuple[str, str]:
        verdict = rule(outcome, level, waiver, strict=run.header.strict, today=day)
        return verdict.ruling.value, verdict.because

    return marked(run.ruled(one))
