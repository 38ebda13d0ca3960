"""Planted faults: what a server does without a valid key. Those that let strangers in know the default key only."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from conformance.reference.answer import Answer, Event, Request, Respond
from conformance.reference.engine import DEFAULT_KEY
from conformance.reference.fault import fault
from conformance.reference.rows import answered, ask, become, on, refuse
from conformance.reference.wrong import Wrong

VALID = f"Bearer {DEFAULT_KEY}"


def let_in(request: Request) -> Request:
    """The same request with the valid key."""
    return replace(request, headers={**request.headers, "authorization": VALID})


def given(request: Request) -> str:
    """What a request offers as credentials; "" where it offers none."""
    return request.headers.get("authorization", "")


def _error(answer: Answer, **changes: str | None) -> dict[str, Any]:
    """The body of a refusal whose error has other members."""
    return {"error": {**answer.body["error"], **changes}}


def no_model(answer: Answer) -> dict[str, Any]:
    """The body for a model that does not exist."""
    refusal: dict[str, Any] = Wrong("The model does not exist.", param="model", code="model_not_found").answer().body
    return refusal


REFUSALS = (
    become("auth-401-flat-error", answered(401), lambda answer: {"error": "Unauthorized"},
        says='A refused key is answered with `{"error": "Unauthorized"}`.'),
    become("auth-401-no-message", answered(401), lambda answer: _error(answer, message=None),
        says="The error of a refused key has the message null."),
    become("auth-error-becomes-model-not-found", answered(401), no_model, status=404,
        says="A refused key is answered with 404, as if the model did not exist."),
    become("auth-403", answered(401), lambda answer: _error(answer, type="authentication_error", code=None), status=403,
        says="A refused key is answered with 403, with the type of another vendor and without a code.", legal=True),
)  # fmt: skip


@fault("auth-any-key-accepted", instead=True)
def looks_only_for_a_key(request: Request, respond: Respond) -> Answer:
    """Any key is accepted, as long as there is one."""
    scheme, _, key = given(request).partition(" ")
    return respond(let_in(request) if scheme == "Bearer" and key.strip() else request)


STRANGERS = (
    ask("auth-no-key-accepted", let_in, when=lambda request: not given(request),
        says="A request without a key is answered; one with a wrong key is not."),
    refuse("auth-malformed-500", when=lambda request: given(request) and len(given(request).split(" ")) != 2,
        message="list index out of range", status=500, traced=False,
        says="Credentials that are not two words are a server error."),
    ask("models-without-key", let_in, when=on("/v1/models"),
        says="The list of models can be read without a key.", legal=True),
)  # fmt: skip


@fault("auth-refused-in-stream")
def refuses_in_a_stream(answer: Answer, request: Request) -> None:
    """A request for a stream without a valid key is answered 200, with the refusal as an event."""
    if answer.status == 401 and request.wish.get("stream") is True:
        answer.status = 200
        answer.headers["content-type"] = "text/event-stream"
        answer.events = [Event(answer.body), Event("[DONE]")]
        answer.body = None


guards_nothing = ask("auth-off", let_in, says="Every request is answered, whatever its key.", legal=True)
