"""Planted faults: how whole answers travel, and what other requests than the plain one come to."""

from __future__ import annotations

import gzip
from typing import Any

from conformance.reference.answer import Answer, Request, Respond, compact
from conformance.reference.fault import fault
from conformance.reference.faults.shape import whole
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
