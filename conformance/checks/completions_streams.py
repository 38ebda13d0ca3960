"""Streams of the older interface: chunks of text in objects of the same kind as the whole answer, and `[DONE]`."""

from __future__ import annotations

from collections import Counter

from conformance.checks.completions import FINISHES, REQUEST, RESPONSE, text
from conformance.checks.stream_framing import carriers, is_done
from conformance.core.check import OK, Area, each
from conformance.core.exchange import DONE, Exchange
from conformance.core.finding import Finding, Findings, Unwitnessed
from conformance.core.requirement import SPEC
from conformance.probes.chat import streamed
from conformance.probes.completions import BOTH, LONG, LONG_STREAMED, USAGE

SAME_KIND = SPEC.at(
    RESPONSE,
    "Note: both the streamed and non-streamed response objects share the same shape (unlike the chat endpoint).",
)

area = Area("completions", needs=OK, requires="completions")


@area.must(
    "stream-is-of-events",
    sends=LONG_STREAMED,
    spec=SPEC.at(f"{REQUEST}.stream", "tokens will be sent as data-only [server-sent events]"),
)
def stream_is_of_events(x: Exchange) -> Findings:
    """A stream that is asked for comes as events, and has some."""
    if not x.streamed:
        yield Finding(
            "not-a-stream",
            "The answer is not a stream of events",
            at="content-type",
            expected="text/event-stream",
            found=x.media_type,
        )
    elif not x.data:
        yield Finding("no-events", "The stream has no events", found=x.text[:200])


@area.must(
    "stream-ends-with-done",
    sends=LONG_STREAMED,
    spec=SPEC.at(f"{REQUEST}.stream", "with the stream terminated by a `data: [DONE]` message"),
)
def stream_ends_with_done(x: Exchange) -> Findings:
    """A stream ends with a `[DONE]` event, and nothing follows it."""
    events = carriers(x)
    if not events:
        return
    ends = [number for number, event in events if is_done(event)]
    number, last = events[-1]
    at, found = f"event {number}", last.data[:200]
    if not ends and not is_done(x.stream.unfinished):
        yield Finding("no-done", "There is no `[DONE]`", at=at, expected=DONE, found=found)
    elif ends and number > ends[0]:
        yield Finding("event-follows-done", "An event follows `[DONE]`", at=at, found=found)


@area.must("stream-has-text", sends=LONG_STREAMED, spec=SAME_KIND)
def stream_has_text(x: Exchange) -> Findings:
    """The chunks of a stream are of the kind `text_completion`, and have their text in `text`."""
    for chunk in x.data:
        kind = chunk["object"]
        if chunk.type == "object" and kind.value != "text_completion":
            yield Finding(
                "other-object",
                "The `object` of a chunk is not `text_completion`",
                at=kind.pointer,
                expected="text_completion",
                found=kind,
            )
        for choice in chunk["choices"]:
            at, found = choice["text"].pointer, choice["text"]
            if found.type != "string" and choice["delta"].type == "object":
                yield Finding("text-in-delta", "The text is in a `delta`", at=at, expected="string", found=found)
            elif found.type != "string":
                yield Finding("no-text", "A choice has no `text`", at=at, expected="string", found=found)


@area.must(
    "stream-has-one-id",
    sends=LONG_STREAMED,
    spec=SPEC.at(f"{RESPONSE}.id", "A unique identifier for the completion."),
)
def stream_has_one_id(x: Exchange) -> Findings:
    """All chunks of a stream have the same id."""
    ids = list(dict.fromkeys(chunk["id"].value for chunk in x.data if chunk["id"].type == "string"))
    if len(ids) > 1:
        yield Finding("id-changes", "The id changes within a stream", at="/id", expected=ids[0], found=ids[1])


@area.must(
    "stream-finishes-once",
    sends=each(LONG_STREAMED, streamed(BOTH)),
    spec=SPEC.at(f"{RESPONSE}.choices.finish_reason", "enum: [stop, length, content_filter]"),
)
def stream_finishes_once(x: Exchange) -> Findings:
    """Each choice of a stream has one finish reason, a known one, in its last chunk; it is null before."""
    reasons: Counter[object] = Counter()
    for choice in (choice for chunk in x.data for choice in chunk["choices"]):
        index, reason = choice["index"].value, choice["finish_reason"]
        if reasons[index] and choice["text"]:
            yield Finding(
                "text-after-finish",
                "Text follows the finish reason of its choice",
                at=choice["text"].pointer,
                found=choice["text"],
            )
        if not reason.missing and reason.value not in FINISHES:
            yield Finding(
                "unknown-finish-reason",
                "The finish reason is not one that this interface has",
                at=reason.pointer,
                expected=list(FINISHES),
                found=reason,
            )
        reasons[index] += not reason.missing
    for index, count in reasons.items():
        if count != 1:
            yield Finding(
                "not-one-finish-reason",
                "A choice has no finish reason, or several",
                at=f"choice {index}",
                expected=1,
                found=count,
            )


@area.should("stream-is-as-whole", sends=(LONG, LONG_STREAMED), spec=SAME_KIND)
def stream_is_as_whole(whole: Exchange, x: Exchange) -> Findings:
    """The chunks of a stream together are the text of the whole answer, where nothing is left to chance."""
    expected, found = text(whole), text(x)
    if not expected:
        raise Unwitnessed("the answer has no text")
    if not found:
        yield Finding("no-text", "The stream has no text", expected=expected, found=found, on=x.key)
    elif len(found) > 1.5 * len(expected):
        yield Finding(
            "more-text",
            "The stream has more text than the whole answer",
            expected=expected[:200],
            found=found[:200],
            on=x.key,
        )
    elif found[0] != expected[0]:
        yield Finding(
            "other-beginning",
            "The streamed text begins differently from the whole answer",
            expected=expected[:200],
            found=found[:200],
            on=x.key,
        )
    elif found != expected and (expected.startswith(found) or found.startswith(expected)):
        # One is the beginning of the other: something is lost, or comes twice.
        yield Finding(
            "other-end",
            "The streamed text ends elsewhere than the whole answer",
            expected=expected[-200:],
            found=found[-200:],
            on=x.key,
        )


@area.should(
    "stream-tells-usage",
    sends=USAGE,
    spec=SPEC.at(
        "ChatCompletionStreamOptions.include_usage",
        "If set, an additional chunk will be streamed before the `data: [DONE]` message.",
    ),
    remedy="Count the tokens in the client.",
)
def stream_tells_usage(x: Exchange) -> Findings:
    """A stream whose usage is asked for ends with it, in a chunk without choices."""
    holders = [chunk for chunk in x.data if chunk["usage"].type == "object"]
    if not holders:
        yield Finding("no-usage", "The stream has no usage", expected="usage", found=x.text[-300:])
    elif holders[-1]["choices"].type == "array" and holders[-1]["choices"]:
        choices = holders[-1]["choices"]
        yield Finding(
            "usage-with-choice", "The usage comes with a choice", at=choices.pointer, expected=[], found=choices
        )
