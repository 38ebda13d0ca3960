"""What a person sees at the terminal: signs of life while waiting, and in the end what was found."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from conformance.reporting import Book
from conformance.verdict import Ruling

EVERY = 10.0
"""Seconds between two lines where output is no terminal, as in a job's log."""
SOON = 1.0
"""Seconds of waiting before a terminal shows a sign of life: shorter ones nobody minds."""

CATEGORIES: Mapping[str, tuple[str, str, Any]] = {
    Ruling.ADVISED: ("advised", "a", ("ADVISED", {"yellow": True})),
    Ruling.NOTED: ("noted", "n", ("NOTED", {"yellow": True})),
    Ruling.UNSUPPORTED: ("unsupported", "u", ("UNSUPPORTED", {"cyan": True})),
    Ruling.UNWITNESSED: ("unwitnessed", "w", ("UNWITNESSED", {"cyan": True})),
}
"""Rulings that pytest has no category for."""


class Waiting:
    """A line that says what is being waited for; erased on a terminal, repeated now and then in a log."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self._since: float | None = None
        self._shown = 0
        self._last = 0.0

    def __call__(self, line: str) -> None:
        """Show a line, or with "" take the last one away."""
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is None or self.config.option.verbose < 0:
            return
        now = time.monotonic()
        if not line:
            self._erase(reporter)
            self._since = None
            return
        self._since = self._since or now
        capture = self.config.pluginmanager.get_plugin("capturemanager")
        if sys.stdout.isatty() or reporter.isatty:
            if now - self._since >= SOON:
                self._rewrite(reporter, line, capture)
        elif now - max(self._last, self._since) >= EVERY:
            self._last = now
            self._write(f"\n{line}", reporter, capture)
            reporter.currentfspath = None

    def _rewrite(self, reporter: Any, line: str, capture: Any) -> None:
        width = max(20, reporter._tw.fullwidth - 1)
        if not self._shown:
            self._write("\n", reporter, capture)
        text = "".join(char if char.isprintable() else " " for char in line)[:width]
        self._write("\r" + text.ljust(self._shown), reporter, capture)
        self._shown = len(text)

    def _erase(self, reporter: Any) -> None:
        if self._shown:
            capture = self.config.pluginmanager.get_plugin("capturemanager")
            self._write("\r" + " " * self._shown + "\r", reporter, capture)
            reporter.currentfspath = None  # pytest then names the file again before its next dot
            self._shown = 0

    @staticmethod
    def _write(text: str, reporter: Any, capture: Any) -> None:
        if capture is None:
            reporter.write(text, flush=True)
            return
        with capture.global_and_fixture_disabled():
            reporter.write(text, flush=True)


def summarise(reporter: Any, directories: Iterable[Path], dead: Mapping[str, str]) -> None:
    """Write what the runs found, and which targets could not be tested."""
    console = Console(file=reporter._tw._file, width=max(60, min(reporter._tw.fullwidth, 120)), highlight=False)
    for message in dead.values():
        console.print(f"could not test {message}", style="bold red", markup=False)
    if runs := list(directories):
        Book.of(runs).text(console)
