"""The error object, part by part: each way in which a refusal can be unreadable is a requirement of its own.

All checks here read the refusals of the same invalid requests. A refusal that is wrong in one part is passed over by
the checks of the parts inside it, so that one fault of a server is one finding. Whether a request is refused at all is
in `errors_invalid`, and everything else about refusals in `errors`.
"""

from __future__ import annotations

import re

from conformance.core.check import REPLY, Area, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed, Unwitnessed
from conformance.core.requirement import AI_SDK, OPENAI_PYTHON, REPORTS, SPEC
from conformance.probes.invalid import INVALID

REFUSALS = each(*INVALID)
FOUR = SPEC.at("Error", "required: [type, message, param, code]")
NESTED = SPEC.at("ErrorResponse", "properties: {error: {$ref: '#/components/schemas/Error'}}, required: [error]")
LOST = OPENAI_PYTHON.at("errors", "reads `body['error']`; anything else becomes the bare message 'Error code: 400'")
UNREADABLE = "no refusal that can be read that far"
LENGTH = 300  # characters of a body in a finding
MOST = 8000  # characters of a body that is searched for internals: the pattern is slow on hostile texts


def _html(x: Exchange) -> bool:
    return x.media_type == "text/html" or x.text.lstrip()[:14].lower().startswith(("<!doctype html", "<html"))


def _refused(x: Exchange) -> bool:
    """Whether this is a refusal or a server error, which is what the checks here are about."""
    return x.status is not None and x.status >= 400


def a_refusal(x: Exchange) -> None:
    """Raises Unwitnessed where the request was not refused."""
    if not _refused(x):
        raise Unwitnessed(UNREADABLE)


def an_error_object(x: Exchange) -> None:
    """Raises Unwitnessed where there is no refusal with an error object."""
    if not _refused(x) or x.error.type != "object":
        raise Unwitnessed(UNREADABLE)


area = Area("errors", needs=REPLY)
refusals = Area("errors", needs=REPLY, given=a_refusal)
objects = Area("errors", needs=REPLY, given=an_error_object)


@area.must("is-no-web-page", sends=REFUSALS, spec=LOST, remedy="Look at the proxy in front.")
def is_no_web_page(x: Exchange) -> Findings:
    """No refusal is an HTML page."""
    if _refused(x) and _html(x):
        yield Finding("html", "The refusal is an HTML page", expected="JSON", found=x.text[:LENGTH])


@refusals.must("body-is-json", sends=REFUSALS, spec=LOST)
def body_is_json(x: Exchange) -> Findings:
    """The body of a refusal is JSON, and not empty."""
    if x.not_json and not _html(x):
        yield Finding("not-json", "The body of the refusal is not JSON", expected="JSON", found=x.text[:LENGTH])


@refusals.should("media-type-is-json", sends=REFUSALS, spec=SPEC.at("TooManyRequests.content", "application/json"))
def media_type_is_json(x: Exchange) -> Findings:
    """A refusal in JSON has a JSON content type."""
    if x.not_json:
        raise Unwitnessed(UNREADABLE)
    if x.media_type != "application/json" and not x.media_type.endswith("+json"):
        yield Finding(
            "other-media-type",
            "A refusal in JSON has another content type",
            at="content-type",
            expected="application/json",
            found=x.media_type,
        )


@refusals.must("body-is-an-object", sends=REFUSALS, spec=NESTED)
def body_is_an_object(x: Exchange) -> Findings:
    """The body of a refusal is a JSON object."""
    if x.not_json:
        raise Unwitnessed(UNREADABLE)
    if x.json.type != "object":
        yield Finding(
            "not-an-object", "The body of the refusal is not an object", expected="object", found=x.text[:LENGTH]
        )


@area.must(
    "no-detail",
    sends=REFUSALS,
    spec=LOST,
    remedy="FastAPI: register exception handlers for HTTPException and RequestValidationError.",
)
def no_detail(x: Exchange) -> Findings:
    """The error is under `error`, not under `detail`."""
    if _refused(x) and x.json.type == "object" and x.error.absent and "detail" in x.json:
        yield Finding(
            "under-detail",
            "The error is under `detail` instead of `error`",
            at="/error",
            expected="object",
            found=x.text[:LENGTH],
        )


@refusals.must("lies-under-error", sends=REFUSALS, spec=NESTED)
def lies_under_error(x: Exchange) -> Findings:
    """The body of a refusal has the member `error`: the parts of the error are not at the top level."""
    if x.json.type != "object" or "detail" in x.json:
        raise Unwitnessed(UNREADABLE)
    if x.error.missing:
        yield Finding("no-error", "The body has no `error`", at="/error", expected="object", found=x.text[:LENGTH])


@refusals.must("error-is-an-object", sends=REFUSALS, spec=NESTED)
def error_is_an_object(x: Exchange) -> Findings:
    """`error` is an object, not a string."""
    if x.error.missing:
        raise Unwitnessed(UNREADABLE)
    if x.error.type != "object":
        yield Finding("not-an-object", "`error` is not an object", at="/error", expected="object", found=x.error)


@objects.must(
    "has-a-message",
    sends=REFUSALS,
    spec=AI_SDK.at("error schema", "`error.message` has to be a string, else the error has no message"),
)
def has_a_message(x: Exchange) -> Findings:
    """`error.message` is a string that is not blank."""
    text = x.error["message"].value
    if not isinstance(text, str) or not text.strip():
        yield Finding(
            "no-message", "The error has no message", at="/error/message", expected="string", found=x.error["message"]
        )


@objects.should("has-a-type", sends=REFUSALS, spec=FOUR)
def has_a_type(x: Exchange) -> Findings:
    """`error.type` is a string."""
    if x.error["type"].type != "string":
        yield Finding(
            "not-a-string", "`error.type` is not a string", at="/error/type", expected="string", found=x.error["type"]
        )


@objects.should("has-param", sends=REFUSALS, spec=FOUR)
def has_param(x: Exchange) -> Findings:
    """`error.param` is present: a string or null."""
    if x.error["param"].type not in ("string", "null"):
        yield Finding(
            "not-a-string-or-null",
            "`error.param` is neither a string nor null",
            at="/error/param",
            expected="string or null",
            found=x.error["param"],
        )


@objects.should("has-a-code", sends=REFUSALS, spec=FOUR)
def has_a_code(x: Exchange) -> Findings:
    """`error.code` is present, even if null."""
    if x.error["code"].absent:
        yield Finding("no-code", "The error has no `code`", at="/error/code", expected="string or null")


@objects.should(
    "code-is-text",
    sends=REFUSALS,
    spec=SPEC.at("Error.code", "anyOf: [{type: string}, {type: 'null'}]"),
    remedy="Compare the HTTP status instead of the code.",
)
def code_is_text(x: Exchange) -> Findings:
    """`error.code` is a string or null, not a number."""
    if x.error["code"].absent:
        raise Unwitnessed(UNREADABLE)
    if x.error["code"].type not in ("string", "null"):
        yield Finding(
            "not-a-string-or-null",
            "`error.code` is neither a string nor null",
            at="/error/code",
            expected="string or null",
            found=x.error["code"],
        )


@objects.may(
    "code-is-no-status",
    sends=REFUSALS,
    spec=REPORTS.at(
        "LiteLLM",
        "The code of every error is its HTTP status written as text, so that no client can tell one 400 from another.",
        "https://github.com/BerriAI/litellm/pull/37766",
    ),
    remedy="Look for words in the message.",
)
def code_is_no_status(x: Exchange) -> Findings:
    """`error.code` is a code of the error or null, not the HTTP status repeated as text."""
    if x.error["code"].type not in ("string", "null"):
        raise Unwitnessed(UNREADABLE)
    if x.error["code"].value == str(x.status):
        yield Finding(
            "status-as-code",
            "The code is the HTTP status as text",
            at="/error/code",
            expected="a word or null",
            found=x.error["code"],
        )


DUMP = re.compile(
    r"""\{\s*\\?['"](?:error\\?['"]\s*:\s*\\?\{|(?:message|detail)\\?['"]\s*:|object\\?['"]\s*:\s*\\?['"]error)"""
)
"""An error object inside a text, written as JSON, as JSON within JSON, or as Python."""


@objects.should(
    "message-is-no-dump",
    sends=REFUSALS,
    spec=REPORTS.at(
        "llama-stack",
        "The message was the Python text of the error that the server behind had sent; type and code were lost in it.",
        "https://github.com/ogx-ai/ogx/issues/6069",
    ),
)
def message_is_no_dump(x: Exchange) -> Findings:
    """The message is a sentence, not another error object as text."""
    text = x.error["message"].value
    if not isinstance(text, str):
        raise Unwitnessed(UNREADABLE)
    if DUMP.search(text):
        yield Finding(
            "error-in-message", "The message contains another error object", at="/error/message", found=text[:LENGTH]
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
"""Paths of source files, stack frames, internal host names and keys: nothing for a client to see."""


@area.should(
    "shows-no-insides",
    sends=REFUSALS,
    spec=REPORTS.at(
        "SGLang 0.5.23",
        "Refusals named the files and lines of the server's installation.",
        "https://github.com/sgl-project/sglang",
    ),
)
def shows_no_insides(x: Exchange) -> Findings:
    """A refusal shows no stack trace, no path of the server's files, no key and no internal host name."""
    found = INSIDES.search(x.text[:MOST]) if _refused(x) else None
    if found:
        yield Finding("internals-shown", "The refusal shows internals of the server", found=found[0][:LENGTH])


@area.note("types", sends=REFUSALS)
def types_of_errors(x: Exchange) -> Findings:
    """Which `error.type` the refusals have."""
    if _refused(x) and x.error.type == "object" and not x.error["type"].absent:
        yield Observed(x.error["type"], "type")
