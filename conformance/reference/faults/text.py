"""Planted faults: text that is not what it was on the way to the model or back, answers cut off, thoughts too late."""

from __future__ import annotations

from conformance.reference.answer import Answer, Request, Respond
from conformance.reference.fault import fault
from conformance.reference.faults.shape import plain_messages
from conformance.reference.wrong import Wrong


def refuse(message: str, status: int = 400) -> Answer:
    """An error as this server writes it."""
    return Wrong(message, status=status, headers={"content-type": "application/json"}).answer()


def prompt(request: Request) -> str:
    """All the text in strings that a request says to the model."""
    messages = request.wish.get("messages")
    contents = [one.get("content") for one in messages if isinstance(one, dict)] if isinstance(messages, list) else []
    return "".join(text for text in contents if isinstance(text, str))


@fault("astral-characters-refused", instead=True)
def knows_65536_characters(request: Request, respond: Respond) -> Answer:
    """A question with a character beyond the basic plane is refused."""
    if any(letter > "\uffff" for letter in prompt(request)):
        return refuse("Invalid character in message.")
    return respond(request)


@fault("nul-500", instead=True)
def ends_strings_with_nul(request: Request, respond: Respond) -> Answer:
    """A question with a NUL is a server error."""
    if "\x00" in prompt(request):
        return refuse("invalid byte sequence for encoding", 500)
    return respond(request)


@fault("long-question-413", instead=True)
def reads_1024_bytes(request: Request, respond: Respond) -> Answer:
    """A question of more than 1,024 characters is refused."""
    if len(prompt(request)) > 1024:
        return refuse("Request Entity Too Large", 413)
    return respond(request)


@fault("unknown-member-500", instead=True)
def falls_over_novelties(request: Request, respond: Respond) -> Answer:
    """A request with a parameter that is unknown is a server error."""
    answer = respond(request)
    if answer.status == 400 and "unknown_parameter" in str(answer.body):
        return refuse("create() got an unexpected keyword argument", 500)
    return answer


@fault("content-replaced-by-fffd")
def loses_characters(answer: Answer, request: Request) -> None:
    """Characters beyond ASCII are replaced by U+FFFD in a whole answer."""
    for message in plain_messages(answer, request):
        if isinstance(message.get("content"), str):
            message["content"] = "".join(letter if letter.isascii() else "\ufffd" for letter in message["content"])


@fault("content-encoded-twice")
def encodes_twice(answer: Answer, request: Request) -> None:
    """The content of a whole answer was taken for Latin-1 and encoded again."""
    for message in plain_messages(answer, request):
        if isinstance(message.get("content"), str):
            message["content"] = message["content"].encode().decode("latin-1")


@fault("template-token-leaks")
def shows_its_template(answer: Answer, request: Request) -> None:
    """The content of a whole answer ends with the template's end of turn."""
    for message in plain_messages(answer, request):
        if message.get("content"):
            message["content"] += "<|im_end|>"


@fault("plain-request-redirected", instead=True)
def sends_elsewhere(request: Request, respond: Respond) -> Answer:
    """Chat requests are redirected to a path with a slash at its end."""
    if request.path == "/v1/chat/completions" and request.method == "POST":
        return Answer(307, {"location": "/v1/chat/completions/"})
    return respond(request)


@fault("unknown-members-ignored", legal=True, instead=True)
def ignores_novelties(request: Request, respond: Respond) -> Answer:
    """A parameter that is unknown is ignored."""
    answer = respond(request)
    while answer.status == 400 and answer.body["error"]["code"] == "unknown_parameter":
        name = answer.body["error"]["param"]
        if name not in request.wish:
            break
        request = request.asking(**{name: ...})
        answer = respond(request)
    return answer


# Answers that are cut off without a reason, and thoughts that come too late


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
