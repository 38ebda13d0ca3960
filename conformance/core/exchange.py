"""What happened to one probe at one target: raw bytes with their times, and lazy views of them.

An exchange is evidence. It holds what arrived and how it ended, never an opinion, and never a secret: credentials are added
by the transport after the probe was taken down.
"""

from __future__ import annotations

import zlib
from bisect import bisect_right
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from itertools import accumulate

from conformance.core.probe import Probe
from conformance.core.reading import sse
from conformance.core.reading.json import ABSENT, NotJSON, Value, parse
from conformance.core.reading.message import Choice, assemble

LARGEST = 16 * 1024 * 1024
"""Bytes that a compressed body may grow to: no answer of this API comes near, a gzip bomb does."""


def unpacked(data: bytes, most: int = LARGEST) -> bytes | None:
    """Gzip or deflate undone; None where that fails, or where more than `most` bytes come out of it."""
    engine = zlib.decompressobj(wbits=47)
    try:
        plain = engine.decompress(data, most)
    except zlib.error:
        return None
    return None if engine.unconsumed_tail else plain


def swollen(data: bytes, most: int = LARGEST) -> bool:
    """Whether more than `most` bytes come out of compressed data. Takes the memory of a piece, not of the whole."""
    engine, size = zlib.decompressobj(wbits=47), 0
    try:
        while data and size <= most:
            size += len(engine.decompress(data, 1 << 16))
            data = engine.unconsumed_tail
    except zlib.error:
        return False
    return size > most


DONE = "[DONE]"
NO_CAPACITY = b"has no capacity to process this request"
"""What SageMaker says of an endpoint or component that is scaled to zero. The request wakes it; that takes minutes."""


class How(StrEnum):
    """How an exchange ended."""

    DONE = "done"
    """The answer is complete."""
    LEFT = "left"
    """The client hung up, as the probe says."""
    CUT = "cut"
    """The connection broke, before or within the answer."""
    TIMED_OUT = "timed-out"
    TOO_LARGE = "too-large"
    UNREACHABLE = "unreachable"
    """There was no connection at all."""
    UNSENT = "unsent"
    """It was not sent: the budget was spent, or it is not in the recording."""
    ABSENT = "absent"
    """It cannot be sent: the target has no such credentials, or no such place."""


@dataclass(frozen=True)
class Ending:
    """How it ended, in which phase (connect, first byte, idle, total, linger, body), and what the library said."""

    how: How = How.DONE
    phase: str = ""
    detail: str = ""

    def __str__(self) -> str:
        return " ".join(part for part in (self.how.value, self.phase and f"({self.phase})", self.detail) if part)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes of the body as one network read gave them, `at` seconds after the request was begun."""

    at: float
    data: bytes


@dataclass(frozen=True)
class Wait:
    """An answer that asked for patience (429, 503), and the seconds waited before the request was sent again."""

    status: int
    seconds: float


@dataclass(frozen=True)
class Exchange:
    """One probe, and what came back."""

    probe: Probe
    target: str
    at: float
    """When the request was begun: unix time, seconds."""
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    """As received, names in lower case."""
    chunks: tuple[Chunk, ...] = ()
    ending: Ending = field(default_factory=Ending)
    answered: float | None = None
    """Seconds from the request to the status line and headers."""
    ended: float = 0.0
    """Seconds from the request to the end."""
    http: str = "HTTP/1.1"
    waits: tuple[Wait, ...] = ()
    model: str = ""
    """What was sent in place of MODEL."""
    resent: int = 0
    """Times it was sent before over a connection that the server had closed meanwhile."""

    @property
    def key(self) -> str:
        """The key of its probe."""
        return self.probe.key

    def header(self, name: str) -> str | None:
        """The value of a header, several joined by commas; None where there is none."""
        values = [value for one, value in self.headers if one == name.lower()]
        return ", ".join(values) if values else None

    @property
    def media_type(self) -> str:
        """The content type without parameters, in lower case."""
        return (self.header("content-type") or "").partition(";")[0].strip().lower()

    @cached_property
    def raw(self) -> bytes:
        """The body as it came over the wire (transfer coding removed, content coding not)."""
        return b"".join(chunk.data for chunk in self.chunks)

    @cached_property
    def body(self) -> bytes:
        """The body with gzip or deflate undone; as it is where that fails, or would be more than LARGEST bytes."""
        plain = unpacked(self.raw) if self.packed else None
        return self.raw if plain is None else plain

    @property
    def packed(self) -> bool:
        """Whether the body says that it is compressed, in a way that we know."""
        return (self.header("content-encoding") or "").strip().lower() in ("gzip", "deflate")

    @property
    def text(self) -> str:
        """The body as text; what is not UTF-8 is replaced."""
        return self.body.decode(errors="replace")

    @property
    def ok(self) -> bool:
        """Whether a 2xx answer arrived complete (or as far as the client wanted it)."""
        return self.status is not None and 200 <= self.status < 300 and self.complete

    @property
    def complete(self) -> bool:
        """Whether all of the answer arrived. A stream that goes on after `[DONE]` lacks nothing but its end."""
        return self.ending.how in (How.DONE, How.LEFT) or self.ending.phase == "linger"

    @property
    def crashed(self) -> bool:
        """Whether the answer is a server error: 500 or above."""
        return self.status is not None and self.status >= 500

    @property
    def put_off(self) -> bool:
        """Whether the server, or what stands before it, had no time now: such answers say nothing about the request."""
        return self.status in (408, 429, 503, 504)

    @property
    def asleep(self) -> bool:
        """Whether nothing runs behind the endpoint: SageMaker answers 400 then, in a form that a client's mistake has, too."""
        return self.status in (400, 424, 503) and NO_CAPACITY in self.body[:4000]

    @cached_property
    def _parsed(self) -> tuple[object, str]:
        try:
            return parse(self.body), ""
        except NotJSON as problem:
            return ABSENT, str(problem)

    @property
    def json(self) -> Value:
        """The body as a JSON value; absent where it is not JSON (`not_json` says why)."""
        return Value(self._parsed[0])

    @property
    def not_json(self) -> str:
        """Why the body is not JSON; "" where it is."""
        return self._parsed[1]

    @cached_property
    def stream(self) -> sse.Stream:
        """The body read as server-sent events."""
        return sse.read(self.body)

    @property
    def events(self) -> tuple[sse.Event, ...]:
        """The events of the stream."""
        return self.stream.events

    @cached_property
    def data(self) -> tuple[Value, ...]:
        """The JSON value of each event with data but `[DONE]`, with pointers that begin `event N`; absent where it is not JSON."""
        values = []
        for number, event in enumerate(self.events):
            if event.data.strip() == DONE or not event.has_data:
                continue
            try:
                value = parse(event.data)
            except NotJSON:
                value = ABSENT
            values.append(Value(value, f"event {number} "))
        return tuple(values)

    @property
    def streamed(self) -> bool:
        """Whether the answer came as server-sent events."""
        return self.media_type == "text/event-stream"

    @property
    def bodies(self) -> tuple[Value, ...]:
        """The completion objects, whatever the mode: the body, or the data of each event."""
        return self.data if self.streamed else (self.json,)

    @cached_property
    def choices(self) -> dict[int, Choice]:
        """The assembled choices by index."""
        return assemble(self.bodies, streamed=self.streamed)

    @property
    def choice(self) -> Choice:
        """The first choice, assembled; an empty one where there is none."""
        return self.choices.get(0) or next(iter(self.choices.values()), Choice(0))

    @property
    def usage(self) -> Value:
        """The last `usage` object of the answer; absent where there is none."""
        return next(
            (value["usage"] for value in reversed(self.bodies) if value["usage"].type == "object"),
            Value(ABSENT, "/usage"),
        )

    @property
    def error(self) -> Value:
        """The `error` member of the body; absent where there is none."""
        return self.json["error"]

    def at_byte(self, offset: int) -> float:
        """Seconds from the request to the arrival of the body's byte `offset`."""
        place = bisect_right(self._ends, offset)
        return self.chunks[place].at if place < len(self.chunks) else self.ended

    @cached_property
    def _ends(self) -> list[int]:
        """Where each chunk ends in the body."""
        return list(accumulate(len(chunk.data) for chunk in self.chunks))
