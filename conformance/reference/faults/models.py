"""Planted faults: the list of models, and models that do not exist."""

from __future__ import annotations

import json
from typing import Any

from conformance.reference.answer import Answer, Request, Respond
from conformance.reference.fault import fault
from conformance.reference.rows import ANY, Place, become, change, drop, put

LIST = "/v1/models"


def entries(answer: Answer, request: Request) -> list[dict[str, Any]]:
    """The entries of a list of models, to change in place; none for any other answer."""
    if request.path != LIST or answer.status != 200:
        return []
    listed: list[dict[str, Any]] = answer.body["data"]
    return listed


def single(answer: Answer, request: Request) -> dict[str, Any]:
    """The single model that was retrieved, to change in place; empty for any other answer."""
    if not request.path.startswith(LIST + "/") or answer.status != 200:
        return {}
    found: dict[str, Any] = answer.body
    return found


def served(request: Request, respond: Respond) -> str:
    """The name of the model that is served."""
    listed = respond(Request("GET", LIST, request.headers))
    return str(listed.body["data"][0]["id"])


MISSING = {"detail": "Not Found"}
ENTRIES = Place(entries)
LISTED = Place(lambda answer, request: [answer.body] if entries(answer, request) else [])
"""The list of models."""
SINGLE = Place(lambda answer, request: [found] if (found := single(answer, request)) else [])
"""A model that was retrieved."""


LISTS = (
    drop("models-object-list-missing", LISTED, "object", says="The list of models has no `object`."),
    become("models-bare-array", LISTED, lambda answer: answer.body["data"], says="The list of models is a bare array."),
    drop("models-created-missing", ENTRIES, "created", says="The entries of the list have no `created`."),
    put("models-created-as-text", ENTRIES, created="2026-01-01T00:00:00Z",
        says="The `created` of the entries is an ISO date."),
    put("models-empty-list", LISTED, data=[], says="The list is empty though the model answers."),
    change("models-listed-twice", LISTED, "data", lambda listed: listed + [dict(entry) for entry in listed],
        says="Every model is listed twice."),
)  # fmt: skip


SINGLES = (
    become("models-one-not-found", SINGLE, lambda answer: dict(MISSING), status=404,
        says="A listed model cannot be retrieved: the route is not there."),
    put("models-one-differs", SINGLE, owned_by="system", says="A retrieved model has another owner than in the list."),
)  # fmt: skip


@fault("models-anything-exists", instead=True)
def knows_every_model(request: Request, respond: Respond) -> Answer:
    """Any model can be retrieved, whatever its name."""
    answer = respond(request)
    if request.path.startswith(LIST + "/") and answer.status == 404:
        name = request.path.removeprefix(LIST + "/")
        answer.status = 200
        answer.body = {"id": name, "object": "model", "created": 1_700_000_000, "owned_by": "somebody"}
    return answer


@fault("unknown-model-impersonated", instead=True)
def impersonates(request: Request, respond: Respond) -> Answer:
    """A model that does not exist is answered by the one that does, under the unknown name."""
    answer = respond(request)
    wanted = request.wish.get("model")
    if answer.status != 404 or not isinstance(wanted, str):
        return answer
    answer = respond(request.asking(model=served(request, respond)))
    for body in [answer.body, *answer.chunks]:
        if isinstance(body, dict) and "model" in body:
            body["model"] = wanted
    return answer


has_no_list = become(
    "models-not-served",
    ANY,
    lambda answer: dict(MISSING),
    status=404,
    when=lambda request: request.path.startswith(LIST),
    says="There is no list of models: the route is not there.",
    legal=True,
)


@fault("models-more-members", legal=True)
def tells_more(answer: Answer, request: Request) -> None:
    """Models have members that OpenAI's have not, and come with others."""
    extra = {"max_model_len": 2048, "root": "/models/x", "parent": None, "permission": [{"id": "p", "object": "x"}]}
    for entry in entries(answer, request):
        entry |= extra
    if found := single(answer, request):
        found |= extra
    if listed := entries(answer, request):
        listed.append({"id": "org/another:free", "object": "model", "created": 0, "owned_by": ""})


@fault("models-born-now", legal=True)
def is_always_newborn(answer: Answer, request: Request) -> None:
    """The `created` of a model is the time of each request."""
    request.memory["now"] = now = request.memory.get("now", 1_800_000_000) + 1
    for entry in entries(answer, request):
        entry["created"] = now
    if found := single(answer, request):
        found["created"] = now


@fault("model-dated", legal=True)
def dates_its_name(answer: Answer, request: Request) -> None:
    """Answers name the model with a vendor and a date."""
    for body in [answer.body, *answer.chunks] if answer.is_chat else []:
        if isinstance(body, dict) and "model" in body:
            body["model"] = f"vendor/{json.loads(request.body)['model']}-2026-11-23"
