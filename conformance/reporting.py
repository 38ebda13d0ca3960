"""Runs on disk, ruled and with their exchanges at hand: what every face of a report is rendered from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

from rich.console import Console

from conformance.deviations import marked
from conformance.exchange import Exchange
from conformance.finding import Kind
from conformance.parameters import Standing, table
from conformance.recording import Recording
from conformance.report import change, data, text
from conformance.report.comparing import Comparison, beside
from conformance.report.latency import Latency, latency
from conformance.report.run import Run, read
from conformance.requirement import Level
from conformance.target import Waiver
from conformance.verdict import Waived, rule


@dataclass
class Book:
    """Several runs side by side."""

    runs: Sequence[Run]
    _recordings: dict[Path, Recording] = field(default_factory=dict)

    @classmethod
    def of(cls, directories: Iterable[Path], today: date | None = None) -> Book:
        """The runs in these directories, ruled as of today. Raises Mistake for what is no run."""
        return cls([ruled(read(directory), today) for directory in directories])

    def exchange(self, run: Run, key: str) -> Exchange | None:
        """The exchange of a probe in a run; None where the recording has none."""
        recording = self.recording(run)
        return recording[key] if key in recording else None  # noqa: SIM401  - a Recording has no get

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
            found = self._recordings[run.directory] = Recording(run.evidence)
        return found

    def latencies(self) -> list[Latency]:
        """How fast each target answered."""
        made = []
        for run in self.runs:
            recording = self.recording(run)
            made.append(latency(recording[key] for key in recording))
        return made

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

        return html.render(self.runs, self.exchange, self.parameters(), self.latencies(), self.comparison())


def ruled(run: Run, today: date | None = None) -> Run:
    """A run with the verdicts of its own waivers and strictness, and with what is documented of its kind of target."""
    day = today or datetime.now(UTC).date()

    def one(kind: Kind, level: Level, waiver: Waiver | None) -> tuple[str, str]:
        waived = None
        if waiver is not None:
            waived = Waived(waiver.because, waiver.until)
        verdict = rule(kind, level, waived, strict=run.header.strict, today=day)
        return verdict.ruling.value, verdict.because

    return marked(run.ruled(one))
