"""`stream_options`: the usage of a stream, when it comes and when not; and padding."""

from __future__ import annotations

from conformance.checks.stream_events import chunks
from conformance.checks.stream_order import NO_STREAM
from conformance.core.check import OK, REPLY, check, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed, Unsupported
from conformance.core.reading.json import Value
from conformance.core.requirement import LANGCHAIN, MAY, MUST, NOTE, REPORTS, SHOULD, SPEC, STRANDS
from conformance.judging.refusal import named
from conformance.probes.chat import STREAMED
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

INCLUDE = "ChatCompletionStreamOptions.include_usage"
ASKED = SPEC.at(INCLUDE, "If set, an additional chunk will be streamed before the `data: [DONE]` message.")
STREAMS = ("chat.stream", "usage.stream")
NONE = "the stream has no usage"
UNASKED = each(STREAMED, USAGE_OFF)


def counted(x: Exchange) -> list[tuple[int, Value]]:
    """The chunks that carry usage, with their places among the chunks."""
    return [(place, chunk) for place, chunk in enumerate(chunks(x)) if not chunk["usage"]["prompt_tokens"].missing]


@check(
    "stream_options.requests-are-accepted",
    MUST,
    sends=each(USAGE, USAGE_OFF, NO_OPTIONS, NULL_OPTIONS, UNPADDED),
    needs=REPLY,
    requires="chat.stream",
    spec=SPEC.at("ChatCompletionStreamOptions", "Options for streaming response."),
)
def requests_are_accepted(x: Exchange) -> Findings:
    """A stream with valid options, or with null for them, is answered."""
    if feature := named(x, ("chat.stream",)):
        yield Unsupported(f"the server refuses `{feature}` ({x.status})")
    elif not x.ok:
        yield Finding("valid-request-refused", "a valid request is refused", expected="2xx", found=x.status)


@check(
    "stream_options.usage-comes",
    MUST,
    sends=each(USAGE, CAPPED_USAGE, CALL_USAGE),
    requires=STREAMS,
    spec=ASKED,
    remedy="count tokens yourself, or ask for whole answers where you bill by usage",
)
def usage_comes(x: Exchange) -> Findings:
    """With `include_usage` a chunk carries usage, however the answer ends."""
    if not chunks(x):
        yield Unsupported(NO_STREAM)
    elif not counted(x):
        yield Finding("no-chunk-carries-usage", "no chunk carries usage", expected="object")


@check(
    "stream_options.usage-comes-without-choices",
    MUST,
    sends=USAGE,
    requires=STREAMS,
    spec=SPEC.at(INCLUDE, "the `choices` field will always be an empty array"),
)
def usage_comes_without_choices(x: Exchange) -> Findings:
    """The last chunk with usage has an empty array of choices."""
    if not (found := counted(x)):
        yield Unsupported(NONE)
    elif (choices := found[-1][1]["choices"]).type == "array" and choices:
        yield Finding(
            "chunk-usage-choices",
            "the chunk with the usage has choices",
            at=choices.pointer,
            expected=[],
            found=choices,
        )


@check(
    "stream_options.usage-comes-last",
    MUST,
    sends=each(USAGE, CAPPED_USAGE),
    requires=STREAMS,
    spec=STRANDS.at("OpenAIModel.stream", "only the last event before the end is read for usage; any other is lost"),
)
def usage_comes_last(x: Exchange) -> Findings:
    """The usage is in the last chunk, after the finish reason."""
    found, all_of_them = counted(x), chunks(x)
    if not found:
        yield Unsupported(NONE)
        return
    place, chunk = found[-1]
    if place != len(all_of_them) - 1:
        yield Finding(
            "chunks-follow-one-usage", "chunks follow the one with the usage", at=chunk.pointer, found=all_of_them[-1]
        )


@check(
    "stream_options.usage-comes-once",
    MUST,
    sends=each(USAGE, CAPPED_USAGE),
    requires=STREAMS,
    spec=LANGCHAIN.at("add_usage", "the usage of all chunks is added up: what comes twice is counted twice"),
)
def usage_comes_once(x: Exchange) -> Findings:
    """Only one chunk carries usage."""
    found = counted(x)
    if len(found) > 1:
        yield Finding(
            "several-chunks-carry-usage",
            "several chunks carry usage",
            at=found[0][1]["usage"].pointer,
            expected=1,
            found=len(found),
        )


@check(
    "stream_options.other-chunks-have-null",
    MAY,
    sends=USAGE,
    requires=STREAMS,
    spec=SPEC.at(INCLUDE, "All other chunks will also include a `usage` field, but with a null value."),
)
def other_chunks_have_null(x: Exchange) -> Findings:
    """With `include_usage`, the chunks without usage have null for it."""
    if not counted(x):
        yield Unsupported(NONE)
        return
    for chunk in chunks(x):
        if chunk["usage"].absent and chunk["choices"]:
            yield Finding(
                "chunk-no-member-usage", "a chunk has no member usage", at=chunk["usage"].pointer, expected=None
            )
            return


@check(
    "stream_options.usage-only-comes-when-asked",
    SHOULD,
    sends=UNASKED,
    requires="chat.stream",
    spec=SPEC.at(
        "CreateChatCompletionStreamResponse.usage",
        'An optional field that will only be present when you set `stream_options: {"include_usage": true}` in your '
        "request.",
    ),
)
def usage_only_comes_when_asked(x: Exchange) -> Findings:
    """Without `include_usage`, no chunk carries usage."""
    for _, chunk in counted(x):
        yield Finding("usage-comes-unasked", "usage comes unasked", at=chunk["usage"].pointer, found=chunk["usage"])
        return


@check(
    "stream_options.choices-are-only-empty-when-asked",
    SHOULD,
    sends=UNASKED,
    requires="chat.stream",
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
            yield Finding("chunk-no-choice", "a chunk has no choice", at=chunk["choices"].pointer, found=chunk)


@check(
    "stream_options.one-chunk-without-choices",
    SHOULD,
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
                "chunk-neither-choice-nor-usage",
                "a chunk has neither a choice nor usage",
                at=chunk["choices"].pointer,
                found=chunk,
            )


@check(
    "stream_options.padding-can-be-left-out",
    MUST,
    sends=UNPADDED,
    requires="chat.stream",
    spec=SPEC.at(
        "CreateChatCompletionStreamResponse.obfuscation",
        "The field is included by default and omitted when `stream_options.include_obfuscation` is `false`.",
    ),
)
def padding_can_be_left_out(x: Exchange) -> Findings:
    """With `include_obfuscation: false`, no chunk has an `obfuscation`."""
    for chunk in chunks(x):
        if not chunk["obfuscation"].missing:
            yield Finding(
                "chunk-padded-all-same",
                "a chunk is padded all the same",
                at=chunk["obfuscation"].pointer,
                found=chunk["obfuscation"],
            )
            return


@check(
    "stream_options.wrong-types-are-refused",
    SHOULD,
    sends=options,
    examples=6,
    needs=REPLY,
    requires="chat.stream",
    spec=SPEC.at("ChatCompletionStreamOptions", "type: object; include_usage: type: boolean"),
)
def wrong_types_are_refused(x: Exchange) -> Findings:
    """Options of a wrong type are refused with a client error."""
    if x.status is None or not 400 <= x.status < 500:
        yield Finding(
            "options-wrong-type-not-refused", "options of a wrong type are not refused", expected="4xx", found=x.status
        )


@check("stream_options.without-a-stream", NOTE, sends=OPTIONS_ALONE, needs=REPLY)
def without_a_stream(x: Exchange) -> Findings:
    """What becomes of `stream_options` where no stream is asked for: the specification forbids it, servers differ."""
    yield Observed(x.status, "status")


@check("stream_options.padding", NOTE, sends=STREAMED, needs=OK, requires="chat.stream")
def padding(x: Exchange) -> Findings:
    """Whether chunks are padded with `obfuscation` where nothing is said about it."""
    yield Observed(any(not chunk["obfuscation"].missing for chunk in chunks(x)), "padded")
