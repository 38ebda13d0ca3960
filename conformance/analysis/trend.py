"""How a quantity went over the last runs, as a small picture in a line of text: SVG, with no script and no colour of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Protocol

WIDTH, HEIGHT, EDGE = 96, 20, 2
MOST = 60
"""Runs that are drawn; of more, the last ones."""


def sparkline(values: Sequence[float | None], words: str) -> str:
    """A line through the values, a dot at the last; gaps where there is none. `words` say what it shows to those who cannot see it.

    "" where fewer than two values would make no line.
    """
    values = values[-MOST:]
    there = [one for one in values if one is not None]
    if len(there) < 2:
        return ""
    low, high = min(there), max(there)
    step = (WIDTH - 2 * EDGE) / (len(values) - 1)

    def at(number: int, value: float) -> tuple[float, float]:
        share = (value - low) / (high - low) if high > low else 0.5
        return round(EDGE + number * step, 1), round(HEIGHT - EDGE - share * (HEIGHT - 2 * EDGE), 1)

    path, pen = [], "M"
    for number, value in enumerate(values):
        if value is None:
            pen = "M"
            continue
        x, y = at(number, value)
        path.append(f"{pen}{x} {y}")
        pen = "L"
    last = max(number for number, value in enumerate(values) if value is not None)
    x, y = at(last, values[last] or 0.0)
    return (
        f'<svg class="trend" role="img" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}">'
        f"<title>{escape(words)}</title>"
        f'<path d="{" ".join(path)}" fill="none" stroke="currentColor" stroke-width="1.5"/>'
        f'<circle cx="{x}" cy="{y}" r="2" fill="currentColor"/></svg>'
    )


class Entry(Protocol):
    """One run of a target, as far as a trend needs it."""

    @property
    def violated(self) -> int: ...
    @property
    def musts(self) -> int: ...
    @property
    def first_token_p50(self) -> float | None: ...
    @property
    def whole_p50(self) -> float | None: ...


@dataclass(frozen=True)
class Line:
    """One quantity over the runs: what it is, how it ended, and the picture."""

    title: str
    before: str
    last: str
    picture: str


@dataclass(frozen=True)
class Trend:
    """A target over its runs; no lines where there are too few."""

    target: str
    runs: int
    lines: tuple[Line, ...]


def trend(target: str, entries: Sequence[Entry]) -> Trend:
    """What a report draws of a target's runs, oldest first."""
    quantities: tuple[tuple[str, list[float | None], str], ...] = (
        ("violated MUSTs", [one.musts for one in entries], "{:.0f}"),
        ("violated, of any level", [one.violated for one in entries], "{:.0f}"),
        ("median time to the first token", [one.first_token_p50 for one in entries], "{:.3f} s"),
        ("median time of a whole answer", [one.whole_p50 for one in entries], "{:.3f} s"),
    )
    lines = []
    for title, values, form in quantities:
        known = [value for value in values[-MOST:] if value is not None]
        if picture := sparkline(
            values, f"{title} over {len(known)} runs, from {known[0]:g} to {known[-1]:g}" if known else ""
        ):
            lines.append(Line(title, form.format(known[-2]), form.format(known[-1]), picture))
    return Trend(target, len(entries), tuple(lines))
