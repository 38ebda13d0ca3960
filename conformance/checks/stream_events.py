"""The members of the chunks of a stream. Their order is judged in `stream_order.py`, their framing in `stream_framing.py`."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.core.check import ANSWER, OK, Area, each
from conformance.core.exchange import DONE, Exchange
from conformance.core.finding import Finding, Findings
from conformance.core.reading.json import Value
from conformance.core.requirement import AI_SDK, REPORTS, SPEC
from conformance.probes.chat import COUNT_STREAMED, STREAMED
from conformance.probes.streams import CALL_USAGE, GREEDY_USAGE, USAGE

area = Area("stream", needs=OK, requires="chat.stream")

CHUNK = "CreateChatCompletionStreamResponse"
REASONS = ("stop", "length", "tool_calls", "content_filter", "function_call")
PLAIN_AND_COUNTED = each(STREAMED, USAGE)
"""A stream as it is, and one with a chunk of usage: the last chunk is a chunk like the others."""
OPTIONAL = {
    "model": ("string",),
    "service_tier": ("string", "null"),
    "system_fingerprint": ("string", "null"),
    "usage": ("object", "null"),
    "obfuscation": ("string", "null"),
    "moderation": ("object", "null"),
}
"""Members of a chunk beyond those with a check of their own, and their types."""


def place(value: Value) -> int:
    """The number of the event that a value of `Exchange.data` comes from."""
    return int(value.pointer.split()[1])


def chunks(x: Exchange) -> list[Value]:
    """The objects of the stream up to `[DONE]` that are not errors: another check judges those."""
    end = next((number for number, event in enumerate(x.events) if event.data.strip() == DONE), len(x.events))
    return [value for value in x.data if place(value) < end and value.type == "object" and value["error"].missing]


def choices(x: Exchange) -> Iterator[Value]:
    """Every choice of every chunk, in order."""
    return (choice for chunk in chunks(x) for choice in chunk["choices"])


@area.must(
    "chunks-have-their-members",
    sends=PLAIN_AND_COUNTED,
    spec=SPEC.at(CHUNK, "required: [choices, created, id, model, object]"),
)
def chunks_have_their_members(x: Exchange) -> Findings:
    """Every chunk has an `id`, a `created` and a `model`, the one with the usage too."""
    for chunk in chunks(x):
        for name, kind in (("id", "string"), ("created", "integer"), ("model", "string")):
            member = chunk[name]
            if member.type != kind:
                yield Finding(
                    "missing-or-wrong-type",
                    "A required member of a chunk is missing or has the wrong type",
                    at=member.pointer,
                    expected=kind,
                    found=member,
                )
            elif name == "id" and not member:
                yield Finding("empty-id", "The `id` of a chunk is empty", at=member.pointer, found=member)


@area.must(
    "chunks-are-named",
    sends=PLAIN_AND_COUNTED,
    spec=SPEC.at(f"{CHUNK}.object", "The object type, which is always `chat.completion.chunk`."),
)
def chunks_are_named(x: Exchange) -> Findings:
    """The `object` of every chunk is `chat.completion.chunk`."""
    for chunk in chunks(x):
        name = chunk["object"]
        if name.value != "chat.completion.chunk":
            yield Finding(
                "wrong-object",
                "The `object` of a chunk is not `chat.completion.chunk`",
                at=name.pointer,
                expected="chat.completion.chunk",
                found=name,
            )


@area.must(
    "chunks-have-choices",
    sends=PLAIN_AND_COUNTED,
    spec=AI_SDK.at("chunk schema", "`choices` must be an array in every chunk, in the one with the usage too"),
)
def chunks_have_choices(x: Exchange) -> Findings:
    """Every chunk has an array `choices`, which may be empty."""
    for chunk in chunks(x):
        value = chunk["choices"]
        if value.type != "array":
            yield Finding("choices-not-an-array", "A chunk has no array `choices`", at=value.pointer, found=value)


def change(x: Exchange, name: str, kind: str) -> tuple[Value, Value] | None:
    """The first value of a member of the chunks, and the first value that differs from it; None where all are equal."""
    values = [chunk[name] for chunk in chunks(x) if chunk[name].type == kind]
    return next(((values[0], value) for value in values if value.value != values[0].value), None)


@area.must("chunks-share-an-id", sends=PLAIN_AND_COUNTED, spec=SPEC.at(f"{CHUNK}.id", "Each chunk has the same ID."))
def chunks_share_an_id(x: Exchange) -> Findings:
    """All chunks of a stream have the same `id`."""
    if values := change(x, "id", "string"):
        first, other = values
        yield Finding("id-changes", "The `id` changes within a stream", at=other.pointer, expected=first, found=other)


@area.must(
    "chunks-share-a-time",
    sends=each(COUNT_STREAMED, USAGE),
    spec=SPEC.at(f"{CHUNK}.created", "Each chunk has the same timestamp."),
)
def chunks_share_a_time(x: Exchange) -> Findings:
    """All chunks of a stream have the same `created`."""
    if values := change(x, "created", "integer"):
        first, other = values
        yield Finding(
            "created-changes", "The `created` changes within a stream", at=other.pointer, expected=first, found=other
        )


@area.should(
    "chunks-share-a-model",
    sends=PLAIN_AND_COUNTED,
    spec=SPEC.at(f"{CHUNK}.model", "The model to generate the completion."),
)
def chunks_share_a_model(x: Exchange) -> Findings:
    """All chunks of a stream have the same `model`."""
    if values := change(x, "model", "string"):
        first, other = values
        yield Finding(
            "model-changes", "The `model` changes within a stream", at=other.pointer, expected=first, found=other
        )


@area.must(
    "choices-have-a-delta",
    sends=PLAIN_AND_COUNTED,
    spec=SPEC.at(f"{CHUNK}.choices", "required: [delta, finish_reason, index]"),
    remedy="guard every access to `choice.delta`: agents that read its role stop with an exception",
)
def choices_have_a_delta(x: Exchange) -> Findings:
    """Every choice of a chunk has a `delta` that is an object."""
    for choice in choices(x):
        delta = choice["delta"]
        if delta.type != "object":
            yield Finding(
                "delta-not-an-object",
                "A choice has no object `delta`",
                at=delta.pointer,
                expected="object",
                found=delta,
            )


@area.must(
    "choices-have-an-index",
    sends=each(STREAMED, CALL_USAGE),
    spec=SPEC.at(f"{CHUNK}.choices.index", "The index of the choice in the list of choices."),
)
def choices_have_an_index(x: Exchange) -> Findings:
    """In a stream of one choice, the `index` is 0 in every chunk."""
    for choice in choices(x):
        index = choice["index"]
        if index.type != "integer" or index.value != 0:
            yield Finding(
                "index-not-zero", "The `index` of the only choice is not 0", at=index.pointer, expected=0, found=index
            )


@area.must(
    "choices-have-a-finish-reason",
    sends=each(STREAMED, CALL_USAGE),
    spec=SPEC.at(f"{CHUNK}.choices", "required: [delta, finish_reason, index]"),
)
def choices_have_a_finish_reason(x: Exchange) -> Findings:
    """Every choice of a chunk has a `finish_reason`: null until it ends, then one of the documented reasons."""
    for choice in choices(x):
        reason = choice["finish_reason"]
        if reason.absent:
            yield Finding(
                "no-finish-reason",
                "A choice has no member `finish_reason`",
                at=reason.pointer,
                expected=[None, *REASONS],
            )
        elif reason.value not in (None, *REASONS):
            yield Finding(
                "unknown-finish-reason",
                "The finish reason is not a documented one",
                at=reason.pointer,
                expected=[None, *REASONS],
                found=reason,
            )


@area.must(
    "deltas-hold-text",
    sends=each(STREAMED, COUNT_STREAMED),
    spec=SPEC.at("ChatCompletionStreamResponseDelta.content", "The contents of the chunk message."),
)
def deltas_hold_text(x: Exchange) -> Findings:
    """The `content` and the `refusal` of a delta are strings or null."""
    for choice in choices(x):
        for part in (choice["delta"]["content"], choice["delta"]["refusal"]):
            if not part.missing and part.type != "string":
                yield Finding(
                    "not-a-string",
                    "The `content` or `refusal` of a delta is not a string",
                    at=part.pointer,
                    expected="string",
                    found=part,
                )


@area.should(
    "chunks-hold-no-message",
    sends=STREAMED,
    spec=REPORTS.at(
        "Perplexity",
        "clients that read `message` before `delta` write the text again with every chunk",
        "https://github.com/perplexityai/api-discussion/issues/209",
    ),
)
def chunks_hold_no_message(x: Exchange) -> Findings:
    """A choice of a chunk has a `delta` with what is new, and no `message` beside it."""
    for choice in choices(x):
        message = choice["message"]
        if message.type == "object":
            yield Finding("message-in-chunk", "A choice of a chunk has a `message`", at=message.pointer, found=message)
            return


@area.should(
    "members-have-their-types",
    sends=GREEDY_USAGE,
    needs=ANSWER,
    spec=SPEC.at(CHUNK, "An obfuscation string added to normalize the size of streamed chunks"),
)
def members_have_their_types(x: Exchange) -> Findings:
    """The other documented members of a chunk have the documented types where they are present."""
    for chunk in x.data:
        parts = [(chunk[name], kinds) for name, kinds in OPTIONAL.items()]
        parts += [(choice["logprobs"], ("object", "null")) for choice in chunk["choices"]]
        for value, kinds in parts:
            if not value.absent and value.type not in kinds:
                yield Finding(
                    "wrong-type",
                    "A member of a chunk has the wrong type",
                    at=value.pointer,
                    expected=list(kinds),
                    found=value,
                )
                return
