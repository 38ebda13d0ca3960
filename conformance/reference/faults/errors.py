"""Planted faults: what refusals look like. One part of the error object each, or the whole of it in another form."""

from __future__ import annotations

from typing import Any

from conformance.reference.answer import Answer, Request, compact
from conformance.reference.fault import fault

CHAT = "/v1/chat/completions"
PAGE = b"<!DOCTYPE html><html><head><title>400 Bad Request</title></head><body>nginx</body></html>"


def refusal(answer: Answer, request: Request) -> dict[str, Any]:
    """The error object of a refused chat request, to change in place; empty for any other answer."""
    if request.path != CHAT or answer.status in (401, 405) or answer.status < 400 or not isinstance(answer.body, dict):
        return {}
    error: dict[str, Any] = answer.body.get("error", {})
    return error


@fault("error-500-no-body")
def says_nothing(answer: Answer, request: Request) -> None:
    """A temperature that is wrong is a 500 without a body."""
    if refusal(answer, request).get("param") == "temperature":
        answer.status, answer.body = 500, b""


@fault("error-plain-text")
def answers_in_plain_text(answer: Answer, request: Request) -> None:
    """A refusal is a line of text."""
    if error := refusal(answer, request):
        answer.headers["content-type"] = "text/plain; charset=utf-8"
        answer.body = error["message"].encode()


@fault("error-html-page")
def shows_a_page(answer: Answer, request: Request) -> None:
    """The proxy in front replaces refusals by a page of its own."""
    if refusal(answer, request):
        answer.headers["content-type"] = "text/html"
        answer.body = PAGE


@fault("error-labelled-text")
def calls_errors_text(answer: Answer, request: Request) -> None:
    """A refusal in JSON has the content type text/plain."""
    if refusal(answer, request):
        answer.headers["content-type"] = "text/plain"


@fault("error-top-level-array")
def wraps_errors_in_a_list(answer: Answer, request: Request) -> None:
    """The body of a refusal is an array."""
    if refusal(answer, request):
        answer.body = [answer.body]


@fault("error-flat-object")
def lays_errors_flat(answer: Answer, request: Request) -> None:
    """The parts of the error lie at the top, beside `object: error`."""
    if error := refusal(answer, request):
        answer.body = {"object": "error", **error}


@fault("error-status-message-shape")
def has_a_shape_of_its_own(answer: Answer, request: Request) -> None:
    """A refusal is `{"status": ..., "message": ...}`."""
    if error := refusal(answer, request):
        answer.body = {"status": answer.status, "message": error["message"]}


@fault("error-fastapi-detail")
def answers_like_its_framework(answer: Answer, request: Request) -> None:
    """A refusal is `{"detail": ...}`."""
    if error := refusal(answer, request):
        answer.body = {"detail": error["message"]}


@fault("error-double-wrapped-detail")
def wraps_errors_in_detail(answer: Answer, request: Request) -> None:
    """The error object lies inside `detail`."""
    if refusal(answer, request):
        answer.body = {"detail": answer.body}


@fault("error-is-text")
def has_a_text_for_an_error(answer: Answer, request: Request) -> None:
    """`error` is a text."""
    if error := refusal(answer, request):
        answer.body = {"error": error["message"]}


@fault("error-status-422-not-400")
def calls_it_unprocessable(answer: Answer, request: Request) -> None:
    """A refusal has the status 422, a text for `error`, and an `error_type`."""
    if error := refusal(answer, request):
        answer.status = 422
        answer.body = {"error": f"Input validation error: {error['message']}", "error_type": "validation"}


@fault("error-message-is-object")
def has_an_object_for_a_message(answer: Answer, request: Request) -> None:
    """`error.message` is an object."""
    if error := refusal(answer, request):
        error["message"] = {"detail": [{"msg": error["message"], "loc": ["body"]}]}


@fault("error-body-nonstandard-success-false")
def names_its_parts_otherwise(answer: Answer, request: Request) -> None:
    """The body says `success: false`, and its error has a code and a status only."""
    if refusal(answer, request):
        answer.body = {"success": False, "error": {"code": "VALIDATION_ERROR", "status": answer.status}}


@fault("error-google-status-shape")
def answers_like_google(answer: Answer, request: Request) -> None:
    """The error has a number for its code, `status` in the place of `type`, and no `param`."""
    if error := refusal(answer, request):
        answer.body = {"error": {"code": answer.status, "message": error["message"], "status": "INVALID_ARGUMENT"}}


@fault("error-type-null")
def has_no_type(answer: Answer, request: Request) -> None:
    """`error.type` is null."""
    if error := refusal(answer, request):
        error["type"] = None


@fault("error-param-missing")
def leaves_out_param(answer: Answer, request: Request) -> None:
    """The error has no `param`, as at SageMaker's front door."""
    refusal(answer, request).pop("param", None)


@fault("error-param-null")
def never_names_a_member(answer: Answer, request: Request) -> None:
    """`error.param` is always null."""
    if error := refusal(answer, request):
        error["param"] = None


@fault("error-code-missing")
def leaves_out_code(answer: Answer, request: Request) -> None:
    """The error has no `code`."""
    refusal(answer, request).pop("code", None)


@fault("error-code-is-the-status")
def numbers_its_errors(answer: Answer, request: Request) -> None:
    """`error.code` is the status, a number."""
    if error := refusal(answer, request):
        error["code"] = answer.status


@fault("error-code-is-the-status-as-text")
def writes_the_status_twice(answer: Answer, request: Request) -> None:
    """`error.code` is the status, as text."""
    if error := refusal(answer, request):
        error["code"] = str(answer.status)


@fault("nested-upstream-error-string")
def quotes_the_server_behind(answer: Answer, request: Request) -> None:
    """The message is the Python text of the error of the server behind."""
    if error := refusal(answer, request):
        error["message"] = f"Error code: {answer.status} - {dict(answer.body)!r}"


@fault("error-shows-a-trace")
def shows_its_stack(answer: Answer, request: Request) -> None:
    """The message names the file and the line in which the request was refused."""
    if error := refusal(answer, request):
        error["message"] += '\n\n  File "/usr/lib/python3.11/site-packages/engine/api_server.py", line 187, in create'


@fault("model-not-found-200-error-body")
def refuses_with_success(answer: Answer, request: Request) -> None:
    """An unknown model is an error with the status 200."""
    if refusal(answer, request).get("code") == "model_not_found":
        answer.status = 200
        answer.body = {"object": "error", "message": answer.body["error"]["message"], "code": 404}


@fault("gateway-200-null-body")
def answers_null(answer: Answer, request: Request) -> None:
    """A refusal of the server behind becomes a 200 with the body `null`."""
    if refusal(answer, request).get("param") == "temperature":
        answer.status, answer.body = 200, b"null"


@fault("template-error-404")
def does_not_find_roles(answer: Answer, request: Request) -> None:
    """What is wrong with messages gets the status 404."""
    if str(refusal(answer, request).get("param")).startswith("messages["):
        answer.status = 404


@fault("prestream-upstream-error-200-sse")
def refuses_inside_the_stream(answer: Answer, request: Request) -> None:
    """A refused stream begins with 200, and its only event is the error."""
    if refusal(answer, request) and request.wish.get("stream") is True:
        text = f"event: error\ndata: {compact(answer.body)}\n\n"
        answer.status, answer.body = 200, text.encode()
        answer.headers["content-type"] = "text/event-stream"


# What a server may do


@fault("error-code-null", legal=True)
def has_no_codes(answer: Answer, request: Request) -> None:
    """`error.code` is null."""
    if error := refusal(answer, request):
        error["code"] = error["code"] if error["code"] == "context_length_exceeded" else None


@fault("error-with-more-parts", legal=True)
def tells_more(answer: Answer, request: Request) -> None:
    """The error and its body have further members, and the type is one of the server's own."""
    if error := refusal(answer, request):
        error.update(type="BadRequestError", request_id="req_1", metadata={"provider": "x"})
        answer.body.update(request_id="req_1", success=False)


@fault("error-in-other-words", legal=True)
def speaks_otherwise(answer: Answer, request: Request) -> None:
    """Messages are in other words, and quote what was sent; the content type has a charset."""
    if error := refusal(answer, request):
        error["message"] = (
            f"Ungültige Anfrage ({error['param'] or 'JSON'}): https://example.com/docs/errors.html#length"
        )
        answer.headers["content-type"] = "application/problem+json; charset=utf-8"
