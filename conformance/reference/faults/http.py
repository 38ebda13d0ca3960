"""Planted faults: how whole answers travel, what other requests than the plain one come to, and ids that no path can hold."""

from __future__ import annotations

import gzip
from dataclasses import replace
from typing import Any

from conformance.reference.answer import Answer, Request, Respond, compact
from conformance.reference.fault import Fault, fault
from conformance.reference.faults.models import LIST, entries
from conformance.reference.rows import (
    CHAT,
    WHOLE,
    When,
    answered,
    ask,
    become,
    crash,
    header,
    on,
    refuse,
    refused,
    reply,
    sending,
)

ZIPPED = {"content-encoding": "gzip"}
TAKES_GZIP = When(lambda request: "gzip" in request.headers.get("accept-encoding", ""))
COMPRESSED = When(lambda request: request.body[:2] == b"\x1f\x8b")
READ = When(lambda request: request.method in ("GET", "HEAD"))


def zipped(answer: Answer) -> bytes:
    """The body of a whole answer, compressed."""
    return gzip.compress(compact(answer.body).encode(), mtime=0)


PAGE = b"<!doctype html><title>Chat</title><div id=app></div>"


TYPES = (
    become("json-content-type-text-plain", WHOLE, headers={"content-type": "text/plain; charset=utf-8"},
        says="The content type of a whole answer is text/plain."),
    become("json-charset", WHOLE, headers={"content-type": "Application/JSON; charset=UTF-8"},
        says="The content type of a whole answer has a charset, and capitals.", legal=True),
    become("gzip-unasked", WHOLE, zipped, headers=ZIPPED,
        says="A whole answer is compressed, whatever the request accepts."),
)  # fmt: skip


claims_to_compress = become(
    "gzip-in-name-only",
    WHOLE,
    headers=ZIPPED,
    when=TAKES_GZIP,
    says="A whole answer says that it is compressed, where the request accepts it, and is not.",
)
compresses_where_accepted = become(
    "gzip-where-accepted",
    WHOLE,
    zipped,
    headers=ZIPPED,
    when=TAKES_GZIP,
    says="A whole answer is compressed where the request accepts it.",
    legal=True,
)


METHODS = (
    reply("official-headers-403",
        lambda: Answer(403, {"content-type": "text/html"}, b"<html><title>403 Forbidden</title></html>"),
        when=lambda request: any(name.startswith("x-stainless-") for name in request.headers),
        says="A firewall takes the headers of the official client for an attack."),
    ask("put-like-post", sending(method="POST"), when=lambda request: request.method == "PUT",
        says="A PUT of a chat request is answered like a POST."),
    become("wrong-method-detail", answered(405), lambda answer: {"detail": "Method Not Allowed"},
        says='Another method is refused with `{"detail": ...}`.'),
    reply("get-on-chat-500", lambda: Answer(500, {"content-type": "text/plain"}, b"Internal Server Error"),
        when=on(CHAT) & READ, says="A GET of the chat route is a server error."),
    reply("head-unheard-of", lambda: Answer(501, {"content-type": "text/plain"}),
        when=lambda request: request.method == "HEAD",
        says="A HEAD request is answered with 501, whatever GET would be."),
    reply("browsers-welcome",
        lambda: Answer(204, {"access-control-allow-origin": "*", "access-control-allow-headers": "*"}),
        when=lambda request: request.method == "OPTIONS",
        says="Pages of any origin may ask the server: preflights are answered with 204.", legal=True),
)  # fmt: skip


PATHS = (
    reply("stray-slash-page", lambda: Answer(200, {"content-type": "text/html"}, PAGE),
        when=lambda request: request.path not in (CHAT, "/v1/models") and "//" in request.path, after=404,
        says="A path that does not exist is answered with 200 and the page of a web application."),
    refuse("stray-slash-500", when=on(f"{CHAT}/"), message="no route", status=500, traced=False,
        says="A chat request to a path with a slash at its end is a server error."),
    ask("stray-slash-forgiven",
        lambda request: replace(request, path="/" + "/".join(step for step in request.path.split("/") if step)),
        says="A slash too many in a path is overlooked.", legal=True),
)  # fmt: skip


@fault("stray-slash-redirect", legal=True, instead=True)
def redirects_slashes(request: Request, respond: Respond) -> Answer:
    """A path with a slash at its end is redirected to the one without."""
    if request.path.endswith("/"):
        return Answer(307, {"location": request.path.rstrip("/")})
    return respond(request)


@fault("stored-answers-listed", legal=True, instead=True)
def lists_stored_answers(request: Request, respond: Respond) -> Answer:
    """A GET of the chat route lists the stored answers, as OpenAI does."""
    if request.path == CHAT and request.method in ("GET", "HEAD"):
        body: dict[str, Any] = {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}
        return Answer(200, {"content-type": "application/json"}, body if request.method == "GET" else None)
    return respond(request)


# Headers and codings of requests, and ids with slashes

HUB = "vendor/reference"
"""A model's id as a hub has it."""


CODINGS = (
    refuse("idempotency-key-refused", when=header("idempotency-key"), message="Unknown header: Idempotency-Key",
        says="A header that the gateway does not know is refused."),
    refuse("chunked-request-411",
        when=lambda request: request.headers.get("transfer-encoding", "").lower() == "chunked",
        message="Length Required", status=411, says="A request without a content-length is refused with 411."),
    crash("compressed-request-500", when=COMPRESSED, message="'utf-8' codec can't decode byte 0x8b",
        says="A compressed request is a server error."),
    refuse("compressed-request-415", when=COMPRESSED, message="Unsupported content coding", status=415,
        says="A compressed request is refused with 415.", legal=True),
)  # fmt: skip


def _with_a_hub(identity: str, status: int, *, says: str) -> Fault:
    """A server that lists a model with a slash in its id as well, and answers so when it is asked for it first.

    Clients send the encoded name first, and that it was encoded does not show in the path here.
    """

    def sin(request: Request, respond: Respond) -> Answer:
        if request.path == f"{LIST}/{HUB}":
            request.memory["hub"] = request.memory.get("hub", 0) + 1
            if status != 200 and request.memory["hub"] == 1:
                return refused("The model does not exist", status=status)
            listed = respond(Request("GET", LIST, request.headers))
            return Answer(body={**listed.body["data"][0], "id": HUB}, headers=listed.headers)
        answer = respond(request)
        for entry in entries(answer, request)[:1]:
            answer.body["data"].append({**entry, "id": HUB})
        return answer

    return fault(identity, instead=True, legal=status == 200, says=says)(sin)


HUBS = (
    _with_a_hub("models-slash-404", 404,
        says="A model with a slash in its id is listed, and not found where the slash is encoded."),
    _with_a_hub("models-with-slashes", 200, says="A model with a slash in its id is listed, and found."),
)  # fmt: skip
