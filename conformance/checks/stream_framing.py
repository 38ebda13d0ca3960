"""The framing of a stream: its events, its lines, its end. What the events say is judged in the other `stream_` files."""

from __future__ import annotations

import re
from collections.abc import Iterator

from conformance.core.check import ANYTHING, OK, Area, each
from conformance.core.exchange import DONE, Exchange
from conformance.core.finding import Finding, Findings, Observed
from conformance.core.reading.json import NotJSON, parse
from conformance.core.reading.sse import LINE_END, Event
from conformance.core.requirement import OPENAI_NODE, OPENAI_PYTHON, REPORTS, SPEC, SSE
from conformance.probes.chat import COUNT_STREAMED, STREAMED
from conformance.probes.streams import UNICODE_STREAMED

area = Area("stream", needs=OK, requires="chat.stream")

TERMINATED = SPEC.at("CreateCompletionRequest.stream", "with the stream terminated by a `data: [DONE]` message")
SHORT_AND_LONG = each(STREAMED, COUNT_STREAMED)


def carriers(x: Exchange) -> list[tuple[int, Event]]:
    """The events that carry data, with their numbers."""
    return [(number, event) for number, event in enumerate(x.events) if event.has_data]


def is_done(event: Event | None) -> bool:
    """Whether this event ends the stream, with or without white space around `[DONE]`."""
    return event is not None and event.data.strip() == DONE


def unreadable(x: Exchange) -> Iterator[Finding]:
    """A finding for each event, `[DONE]` aside, whose data a client cannot read as a JSON object."""
    events = [(number, event) for number, event in carriers(x) if not is_done(event)]
    for (number, event), value in zip(events, x.data, strict=True):
        at, found = f"event {number}", event.data[:200]
        if not event.data.strip():
            yield Finding("empty-data", "The data of an event is empty", at=at, found=found, on=x.key)
        elif event.data.strip().startswith(":"):
            yield Finding("comment-as-data", "A comment is sent as data", at=at, found=found, on=x.key)
        elif value.absent and _merged(event):
            yield Finding("no-blank-line", "No blank line separates two events", at=at, found=found, on=x.key)
        elif value.absent:
            yield Finding("not-json", "The data of an event is not valid JSON", at=at, found=found, on=x.key)
        elif value.type != "object":
            yield Finding("not-an-object", "The data of an event is not a JSON object", at=at, found=found, on=x.key)


def _merged(event: Event) -> bool:
    """Whether each line of the data is a JSON object of its own."""
    lines = [line for line in event.data.split("\n") if line.strip() != DONE]
    try:
        return event.data_lines > 1 and all(isinstance(parse(line), dict) for line in lines)
    except NotJSON:
        return False


@area.must(
    "ends-with-done",
    sends=SHORT_AND_LONG,
    spec=TERMINATED,
    remedy="the official client raises nothing where a stream just ends, even within an event: look for the finish_reason",
)
def ends_with_done(x: Exchange) -> Findings:
    """A stream ends with a `[DONE]` event."""
    events = carriers(x)
    if events and not any(is_done(event) for _, event in events) and not is_done(x.stream.unfinished):
        yield Finding(
            "no-done",
            "The stream does not end with `[DONE]`",
            at=f"event {events[-1][0]}",
            expected=DONE,
            found=events[-1][1].data[:200],
        )


@area.must(
    "done-stands-alone",
    sends=STREAMED,
    spec=OPENAI_NODE.at("Stream", "`[DONE]` with a space after it is parsed as JSON, and throws SyntaxError"),
)
def done_stands_alone(x: Exchange) -> Findings:
    """The data of the last event is exactly `[DONE]`, with no white space around it."""
    for number, event in carriers(x):
        if is_done(event) and event.data != DONE:
            yield Finding(
                "space-around-done",
                "White space surrounds `[DONE]`",
                at=f"event {number}",
                expected=DONE,
                found=event.data,
            )


@area.should("nothing-follows-done", sends=STREAMED, spec=TERMINATED)
def nothing_follows_done(x: Exchange) -> Findings:
    """No event follows `[DONE]`."""
    ends = [number for number, event in carriers(x) if is_done(event)]
    for number, event in carriers(x):
        if ends and number > ends[0]:
            yield Finding("event-after-done", "An event follows `[DONE]`", at=f"event {number}", found=event.data[:200])


@area.should(
    "closes-after-done",
    sends=STREAMED,
    needs=ANYTHING,
    spec=REPORTS.at(
        "pi", "clients that read to the end of the body hang", "https://github.com/earendil-works/pi/issues/7954"
    ),
    remedy="stop reading at [DONE] and close the response yourself",
)
def closes_after_done(x: Exchange) -> Findings:
    """The response ends soon after `[DONE]`."""
    if x.ending.phase == "linger":
        yield Finding("stays-open", "The response stays open after `[DONE]`", found=str(x.ending))


@area.must(
    "last-event-is-finished",
    sends=SHORT_AND_LONG,
    spec=SSE.at(
        "9.2.6 Interpreting an event stream",
        "If the file ends in the middle of an event, before the final empty line, the incomplete event is not "
        "dispatched.",
    ),
)
def last_event_is_finished(x: Exchange) -> Findings:
    """A blank line ends every event, the last one too."""
    rest = x.stream.unfinished
    if rest is not None and rest.has_data:
        yield Finding(
            "no-final-blank-line",
            "No blank line ends the last event, so clients drop it",
            at=rest.span,
            found=rest.data[:200],
        )


@area.must(
    "data-is-json",
    sends=SHORT_AND_LONG,
    spec=OPENAI_PYTHON.at("Stream", "all data but [DONE] is parsed as JSON, and JSONDecodeError ends the stream"),
)
def data_is_json(x: Exchange) -> Findings:
    """The data of every event but `[DONE]` is one JSON object."""
    yield from unreadable(x)


@area.must(
    "blocks-carry-data",
    sends=SHORT_AND_LONG,
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
            yield Finding("no-data", "A block of fields has no data", at=f"event {number}", found=list(event.fields))


@area.must(
    "ids-precede-no-empty-block",
    sends=STREAMED,
    spec=OPENAI_PYTHON.at(
        "SSEDecoder", "the last id is kept, so each further blank line is an event with empty data: JSONDecodeError"
    ),
)
def ids_precede_no_empty_block(x: Exchange) -> Findings:
    """After an event with an `id` no block is empty: there is no extra blank line and no comment on its own."""
    for offset in _empty_blocks_after_ids(x.body):
        yield Finding("empty-block-after-id", "An empty block follows an event with an id", at=(offset, offset + 1))
        return


def _empty_blocks_after_ids(body: bytes) -> Iterator[int]:
    """The byte offset of each blank line that ends no fields, once an id was given. What follows `[DONE]` does not count."""
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


@area.must(
    "begins-without-mark",
    sends=STREAMED,
    spec=OPENAI_PYTHON.at(
        "SSEDecoder", "a byte order mark becomes part of the first line: its event is lost without a word"
    ),
)
def begins_without_mark(x: Exchange) -> Findings:
    """A stream begins without a byte order mark."""
    if x.stream.bom:
        yield Finding("byte-order-mark", "The stream begins with a byte order mark", at=(0, 3), found=x.body[:20])


@area.must(
    "is-utf8",
    sends=each(STREAMED, UNICODE_STREAMED),
    spec=SSE.at("9.2.5 Parsing an event stream", "Event streams in this format must always be encoded as UTF-8."),
)
def is_utf8(x: Exchange) -> Findings:
    """Every line of a stream is UTF-8."""
    for offset, odd in x.stream.oddities:
        if odd == "bytes that are not UTF-8":
            yield Finding(
                "not-utf8", "A line is not valid UTF-8", at=(offset, offset + 1), found=x.body[offset : offset + 8]
            )


@area.may(
    "events-have-no-name",
    sends=STREAMED,
    spec=SPEC.at("CreateCompletionRequest.stream", "tokens will be sent as data-only [server-sent events]"),
)
def events_have_no_name(x: Exchange) -> Findings:
    """The events of a stream have no names, so that a single handler gets them all."""
    for number, event in carriers(x):
        if event.name not in ("", "message"):
            yield Finding("named-event", "An event has a name", at=f"event {number}", found=event.name)


@area.note("framing", sends=COUNT_STREAMED)
def framing(x: Exchange) -> Findings:
    """The framing that the specification leaves open is recorded: line ends, comments, space after the colon, headers."""
    yield Observed([repr(end) for end in sorted(x.stream.line_ends)], "line ends")
    yield Observed(len(x.stream.comments), "comments")
    yield Observed(x.stream.tight > 0, "data without a space")
    for name in ("transfer-encoding", "content-length", "cache-control", "x-accel-buffering", "content-encoding"):
        yield Observed(x.header(name), name)
