"""What a person sees at the terminal: signs of life while waiting, and in the end what was found."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import pytest
from rich.console import Console

from conformance.analysis.comparison import Comparison
from conformance.core.verdict import Ruling
from conformance.evidence.run import Run
from conformance.report import comparison as change
from conformance.report.book import Book

EVERY = 10.0
"""Seconds between two lines where output is no terminal, as in a job's log."""
SAVE, RESTORE, CLEAR = "\x1b7", "\x1b8", "\x1b[K"
"""Of the cursor's place; and what is right of it."""
NARROWEST = 20
"""Columns below which a line says nothing."""
SOON = 1.0
"""Seconds of waiting before a terminal shows a sign of life: shorter ones nobody minds."""

CATEGORIES: Mapping[str, tuple[str, str, Any]] = {
    Ruling.ADVISED: ("advised", "a", ("ADVISED", {"yellow": True})),
    Ruling.NOTED: ("noted", "n", ("NOTED", {"yellow": True})),
    Ruling.UNSUPPORTED: ("unsupported", "u", ("UNSUPPORTED", {"cyan": True})),
    Ruling.UNWITNESSED: ("unwitnessed", "w", ("UNWITNESSED", {"cyan": True})),
}
"""Rulings that pytest has no category for."""
BESIDE = ("baseline", "b", ("BASELINE", {"cyan": True}))
"""A check of the target that others are compared with."""


class Waiting:
    """A line that says what is being waited for; erased on a terminal, repeated now and then in a log."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self._since: float | None = None
        self._shown = False
        self._last = 0.0

    def __call__(self, line: str) -> None:
        """Show a line, or with "" take the last one away."""
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is None or self.config.option.verbose < 0:
            return
        now = time.monotonic()
        if not line:
            if self._shown:
                self._write(CLEAR)
            self._since, self._shown = None, False
            return
        self._since = self._since or now
        if sys.stdout.isatty() or reporter.isatty:
            if now - self._since >= SOON:
                self._rewrite(line)
        elif now - max(self._last, self._since) >= EVERY:
            self._last = now
            self._write(f"\n{line}\n")
            reporter.currentfspath = None

    def _rewrite(self, line: str) -> None:
        """Write to the right of pytest's dots, and put the cursor back to where the next dot goes."""
        writer = self.config.get_terminal_writer()
        room = writer.fullwidth - writer.width_of_current_line - 3
        if room >= NARROWEST:
            text = "".join(char if char.isprintable() else " " for char in line)
            self._write(f"{SAVE}  {text[:room]}{CLEAR}{RESTORE}")
            self._shown = True

    def _write(self, text: str) -> None:
        capture = self.config.pluginmanager.get_plugin("capturemanager")
        with capture.global_and_fixture_disabled() if capture is not None else nullcontext():
            # Raw: else pytest would count these characters as part of its line.
            self.config.get_terminal_writer().write_raw(text, flush=True)


def summarise(width: int, runs: Iterable[Run], dead: Mapping[str, str], comparisons: Sequence[Comparison] = ()) -> None:
    """Write what changed, what the runs found, and which targets could not be tested."""
    console = Console(width=max(60, min(width, 120)), highlight=False)
    for message in dead.values():
        console.print(f"could not test {message}", style="bold red", markup=False)
    for one in comparisons:
        change.told(console, one)
    if found := list(runs):
        Book.of(found).text(console)
    for one in comparisons:
        console.print(change.in_words(one), style=change.style(one), markup=False, soft_wrap=True)
