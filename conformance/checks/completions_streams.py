"""Streams of the older interface: pieces of text in objects of the same kind as the whole answer, and `[DONE]`."""

from __future__ import annotations

from collections import Counter

from conformance.check import OK, check, each
from conformance.checks.completions import FINISHES, RESPONSE, text
from conformance.checks.stream_framing import carriers, is_done
from conformance.exchange import DONE, Exchange
from conformance.finding import Finding, Findings, Unwitnessed
from conformance.probes.chat import streamed
from conformance.probes.completions import BOTH, LONG, LONG_STREAMED, USAGE
from conformance.requirement import MUST, SHOULD, SPEC

TERMINATED = SPEC.at("CreateCompletionRequest.stream", "with the stream terminated by a `data: [DONE]` message")
SAME_KIND = SPEC.at(
    RESPONSE,
    "Note: both the streamed and non-streamed response objects share the same shape (unlike the chat endpoint).",
)
BOTH_STREAMED = streamed(BOTH)


@check(
    "completions.stream-is-of-events",
    MUST,
    sends=LONG_STREAMED,
    needs=OK,
    requires="completions",
    spec=SPEC.at("CreateCompletionRequest.stream", "tokens will be sent as data-only [server-sent events]"),
)
def stream_is_of_events(x: Exchange) -> Findings:
    """A stream that is asked for comes as events, and has some."""
    if not x.streamed:
        yield Finding(
            "stream-no-stream",
            "the stream is no stream",
            at="content-type",
            expected="text/event-stream",
            found=x.media_type,
        )
    elif not x.data:
        yield Finding("stream-no-events", "the stream has no events", found=x.text[:200])


@check(
    "completions.stream-ends-with-done", MUST, sends=LONG_STREAMED, needs=OK, requires="completions", spec=TERMINATED
)
def stream_ends_with_done(x: Exchange) -> Findings:
    """A stream ends with a `[DONE]` event, and nothing follows it."""
    events = carriers(x)
    ends = [number for number, event in events if is_done(event)]
    if events and not ends and not is_done(x.stream.unfinished):
        yield Finding(
            "no-done", "there is no [DONE]", at=f"event {events[-1][0]}", expected=DONE, found=events[-1][1].data[:200]
        )
    elif ends and events[-1][0] > ends[0]:
        yield Finding(
            "event-follows-done", "an event follows [DONE]", at=f"event {events[-1][0]}", found=events[-1][1].data[:200]
        )


@check("completions.stream-has-text", MUST, sends=LONG_STREAMED, needs=OK, requires="completions", spec=SAME_KIND)
def stream_has_text(x: Exchange) -> Findings:
    """The pieces of a stream are of the kind `text_completion`, and have their text in `text`."""
    for value in x.data:
        if value.type == "object" and value["object"].value != "text_completion":
            found = value["object"]
            yield Finding(
                "piece-another-kind",
                "a piece is of another kind",
                at=found.pointer,
                expected="text_completion",
                found=found,
            )
        for choice in value["choices"]:
            if choice["text"].type != "string":
                said = "the text is in a delta" if choice["delta"].type == "object" else "a choice has no text"
                yield Finding("", said, at=choice["text"].pointer, expected="string", found=choice["text"])


@check(
    "completions.stream-has-one-id",
    MUST,
    sends=LONG_STREAMED,
    needs=OK,
    requires="completions",
    spec=SPEC.at(f"{RESPONSE}.id", "A unique identifier for the completion."),
)
def stream_has_one_id(x: Exchange) -> Findings:
    """All pieces of a stream have the same id."""
    ids = list(dict.fromkeys(value["id"].value for value in x.data if value["id"].type == "string"))
    if len(ids) > 1:
        yield Finding("pieces-different-ids", "the pieces have different ids", at="/id", expected=ids[0], found=ids[1])


@check(
    "completions.stream-finishes-once",
    MUST,
    sends=each(LONG_STREAMED, BOTH_STREAMED),
    needs=OK,
    requires="completions",
    spec=SPEC.at(f"{RESPONSE}.choices.finish_reason", "enum: [stop, length, content_filter]"),
)
def stream_finishes_once(x: Exchange) -> Findings:
    """Each choice of a stream has one finish reason, a known one, in its last piece; it is null before."""
    reasons: Counter[object] = Counter()
    for value in x.data:
        for choice in value["choices"]:
            index, reason = choice["index"].value, choice["finish_reason"]
            if reasons[index] and choice["text"]:
                yield Finding(
                    "text-follows-end-choice",
                    "text follows the end of its choice",
                    at=choice["text"].pointer,
                    found=choice["text"],
                )
            if not reason.missing:
                reasons[index] += 1
                if reason.value not in FINISHES:
                    yield Finding(
                        "finish-reason-another",
                        "the finish reason is another",
                        at=reason.pointer,
                        expected=list(FINISHES),
                        found=reason,
                    )
            reasons.setdefault(index, 0)
    for index, count in reasons.items():
        if count != 1:
            yield Finding(
                "choice-not-one-finish-reason",
                "a choice has not one finish reason",
                at=f"choice {index}",
                expected=1,
                found=count,
            )


@check(
    "completions.stream-is-as-whole",
    SHOULD,
    sends=(LONG, LONG_STREAMED),
    needs=OK,
    requires="completions",
    spec=SAME_KIND,
)
def stream_is_as_whole(whole: Exchange, x: Exchange) -> Findings:
    """The pieces of a stream together are the text of the whole answer, where nothing is left to chance."""
    one, other = text(whole), text(x)
    common = (
        len(one) if one == other else next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), -1)
    )
    if not one:
        yield Unwitnessed("the answer has no text")
    elif not other:
        yield Finding("stream-no-text", "the stream has no text", expected=one, found=other, on=x.key)
    elif len(other) > 1.5 * len(one):
        yield Finding("stream-more-text", "the stream has more text", expected=one[:200], found=other[:200], on=x.key)
    elif one != other and common == 0:
        yield Finding(
            "stream-begins-otherwise", "the stream begins otherwise", expected=one[:200], found=other[:200], on=x.key
        )
    elif one != other and common == -1:  # one is the beginning of the other: something is lost, or comes twice
        yield Finding(
            "stream-ends-elsewhere", "the stream ends elsewhere", expected=one[-200:], found=other[-200:], on=x.key
        )


@check(
    "completions.stream-tells-usage",
    SHOULD,
    sends=USAGE,
    needs=OK,
    requires="completions",
    spec=SPEC.at(
        "ChatCompletionStreamOptions.include_usage",
        "If set, an additional chunk will be streamed before the `data: [DONE]` message.",
    ),
    remedy="Count the tokens in the client.",
)
def stream_tells_usage(x: Exchange) -> Findings:
    """A stream whose usage is asked for ends with it, in a piece without choices."""
    holders = [value for value in x.data if value["usage"].type == "object"]
    if not holders:
        yield Finding("usage-does-not-come", "the usage does not come", expected="usage", found=x.text[-300:])
    elif holders[-1]["choices"].type == "array" and holders[-1]["choices"]:
        choices = holders[-1]["choices"]
        yield Finding(
            "usage-comes-choice", "the usage comes with a choice", at=choices.pointer, expected=[], found=choices
        )
