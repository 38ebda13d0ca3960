"""Planted faults: what the chunks of a stream are made of, and what they say."""

from __future__ import annotations

import copy
import json
from typing import Any

from conformance.reference.answer import Answer, Event, Request
from conformance.reference.fault import fault
from conformance.reference.rows import CHUNKS, DELTAS, STREAMED, change, drop, fill, given, numbered, put

FINISHED = STREAMED.having("finish_reason")
LOGGED = STREAMED.where(lambda choice: (choice.get("logprobs") or {}).get("content"))


def choices(answer: Answer) -> list[dict[str, Any]]:
    """Every choice of a stream's chunks; none for a whole answer."""
    return answer.choices if answer.events is not None else []


def deltas(answer: Answer) -> list[dict[str, Any]]:
    """Every delta of a stream."""
    return [choice["delta"] for choice in choices(answer)]


def insert(answer: Answer, where: int, data: Any) -> None:
    """Put an event into a stream, counted as a list counts."""
    if answer.events:
        answer.events.insert(where, Event(data))


def like(answer: Answer, **changes: Any) -> dict[str, Any]:
    """A chunk like the first one, with other members."""
    return {**copy.deepcopy(answer.chunks[0]), **changes}


def text_chunk(answer: Answer, text: str) -> dict[str, Any]:
    """A chunk like the others that adds text."""
    return like(answer, choices=[{"index": 0, "delta": {"content": text}, "logprobs": None, "finish_reason": None}])


def before_finish(answer: Answer) -> int:
    """The place of the event that brings the first finish reason; 0 where none does."""
    for number, event in enumerate(answer.events or ()):
        if any(choice.get("finish_reason") for choice in event.choices):
            return number
    return 0


MEMBERS = (
    put("choice-index-from-content-block", STREAMED.where(lambda choice: choice["delta"].get("tool_calls")), index=1,
        says="Chunks with tool calls have the choice index 1."),
    change("chunk-choices-null", CHUNKS, "choices", lambda choices: choices or None,
        says="A chunk without choices has null for `choices`."),
    numbered("chunk-id-differs", CHUNKS, "id", lambda old, place: f"{old}-{place}",
        says="Every chunk has another `id`."),
    put("chunk-id-empty", CHUNKS, id="", says="The `id` of every chunk is empty."),
    numbered("chunk-created-differs", CHUNKS, "created", lambda time, place: time + place,
        says="The `created` of every chunk is the time at which it was made."),
    change("chunk-model-differs", CHUNKS[-1:], "model", lambda model: f"{model}-v2",
        says="The last chunk has another `model` than the others."),
    numbered("chunk-fingerprint-number", CHUNKS, "system_fingerprint", lambda old, place: place,
        says="The `system_fingerprint` of every chunk is a number."),
    put("chunk-object-wrong-literal", CHUNKS, object="chat.completions.chunk",
        says="The `object` of a chunk is `chat.completions.chunk`."),
)  # fmt: skip


@fault("chunk-has-message-with-cumulative-content")
def repeats_the_message_so_far(answer: Answer, request: Request) -> None:
    """Every choice of a chunk has a `message` with all of the text so far."""
    text = ""
    for choice in choices(answer):
        text += choice["delta"].get("content") or ""
        choice["message"] = {"role": "assistant", "content": text}


@fault("chunk-object-missing")
def leaves_members_out(answer: Answer, request: Request) -> None:
    """Chunks have no `object`, and their choices no `finish_reason` before the last."""
    for chunk in answer.chunks:
        chunk.pop("object", None)
    drops_null_finish(answer)


DELTA_MEMBERS = (
    drop("delta-missing-in-choice", FINISHED, "delta", says="The choice with the finish reason has no delta."),
    put("delta-null-on-finish", FINISHED, delta=None, says="The delta of the choice with the finish reason is null."),
    fill("delta-role-empty-string", DELTAS, role="", says="Every delta but the first has an empty role."),
    put("delta-role-repeated", DELTAS, role="assistant", says="Every delta has the role."),
    drop("delta-role-absent", DELTAS, "role", says="No delta has the role."),
    change("delta-content-as-parts", DELTAS.having("content"), "content", lambda text: [{"type": "text", "text": text}],
        says="The content of a delta is an array of parts."),
    drop("finish-reason-key-missing-nonfinal", STREAMED.where(lambda choice: choice["finish_reason"] is None),
        "finish_reason", says="Only the last choice has a `finish_reason`, not even null before."),
    put("stream-tokens-in-logprobs-not-in-content", DELTAS.having("content")[1:2], content="",
        when=given("logprobs", bool), says="The text of a delta is lost; its log probabilities are not."),
    put("stream-logprobs-once", LOGGED[1:], logprobs=None,
        says="Only the first token of a stream has log probabilities."),
    change("utf8-fffd-in-deltas", DELTAS.texts("content"), "content",
        lambda text: "".join("\ufffd\ufffd" if ord(letter) > 0xFFFF else letter for letter in text),
        says="Each half of a character of four bytes becomes a replacement character."),
)  # fmt: skip


@fault("empty-choices-midstream-blank-id-model")
def sends_blank_chunks(answer: Answer, request: Request) -> None:
    """A chunk without choices, with an empty id and model, comes between the others."""
    if answer.chunks:
        insert(answer, 1, like(answer, id="", model="", choices=[]))


@fault("final-chunk-repeats-full-answer")
def says_it_all_again(answer: Answer, request: Request) -> None:
    """The last delta brings the whole text once more."""
    text = "".join(delta.get("content") or "" for delta in deltas(answer))
    if text:
        insert(answer, before_finish(answer), text_chunk(answer, text))


def drops_null_finish(answer: Answer) -> None:
    """Take `finish_reason` out of the choices where it is null."""
    for choice in choices(answer):
        if choice["finish_reason"] is None:
            del choice["finish_reason"]


@fault("trailing-vendor-chunk-after-usage")
def adds_its_price(answer: Answer, request: Request) -> None:
    """The last event before `[DONE]` is of the vendor's own making."""
    insert(answer, -1, {"choices": [], "cost": "0"})


@fault("surrogates-in-deltas")
def cuts_into_surrogates(answer: Answer, request: Request) -> None:
    """A character beyond the basic plane is sent as two deltas, a surrogate each."""
    events: list[Event] = []
    for event in answer.events or ():
        chosen = event.choices
        text = (chosen[0]["delta"].get("content") or "") if chosen else ""
        if len(text) == 1 and ord(text) > 0xFFFF:
            rest = ord(text) - 0x10000
            for half in (chr(0xD800 + (rest >> 10)), chr(0xDC00 + (rest & 0x3FF))):
                one = copy.deepcopy(event.data)
                one["choices"][0]["delta"]["content"] = half
                events.append(Event(b"data: " + json.dumps(one).encode() + b"\n\n"))
        else:
            events.append(event)
    if answer.events is not None:
        answer.events = events


@fault("stream-without-text")
def streams_no_text(answer: Answer, request: Request) -> None:
    """A stream has a beginning and an end, and no text between them."""
    if answer.events is not None:
        answer.events = [event for event in answer.events if not _speaks(event)]


def _speaks(event: Event) -> bool:
    return any(choice["delta"].get("content") for choice in event.choices)


@fault("stream-in-one-delta")
def says_it_at_once(answer: Answer, request: Request) -> None:
    """All of the text is in one delta."""
    spoken = [delta for delta in deltas(answer) if delta.get("content")]
    text = "".join(delta["content"] for delta in spoken)
    if request.wish.get("logprobs"):
        return  # they would be lost with the chunks
    streams_no_text.plant(request, lambda _: answer)
    if text:
        insert(answer, 1, text_chunk(answer, text))


@fault("stop-string-streamed")
def streams_the_stop(answer: Answer, request: Request) -> None:
    """The stop string is streamed before it stops the answer."""
    stop = request.wish.get("stop")
    if answer.chunks and isinstance(stop, str):
        insert(answer, before_finish(answer), text_chunk(answer, stop))


@fault("stop-string-begun")
def streams_half_the_stop(answer: Answer, request: Request) -> None:
    """The beginning of the stop string is streamed, before the rest of it tells what it was."""
    stop = request.wish.get("stop")
    if answer.chunks and isinstance(stop, str):
        insert(answer, before_finish(answer), text_chunk(answer, stop[: max(1, len(stop) // 2)]))


@fault("role-and-content-together", legal=True)
def begins_with_text(answer: Answer, request: Request) -> None:
    """The first delta has the role and the first text."""
    spoken = [delta for delta in deltas(answer) if delta.get("content")]
    if spoken and answer.events and _only_one(answer):
        spoken[0]["role"] = "assistant"
        del answer.events[0]


def _only_one(answer: Answer) -> bool:
    """Whether there is one choice, and no log probabilities that would be lost with a chunk."""
    return {choice["index"] for choice in choices(answer)} == {0}


@fault("members-left-out", legal=True)
def says_only_what_it_must(answer: Answer, request: Request) -> None:
    """Chunks have no optional members."""
    for chunk in answer.chunks:
        for name in ("service_tier", "system_fingerprint", "obfuscation"):
            chunk.pop(name, None)
    for choice in choices(answer):
        if choice.get("logprobs") is None:
            choice.pop("logprobs", None)
    for delta in deltas(answer):
        if delta.get("refusal") is None:
            delta.pop("refusal", None)


fills_in_nulls = fill(
    "deltas-with-nulls",
    DELTAS,
    role=None,
    content=None,
    refusal=None,
    says="Deltas have null for what they do not say.",
    legal=True,
)


@fault("finish-chunk-has-content", legal=True)
def ends_with_text(answer: Answer, request: Request) -> None:
    """The last text is in the chunk with the finish reason."""
    spoken = [event for event in answer.events or () if _speaks(event)]
    if spoken and answer.events and _only_one(answer):
        last = spoken[-1].data["choices"][0]
        for choice in choices(answer):
            if choice["finish_reason"] and not choice["delta"]:
                choice["delta"], choice["logprobs"] = last["delta"], last["logprobs"]
                answer.events.remove(spoken[-1])
                return
