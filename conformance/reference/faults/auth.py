"""Planted faults: what a server does without a valid key."""

from __future__ import annotations

from conformance.reference.answer import Answer, Event, Request, Respond, compact
from conformance.reference.fault import fault
from conformance.reference.wrong import Wrong


def right_key(request: Request, respond: Respond) -> Request | None:
    """The same request with the key that the server wants; None where it is not known yet."""
    key = request.memory.get("key")
    return Request(request.method, request.path, {**request.headers, "authorization": key}, request.body, request.memory) if key else None


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


@fault("auth-wrong-key-accepted", instead=True)
def looks_only_for_a_key(request: Request, respond: Respond) -> Answer:
    """Any key is accepted, as long as there is one."""
    given = request.headers.get("authorization", "")
    if given.startswith("Bearer ") and given.removeprefix("Bearer ").strip():
        return respond(_as(request, "reference-key"))
    return respond(request)
