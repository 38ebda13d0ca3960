"""Planted faults: what is done with invalid requests, with prompts that are too long, and after them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from conformance.reference.answer import DONE, Answer, Event, Request, Respond
from conformance.reference.fault import Fault, fault
from conformance.reference.rows import (
    ANY,
    CHAT,
    ERROR,
    HEADERS,
    Place,
    answered,
    become,
    crashed,
    drop,
    on,
    put,
    refusal,
    refuse,
    whole,
)

SAFE: dict[str, Any] = {"messages": [{"role": "user", "content": "Say hello"}]}
"""What stands for members that cannot just be left out."""


def lax(identity: str, wrong: Callable[[dict[str, Any]], Any], *, says: str) -> Fault:
    """A server that ignores a member which the reference refuses, where `wrong` says so of the error object."""

    def sin(request: Request, respond: Respond) -> Answer:
        answer = respond(request)
        error = refusal(answer, request)
        if not error or not wrong(error) or not request.wish:
            return answer
        member = re.split(r"[.\[]", str(error["param"]))[0]
        return respond(request.asking(**{member: SAFE.get(member, ...)}))

    return fault(identity, instead=True, says=says)(sin)


def _mistyped(error: dict[str, Any]) -> bool:
    """A parameter (no message, no format, nothing that is needed) of the wrong type."""
    named = not re.match(r"messages|model|response_format|stream|tools", str(error["param"]))
    return error["code"] == "invalid_type" and named and error["param"] is not None


LAX = (
    lax("wrong-types-ignored", _mistyped, says="A parameter of the wrong type is ignored."),
    lax("wrong-messages-accepted",
        lambda error: error["code"] == "invalid_type" and re.fullmatch(r"messages(\[\d+\])?", str(error["param"])),
        says="Messages that are no list of objects are taken for something."),
    lax("messages-not-needed",
        lambda error: error["param"] == "messages" and error["code"] == "missing_required_parameter",
        says="A request without messages is answered."),
    lax("temperature-range-unchecked",
        lambda error: error["param"] == "temperature" and "decimal" in str(error["code"]),
        says="Any temperature is accepted."),
    lax("top_p-range-unchecked", lambda error: error["param"] == "top_p" and "decimal" in str(error["code"]),
        says="Any `top_p` is accepted."),
    lax("n-zero-accepted", lambda error: error["param"] == "n" and error["code"] == "integer_below_min_value",
        says="`n` below 1 is taken for 1."),
    lax("negative-cap-accepted",
        lambda error: str(error["param"]).startswith("max_") and error["code"] == "integer_below_min_value",
        says="A negative number of tokens is taken for no cap."),
)  # fmt: skip


BODIES = (
    become("broken-json-500", ERROR, status=500,
        when=lambda request: request.json is None and request.body.startswith(b"{") and len(request.body) < 80,
        says="A body that is no JSON is a server error."),
    become("other-json-500", ERROR, status=500,
        when=lambda request: not isinstance(request.json, dict) and not request.body.startswith(b"{"),
        says="A body that is JSON and no object is a server error."),
    become("deep-json-500", ANY, status=500,
        when=lambda request: request.body.count(b"[") > 1000 or request.body.count(b"{") > 1000,
        says="A body that nests thousands deep is a server error."),
)  # fmt: skip


# Prompts that are too long


def too_long(answer: Answer, request: Request) -> dict[str, Any]:
    """The error object of an overflow, to change in place; empty for any other answer."""
    error = refusal(answer, request)
    return error if error.get("code") == "context_length_exceeded" and len(request.body) > 10_000 else {}


@fault("context-overflow-500")
def falls_over_long_prompts(answer: Answer, request: Request) -> None:
    """A prompt that is too long is a server error."""
    if error := too_long(answer, request):
        answer.status = 500
        error.update(message="Context size has been exceeded.", type="server_error", code=None)


@fault("context-overflow-crash", instead=True)
def ends_with_a_long_prompt(request: Request, respond: Respond) -> Answer:
    """A prompt that is too long ends the server; what comes next is not answered."""
    if request.memory.pop("ended", False):
        return Answer(body=b"", ending="drop")
    answer = respond(request)
    if too_long(answer, request):
        request.memory["ended"] = True
        return crashed("llama-server process has terminated")
    return answer


@fault("context-overflow-empty-stream-200", instead=True)
def streams_nothing(request: Request, respond: Respond) -> Answer:
    """A stream for a prompt that is too long is well formed, and empty."""
    answer = respond(request)
    if not too_long(answer, request) or request.wish.get("stream") is not True:
        return answer
    empty = respond(request.asking(**SAFE))
    for part in empty.messages:
        part.pop("content", None)
    return empty


OVERFLOW = Place(lambda answer, request: [error] if (error := too_long(answer, request)) else [])
"""The error object of an overflow."""


OVERFLOWS = (
    put("context-overflow-nonstandard-type", OVERFLOW, type="exceed_context_size_error", code=400,
        n_prompt_tokens=15012, says="An overflow has the type exceed_context_size_error, and the status for its code."),
    put("error-code-int-context-length", OVERFLOW, type="BadRequestError", code=400,
        says="An overflow has the type BadRequestError, and a number for its code."),
    put("overflow-misreported-as-max_tokens", OVERFLOW, message="max_tokens must be at least 1, got -45.",
        param="max_tokens", says="An overflow is called a wrong max_tokens, which was not sent."),
)  # fmt: skip


@fault("overflow-cut-silently", instead=True)
def cuts_long_prompts(request: Request, respond: Respond) -> Answer:
    """A prompt that is too long is cut, and answered as if it were whole."""
    answer = respond(request)
    return respond(request.asking(**SAFE)) if too_long(answer, request) else answer


@fault("max_tokens-plus-input-overflow-200-sse-error")
def begins_and_refuses(answer: Answer, request: Request) -> None:
    """A stream with a cap beyond the window begins with 200, and then has an error for its data."""
    error = refusal(answer, request)
    if error.get("code") == "context_length_exceeded" and request.wish.get("stream") and len(request.body) < 10_000:
        answer.headers["content-type"] = "text/event-stream"
        answer.status, answer.events = 200, [Event(answer.body), Event(DONE)]


# Errors within streams, and after them


@fault("error-event-then-stream-hang")
def refuses_and_hangs(answer: Answer, request: Request) -> None:
    """A stream with an invalid `n` gets an error text, and is never closed."""
    if refusal(answer, request).get("param") == "n" and request.wish.get("stream") is True:
        answer.headers["content-type"] = "text/event-stream"
        answer.status, answer.events, answer.ending = 200, [Event("Invalid value for n")], "hang"


def _cut(answer: Answer, request: Request) -> bool:
    """Whether this is a long stream; cut it after its fourth event if so."""
    long = answer.is_chat and answer.events is not None and len(answer.events) > 40
    if long and answer.events is not None:
        del answer.events[4:]
    return long


@fault("midstream-error-no-frame")
def breaks_off(answer: Answer, request: Request) -> None:
    """A long stream breaks off: the connection is closed without an error event."""
    if _cut(answer, request):
        answer.ending = "drop"


@fault("midstream-error-without-done")
def stays_after_an_error(answer: Answer, request: Request) -> None:
    """A long stream has an error event, and then nothing: the connection stays open."""
    if _cut(answer, request) and answer.events is not None:
        answer.events.append(Event(crashed("Upstream failed").body))
        answer.ending = "hang"


@fault("gateway-hang-on-error-chunk")
def hangs_on_an_error(answer: Answer, request: Request) -> None:
    """When the server behind sends an error, a long stream stops, and the connection stays open."""
    if _cut(answer, request):
        answer.ending = "hang"


@fault("empty-output-500")
def falls_over_nothing(answer: Answer, request: Request) -> None:
    """An answer without a single token is a server error."""
    if whole(answer) and all(message.get("content") == "" for message in answer.messages):
        answer.status, answer.body = 500, crashed("list index out of range").body


AFTERWARDS = (
    refuse("retry-after-missing-429",
        when=on(CHAT) & (lambda request: request.wish.keys() == {"model", "messages"} and len(request.body) < 100),
        message="Rate limit reached", status=429,
        says="The plainest request is answered with 429, without a `Retry-After`."),
    drop("request-id-missing", HEADERS, "x-request-id", says="No header has the id of the request."),
    become("unknown-path-detail", answered(404), lambda answer: {"detail": "Not Found"},
        when=lambda request: request.path != CHAT and not request.path.startswith("/v1/models"),
        says='An unknown path is answered with `{"detail": "Not Found"}`.'),
)  # fmt: skip


@fault("request-id-of-aws", legal=True)
def is_called_otherwise(answer: Answer, request: Request) -> None:
    """The id of the request is in x-amzn-RequestId."""
    answer.headers["x-amzn-RequestId"] = answer.headers.pop("x-request-id", "")
