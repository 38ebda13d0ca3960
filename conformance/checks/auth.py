"""What a server does with a request that has no valid key. A server that guards nothing says so, and is not judged."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from conformance.core.check import REPLY, check, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed, Unsupported, Unwitnessed
from conformance.core.requirement import ERRORS, MUST, NOTE, OPENAI_PYTHON, SHOULD, SPEC
from conformance.probes.chat import HELLO, STREAMED

KEYLESS = replace(HELLO, auth="none")
WRONG = replace(HELLO, auth="wrong")
KEYLESS_STREAM = replace(STREAMED, auth="none")

REFUSED = (401, 403)
UNGUARDED = "the server answers without a valid key"

SECURITY = SPEC.at("security", "ApiKeyAuth: {type: http, scheme: bearer}")


@check(
    "auth.missing-key-is-refused",
    MUST,
    sends=(KEYLESS, WRONG),
    needs=REPLY,
    requires="auth",
    spec=SECURITY,
)
def missing_key_is_refused(keyless: Exchange, wrong: Exchange) -> Findings:
    """A request without a key is answered 401."""
    if keyless.ok and wrong.ok:
        yield Unsupported(UNGUARDED)
    elif keyless.status not in REFUSED:
        yield Finding(
            "request-without-key-not-answered",
            "a request without a key is not answered 401",
            at="status",
            expected=401,
            found=keyless.status,
        )


@check(
    "auth.wrong-key-is-refused",
    MUST,
    sends=(KEYLESS, WRONG),
    needs=REPLY,
    requires="auth",
    spec=ERRORS.at("401 - Incorrect API key provided", "The requesting API key is not correct."),
)
def wrong_key_is_refused(keyless: Exchange, wrong: Exchange) -> Findings:
    """A request with a wrong key is answered 401 or 403."""
    if keyless.ok and wrong.ok:
        yield Unsupported(UNGUARDED)
    elif wrong.status not in REFUSED:
        found = wrong.status
        yield Finding(
            "wrong-key-not-answered-401",
            "a wrong key is not answered 401 or 403",
            at="status",
            expected=401,
            found=found,
            on=wrong.key,
        )


def refusals(*answers: Exchange) -> Findings:
    """Why there is no refusal to look at; nothing where each of these is one."""
    if all(x.ok for x in answers):
        yield Unsupported(UNGUARDED)
    elif not all(x.status in REFUSED for x in answers):
        yield Unwitnessed("the server did not refuse the key")


@check(
    "auth.refusal-has-an-error-object",
    MUST,
    sends=each(KEYLESS, WRONG),
    needs=REPLY,
    requires="auth",
    spec=SPEC.at("ErrorResponse", "required: [error]; Error: required: [type, message, param, code]"),
    remedy="show people the status: the official clients have no message for them",
)
def refusal_has_an_error_object(x: Exchange) -> Findings:
    """A refused key is answered with an error object that has a message."""
    if x.status not in REFUSED:
        yield from refusals(x)
    elif x.error.type != "object":
        yield Finding(
            "error-not-object", "`error` is not an object", at="/error", expected="object", found=x.text[:200]
        )
    elif x.error["message"].type != "string" or not x.error["message"]:
        message = x.error["message"]
        yield Finding(
            "error-no-message", "the error has no message", at="/error/message", expected="string", found=message
        )


@check(
    "auth.refused-stream-is-no-stream",
    MUST,
    sends=KEYLESS_STREAM,
    needs=REPLY,
    requires=("auth", "chat.stream"),
    spec=OPENAI_PYTHON.at(
        "Stream", "raises AuthenticationError for the status 401; an error inside a 200 stream is a bare APIError"
    ),
)
def refused_stream_is_no_stream(x: Exchange) -> Findings:
    """A request for a stream without a key is refused by status and JSON, not within a stream."""
    if x.status not in REFUSED:
        error = x.streamed and any("error" in value for value in x.data)
        if error:
            found = {"status": x.status, "body": x.text[:200]}
            yield Finding(
                "key-refused-inside-stream",
                "the key is refused inside a stream",
                at="status",
                expected=401,
                found=found,
            )
        else:
            yield from refusals(x)
    elif x.streamed:
        kind = x.header("content-type")
        yield Finding(
            "refusal-stream", "the refusal is a stream", at="content-type", expected="application/json", found=kind
        )


credentials = st.one_of(
    st.sampled_from(("Bearer", "bearer  x", "Basic eDp5", "Basic", "Token x", "x", "Bearer x y", 'Bearer "x"')),
    st.text(st.sampled_from("aZ09-._~+/=,;:%\"'<>(){}[] "), min_size=1, max_size=24).map(
        lambda text: f"Bearer z{text}z"
    ),
    st.integers(1000, 4000).map(lambda length: "Bearer " + "x" * length),
)
"""Values of the header `authorization` that are no key: bare schemes, other schemes, rubbish, and far too long ones."""


@check(
    "auth.malformed-credentials-are-refused",
    SHOULD,
    sends=st.tuples(st.just(KEYLESS), credentials.map(lambda value: KEYLESS.with_headers(authorization=value))),
    needs=REPLY,
    requires="auth",
    spec=SECURITY,
    examples=6,
)
def malformed_credentials_are_refused(keyless: Exchange, malformed: Exchange) -> Findings:
    """Credentials of any other form than a valid key are refused, and not with a server error."""
    assert malformed.status is not None
    found = {"authorization": dict(malformed.probe.headers)["authorization"][:60], "status": malformed.status}
    if malformed.status >= 500:
        yield Finding(
            "malformed-credentials-server-error",
            "malformed credentials are a server error",
            at="status",
            expected=401,
            found=found,
            on=malformed.key,
        )
    elif keyless.ok:
        yield Unsupported(UNGUARDED)
    elif not 400 <= malformed.status < 500:
        yield Finding(
            "malformed-credentials-not-refused",
            "malformed credentials are not refused",
            at="status",
            expected=401,
            found=found,
            on=malformed.key,
        )


@check("auth.refusal-code", NOTE, sends=each(KEYLESS, WRONG), needs=REPLY, requires="auth")
def refusal_code(x: Exchange) -> Findings:
    """A refused key has a status, a type and a code; which ones, servers disagree."""
    if x.ok:
        yield Unsupported(UNGUARDED)
        return
    case = "missing" if x.probe.auth == "none" else "wrong"
    yield Observed(x.status, f"{case} status")
    for name in ("type", "code"):
        if not x.error[name].missing:
            yield Observed(x.error[name].value, f"{case} {name}")
