"""Planted faults: text that is not what it was on the way to the model or back, answers cut off, thoughts too late."""

from __future__ import annotations

from functools import partial

from conformance.reference import rows
from conformance.reference.answer import Answer, Request, Respond
from conformance.reference.fault import fault
from conformance.reference.rows import CHAT, DELTAS, MESSAGES, When, as_plain, change, messages, on, put, refused, reply

refuse = partial(rows.refuse, traced=False)
PLAINLY = as_plain(MESSAGES)


def prompt(request: Request) -> str:
    """All the text in strings that a request says to the model."""
    contents = [message.get("content") for message in messages(request)]
    return "".join(text for text in contents if isinstance(text, str))


QUESTIONS = (
    refuse("astral-characters-refused", when=lambda request: any(letter > "\uffff" for letter in prompt(request)),
        message="Invalid character in message.", says="A question with a character beyond the basic plane is refused."),
    refuse("nul-500", when=lambda request: "\x00" in prompt(request), message="invalid byte sequence for encoding",
        status=500, says="A question with a NUL is a server error."),
    refuse("long-question-413", when=lambda request: len(prompt(request)) > 1024, message="Request Entity Too Large",
        status=413, says="A question of more than 1,024 characters is refused."),
    reply("plain-request-redirected", lambda: Answer(307, {"location": f"{CHAT}/"}),
        when=on(CHAT) & (lambda request: request.method == "POST"),
        says="Chat requests are redirected to a path with a slash at its end."),
)  # fmt: skip


TEXTS = (
    change("content-replaced-by-fffd", PLAINLY.texts("content"), "content",
        lambda text: "".join(letter if letter.isascii() else "\ufffd" for letter in text),
        says="Characters beyond ASCII are replaced by U+FFFD in a whole answer."),
    change("content-encoded-twice", PLAINLY.texts("content"), "content", lambda text: text.encode().decode("latin-1"),
        says="The content of a whole answer was taken for Latin-1 and encoded again."),
    change("template-token-leaks", PLAINLY.having("content"), "content", lambda text: f"{text}<|im_end|>",
        says="The content of a whole answer ends with the template's end of turn."),
)  # fmt: skip


@fault("unknown-member-500", instead=True)
def falls_over_novelties(request: Request, respond: Respond) -> Answer:
    """A request with a parameter that is unknown is a server error."""
    answer = respond(request)
    if answer.status == 400 and "unknown_parameter" in str(answer.body):
        return refused("create() got an unexpected keyword argument", status=500, traced=False)
    return answer


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


BRIEF = When(lambda request: request.wish.keys() <= {"model", "messages", "stream"})


THOUGHTS = (
    put("thoughts-after-the-answer", DELTAS.having("content")[-1:], reasoning_content="A greeting was due.", when=BRIEF,
        says="In a stream, the thoughts come after the text."),
    put("thoughts-before-the-answer", DELTAS[:1], reasoning_content="A greeting is due.", when=BRIEF,
        says="In a stream, the thoughts come before the text, in a member of their own.", legal=True),
)  # fmt: skip
