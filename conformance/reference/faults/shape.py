"""Planted faults: the shape of an answer, and thoughts in the wrong place."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from conformance.reference.answer import Answer, Event, Request, Respond, compact
from conformance.reference.fault import fault
from conformance.reference.rows import (
    BODIES,
    CHOICES,
    DELTAS,
    MESSAGES,
    SPOKEN,
    WHOLE,
    alter,
    as_plain,
    become,
    bodies,
    change,
    drop,
    given,
    messages,
    put,
    whole,
)
from conformance.reference.wrong import Wrong


def plain(answer: Answer, request: Request) -> dict[str, Any]:
    """The same, for a request that says nothing but a model and messages: most other checks look elsewhere."""
    return whole(answer) if set(request.wish) <= {"model", "messages"} else {}


BODY = (
    become("choices-missing-200", WHOLE,
        lambda answer: {"messages": [choice["message"] for choice in answer.body["choices"]]},
        says='The body is `{"messages": [...]}`, without choices.'),
    put("choices-null", WHOLE, choices=None, says="The `choices` of a 200 answer are null."),
    become("null-choices-no-error-200", WHOLE, lambda answer: {"id": answer.body["id"], "choices": None},
        says="A failure is a 200 answer with an id, null for `choices`, and no error."),
    put("choices-empty-200", WHOLE, choices=[], says="The `choices` of a 200 answer are an empty array."),
    become("envelope-data-success", WHOLE, lambda answer: {"data": answer.body, "success": True},
        says='The completion is wrapped: `{"data": ..., "success": true}`.'),
    become("members-twice", WHOLE,
        lambda answer: compact(answer.body).replace('"role":', '"role":"assistant","role":', 1).encode(),
        says="The message of a whole answer has its role twice."),
    become("json-leading-whitespace-keepalive", WHOLE, lambda answer: b"  " + compact(answer.body).encode(),
        says="A whole answer begins with spaces that kept the connection alive."),
)  # fmt: skip


PLAINLY = as_plain(MESSAGES)


MEMBERS = (
    change("choice-doubled", as_plain(WHOLE), "choices", lambda choices: [*choices, *deepcopy(choices)],
        says="A whole answer has its choice twice."),
    drop("role-missing", PLAINLY, "role", says="The message of a whole answer has no role."),
    change("content-as-parts", PLAINLY.texts("content"), "content", lambda text: [{"type": "text", "text": text}],
        says="The content of a whole answer is a list of parts."),
    put("finish-reason-of-no-call",
        as_plain(CHOICES).where(lambda choice: choice["finish_reason"] == "stop" and not choice["message"].get("tool_calls")),
        finish_reason="tool_calls", says="A text that ends naturally has the finish reason `tool_calls`."),
    put("system_fingerprint-number", WHOLE, system_fingerprint=17,
        says="The `system_fingerprint` of a whole answer is a number."),
)  # fmt: skip


@fault("nulls-everywhere")
def writes_nulls(answer: Answer, request: Request) -> None:
    """What a whole answer does not have is null, also where the contract has no null."""
    for message in SPOKEN(answer, request):
        for name in ("annotations", "audio", "function_call", "reasoning"):
            message[name] = message.get(name) or None
    if body := whole(answer):
        body["system_fingerprint"] = None


@fault("refusal-missing")
def leaves_nulls_out(answer: Answer, request: Request) -> None:
    """A whole answer has no `refusal` and no `logprobs`, not even null."""
    for choice in answer.choices if whole(answer) else []:
        if choice.get("logprobs") is None:
            choice.pop("logprobs", None)
        choice["message"].pop("refusal", None)


@fault("members-come-and-go")
def forgets_in_time(answer: Answer, request: Request) -> None:
    """Only the first whole answer to a request has a `system_fingerprint`."""
    if body := whole(answer):
        asked = request.memory.setdefault("asked", set())
        if request.body in asked:
            body.pop("system_fingerprint", None)
        asked.add(request.body)


FREE = ~given("response_format")


thinks_the_answer = alter(
    "answer-trapped-in-reasoning",
    MESSAGES.texts("content").having("content"),
    lambda message: message.update(reasoning_content=message["content"], content=""),
    when=FREE,
    says="The whole answer is in `reasoning_content`, and the content is empty.",
)
THOUGHTS = (
    change("reasoning-leaks-into-content-stream", DELTAS.texts("content").having("content")[:1], "content",
        lambda text: f"<mm:think>The user greets.</mm:think>{text}", when=FREE,
        says="Streamed, thoughts are in the content between tags; whole, they are not."),
    change("thoughts-in-content", PLAINLY.having("content"), "content",
        lambda text: f"<think>\nThe user greets.\n</think>\n\n{text}",
        says="Whole, thoughts are in the content before the answer."),
)  # fmt: skip


@fault("reasoning_content-in-history-400", instead=True)
def cannot_read_its_own_thoughts(request: Request, respond: Respond) -> Answer:
    """Answers have `reasoning_content`, and a history that has it is refused."""
    if any("reasoning_content" in message for message in messages(request)):
        refusal = Wrong(
            "Additional properties are not allowed ('reasoning_content' was unexpected)",
            param="messages",
            headers={"content-type": "application/json"},
        )
        return refusal.answer()
    answer = respond(request)
    for message in SPOKEN(answer, request):
        message["reasoning_content"] = "The user greets."
    return answer


@fault("reasoning-chunk-content-empty-string", legal=True)
def thinks_with_empty_content(answer: Answer, request: Request) -> None:
    """A stream begins with thoughts, and an empty content next to each of them."""
    if not answer.is_chat or answer.events is None or not answer.chunks:
        return
    if request.wish.get("n") not in (None, 1):
        return
    first = answer.chunks[0]
    place = next(place for place, event in enumerate(answer.events) if event.data is first) + 1
    for thought in ("The user", " greets."):
        chunk = deepcopy(first)
        chunk["choices"][0]["delta"] = {"reasoning_content": thought, "content": ""}
        answer.events.insert(place, Event(chunk))
        place += 1


MORE = (
    put("gateway-adds-reasoning_details", SPOKEN, reasoning="The user greets.",
        reasoning_details=[{"type": "reasoning.text", "text": "The user greets.", "index": 0}],
        says="Messages have `reasoning` and `reasoning_details` as well, with the same thoughts.", legal=True),
    change("id-uuid", BODIES, "id", lambda old: str(old).removeprefix("chatcmpl-").rjust(32, "0")[:32],
        says="The `id` of an answer is 32 hexadecimal digits.", legal=True),
)  # fmt: skip


@fault("chunk-native_finish_reason-extra", legal=True)
def tells_more(answer: Answer, request: Request) -> None:
    """Answers and their choices have members that the contract does not know."""
    for body in bodies(answer):
        body["provider"] = "somebody"
    for choice in answer.choices:
        choice["native_finish_reason"] = choice.get("finish_reason")


@fault("control-openai-obfuscation-field", legal=True)
def obfuscates(answer: Answer, request: Request) -> None:
    """Chunks have an `obfuscation`, as OpenAI's have."""
    options = request.wish.get("stream_options")
    unwanted = isinstance(options, dict) and options.get("include_obfuscation") is False
    for chunk in answer.chunks if answer.is_chat and not unwanted else []:
        chunk["obfuscation"] = "aZ09bY18"


@fault("keys-in-another-order", legal=True)
def shuffles_members(answer: Answer, request: Request) -> None:
    """The members of a whole answer come in another order."""
    if body := whole(answer):
        answer.body = dict(reversed(body.items()))
        for choice in answer.choices:
            choice["message"] = dict(reversed(choice["message"].items()))
