"""Planted faults: what refusals look like. One part of the error object each, or the whole of it in another form."""

from __future__ import annotations

from conformance.reference.answer import Answer, Request, compact
from conformance.reference.fault import fault
from conformance.reference.rows import ERROR, become, change, drop, exactly, given, put, refusal

TRACE = '\n\n  File "/usr/lib/python3.11/site-packages/engine/api_server.py", line 187, in create'
TEMPERATURE = ERROR.where(lambda error: error.get("param") == "temperature")


def message(answer: Answer) -> str:
    """What the error says."""
    return str(answer.body["error"]["message"])


def labelled(kind: str) -> dict[str, str]:
    """The header for a content type."""
    return {"content-type": kind}


PAGE = b"<!DOCTYPE html><html><head><title>400 Bad Request</title></head><body>nginx</body></html>"


BODIES = (
    become("error-500-no-body", TEMPERATURE, lambda answer: b"", status=500,
        says="A wrong temperature is answered with 500 and no body."),
    become("error-plain-text", ERROR, lambda answer: message(answer).encode(),
        headers=labelled("text/plain; charset=utf-8"), says="A refusal is a line of text."),
    become("error-html-page", ERROR, lambda answer: PAGE, headers=labelled("text/html"),
        says="The proxy in front replaces refusals by a page of its own."),
    become("error-labelled-text", ERROR, headers=labelled("text/plain"),
        says="A refusal in JSON has the content type text/plain."),
    become("error-top-level-array", ERROR, lambda answer: [answer.body], says="The body of a refusal is an array."),
    become("error-flat-object", ERROR, lambda answer: {"object": "error", **answer.body["error"]},
        says="The members of the error are at the top of the body, beside `object: error`."),
    become("error-status-message-shape", ERROR, lambda answer: {"status": answer.status, "message": message(answer)},
        says='A refusal is `{"status": ..., "message": ...}`.'),
    become("error-fastapi-detail", ERROR, lambda answer: {"detail": message(answer)},
        says='A refusal is `{"detail": ...}`.'),
    become("error-double-wrapped-detail", ERROR, lambda answer: {"detail": answer.body},
        says="The error object is inside `detail`."),
    become("error-is-text", ERROR, lambda answer: {"error": message(answer)}, says="`error` is a string."),
    become("error-status-422-not-400", ERROR,
        lambda answer: {"error": f"Input validation error: {message(answer)}", "error_type": "validation"}, status=422,
        says="A refusal has the status 422, a string for `error`, and an `error_type`."),
    become("error-body-nonstandard-success-false", ERROR,
        lambda answer: {"success": False, "error": {"code": "VALIDATION_ERROR", "status": answer.status}},
        says="The body has `success: false`, and its error only a code and a status."),
    become("error-google-status-shape", ERROR,
        lambda answer: {"error": {"code": answer.status, "message": message(answer), "status": "INVALID_ARGUMENT"}},
        says="The error has a number for its `code`, `status` in place of `type`, and no `param`."),
)  # fmt: skip


MEMBERS = (
    change("error-message-is-object", ERROR, "message", lambda text: {"detail": [{"msg": text, "loc": ["body"]}]},
        says="`error.message` is an object."),
    put("error-type-null", ERROR, type=None, says="`error.type` is null."),
    drop("error-param-missing", ERROR, "param", says="The error has no `param`, as at SageMaker's front door."),
    put("error-param-null", ERROR, param=None, says="`error.param` is always null."),
    drop("error-code-missing", ERROR, "code", says="The error has no `code`."),
    change("error-shows-a-trace", ERROR, "message", lambda text: text + TRACE,
        says="The message names the file and the line in which the request was refused."),
    change("error-code-null", ERROR, "code", lambda code: code if code == "context_length_exceeded" else None,
        says="`error.code` is null.", legal=True),
)  # fmt: skip


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


STATUSES = (
    become("model-not-found-200-error-body", ERROR.where(lambda error: error.get("code") == "model_not_found"),
        lambda answer: {"object": "error", "message": message(answer), "code": 404}, status=200,
        says="An unknown model is answered with 200 and an error."),
    become("gateway-200-null-body", TEMPERATURE, lambda answer: b"null", status=200,
        says="A refusal of the server behind becomes a 200 with the body `null`."),
    become("template-error-404", ERROR.where(lambda error: str(error.get("param")).startswith("messages[")), status=404,
        says="A mistake in the messages is answered with 404."),
    become("prestream-upstream-error-200-sse", ERROR,
        lambda answer: f"event: error\ndata: {compact(answer.body)}\n\n".encode(), status=200,
        headers=labelled("text/event-stream"), when=given("stream", exactly(True)),
        says="A refused stream begins with 200, and its only event is the error."),
)  # fmt: skip


# What a server may do


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
