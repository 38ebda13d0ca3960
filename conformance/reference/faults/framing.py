"""Planted faults: whether there is a stream, its headers, and how its bytes are framed."""

from __future__ import annotations

import gzip
import json

from conformance.reference.answer import DONE, Answer, Event, Request, Respond, compact
from conformance.reference.fault import fault


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


@fault("sse-comment-as-data")
def sends_comments_as_data(answer: Answer, request: Request) -> None:
    """A comment is sent in a `data:` line."""
    add(answer, Event(": KEEP-ALIVE"))


@fault("sse-empty-data-heartbeat")
def beats_with_empty_data(answer: Answer, request: Request) -> None:
    """An event with empty data keeps the connection alive."""
    add(answer, Event(b"data: \n\n"))


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


@fault("data-not-object")
def sends_a_list(answer: Answer, request: Request) -> None:
    """The data of an event is a JSON array."""
    add(answer, Event("[]"))


@fault("event-without-data")
def pings_without_data(answer: Answer, request: Request) -> None:
    """A block has an `event` and no data."""
    add(answer, Event(b"event: ping\n\n"))


@fault("retry-without-data")
def sets_retry_alone(answer: Answer, request: Request) -> None:
    """The stream begins with a block that only has `retry`."""
    if answer.events:
        answer.events.insert(0, Event(b"retry: 3000\n\n"))


@fault("ids-and-spare-blank-lines")
def numbers_events_and_pings(answer: Answer, request: Request) -> None:
    """Events have ids, and a comment with a blank line comes between them."""
    reframe(answer, [b"id: %d\n%b: ping\n\n" % (number, data) for number, data in enumerate(pieces(answer))])


@fault("byte-order-mark")
def begins_with_a_mark(answer: Answer, request: Request) -> None:
    """The stream begins with a byte order mark."""
    if answer.events:
        reframe(answer, [b"\xef\xbb\xbf" + pieces(answer)[0], *pieces(answer)[1:]])


@fault("stream-in-latin-1")
def encodes_as_latin_1(answer: Answer, request: Request) -> None:
    """The bytes of the stream are Latin-1."""
    reframe(answer, [data.decode().encode("latin-1", errors="replace") for data in pieces(answer)])


@fault("events-named")
def names_its_events(answer: Answer, request: Request) -> None:
    """Every event has a name."""
    reframe(answer, [b"event: chunk\n" + data for data in pieces(answer)])


@fault("sse-content-type-json")
def labels_events_as_json(answer: Answer, request: Request) -> None:
    """A stream has the content type of JSON."""
    if answer.events is not None:
        answer.headers["content-type"] = "application/json"


@fault("stream-gzip-unasked")
def compresses_unasked(answer: Answer, request: Request) -> None:
    """A stream is compressed for a client that only takes it as it is."""
    if answer.events and request.headers.get("accept-encoding") == "identity":
        answer.events = [Event(gzip.compress(b"".join(pieces(answer))))]
        answer.headers["content-encoding"] = "gzip"


@fault("stream-param-ignored-never-sse", instead=True)
def never_streams(request: Request, respond: Respond) -> Answer:
    """`stream` is ignored: the answer is always whole."""
    wanted = request.wish.get("stream") is True
    return respond(request.asking(stream=..., stream_options=...)) if wanted else respond(request)


@fault("stream-param-ignored-always-sse", instead=True)
def always_streams(request: Request, respond: Respond) -> Answer:
    """`stream` is ignored: the answer is always a stream."""
    return respond(request.asking(stream=True)) if request.wish and not request.wish.get("stream") else respond(request)


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


@fault("accept-header-forces-sse", instead=True)
def obeys_the_accept_header(request: Request, respond: Respond) -> Answer:
    """A client that accepts events gets a stream, whatever its request says."""
    wanted = "event-stream" in request.headers.get("accept", "")
    return respond(request.asking(stream=True)) if wanted and request.wish else respond(request)


@fault("accept-json-forces-json", instead=True)
def takes_accept_for_an_order(request: Request, respond: Respond) -> Answer:
    """A client that accepts JSON gets a whole answer, also where it asks for a stream."""
    json_only = request.headers.get("accept") == "application/json"
    return respond(request.asking(stream=..., stream_options=...)) if json_only and request.wish else respond(request)


@fault("stream-string-believed", instead=True)
def believes_strings(request: Request, respond: Respond) -> Answer:
    """A string is taken for the `stream` that it spells."""
    return respond(request.asking(stream=True)) if request.wish.get("stream") == "true" else respond(request)


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


@fault("random-noise-comment-in-stream", legal=True)
def hums(answer: Answer, request: Request) -> None:
    """A comment of random letters is in the stream."""
    add(answer, Event(b": L1Gt0UZWbB\n\n"))


@fault("sse-ping-events", legal=True)
def pings(answer: Answer, request: Request) -> None:
    """Comments keep the connection alive."""
    add(answer, Event(b": ping - 2026-01-01 00:00:00\n\n"))


@fault("sse-data-no-space", legal=True)
def writes_tightly(answer: Answer, request: Request) -> None:
    """There is no space after `data:`."""
    reframe(answer, [data.replace(b"data: ", b"data:", 1) for data in pieces(answer)])


@fault("llamacpp-two-events-one-read", legal=True)
def sends_several_at_once(answer: Answer, request: Request) -> None:
    """Several events come in one read."""
    events = pieces(answer)
    if events:
        answer.events = [Event(b"".join(events[start : start + 3])) for start in range(0, len(events), 3)]


@fault("lines-end-crlf", legal=True)
def ends_lines_with_two(answer: Answer, request: Request) -> None:
    """Lines end with CR and LF."""
    reframe(answer, [data.replace(b"\n", b"\r\n") for data in pieces(answer)])


@fault("data-in-several-lines", legal=True)
def wraps_data(answer: Answer, request: Request) -> None:
    """The JSON of an event is spread over several `data:` lines."""
    for event in answer.events or ():
        if isinstance(event.data, dict):
            lines = json.dumps(event.data, ensure_ascii=False, indent=1).split("\n")
            event.data = "".join(f"data: {line}\n" for line in lines).encode() + b"\n"
