"""How the bytes of a stream are framed: its events, its lines, its end. What the events say is judged elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator

from conformance.core.check import ANYTHING, OK, check, each
from conformance.core.exchange import DONE, Exchange
from conformance.core.finding import Finding, Findings, Observed
from conformance.core.reading.json import NotJSON, parse
from conformance.core.reading.sse import LINE_END, Event
from conformance.core.requirement import MAY, MUST, NOTE, OPENAI_NODE, OPENAI_PYTHON, REPORTS, SHOULD, SPEC, SSE
from conformance.probes.chat import COUNT_STREAMED, STREAMED
from conformance.probes.streams import UNICODE_STREAMED

TERMINATED = SPEC.at("CreateCompletionRequest.stream", "with the stream terminated by a `data: [DONE]` message")
SHORT_AND_LONG = each(STREAMED, COUNT_STREAMED)


def carriers(x: Exchange) -> list[tuple[int, Event]]:
    """The events that carry data, with their numbers."""
    return [(number, event) for number, event in enumerate(x.events) if event.has_data]


def is_done(event: Event | None) -> bool:
    """Whether this is the end of a stream, with or without space around it."""
    return event is not None and event.data.strip() == DONE


def unreadable(event: Event) -> str:
    """Why a client cannot read an event's data as JSON; "" where it can."""
    data = event.data.strip()
    if not data:
        return "an event's data is empty"
    if data.startswith(":"):
        return "a comment is sent as data"
    try:
        value = parse(event.data)
    except NotJSON:
        return "two events have no blank line between them" if _merged(event) else "an event's data is not JSON"
    return "" if isinstance(value, dict) else "an event's data is not a JSON object"


def _merged(event: Event) -> bool:
    lines = [line for line in event.data.split("\n") if line.strip() != DONE]
    try:
        return event.data_lines > 1 and all(isinstance(parse(line), dict) for line in lines)
    except NotJSON:
        return False


@check(
    "stream.ends-with-done",
    MUST,
    sends=SHORT_AND_LONG,
    needs=OK,
    requires="chat.stream",
    spec=TERMINATED,
    remedy="the official client raises nothing where a stream just ends, also within an event: look for the finish_reason",
)
def ends_with_done(x: Exchange) -> Findings:
    """A stream ends with a `[DONE]` event."""
    events = carriers(x)
    if events and not any(is_done(event) for _, event in events) and not is_done(x.stream.unfinished):
        yield Finding(
            "no-done", "there is no [DONE]", at=f"event {events[-1][0]}", expected=DONE, found=events[-1][1].data[:200]
        )


@check(
    "stream.done-stands-alone",
    MUST,
    sends=STREAMED,
    needs=OK,
    requires="chat.stream",
    spec=OPENAI_NODE.at("Stream", "`[DONE]` with a space after it is parsed as JSON, and throws SyntaxError"),
)
def done_stands_alone(x: Exchange) -> Findings:
    """The data of the `[DONE]` event is exactly that."""
    for number, event in carriers(x):
        if is_done(event) and event.data != DONE:
            yield Finding(
                "something-around-done",
                "there is something around [DONE]",
                at=f"event {number}",
                expected=DONE,
                found=event.data,
            )


@check("stream.nothing-follows-done", SHOULD, sends=STREAMED, needs=OK, requires="chat.stream", spec=TERMINATED)
def nothing_follows_done(x: Exchange) -> Findings:
    """No event follows `[DONE]`."""
    ends = [number for number, event in carriers(x) if is_done(event)]
    for number, event in carriers(x):
        if ends and number > ends[0]:
            yield Finding("event-follows-done", "an event follows [DONE]", at=f"event {number}", found=event.data[:200])


@check(
    "stream.closes-after-done",
    SHOULD,
    sends=STREAMED,
    needs=ANYTHING,
    requires="chat.stream",
    spec=REPORTS.at(
        "pi", "clients that read to the end of the body hang", "https://github.com/earendil-works/pi/issues/7954"
    ),
    remedy="stop reading at [DONE] and close the response yourself",
)
def closes_after_done(x: Exchange) -> Findings:
    """The body ends soon after `[DONE]`."""
    if x.ending.phase == "linger":
        yield Finding("body-does-not-end-after", "the body does not end after [DONE]", found=str(x.ending))


@check(
    "stream.last-event-is-finished",
    MUST,
    sends=SHORT_AND_LONG,
    needs=OK,
    requires="chat.stream",
    spec=SSE.at(
        "9.2.6 Interpreting an event stream",
        "If the file ends in the middle of an event, before the final empty line, the incomplete event is not "
        "dispatched.",
    ),
)
def last_event_is_finished(x: Exchange) -> Findings:
    """A blank line ends every event, also the last."""
    rest = x.stream.unfinished
    if rest is not None and rest.has_data:
        yield Finding(
            "last-event-lacks-blank-line",
            "the last event lacks its blank line, so clients drop it",
            at=rest.span,
            found=rest.data[:200],
        )


@check(
    "stream.data-is-json",
    MUST,
    sends=SHORT_AND_LONG,
    needs=OK,
    requires="chat.stream",
    spec=OPENAI_PYTHON.at("Stream", "all data but [DONE] is parsed as JSON, and JSONDecodeError ends the stream"),
)
def data_is_json(x: Exchange) -> Findings:
    """The data of every event but `[DONE]` is one JSON object."""
    for number, event in carriers(x):
        why = "" if is_done(event) else unreadable(event)
        if why:
            yield Finding("", why, at=f"event {number}", found=event.data[:200])


@check(
    "stream.blocks-carry-data",
    MUST,
    sends=SHORT_AND_LONG,
    needs=OK,
    requires="chat.stream",
    spec=OPENAI_PYTHON.at(
        "SSEDecoder",
        "a block with `event`, `retry` or `id` and no data becomes an event with empty data: JSONDecodeError",
    ),
    remedy="keep a connection alive with comments (`: ping`), which every client skips",
)
def blocks_carry_data(x: Exchange) -> Findings:
    """Every block of fields in a stream carries data."""
    for number, event in enumerate(x.events):
        if not event.has_data and {"event", "retry", "id"} & set(event.fields):
            yield Finding(
                "block-fields-carries-no-data",
                "a block of fields carries no data",
                at=f"event {number}",
                found=list(event.fields),
            )


@check(
    "stream.ids-precede-no-empty-block",
    MUST,
    sends=STREAMED,
    needs=OK,
    requires="chat.stream",
    spec=OPENAI_PYTHON.at(
        "SSEDecoder", "the last id is kept, so each further blank line is an event with empty data: JSONDecodeError"
    ),
)
def ids_precede_no_empty_block(x: Exchange) -> Findings:
    """After an event with an `id` there is no block without fields: no spare blank line, no comment on its own."""
    for offset in _empty_blocks_after_ids(x.body):
        yield Finding(
            "empty-block-follows-event-id", "an empty block follows an event with an id", at=(offset, offset + 1)
        )
        return


def _empty_blocks_after_ids(body: bytes) -> Iterator[int]:
    """The byte offset of each blank line that ends no fields, once an id was given. The stream's end does not count."""
    known, fields, start = b"", 0, 0
    for match in LINE_END.finditer(body):
        line = body[start : match.start()]
        if not line:
            if not fields and known:
                yield start
            fields = 0
        elif not line.startswith(b":"):
            fields += 1
            if re.fullmatch(rb"data: ?\[DONE\].*", line):
                return
            if line.startswith(b"id:"):
                known = line[3:].removeprefix(b" ")
        start = match.end()


@check(
    "stream.begins-without-mark",
    MUST,
    sends=STREAMED,
    needs=OK,
    requires="chat.stream",
    spec=OPENAI_PYTHON.at(
        "SSEDecoder", "a byte order mark becomes part of the first line: its event is lost without a word"
    ),
)
def begins_without_mark(x: Exchange) -> Findings:
    """A stream begins without a byte order mark."""
    if x.stream.bom:
        yield Finding(
            "stream-begins-byte-order-mark", "the stream begins with a byte order mark", at=(0, 3), found=x.body[:20]
        )


@check(
    "stream.is-utf8",
    MUST,
    sends=each(STREAMED, UNICODE_STREAMED),
    needs=OK,
    requires="chat.stream",
    spec=SSE.at("9.2.5 Parsing an event stream", "Event streams in this format must always be encoded as UTF-8."),
)
def is_utf8(x: Exchange) -> Findings:
    """Every line of a stream is UTF-8."""
    for offset, odd in x.stream.oddities:
        if odd == "bytes that are not UTF-8":
            yield Finding(
                "line-not-utf-8", "a line is not UTF-8", at=(offset, offset + 1), found=x.body[offset : offset + 8]
            )


@check(
    "stream.events-have-no-name",
    MAY,
    sends=STREAMED,
    needs=OK,
    requires="chat.stream",
    spec=SPEC.at("CreateCompletionRequest.stream", "tokens will be sent as data-only [server-sent events]"),
)
def events_have_no_name(x: Exchange) -> Findings:
    """The events of a stream have no names, so that one handler gets them all."""
    for number, event in carriers(x):
        if event.name not in ("", "message"):
            yield Finding("event-name", "an event has a name", at=f"event {number}", found=event.name)


@check("stream.framing", NOTE, sends=COUNT_STREAMED, needs=OK, requires="chat.stream")
def framing(x: Exchange) -> Findings:
    """What is free in the framing of a stream: line ends, comments, space after the colon, and headers."""
    yield Observed([repr(end) for end in sorted(x.stream.line_ends)], "line ends")
    yield Observed(len(x.stream.comments), "comments")
    yield Observed(x.stream.tight > 0, "data without a space")
    for name in ("transfer-encoding", "content-length", "cache-control", "x-accel-buffering", "content-encoding"):
        yield Observed(x.header(name), name)
