"""Planted faults: whether there is a stream, its headers, and how its bytes are framed."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable

from conformance.reference.answer import DONE, Answer, Event, Request, compact
from conformance.reference.fault import Fault, fault
from conformance.reference.rows import ANY, as_stream, ask, asking, become, exactly, given

STREAM = as_stream(ANY)


def interject(identity: str, data: str | bytes, *, says: str, legal: bool = False) -> Fault:
    """Something comes in the middle of a stream."""
    return fault(identity, says=says, legal=legal)(lambda answer, request: add(answer, Event(data)))


def framed(identity: str, how: Callable[[bytes, int], bytes], *, says: str, legal: bool = False) -> Fault:
    """The bytes of each event are others, by the place of the event."""

    def sin(answer: Answer, request: Request) -> None:
        reframe(answer, [how(data, place) for place, data in enumerate(pieces(answer))])

    return fault(identity, says=says, legal=legal)(sin)


def place(answer: Answer) -> int:
    """Where to put something into the middle of a stream: never before the first event, nor after the last."""
    return max(1, len(answer.events or ()) // 2)


def add(answer: Answer, event: Event) -> None:
    """Put an event into the middle of a stream."""
    if answer.events:
        answer.events.insert(place(answer), event)


def pieces(answer: Answer) -> list[bytes]:
    """The bytes of each event of a stream."""
    return [event.encode() for event in answer.events or ()]


def reframe(answer: Answer, events: list[bytes]) -> None:
    """The same waits, other bytes."""
    if answer.events is not None:
        answer.events = [Event(data, event.after) for data, event in zip(events, answer.events, strict=True)]


@fault("done-missing")
def forgets_done(answer: Answer, request: Request) -> None:
    """The stream ends without `[DONE]`."""
    if answer.events:
        answer.events = [event for event in answer.events if event.data != DONE]


@fault("done-with-space")
def pads_done(answer: Answer, request: Request) -> None:
    """There is a space after `[DONE]`."""
    for event in answer.events or ():
        if event.data == DONE:
            event.data = f"{DONE} "


@fault("event-after-done")
def goes_on_after_done(answer: Answer, request: Request) -> None:
    """An event with a chunk follows `[DONE]`."""
    if answer.events and answer.chunks:
        more = {**answer.chunks[0], "choices": [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": None}]}
        answer.events.append(Event(more))


@fault("stream-not-closed-after-done")
def keeps_open(answer: Answer, request: Request) -> None:
    """The body does not end after `[DONE]`."""
    if answer.events:
        answer.ending = "hang"


@fault("last-event-unfinished")
def forgets_last_blank_line(answer: Answer, request: Request) -> None:
    """The last event has no blank line after it."""
    if answer.events:
        reframe(answer, [*pieces(answer)[:-1], pieces(answer)[-1].rstrip(b"\n") + b"\n"])


BETWEEN = (
    interject("sse-comment-as-data", ": KEEP-ALIVE", says="A comment is sent in a `data:` line."),
    interject("sse-empty-data-heartbeat", b"data: \n\n", says="An event with empty data keeps the connection alive."),
    interject("data-not-object", "[]", says="The data of an event is a JSON array."),
    interject("event-without-data", b"event: ping\n\n", says="A block has an `event` and no data."),
    interject("random-noise-comment-in-stream", b": L1Gt0UZWbB\n\n",
        says="A comment of random letters is in the stream.", legal=True),
    interject("sse-ping-events", b": ping - 2026-01-01 00:00:00\n\n",
        says="Comments keep the connection alive.", legal=True),
)  # fmt: skip


@fault("gateway-done-comma-joined")
def joins_done_with_a_comma(answer: Answer, request: Request) -> None:
    """The last chunk and `[DONE]` are in one line, with a comma between them."""
    if answer.events and len(answer.events) > 1 and isinstance(answer.events[-2].data, dict):
        answer.events[-2:] = [Event(f"{compact(answer.events[-2].data)},data: {DONE}")]


@fault("events-without-blank-line")
def forgets_a_blank_line(answer: Answer, request: Request) -> None:
    """Two events are separated by the end of a line, without a blank one."""
    events = pieces(answer)
    if len(events) > 2:
        events[1] = events[1].rstrip(b"\n") + b"\n"
        reframe(answer, events)


@fault("retry-without-data")
def sets_retry_alone(answer: Answer, request: Request) -> None:
    """The stream begins with a block that only has `retry`."""
    if answer.events:
        answer.events.insert(0, Event(b"retry: 3000\n\n"))


BYTES = (
    framed("ids-and-spare-blank-lines", lambda data, place: b"id: %d\n%b: ping\n\n" % (place, data),
        says="Events have ids, and a comment with a blank line comes between them."),
    framed("byte-order-mark", lambda data, place: data if place else b"\xef\xbb\xbf" + data,
        says="The stream begins with a byte order mark."),
    framed("stream-in-latin-1", lambda data, place: data.decode().encode("latin-1", errors="replace"),
        says="The bytes of the stream are Latin-1."),
    framed("events-named", lambda data, place: b"event: chunk\n" + data, says="Every event has a name."),
    framed("sse-data-no-space", lambda data, place: data.replace(b"data: ", b"data:", 1),
        says="There is no space after `data:`.", legal=True),
    framed("lines-end-crlf", lambda data, place: data.replace(b"\n", b"\r\n"),
        says="Lines end with CR and LF.", legal=True),
)  # fmt: skip


WHETHER = (
    become("sse-content-type-json", STREAM, headers={"content-type": "application/json"},
        says="A stream has the content type of JSON."),
    ask("stream-param-ignored-never-sse", asking(stream=..., stream_options=...), when=given("stream", exactly(True)),
        says="`stream` is ignored: the answer is always whole."),
    ask("stream-param-ignored-always-sse", asking(stream=True),
        when=lambda request: request.wish and not request.wish.get("stream"),
        says="`stream` is ignored: the answer is always a stream."),
    ask("accept-header-forces-sse", asking(stream=True),
        when=lambda request: request.wish and "event-stream" in request.headers.get("accept", ""),
        says="A client that accepts events gets a stream, whatever its request says."),
    ask("accept-json-forces-json", asking(stream=..., stream_options=...),
        when=lambda request: request.wish and request.headers.get("accept") == "application/json",
        says="A client that accepts JSON gets a whole answer, also where it asks for a stream."),
    *(
        ask(name, asking(stream=True), when=given("stream", exactly("true")), says='`stream` may be the string "true".')
        for name in ("stream-string-believed", "stream-true-string-coerced")
    ),
)  # fmt: skip


@fault("stream-gzip-unasked")
def compresses_unasked(answer: Answer, request: Request) -> None:
    """A stream is compressed for a client that only takes it as it is."""
    if answer.events and request.headers.get("accept-encoding") == "identity":
        answer.events = [Event(gzip.compress(b"".join(pieces(answer))))]
        answer.headers["content-encoding"] = "gzip"


@fault("stream-of-json-lines")
def streams_lines(answer: Answer, request: Request) -> None:
    """The chunks are lines of JSON, without any framing."""
    if answer.events is not None:
        answer.headers["content-type"] = "application/jsonlines"
        answer.events = [Event(f"{compact(chunk)}\n".encode()) for chunk in answer.chunks]


@fault("stream-empty")
def streams_nothing(answer: Answer, request: Request) -> None:
    """The stream is empty."""
    if answer.events is not None:
        answer.events = []


@fault("refusals-streamed")
def streams_its_refusals(answer: Answer, request: Request) -> None:
    """Where a stream was asked for, a refusal is the only event of one, with status 200."""
    if request.wish.get("stream") is True and 400 <= answer.status < 500 and answer.status != 401:
        answer.status, answer.events, answer.body = 200, [Event(answer.body), Event(DONE)], None
        answer.headers["content-type"] = "text/event-stream"


@fault("triton-stream-request-internal-error")
def fails_on_streams_with_stops(answer: Answer, request: Request) -> None:
    """A stream with a list of stop strings is an internal error."""
    if answer.events is not None and isinstance(request.wish.get("stop"), list):
        answer.status, answer.events = 500, None
        answer.body = {"error": {"message": "decoder failed", "type": "server_error", "param": None, "code": None}}
        answer.headers["content-type"] = "application/json"


@fault("stream-options-500")
def fails_on_null_options(answer: Answer, request: Request) -> None:
    """`stream_options: null` is an internal error."""
    if answer.events is not None and request.wish.get("stream_options", ...) is None:
        answer.status, answer.events = 500, None
        answer.body = {"error": {"message": "no attribute", "type": "server_error", "param": None, "code": None}}
        answer.headers["content-type"] = "application/json"


@fault("utf8-split-across-tcp")
def decodes_each_read(answer: Answer, request: Request) -> None:
    """A proxy decodes the bytes read by read: characters across two reads are lost."""
    if answer.events:
        body, size = b"".join(pieces(answer)), 7
        reads = [body[start : start + size] for start in range(0, len(body), size)]
        answer.events = [Event(read.decode(errors="replace").encode()) for read in reads]


@fault("llamacpp-two-events-one-read", legal=True)
def sends_several_at_once(answer: Answer, request: Request) -> None:
    """Several events come in one read."""
    events = pieces(answer)
    if events:
        answer.events = [Event(b"".join(events[start : start + 3])) for start in range(0, len(events), 3)]


@fault("data-in-several-lines", legal=True)
def wraps_data(answer: Answer, request: Request) -> None:
    """The JSON of an event is spread over several `data:` lines."""
    for event in answer.events or ():
        if isinstance(event.data, dict):
            lines = json.dumps(event.data, ensure_ascii=False, indent=1).split("\n")
            event.data = "".join(f"data: {line}\n" for line in lines).encode() + b"\n"
