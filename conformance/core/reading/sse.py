"""Server-sent events from bytes: what the WHATWG rules make of them, where each event lies, and what had to be forgiven.

Reading never fails. What a strict reader would stumble over is reported in `Stream.oddities`; what the rules drop
silently (a last event without its blank line) is kept in `Stream.unfinished`, because losing it is the point on trial.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

LINE_END = re.compile(rb"\r\n|\r|\n")
BOM = b"\xef\xbb\xbf"
END = re.compile(rb"data: ?\[DONE\]")
KEPT = 16
"""Bytes of an unfinished line that tell what it is."""


@dataclass(frozen=True, slots=True)
class Event:
    """One block of fields between blank lines. `span` is its (start, end) byte offsets in the body, end exclusive."""

    data: str
    """All `data` lines joined by newlines. Empty where `has_data` is false."""
    span: tuple[int, int]
    name: str = ""
    """The `event` field."""
    has_data: bool = True
    """Whether there was any `data` line at all; browsers do not dispatch events without one."""
    data_lines: int = 1
    fields: tuple[str, ...] = ()
    """The names of the fields in order."""


class Progress:
    """How far a stream has come, read by read: events with data, lines, and whether `[DONE]` was there.

    For whoever receives a stream and has to decide when to stop. Reads may end anywhere, also within a line end.
    """

    def __init__(self) -> None:
        self.events = 0
        self.lines = 0
        self.done = False
        self._rest = b""
        self._half = False
        self._data = False

    def hear(self, data: bytes) -> None:
        """Take the bytes of one read."""
        if self._half and data.startswith(b"\n"):
            data = data[1:]  # the other half of a line end
        if not data:
            self._half = False
            return
        self._half = data.endswith(b"\r")
        *lines, rest = LINE_END.split(self._rest + data)
        self.lines += len(lines)
        for line in lines:
            if not line:
                self.events += self._data
                self._data = False
            elif line.startswith(b"data"):
                self._data = True
                self.done = self.done or bool(END.match(line))
        self.done = self.done or bool(END.match(rest))
        self._rest = rest[:KEPT]


@dataclass(frozen=True)
class Stream:
    """A body read as server-sent events."""

    events: tuple[Event, ...]
    comments: tuple[tuple[int, str], ...] = ()
    """(byte offset, text) of each comment line."""
    unfinished: Event | None = None
    """Fields after the last blank line: the rules say that they are discarded."""
    bom: bool = False
    oddities: tuple[tuple[int, str], ...] = ()
    """(byte offset, what is odd): lines that are no field, unknown fields, invalid UTF-8."""
    line_ends: frozenset[str] = frozenset()
    tight: int = 0
    """How many `data:` lines have no space after the colon (legal)."""


def _lines(body: bytes) -> Iterator[tuple[int, int, bytes, bytes]]:
    """(start, end after the line break, content, line break) of each line."""
    start = 0
    for match in LINE_END.finditer(body):
        yield start, match.end(), body[start : match.start()], match.group()
        start = match.end()
    if start < len(body):
        yield start, len(body), body[start:], b""


def read(body: bytes) -> Stream:
    """The events of a whole body.

    Reads all of it at once, so network chunk boundaries cannot matter.
    """
    bom = body.startswith(BOM)
    events: list[Event] = []
    comments: list[tuple[int, str]] = []
    oddities: list[tuple[int, str]] = []
    ends: set[str] = set()
    tight = 0
    data: list[str] = []
    fields: list[str] = []
    name = ""
    begun: int | None = None
    offset_of_text = len(BOM) if bom else 0
    stop = offset_of_text
    for start, end, raw, line_end in _lines(body[offset_of_text:]):
        at = start + offset_of_text
        stop = end + offset_of_text
        if line_end:
            ends.add(line_end.decode())
        try:
            line = raw.decode()
        except UnicodeDecodeError as problem:
            oddities.append((at + problem.start, "bytes that are not UTF-8"))
            line = raw.decode(errors="replace")
        if not raw:
            if begun is not None:
                events.append(Event("\n".join(data), (begun, stop), name, bool(data), len(data), tuple(fields)))
            data, fields, name, begun = [], [], "", None
            continue
        if line.startswith(":"):
            comments.append((at, line[1:].strip()))
            continue
        begun = at if begun is None else begun
        field, colon, value = line.partition(":")
        fields.append(field)
        if field == "data" and colon and value and not value.startswith(" "):
            tight += 1
        value = value.removeprefix(" ")
        match field:
            case "data":
                data.append(value)
            case "event":
                name = value
            case "id" | "retry":
                pass
            case _:
                oddities.append((at, f"a line that is no field: {line[:80]!r}"))
    unfinished = (
        Event("\n".join(data), (begun, stop), name, bool(data), len(data), tuple(fields)) if begun is not None else None
    )
    return Stream(tuple(events), tuple(comments), unfinished, bom, tuple(oddities), frozenset(ends), tight)
