"""Planted faults: what a server does without a valid key. Those that let strangers in know the default key only."""

from __future__ import annotations

from conformance.reference.answer import Answer, Event, Request, Respond
from conformance.reference.engine import DEFAULT_KEY
from conformance.reference.fault import fault
from conformance.reference.wrong import Wrong

VALID = f"Bearer {DEFAULT_KEY}"


def let_in(request: Request) -> Request:
    """The same request with the valid key."""
    return Request(
        request.method, request.path, {**request.headers, "authorization": VALID}, request.body, request.memory
    )


def given(request: Request) -> str:
    """What a request offers as credentials; "" where it offers none."""
    return request.headers.get("authorization", "")


@fault("auth-401-flat-error")
def refuses_in_a_word(answer: Answer, request: Request) -> None:
    """A refused key is answered with `{"error": "Unauthorized"}`."""
    if answer.status == 401:
        answer.body = {"error": "Unauthorized"}


@fault("auth-401-no-message")
def refuses_without_a_word(answer: Answer, request: Request) -> None:
    """The error of a refused key has null for a message."""
    if answer.status == 401:
        answer.body["error"]["message"] = None


@fault("auth-error-becomes-model-not-found")
def finds_no_model_for_strangers(answer: Answer, request: Request) -> None:
    """A refused key is answered 404, as if the model did not exist."""
    if answer.status == 401:
        wrong = Wrong("The model does not exist.", param="model", code="model_not_found", status=404)
        answer.status, answer.body = wrong.status, wrong.answer().body


@fault("auth-any-key-accepted", instead=True)
def looks_only_for_a_key(request: Request, respond: Respond) -> Answer:
    """Any key is accepted, as long as there is one."""
    scheme, _, key = given(request).partition(" ")
    return respond(let_in(request) if scheme == "Bearer" and key.strip() else request)


@fault("auth-no-key-accepted", instead=True)
def asks_only_who_knocks(request: Request, respond: Respond) -> Answer:
    """A request without a key is answered; one with a wrong key is not."""
    return respond(request if given(request) else let_in(request))


@fault("auth-refused-in-stream")
def refuses_in_a_stream(answer: Answer, request: Request) -> None:
    """A request for a stream without a valid key is answered 200, with the refusal as an event."""
    if answer.status == 401 and request.wish.get("stream") is True:
        answer.status = 200
        answer.headers["content-type"] = "text/event-stream"
        answer.events = [Event(answer.body), Event("[DONE]")]
        answer.body = None


@fault("auth-malformed-500", instead=True)
def expects_two_words(request: Request, respond: Respond) -> Answer:
    """Credentials that are not two words are a server error."""
    if given(request) and len(given(request).split(" ")) != 2:
        return Wrong("list index out of range", status=500, headers={"content-type": "application/json"}).answer()
    return respond(request)


@fault("auth-off", instead=True, legal=True)
def guards_nothing(request: Request, respond: Respond) -> Answer:
    """Every request is answered, whatever its key."""
    return respond(let_in(request))


@fault("auth-403", legal=True)
def forbids(answer: Answer, request: Request) -> None:
    """A refused key is answered 403, with the type of another vendor and without a code."""
    if answer.status == 401:
        answer.status = 403
        answer.body["error"] |= {"type": "authentication_error", "code": None}


@fault("models-without-key", instead=True, legal=True)
def shows_its_models_to_strangers(request: Request, respond: Respond) -> Answer:
    """The list of models can be read without a key."""
    return respond(let_in(request) if request.path == "/v1/models" else request)
