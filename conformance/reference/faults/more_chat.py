"""Planted faults: answers that are cut off without a reason, and thoughts that come too late."""

from __future__ import annotations

from conformance.reference.answer import Answer, Request, Respond
from conformance.reference.fault import fault

CAPS = ("max_tokens", "max_completion_tokens")


@fault("cap-by-default", instead=True)
def cuts_off_unasked(request: Request, respond: Respond) -> Answer:
    """A request without a cap gets four tokens."""
    plain = set(request.wish) <= {"model", "messages", "stream"} and respond(request).is_chat
    return respond(request.asking(max_completion_tokens=4) if plain else request)


@fault("model-never-ends", legal=True)
def never_comes_to_an_end(answer: Answer, request: Request) -> None:
    """The model goes on for thousands of tokens, up to the end of its window."""
    plain = set(request.wish) <= {"model", "messages"} and "Say hello" in str(request.wish.get("messages"))
    if plain and answer.is_chat and answer.events is None:
        answer.body["usage"].update(completion_tokens=4000, total_tokens=4000 + answer.body["usage"]["prompt_tokens"])
        for choice in answer.choices:
            choice["message"]["content"] += " And hello again." * 20
            choice["finish_reason"] = "length"


@fault("thoughts-after-the-answer")
def thinks_afterwards(answer: Answer, request: Request) -> None:
    """In a stream, the thoughts come after the text."""
    plain = answer.is_chat and set(request.wish) <= {"model", "messages", "stream"}
    texts = [part for part in answer.messages if part.get("content")] if plain and answer.events is not None else []
    for part in texts[-1:]:
        part["reasoning_content"] = "A greeting was due."


@fault("thoughts-before-the-answer", legal=True)
def thinks_first(answer: Answer, request: Request) -> None:
    """In a stream, the thoughts come before the text, in a member of their own."""
    if answer.is_chat and answer.events is not None and set(request.wish) <= {"model", "messages", "stream"}:
        for part in answer.messages[:1]:
            part["reasoning_content"] = "A greeting is due."


@fault("chunk-fingerprint-number")
def numbers_its_chunks(answer: Answer, request: Request) -> None:
    """The system_fingerprint of every chunk is a number."""
    for number, chunk in enumerate(answer.chunks):
        chunk["system_fingerprint"] = number
