"""`stream_options`: the usage of a stream, when it comes and when not; and padding."""

from __future__ import annotations

from conformance.checks.stream_events import chunks
from conformance.checks.stream_order import NO_STREAM
from conformance.core.check import OK, REPLY, Area, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed, Unsupported
from conformance.core.reading.json import Value
from conformance.core.requirement import LANGCHAIN, REPORTS, SPEC, STRANDS
from conformance.judging.refusal import named
from conformance.probes.chat import HELLO, STREAMED, streamed
from conformance.probes.streams import (
    CALL_USAGE,
    CAPPED_USAGE,
    NO_OPTIONS,
    NULL_OPTIONS,
    OPTIONS_ALONE,
    UNPADDED,
    USAGE,
    USAGE_OFF,
    options,
)

area = Area("stream_options", requires="chat.stream")

INCLUDE = "ChatCompletionStreamOptions.include_usage"
STREAMS = ("chat.stream", "usage.stream")
UNASKED = each(STREAMED, USAGE_OFF)
CONTINUOUS = streamed(HELLO, include_usage=True, continuous_usage_stats=True)
"""What vLLM has beyond the specification: usage in every chunk."""


def counted(x: Exchange) -> list[Value]:
    """The chunks that have usage."""
    return [chunk for chunk in chunks(x) if not chunk["usage"]["prompt_tokens"].missing]


def has_usage(x: Exchange) -> None:
    """Raises Unsupported where no chunk has usage."""
    if not counted(x):
        raise Unsupported("the stream has no usage")


@area.must(
    "requests-are-accepted",
    sends=each(USAGE, USAGE_OFF, NO_OPTIONS, NULL_OPTIONS, UNPADDED),
    needs=REPLY,
    spec=SPEC.at("ChatCompletionStreamOptions", "Options for streaming response."),
)
def requests_are_accepted(x: Exchange) -> Findings:
    """A stream with valid options, or with null for them, is answered."""
    if feature := named(x, ("chat.stream",)):
        raise Unsupported(f"the server refuses `{feature}` ({x.status})")
    if not x.ok:
        yield Finding("refused", "A valid request is refused", expected="2xx", found=x.status)


@area.must(
    "usage-comes",
    sends=each(USAGE, CAPPED_USAGE, CALL_USAGE),
    requires=STREAMS,
    spec=SPEC.at(INCLUDE, "If set, an additional chunk will be streamed before the `data: [DONE]` message."),
    remedy="count tokens yourself, or ask for whole answers where you bill by usage",
)
def usage_comes(x: Exchange) -> Findings:
    """With `include_usage` a chunk has usage, however the answer ends."""
    if not chunks(x):
        raise Unsupported(NO_STREAM)
    if not counted(x):
        yield Finding("no-usage", "No chunk has usage", expected="object")


@area.must(
    "usage-comes-without-choices",
    sends=USAGE,
    requires=STREAMS,
    given=has_usage,
    spec=SPEC.at(INCLUDE, "the `choices` field will always be an empty array"),
)
def usage_comes_without_choices(x: Exchange) -> Findings:
    """The last chunk with usage has an empty array of choices."""
    choices = counted(x)[-1]["choices"]
    if choices.type == "array" and choices:
        yield Finding(
            "choices-with-usage", "The chunk with the usage has choices", at=choices.pointer, expected=[], found=choices
        )


@area.must(
    "usage-comes-last",
    sends=each(USAGE, CAPPED_USAGE),
    requires=STREAMS,
    given=has_usage,
    spec=STRANDS.at("OpenAIModel.stream", "only the last event before the end is read for usage; any other is lost"),
)
def usage_comes_last(x: Exchange) -> Findings:
    """The usage is in the last chunk, after the finish reason."""
    usage, last = counted(x)[-1], chunks(x)[-1]
    if usage.pointer != last.pointer:
        yield Finding("usage-not-last", "Chunks follow the one with the usage", at=usage.pointer, found=last)


@area.must(
    "usage-comes-once",
    sends=each(USAGE, CAPPED_USAGE),
    requires=STREAMS,
    spec=LANGCHAIN.at("add_usage", "the usage of all chunks is added up: what comes twice is counted twice"),
)
def usage_comes_once(x: Exchange) -> Findings:
    """No more than one chunk has usage."""
    found = counted(x)
    if len(found) > 1:
        yield Finding(
            "repeated-usage",
            "More than one chunk has usage",
            at=found[0]["usage"].pointer,
            expected=1,
            found=len(found),
        )


@area.may(
    "other-chunks-have-null",
    sends=USAGE,
    requires=STREAMS,
    given=has_usage,
    spec=SPEC.at(INCLUDE, "All other chunks will also include a `usage` field, but with a null value."),
)
def other_chunks_have_null(x: Exchange) -> Findings:
    """With `include_usage`, every other chunk with choices has `usage: null`."""
    for chunk in chunks(x):
        if chunk["usage"].absent and chunk["choices"]:
            yield Finding("usage-not-null", "A chunk lacks `usage: null`", at=chunk["usage"].pointer, expected=None)
            return


@area.should(
    "usage-only-comes-when-asked",
    sends=UNASKED,
    spec=SPEC.at(
        "CreateChatCompletionStreamResponse.usage",
        'An optional field that will only be present when you set `stream_options: {"include_usage": true}` in your '
        "request.",
    ),
)
def usage_only_comes_when_asked(x: Exchange) -> Findings:
    """Without `include_usage`, no chunk has usage."""
    for chunk in counted(x)[:1]:
        usage = chunk["usage"]
        yield Finding("unrequested-usage", "A chunk has usage that was not requested", at=usage.pointer, found=usage)


@area.should(
    "choices-are-only-empty-when-asked",
    sends=UNASKED,
    spec=REPORTS.at(
        "quotio",
        "clients that read `choices[0]` of every chunk stop with an exception",
        "https://github.com/nguyenphutrong/quotio/issues/460",
    ),
    remedy="skip chunks whose `choices` is empty",
)
def choices_are_only_empty_when_asked(x: Exchange) -> Findings:
    """Without `include_usage`, every chunk has a choice."""
    for chunk in chunks(x):
        if chunk["choices"].type == "array" and not chunk["choices"]:
            yield Finding("no-choice", "A chunk has no choice", at=chunk["choices"].pointer, found=chunk)


@area.should(
    "one-chunk-without-choices",
    sends=USAGE,
    requires=STREAMS,
    spec=SPEC.at(
        "CreateChatCompletionStreamResponse.choices",
        'Can also be empty for the last chunk if you set `stream_options: {"include_usage": true}`.',
    ),
)
def one_chunk_without_choices(x: Exchange) -> Findings:
    """With `include_usage`, only the chunk with the usage has no choice."""
    for chunk in chunks(x):
        if chunk["choices"].type == "array" and not chunk["choices"] and chunk["usage"].missing:
            yield Finding(
                "no-choice-no-usage", "A chunk has neither a choice nor usage", at=chunk["choices"].pointer, found=chunk
            )


@area.must(
    "padding-can-be-left-out",
    sends=UNPADDED,
    spec=SPEC.at(
        "CreateChatCompletionStreamResponse.obfuscation",
        "The field is included by default and omitted when `stream_options.include_obfuscation` is `false`.",
    ),
)
def padding_can_be_left_out(x: Exchange) -> Findings:
    """With `include_obfuscation: false`, no chunk has an `obfuscation`."""
    for chunk in chunks(x):
        pad = chunk["obfuscation"]
        if not pad.missing:
            yield Finding("padded", "A chunk is padded despite `include_obfuscation: false`", at=pad.pointer, found=pad)
            return


@area.should(
    "wrong-types-are-refused",
    sends=options,
    examples=6,
    needs=REPLY,
    spec=SPEC.at("ChatCompletionStreamOptions", "type: object; include_usage: type: boolean"),
)
def wrong_types_are_refused(x: Exchange) -> Findings:
    """Options of a wrong type are refused with a client error."""
    if x.status is None or not 400 <= x.status < 500:
        yield Finding("not-refused", "Stream options of the wrong type are not refused", expected="4xx", found=x.status)


@area.note("without-a-stream", sends=OPTIONS_ALONE, needs=REPLY, requires=())
def without_a_stream(x: Exchange) -> Findings:
    """The status of a request with `stream_options` but no `stream` is recorded: the specification forbids it, servers differ."""
    yield Observed(x.status, "status")


@area.note("padding", sends=STREAMED, needs=OK)
def padding(x: Exchange) -> Findings:
    """Whether chunks are padded with `obfuscation` by default is recorded."""
    yield Observed(any(not chunk["obfuscation"].missing for chunk in chunks(x)), "padded")


@area.note("continuous-usage", sends=CONTINUOUS, needs=REPLY)
def continuous_usage(x: Exchange) -> Findings:
    """The effect of `continuous_usage_stats` is recorded: usage in every chunk, or not, or a refusal."""
    counts = [chunk["usage"].type == "object" for chunk in x.data if chunk["choices"]]
    if not x.ok:
        yield Observed("refused" if named(x) else x.status, "continuous_usage_stats")
    else:
        yield Observed("honoured" if counts and all(counts) else "ignored", "continuous_usage_stats")
