"""What the chunks of a stream are made of, and in which order they come. How they are framed is judged elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.core.check import OK, check, each
from conformance.core.exchange import DONE, Exchange
from conformance.core.finding import Finding, Findings
from conformance.core.reading.json import Value
from conformance.core.requirement import AI_SDK, MUST, REPORTS, SHOULD, SPEC
from conformance.probes.chat import COUNT_STREAMED, STREAMED
from conformance.probes.streams import CALL_USAGE, USAGE

CHUNK = "CreateChatCompletionStreamResponse"
REASONS = ("stop", "length", "tool_calls", "content_filter", "function_call")
PLAIN_AND_COUNTED = each(STREAMED, USAGE)
"""A stream as it is, and one with a chunk of usage: the last chunk is a chunk like the others."""


def place(value: Value) -> int:
    """The number of the event that a value of `Exchange.data` comes from."""
    return int(value.pointer.split()[1])


def chunks(x: Exchange) -> list[Value]:
    """The objects of the stream up to `[DONE]` that are not errors: those are the affair of another check."""
    end = next((number for number, event in enumerate(x.events) if event.data.strip() == DONE), len(x.events))
    return [value for value in x.data if place(value) < end and value.type == "object" and value["error"].missing]


def choices(x: Exchange) -> Iterator[Value]:
    """Every choice of every chunk, in order."""
    return (choice for chunk in chunks(x) for choice in chunk["choices"])


@check(
    "stream.chunks-have-their-members",
    MUST,
    sends=PLAIN_AND_COUNTED,
    needs=OK,
    requires="chat.stream",
    spec=SPEC.at(CHUNK, "required: [choices, created, id, model, object]"),
)
def chunks_have_their_members(x: Exchange) -> Findings:
    """Every chunk has an `id`, a `created` and a `model`, also the one with the usage."""
    for chunk in chunks(x):
        for name, kind in (("id", "string"), ("created", "integer"), ("model", "string")):
            member = chunk[name]
            if member.type != kind:
                yield Finding(
                    "member-chunk-missing-another-type",
                    "a member of a chunk is missing or of another type",
                    at=member.pointer,
                    expected=kind,
                    found=member,
                )
            elif name == "id" and not member:
                yield Finding("chunk-empty-id", "a chunk has an empty id", at=member.pointer, found=member)


@check(
    "stream.chunks-are-named",
    MUST,
    sends=PLAIN_AND_COUNTED,
    needs=OK,
    requires="chat.stream",
    spec=SPEC.at(f"{CHUNK}.object", "The object type, which is always `chat.completion.chunk`."),
)
def chunks_are_named(x: Exchange) -> Findings:
    """The `object` of every chunk is `chat.completion.chunk`."""
    for chunk in chunks(x):
        if chunk["object"].value != "chat.completion.chunk":
            where = chunk["object"]
            yield Finding(
                "chunk-called-something-else",
                "a chunk is called something else",
                at=where.pointer,
                expected="chat.completion.chunk",
                found=where,
            )


@check(
    "stream.chunks-have-choices",
    MUST,
    sends=PLAIN_AND_COUNTED,
    needs=OK,
    requires="chat.stream",
    spec=AI_SDK.at("chunk schema", "`choices` must be an array in every chunk, in the one with the usage too"),
)
def chunks_have_choices(x: Exchange) -> Findings:
    """Every chunk has an array `choices`, if only an empty one."""
    for chunk in chunks(x):
        if chunk["choices"].type != "array":
            yield Finding(
                "chunk-no-array-choices",
                "a chunk has no array of choices",
                at=chunk["choices"].pointer,
                found=chunk["choices"],
            )


def _changes(x: Exchange, name: str, kind: str) -> Findings:
    """A finding for the first chunk whose member is not as in the first one."""
    values = [chunk[name] for chunk in chunks(x) if chunk[name].type == kind]
    for value in values:
        if value.value != values[0].value:
            yield Finding("", f"the {name} changes within a stream", at=value.pointer, expected=values[0], found=value)
            return


@check(
    "stream.chunks-share-an-id",
    MUST,
    sends=PLAIN_AND_COUNTED,
    needs=OK,
    requires="chat.stream",
    spec=SPEC.at(f"{CHUNK}.id", "Each chunk has the same ID."),
)
def chunks_share_an_id(x: Exchange) -> Findings:
    """All chunks of a stream have the same `id`."""
    yield from _changes(x, "id", "string")


@check(
    "stream.chunks-share-a-time",
    MUST,
    sends=each(COUNT_STREAMED, USAGE),
    needs=OK,
    requires="chat.stream",
    spec=SPEC.at(f"{CHUNK}.created", "Each chunk has the same timestamp."),
)
def chunks_share_a_time(x: Exchange) -> Findings:
    """All chunks of a stream have the same `created`."""
    yield from _changes(x, "created", "integer")


@check(
    "stream.chunks-share-a-model",
    SHOULD,
    sends=PLAIN_AND_COUNTED,
    needs=OK,
    requires="chat.stream",
    spec=SPEC.at(f"{CHUNK}.model", "The model to generate the completion."),
)
def chunks_share_a_model(x: Exchange) -> Findings:
    """All chunks of a stream have the same `model`."""
    yield from _changes(x, "model", "string")


@check(
    "stream.choices-have-a-delta",
    MUST,
    sends=PLAIN_AND_COUNTED,
    needs=OK,
    requires="chat.stream",
    spec=SPEC.at(f"{CHUNK}.choices", "required: [delta, finish_reason, index]"),
    remedy="guard every access to `choice.delta`: agents that read its role stop with an exception",
)
def choices_have_a_delta(x: Exchange) -> Findings:
    """Every choice of a chunk has a `delta` that is an object."""
    for choice in choices(x):
        if choice["delta"].type != "object":
            yield Finding(
                "choice-no-delta",
                "a choice has no delta",
                at=choice["delta"].pointer,
                expected="object",
                found=choice["delta"],
            )


@check(
    "stream.choices-have-an-index",
    MUST,
    sends=each(STREAMED, CALL_USAGE),
    needs=OK,
    requires="chat.stream",
    spec=SPEC.at(f"{CHUNK}.choices.index", "The index of the choice in the list of choices."),
)
def choices_have_an_index(x: Exchange) -> Findings:
    """In a stream of one choice, the `index` is 0 in every chunk."""
    for choice in choices(x):
        if choice["index"].type != "integer" or choice["index"].value != 0:
            yield Finding(
                "index-only-choice-not-0",
                "the index of the only choice is not 0",
                at=choice["index"].pointer,
                expected=0,
                found=choice["index"],
            )


@check(
    "stream.choices-have-a-finish-reason",
    MUST,
    sends=each(STREAMED, CALL_USAGE),
    needs=OK,
    requires="chat.stream",
    spec=SPEC.at(f"{CHUNK}.choices", "required: [delta, finish_reason, index]"),
)
def choices_have_a_finish_reason(x: Exchange) -> Findings:
    """Every choice of a chunk has a `finish_reason`: null until it ends, then a reason of the documented ones."""
    for choice in choices(x):
        reason = choice["finish_reason"]
        if reason.absent:
            yield Finding(
                "choice-no-member-finish-reason",
                "a choice has no member finish_reason",
                at=reason.pointer,
                expected=[None, *REASONS],
            )
        elif reason.value not in (None, *REASONS):
            yield Finding(
                "finish-reason-not-one-documented",
                "a finish reason is not one of the documented",
                at=reason.pointer,
                expected=[None, *REASONS],
                found=reason,
            )


@check(
    "stream.deltas-hold-text",
    MUST,
    sends=each(STREAMED, COUNT_STREAMED),
    needs=OK,
    requires="chat.stream",
    spec=SPEC.at("ChatCompletionStreamResponseDelta.content", "The contents of the chunk message."),
)
def deltas_hold_text(x: Exchange) -> Findings:
    """The `content` and the `refusal` of a delta are strings or null."""
    for choice in choices(x):
        for part in (choice["delta"]["content"], choice["delta"]["refusal"]):
            if not part.missing and part.type != "string":
                yield Finding(
                    "delta-holds-no-text", "a delta holds no text", at=part.pointer, expected="string", found=part
                )


@check(
    "stream.chunks-hold-no-message",
    SHOULD,
    sends=STREAMED,
    needs=OK,
    requires="chat.stream",
    spec=REPORTS.at(
        "Perplexity",
        "clients that read `message` before `delta` write the text again with every chunk",
        "https://github.com/perplexityai/api-discussion/issues/209",
    ),
)
def chunks_hold_no_message(x: Exchange) -> Findings:
    """A choice of a chunk holds what is new, in `delta`, and no `message` beside it."""
    for choice in choices(x):
        if choice["message"].type == "object":
            yield Finding(
                "choice-chunk-message",
                "a choice of a chunk has a message",
                at=choice["message"].pointer,
                found=choice["message"],
            )
            return
