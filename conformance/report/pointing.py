"""What a finding points at in the answer that it was found in: bytes of the body, the status, or a header."""

from __future__ import annotations

import re
from dataclasses import dataclass

from conformance.core.exchange import Exchange
from conformance.core.finding import Finding
from conformance.core.reading.span import span_of
from conformance.report.bytes import Span

_EVENT = re.compile(r"event (\d+) ?(/.*)?", re.DOTALL)


@dataclass(frozen=True)
class Mark:
    """What a finding is about: bytes of the body, or a part of what comes before it."""

    span: Span | None = None
    header: str = ""
    """`status`, or the name of a header in lower case."""


def mark_of(x: Exchange, finding: Finding) -> Mark:
    """Where in an answer a finding points."""
    at = finding.at
    if isinstance(at, tuple):
        return Mark(at)
    if match := _EVENT.fullmatch(at):
        number = int(match[1])
        return Mark(_in_event(x, number, match[2] or "")) if number < len(x.events) else Mark()
    if at.startswith("/"):
        return Mark(span_of(x.body, at)) if not x.streamed else Mark()
    return Mark(header=at.lower()) if at else Mark()


def _in_event(x: Exchange, number: int, pointer: str) -> Span:
    """The value of a pointer within the data of an event; the whole event where it cannot be told."""
    start, end = x.events[number].span
    data = re.search(rb"data:[ ]?", x.body[start:end])
    if not pointer or data is None:
        return start, end
    begin = start + data.end()
    line = re.split(rb"[\r\n]", x.body[begin:end], maxsplit=1)[0]
    inner = span_of(line, pointer)
    return (begin + inner[0], begin + inner[1]) if inner else (start, end)
