"""The error object, part by part: each way in which a refusal can be unreadable is a requirement of its own.

All of them read the same refusals of the same invalid requests. A refusal that is wrong in one part is passed over by
the checks of the parts inside it, so that one fault of a server is one finding. Whether a request is refused at all is
in `invalid`, and everything else about refusals in `errors`.
"""

from __future__ import annotations

import re

from conformance.core.check import REPLY, check, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed, Unwitnessed
from conformance.core.reading.json import Value
from conformance.core.requirement import AI_SDK, MAY, MUST, NOTE, OPENAI_PYTHON, REPORTS, SHOULD, SPEC
from conformance.probes.invalid import INVALID

REFUSALS = each(*INVALID)
FOUR = SPEC.at("Error", "required: [type, message, param, code]")
NESTED = SPEC.at("ErrorResponse", "properties: {error: {$ref: '#/components/schemas/Error'}}, required: [error]")
LOST = OPENAI_PYTHON.at("errors", "reads `body['error']`; anything else becomes the bare message 'Error code: 400'")
UNREADABLE = Unwitnessed("no refusal that can be read that far")
LENGTH = 300  # of a body in a finding
MOST = 8000  # of a body that is searched for what it should not show: patterns take their time on hostile ones


def _html(x: Exchange) -> bool:
    return x.media_type == "text/html" or x.text.lstrip()[:14].lower().startswith(("<!doctype html", "<html"))


def _said(x: Exchange) -> bool:
    """Whether this is a refusal (or a server error), which is what the checks here are about."""
    return x.status is not None and x.status >= 400


def _error(x: Exchange) -> Value | None:
    """The error object; None where the refusal has none."""
    return x.error if _said(x) and x.error.type == "object" else None


@check("errors.is-no-web-page", MUST, sends=REFUSALS, needs=REPLY, spec=LOST, remedy="Look at the proxy in front.")
def is_no_web_page(x: Exchange) -> Findings:
    """No refusal is an HTML page."""
    if _said(x) and _html(x):
        yield Finding("refusal-html-page", "the refusal is an HTML page", expected="JSON", found=x.text[:LENGTH])


@check("errors.body-is-json", MUST, sends=REFUSALS, needs=REPLY, spec=LOST)
def body_is_json(x: Exchange) -> Findings:
    """The body of a refusal is JSON, and not empty."""
    if not _said(x):
        yield UNREADABLE
    elif x.not_json and not _html(x):
        yield Finding(
            "body-refusal-not-json", "the body of the refusal is not JSON", expected=x.not_json, found=x.text[:LENGTH]
        )


@check(
    "errors.media-type-is-json",
    SHOULD,
    sends=REFUSALS,
    needs=REPLY,
    spec=SPEC.at("TooManyRequests.content", "application/json"),
)
def media_type_is_json(x: Exchange) -> Findings:
    """A refusal in JSON says so in its content type."""
    if not _said(x) or x.not_json:
        yield UNREADABLE
    elif x.media_type != "application/json" and not x.media_type.endswith("+json"):
        yield Finding(
            "json-goes-another-name",
            "JSON goes by another name",
            at="content-type",
            expected="application/json",
            found=x.media_type,
        )


@check("errors.body-is-an-object", MUST, sends=REFUSALS, needs=REPLY, spec=NESTED)
def body_is_an_object(x: Exchange) -> Findings:
    """The body of a refusal is a JSON object."""
    if not _said(x) or x.not_json:
        yield UNREADABLE
    elif x.json.type != "object":
        yield Finding(
            "body-refusal-no-object", "the body of the refusal is no object", expected="object", found=x.text[:LENGTH]
        )


@check(
    "errors.no-detail",
    MUST,
    sends=REFUSALS,
    needs=REPLY,
    spec=LOST,
    remedy="FastAPI: register exception handlers for HTTPException and RequestValidationError.",
)
def no_detail(x: Exchange) -> Findings:
    """The error lies under `error`, not under `detail`."""
    if _said(x) and x.json.type == "object" and x.error.absent and "detail" in x.json:
        yield Finding(
            "error-lies-under-detail",
            "the error lies under `detail`",
            at="/error",
            expected="object",
            found=x.text[:LENGTH],
        )


@check("errors.lies-under-error", MUST, sends=REFUSALS, needs=REPLY, spec=NESTED)
def lies_under_error(x: Exchange) -> Findings:
    """The body of a refusal has the member `error`: its parts do not lie flat beside each other."""
    if not _said(x) or x.json.type != "object" or "detail" in x.json:
        yield UNREADABLE
    elif x.error.missing:
        yield Finding("body-no-error", "the body has no `error`", at="/error", expected="object", found=x.text[:LENGTH])


@check("errors.error-is-an-object", MUST, sends=REFUSALS, needs=REPLY, spec=NESTED)
def error_is_an_object(x: Exchange) -> Findings:
    """`error` is an object, not a text."""
    if not _said(x) or x.error.missing:
        yield UNREADABLE
    elif x.error.type != "object":
        yield Finding("error-no-object", "`error` is no object", at="/error", expected="object", found=x.error)


@check(
    "errors.has-a-message",
    MUST,
    sends=REFUSALS,
    needs=REPLY,
    spec=AI_SDK.at("error schema", "`error.message` has to be a string, else the error has no message"),
)
def has_a_message(x: Exchange) -> Findings:
    """`error.message` is a text that says something."""
    if (error := _error(x)) is None:
        yield UNREADABLE
    elif not isinstance(error["message"].value, str) or not error["message"].value.strip():
        yield Finding(
            "error-no-message",
            "the error has no message",
            at="/error/message",
            expected="string",
            found=error["message"],
        )


@check("errors.has-a-type", SHOULD, sends=REFUSALS, needs=REPLY, spec=FOUR)
def has_a_type(x: Exchange) -> Findings:
    """`error.type` is a text."""
    if (error := _error(x)) is None:
        yield UNREADABLE
    elif error["type"].type != "string":
        yield Finding(
            "error-no-type", "the error has no type", at="/error/type", expected="string", found=error["type"]
        )


@check("errors.has-param", SHOULD, sends=REFUSALS, needs=REPLY, spec=FOUR)
def has_param(x: Exchange) -> Findings:
    """`error.param` is there: a text, or null."""
    if (error := _error(x)) is None:
        yield UNREADABLE
    elif error["param"].type not in ("string", "null"):
        yield Finding(
            "error-no-param",
            "the error has no param",
            at="/error/param",
            expected="string or null",
            found=error["param"],
        )


@check("errors.has-a-code", SHOULD, sends=REFUSALS, needs=REPLY, spec=FOUR)
def has_a_code(x: Exchange) -> Findings:
    """`error.code` is there, be it null."""
    if (error := _error(x)) is None:
        yield UNREADABLE
    elif error["code"].absent:
        yield Finding("error-no-code", "the error has no code", at="/error/code", expected="string or null")


@check(
    "errors.code-is-text",
    SHOULD,
    sends=REFUSALS,
    needs=REPLY,
    spec=SPEC.at("Error.code", "anyOf: [{type: string}, {type: 'null'}]"),
    remedy="Compare the HTTP status instead of the code.",
)
def code_is_text(x: Exchange) -> Findings:
    """`error.code` is a text or null, not a number."""
    error = _error(x)
    if error is None or error["code"].absent:
        yield UNREADABLE
    elif error["code"].type not in ("string", "null"):
        yield Finding(
            "code-no-text", "the code is no text", at="/error/code", expected="string or null", found=error["code"]
        )


@check(
    "errors.code-is-no-status",
    MAY,
    sends=REFUSALS,
    needs=REPLY,
    spec=REPORTS.at(
        "LiteLLM",
        "The code of every error is its HTTP status written as text, so that no client can tell one 400 from another.",
        "https://github.com/BerriAI/litellm/pull/37766",
    ),
    remedy="Look for words in the message.",
)
def code_is_no_status(x: Exchange) -> Findings:
    """`error.code` is a code of the error or null, not the HTTP status over again as text."""
    error = _error(x)
    if error is None or error["code"].type not in ("string", "null"):
        yield UNREADABLE
    elif error["code"].value == str(x.status):
        yield Finding(
            "code-status-text",
            "the code is the status as text",
            at="/error/code",
            expected="a word or null",
            found=error["code"],
        )


DUMP = re.compile(
    r"""\{\s*\\?['"](?:error\\?['"]\s*:\s*\\?\{|(?:message|detail)\\?['"]\s*:|object\\?['"]\s*:\s*\\?['"]error)"""
)
"""An error object inside a text, in the writing of JSON, of JSON in JSON, or of Python."""


@check(
    "errors.message-is-no-dump",
    SHOULD,
    sends=REFUSALS,
    needs=REPLY,
    spec=REPORTS.at(
        "llama-stack",
        "The message was the Python text of the error that the server behind had sent; type and code were lost in it.",
        "https://github.com/ogx-ai/ogx/issues/6069",
    ),
)
def message_is_no_dump(x: Exchange) -> Findings:
    """The message is a sentence, not another error object written out."""
    error = _error(x)
    text = error["message"].value if error is not None else None
    if not isinstance(text, str):
        yield UNREADABLE
    elif DUMP.search(text):
        yield Finding(
            "message-error-object", "the message has an error object in it", at="/error/message", found=text[:LENGTH]
        )


INSIDES = re.compile(
    r"""Traceback\ \(most\ recent\ call\ last\)
      | File\ \\?"[^"]+",\ line\ \d+          # a frame of Python's
      | (?:/[\w.@+-]+){2,}\.(?:py|go|rs|js|ts|cpp|java)\b
      | \bat\ [\w.$<>]+\([\w.]+\.java:\d+\)
      | \bgoroutine\ \d+\ \[ | \bthread\ '[^']+'\ panicked\ at
      | \.svc\.cluster\.local\b | \.compute\.internal\b
      | \b(?:10\.\d+|192\.168)\.\d+\.\d+:\d+\b
      | \bsk-[A-Za-z0-9_-]{20,} | \bBearer\ [A-Za-z0-9._~+/-]{20,}""",
    re.VERBOSE,
)
"""Paths of source files, stack frames, names of machines inside, keys: nothing for a client to see."""


@check(
    "errors.shows-no-insides",
    SHOULD,
    sends=REFUSALS,
    needs=REPLY,
    spec=REPORTS.at(
        "SGLang 0.5.23",
        "Refusals named the files and lines of the server's installation.",
        "https://github.com/sgl-project/sglang",
    ),
)
def shows_no_insides(x: Exchange) -> Findings:
    """A refusal has no stack trace, no path of the server's files, no key and no name of a machine behind it."""
    found = INSIDES.search(x.text[:MOST]) if _said(x) else None
    if found:
        yield Finding(
            "refusal-shows-insides-server", "the refusal shows the insides of the server", found=found[0][:LENGTH]
        )


@check("errors.types", NOTE, sends=REFUSALS, needs=REPLY)
def types_of_errors(x: Exchange) -> Findings:
    """Which `error.type` the refusals have."""
    if (error := _error(x)) is not None and not error["type"].absent:
        yield Observed(error["type"], "type")
