"""Planted faults: the shape of an answer, and thoughts in the wrong place."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from conformance.reference.answer import Answer, Event, Request, Respond, compact
from conformance.reference.fault import fault
from conformance.reference.wrong import Wrong


def bodies(answer: Answer) -> Iterator[dict[str, Any]]:
    """The completion objects of an answer, whole or streamed, to change in place."""
    if answer.is_chat:
        yield from [answer.body] if answer.events is None else answer.chunks


def whole(answer: Answer) -> dict[str, Any]:
    """The completion object of an answer that is not streamed, to change in place; empty for any other answer."""
    if not answer.is_chat or answer.events is not None:
        return {}
    body: dict[str, Any] = answer.body
    return body


def plain(answer: Answer, request: Request) -> dict[str, Any]:
    """The same, for a request that says nothing but a model and messages: most other checks look elsewhere."""
    return whole(answer) if set(request.wish) <= {"model", "messages"} else {}


def plain_messages(answer: Answer, request: Request) -> list[dict[str, Any]]:
    """The messages of such an answer."""
    return answer.messages if plain(answer, request) else []


def whole_messages(answer: Answer) -> list[dict[str, Any]]:
    """The messages of an answer that is not streamed."""
    return answer.messages if whole(answer) else []


@fault("choices-missing-200")
def answers_with_messages(answer: Answer, request: Request) -> None:
    """The body is `{"messages": [...]}`, without choices."""
    if body := whole(answer):
        answer.body = {"messages": [choice["message"] for choice in body["choices"]]}


@fault("choices-null")
def has_null_for_choices(answer: Answer, request: Request) -> None:
    """The `choices` of a 200 answer are null."""
    if body := whole(answer):
        body["choices"] = None


@fault("null-choices-no-error-200")
def fails_silently(answer: Answer, request: Request) -> None:
    """A failure is a 200 answer of hardly anything, with null for choices and no error."""
    if body := whole(answer):
        answer.body = {"id": body["id"], "choices": None}


@fault("choices-empty-200")
def has_no_choices(answer: Answer, request: Request) -> None:
    """The `choices` of a 200 answer are an empty array."""
    if body := whole(answer):
        body["choices"] = []


@fault("envelope-data-success")
def wraps_in_data(answer: Answer, request: Request) -> None:
    """The completion is wrapped: `{"data": ..., "success": true}`."""
    if body := whole(answer):
        answer.body = {"data": body, "success": True}


@fault("object-text_completion")
def takes_itself_for_the_older_route(answer: Answer, request: Request) -> None:
    """The `object` of a chat answer is `text_completion`."""
    for body in bodies(answer):
        body["object"] = "text_completion"


@fault("response-id-null")
def has_null_for_id(answer: Answer, request: Request) -> None:
    """The `id` of an answer is null."""
    for body in bodies(answer):
        body["id"] = None


@fault("id-empty-string")
def has_an_empty_id(answer: Answer, request: Request) -> None:
    """The `id` of an answer is an empty string."""
    for body in bodies(answer):
        body["id"] = ""


@fault("sagemaker-id-request-counter")
def counts_from_zero_for_ever(answer: Answer, request: Request) -> None:
    """Every answer has the `id` chatcmpl-0."""
    for body in bodies(answer):
        body["id"] = "chatcmpl-0"


@fault("created-float")
def counts_fractions(answer: Answer, request: Request) -> None:
    """The `created` of an answer has a fraction."""
    for body in bodies(answer):
        body["created"] += 0.123


@fault("created-milliseconds")
def counts_milliseconds(answer: Answer, request: Request) -> None:
    """The `created` of an answer is in milliseconds."""
    for body in bodies(answer):
        body["created"] *= 1000


@fault("created-zero")
def was_born_in_1970(answer: Answer, request: Request) -> None:
    """The `created` of an answer is 0."""
    for body in bodies(answer):
        body["created"] = 0


@fault("model-field-local-path")
def shows_its_disk(answer: Answer, request: Request) -> None:
    """The `model` of an answer is a path on the server's disk."""
    for body in bodies(answer):
        body["model"] = "/data/models--x/snapshots/abc"


@fault("model-number")
def numbers_its_models(answer: Answer, request: Request) -> None:
    """The `model` of an answer is a number."""
    if body := whole(answer):
        body["model"] = 7


@fault("index-missing")
def forgets_the_index(answer: Answer, request: Request) -> None:
    """The choices of a whole answer have no `index`."""
    for choice in answer.choices if whole(answer) else []:
        choice.pop("index", None)


@fault("choice-doubled")
def says_it_twice(answer: Answer, request: Request) -> None:
    """A whole answer has its choice twice."""
    if body := plain(answer, request):
        body["choices"] = [*body["choices"], *deepcopy(body["choices"])]


@fault("role-missing")
def forgets_who_speaks(answer: Answer, request: Request) -> None:
    """The message of a whole answer has no role."""
    for message in plain_messages(answer, request):
        message.pop("role", None)


@fault("content-as-parts")
def answers_in_parts(answer: Answer, request: Request) -> None:
    """The content of a whole answer is a list of parts."""
    for message in plain_messages(answer, request):
        if isinstance(message.get("content"), str):
            message["content"] = [{"type": "text", "text": message["content"]}]


@fault("finish-reason-eos_token")
def names_its_token(answer: Answer, request: Request) -> None:
    """A natural end has the finish reason `eos_token`."""
    for choice in answer.choices if plain(answer, request) else []:
        if choice["finish_reason"] == "stop":
            choice["finish_reason"] = "eos_token"


@fault("finish-reason-of-no-call")
def pretends_to_have_called(answer: Answer, request: Request) -> None:
    """A text that ends naturally has the finish reason `tool_calls`."""
    for choice in answer.choices if plain(answer, request) else []:
        if choice["finish_reason"] == "stop" and not choice["message"].get("tool_calls"):
            choice["finish_reason"] = "tool_calls"


@fault("system_fingerprint-number")
def numbers_its_fingerprint(answer: Answer, request: Request) -> None:
    """The `system_fingerprint` of a whole answer is a number."""
    if body := whole(answer):
        body["system_fingerprint"] = 17


@fault("nulls-everywhere")
def writes_nulls(answer: Answer, request: Request) -> None:
    """What a whole answer does not have is null, also where the contract has no null."""
    for message in whole_messages(answer):
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


@fault("members-twice")
def repeats_members(answer: Answer, request: Request) -> None:
    """The message of a whole answer has its role twice."""
    if whole(answer):
        answer.body = compact(answer.body).replace('"role":', '"role":"assistant","role":', 1).encode()


@fault("members-come-and-go")
def forgets_in_time(answer: Answer, request: Request) -> None:
    """Only the first whole answer to a request has a `system_fingerprint`."""
    if body := whole(answer):
        asked = request.memory.setdefault("asked", set())
        if request.body in asked:
            body.pop("system_fingerprint", None)
        asked.add(request.body)


@fault("json-leading-whitespace-keepalive")
def clears_its_throat(answer: Answer, request: Request) -> None:
    """A whole answer begins with spaces that kept the connection alive."""
    if whole(answer):
        answer.body = b"  " + compact(answer.body).encode()


@fault("answer-trapped-in-reasoning")
def thinks_the_answer(answer: Answer, request: Request) -> None:
    """The whole answer is in `reasoning_content`, and the content is empty."""
    for message in answer.messages if request.wish.get("response_format") is None else []:
        if isinstance(message.get("content"), str) and message["content"]:
            message["reasoning_content"], message["content"] = message["content"], ""


@fault("reasoning-leaks-into-content-stream")
def thinks_aloud_when_streaming(answer: Answer, request: Request) -> None:
    """Streamed, thoughts are in the content between tags; whole, they are not."""
    for delta in answer.messages if answer.events is not None and request.wish.get("response_format") is None else []:
        if isinstance(delta.get("content"), str) and delta["content"]:
            delta["content"] = "<mm:think>The user greets.</mm:think>" + delta["content"]
            return


@fault("thoughts-in-content")
def thinks_aloud(answer: Answer, request: Request) -> None:
    """Whole, thoughts are in the content before the answer."""
    for message in plain_messages(answer, request):
        if message.get("content"):
            message["content"] = "<think>\nThe user greets.\n</think>\n\n" + message["content"]


@fault("reasoning_content-in-history-400", instead=True)
def cannot_read_its_own_thoughts(request: Request, respond: Respond) -> Answer:
    """Answers have `reasoning_content`, and a history that has it is refused."""
    history = request.wish.get("messages")
    if isinstance(history, list) and any(isinstance(one, dict) and "reasoning_content" in one for one in history):
        refusal = Wrong(
            "Additional properties are not allowed ('reasoning_content' was unexpected)",
            param="messages",
            headers={"content-type": "application/json"},
        )
        return refusal.answer()
    answer = respond(request)
    for message in whole_messages(answer):
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


@fault("gateway-adds-reasoning_details", legal=True)
def adds_reasoning_details(answer: Answer, request: Request) -> None:
    """Messages have `reasoning` and `reasoning_details` as well, with the same thoughts."""
    for message in whole_messages(answer):
        message["reasoning"] = "The user greets."
        message["reasoning_details"] = [{"type": "reasoning.text", "text": "The user greets.", "index": 0}]


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


@fault("id-uuid", legal=True)
def has_another_style_of_id(answer: Answer, request: Request) -> None:
    """The `id` of an answer is 32 hexadecimal digits."""
    for body in bodies(answer):
        body["id"] = str(body["id"]).removeprefix("chatcmpl-").rjust(32, "0")[:32]


@fault("keys-in-another-order", legal=True)
def shuffles_members(answer: Answer, request: Request) -> None:
    """The members of a whole answer come in another order."""
    if body := whole(answer):
        answer.body = dict(reversed(body.items()))
        for choice in answer.choices:
            choice["message"] = dict(reversed(choice["message"].items()))
