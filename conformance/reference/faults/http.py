"""Planted faults: how whole answers travel, what other requests than the plain one come to, and ids that no path can hold."""

from __future__ import annotations

import gzip
from typing import Any

from conformance.reference.answer import Answer, Request, Respond, compact
from conformance.reference.fault import Fault, fault
from conformance.reference.faults.models import LIST, entries
from conformance.reference.rows import crashed, entries, refused, whole
from conformance.reference.wrong import Wrong

CHAT = "/v1/chat/completions"
PAGE = b"<!doctype html><title>Chat</title><div id=app></div>"


@fault("json-content-type-text-plain")
def calls_json_text(answer: Answer, request: Request) -> None:
    """The content type of a whole answer is text/plain."""
    if whole(answer):
        answer.headers["content-type"] = "text/plain; charset=utf-8"


@fault("gzip-unasked")
def always_compresses(answer: Answer, request: Request) -> None:
    """A whole answer is compressed whatever the request accepts."""
    if whole(answer):
        answer.headers["content-encoding"] = "gzip"
        answer.body = gzip.compress(compact(answer.body).encode(), mtime=0)


@fault("gzip-in-name-only")
def claims_to_compress(answer: Answer, request: Request) -> None:
    """A whole answer says that it is compressed, where the request accepts it, and is not."""
    if whole(answer) and "gzip" in request.headers.get("accept-encoding", ""):
        answer.headers["content-encoding"] = "gzip"


@fault("official-headers-403", instead=True)
def blocks_the_official_client(request: Request, respond: Respond) -> Answer:
    """A firewall takes the headers of the official client for an attack."""
    if any(name.startswith("x-stainless-") for name in request.headers):
        return Answer(403, {"content-type": "text/html"}, b"<html><title>403 Forbidden</title></html>")
    return respond(request)


@fault("put-like-post", instead=True)
def puts_like_it_posts(request: Request, respond: Respond) -> Answer:
    """A PUT of a chat request is answered like a POST."""
    method = "POST" if request.method == "PUT" else request.method
    return respond(Request(method, request.path, request.headers, request.body, request.memory))


@fault("wrong-method-detail")
def refuses_methods_in_its_own_words(answer: Answer, request: Request) -> None:
    """Another method is refused with `{"detail": ...}`."""
    if answer.status == 405:
        answer.body = {"detail": "Method Not Allowed"}


@fault("get-on-chat-500", instead=True)
def falls_over_get(request: Request, respond: Respond) -> Answer:
    """A GET of the chat route is a server error."""
    if request.path == CHAT and request.method in ("GET", "HEAD"):
        return Answer(500, {"content-type": "text/plain"}, b"Internal Server Error")
    return respond(request)


@fault("head-unheard-of", instead=True)
def does_not_know_head(request: Request, respond: Respond) -> Answer:
    """A HEAD request is answered 501, whatever GET would be."""
    if request.method == "HEAD":
        return Answer(501, {"content-type": "text/plain"})
    return respond(request)


@fault("stray-slash-page", instead=True)
def shows_its_web_page(request: Request, respond: Respond) -> Answer:
    """A path that does not exist is answered 200 with the page of a web application."""
    answer = respond(request)
    if answer.status == 404 and request.path not in (CHAT, "/v1/models") and "//" in request.path:
        return Answer(200, {"content-type": "text/html"}, PAGE)
    return answer


@fault("stray-slash-500", instead=True)
def falls_over_slashes(request: Request, respond: Respond) -> Answer:
    """A chat request to a path with a slash at its end is a server error."""
    if request.path == CHAT + "/":
        return Wrong("no route", status=500, headers={"content-type": "application/json"}).answer()
    return respond(request)


@fault("gzip-where-accepted", legal=True)
def compresses_where_accepted(answer: Answer, request: Request) -> None:
    """A whole answer is compressed where the request accepts it."""
    if whole(answer) and "gzip" in request.headers.get("accept-encoding", ""):
        always_compresses.plant(request, lambda _: answer)


@fault("json-charset", legal=True)
def names_its_charset(answer: Answer, request: Request) -> None:
    """The content type of a whole answer has a charset, and capitals."""
    if whole(answer):
        answer.headers["content-type"] = "Application/JSON; charset=UTF-8"


@fault("stray-slash-forgiven", legal=True, instead=True)
def forgives_slashes(request: Request, respond: Respond) -> Answer:
    """A slash too many in a path is overlooked."""
    path = "/" + "/".join(step for step in request.path.split("/") if step)
    return respond(Request(request.method, path, request.headers, request.body, request.memory))


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


@fault("idempotency-key-refused", instead=True)
def knows_no_idempotency(request: Request, respond: Respond) -> Answer:
    """A header that the gateway does not know is refused."""
    if "idempotency-key" in request.headers:
        return refused("Unknown header: Idempotency-Key")
    return respond(request)


@fault("chunked-request-411", instead=True)
def wants_a_length(request: Request, respond: Respond) -> Answer:
    """A request without a content-length is refused with 411."""
    if request.headers.get("transfer-encoding", "").lower() == "chunked":
        return refused("Length Required", status=411)
    return respond(request)


@fault("compressed-request-500", instead=True)
def cannot_unzip(request: Request, respond: Respond) -> Answer:
    """A compressed request is a server error."""
    return crashed("'utf-8' codec can't decode byte 0x8b") if request.body[:2] == b"\x1f\x8b" else respond(request)


@fault("compressed-request-415", instead=True, legal=True)
def reads_plain_only(request: Request, respond: Respond) -> Answer:
    """A compressed request is refused with 415."""
    return refused("Unsupported content coding", status=415) if request.body[:2] == b"\x1f\x8b" else respond(request)


def _with_a_hub(identity: str, title: str, status: int) -> Fault:
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

    sin.__doc__ = title
    return fault(identity, instead=True, legal=status == 200)(sin)


loses_slashes = _with_a_hub(
    "models-slash-404", "A model with a slash in its id is listed, and not found where the slash is encoded.", 404
)
keeps_slashes = _with_a_hub("models-with-slashes", "A model with a slash in its id is listed, and found.", 200)


@fault("browsers-welcome", instead=True, legal=True)
def welcomes_browsers(request: Request, respond: Respond) -> Answer:
    """Pages of any origin may ask the server: preflights are answered 204."""
    allowed = {"access-control-allow-origin": "*", "access-control-allow-headers": "*"}
    return Answer(status=204, headers=allowed) if request.method == "OPTIONS" else respond(request)
