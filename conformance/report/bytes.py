"""The bytes of an answer as lines that a person can read: every byte is there, at its offset, and none of them acts.

What is printable is itself; the rest is `\\n`, `\\r`, `\\t` or `\\xNN`. A line ends after line feeds, or where it is full.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

NAMES = {0x0A: "\\n", 0x0D: "\\r", 0x09: "\\t", 0x5C: "\\\\"}
ENDS = (b"\n", b"\r")
"""What joins a line end before it: the blank line after an event stands on its line."""
LONGEST_CHARACTER = 4
"""Bytes of a character in UTF-8."""

Span = tuple[int, int]
"""Bytes from the first up to the second, which is not part of it."""


@dataclass(frozen=True)
class Line:
    """Bytes that stand on one line. `marks` are where spans lie in `text`, in characters."""

    start: int
    end: int
    text: str
    marks: tuple[Span, ...] = ()


@dataclass(frozen=True)
class Left:
    """Bytes that are not shown."""

    start: int
    end: int


def lines(data: bytes, width: int, spans: Sequence[Span] = (), *, ascii_only: bool = False) -> Iterator[Line]:
    """All of the bytes, in lines of at most `width` cells."""
    marks: list[Span] = []
    start, text, used = 0, "", 0
    for at, end, shown in _shown(data, ascii_only):
        size = cell_len(shown)
        if used and used + size > width:
            yield Line(start, at, text, _joined(marks))
            start, text, marks, used = at, "", [], 0
        if any(first < end and at < last for first, last in spans):
            marks.append((len(text), len(text) + len(shown)))
        text, used = text + shown, used + size
        if data[end - 1] == 0x0A and data[end : end + 1] not in ENDS:
            yield Line(start, end, text, _joined(marks))
            start, text, marks, used = end, "", [], 0
    if text:
        yield Line(start, len(data), text, _joined(marks))


def excerpt(every: Iterable[Line], head: int, around: int) -> Iterator[Line | Left]:
    """The first lines, and those with marks with their neighbours; between them, what was left out."""
    kept = list(every)
    close = {number for number, line in enumerate(kept) if line.marks}
    wanted = {one + step for one in sorted(close)[:head] for step in range(-around, around + 1)} | set(range(head))
    gap: int | None = None
    for number, line in enumerate(kept):
        if number in wanted:
            if gap is not None:
                yield Left(gap, line.start)
                gap = None
            yield line
        elif gap is None:
            gap = line.start
    if gap is not None:
        yield Left(gap, kept[-1].end)


def _shown(data: bytes, ascii_only: bool) -> Iterator[tuple[int, int, str]]:
    """(start, end, text) of each character, or of each byte that is part of none."""
    at = 0
    while at < len(data):
        byte = data[at]
        size = 1 if byte < 0x80 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else LONGEST_CHARACTER
        try:
            one = data[at : at + size].decode()
        except UnicodeDecodeError:
            one = ""
        if byte in NAMES:
            yield at, at + 1, NAMES[byte]
        elif one and one.isprintable() and (byte < 0x80 or not ascii_only):
            yield at, at + size, one
        else:
            yield at, at + 1, f"\\x{byte:02x}"
            size = 1
        at += size


def _joined(marks: Sequence[Span]) -> tuple[Span, ...]:
    """The marks, those that touch as one."""
    joined: list[Span] = []
    for start, end in marks:
        if joined and joined[-1][1] == start:
            start = joined.pop()[0]
        joined.append((start, end))
    return tuple(joined)
