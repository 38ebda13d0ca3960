"""What a server does with a request that has no valid key. A server that guards nothing says so, and is not judged."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from conformance.core.check import REPLY, Area, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed, Unsupported, Unwitnessed
from conformance.core.requirement import ERRORS, OPENAI_PYTHON, SPEC
from conformance.probes.chat import HELLO, STREAMED

KEYLESS = replace(HELLO, auth="none")
WRONG = replace(HELLO, auth="wrong")
KEYLESS_STREAM = replace(STREAMED, auth="none")

REFUSED = (401, 403)
UNGUARDED = "the server answers without a valid key"

SECURITY = SPEC.at("security", "ApiKeyAuth: {type: http, scheme: bearer}")

area = Area("auth", needs=REPLY, requires="auth")


def guarded(*answers: Exchange) -> None:
    """Raises Unsupported where the server answers every one of these requests, though none has a valid key."""
    if all(x.ok for x in answers):
        raise Unsupported(UNGUARDED)


def key_refused(x: Exchange) -> None:
    """Raises where there is no refusal of a key to look at."""
    guarded(x)
    if x.status not in REFUSED:
        raise Unwitnessed("the server did not refuse the key")


@area.must("missing-key-is-refused", sends=(KEYLESS, WRONG), given=guarded, spec=SECURITY)
def missing_key_is_refused(keyless: Exchange, _: Exchange) -> Findings:
    """A request without a key is answered 401 or 403."""
    if keyless.status not in REFUSED:
        yield Finding(
            "not-refused",
            "A request without a key is not answered 401 or 403",
            at="status",
            expected=401,
            found=keyless.status,
        )


@area.must(
    "wrong-key-is-refused",
    sends=(KEYLESS, WRONG),
    given=guarded,
    spec=ERRORS.at("401 - Incorrect API key provided", "The requesting API key is not correct."),
)
def wrong_key_is_refused(_: Exchange, wrong: Exchange) -> Findings:
    """A request with a wrong key is answered 401 or 403."""
    if wrong.status not in REFUSED:
        yield Finding(
            "not-refused",
            "A request with a wrong key is not answered 401 or 403",
            at="status",
            expected=401,
            found=wrong.status,
            on=wrong.key,
        )


@area.must(
    "refusal-has-an-error-object",
    sends=each(KEYLESS, WRONG),
    given=key_refused,
    spec=SPEC.at("ErrorResponse", "required: [error]; Error: required: [type, message, param, code]"),
    remedy="show people the status: the official clients have no message for them",
)
def refusal_has_an_error_object(x: Exchange) -> Findings:
    """A refused key is answered with an error object that has a message."""
    message = x.error["message"]
    if x.error.type != "object":
        yield Finding("not-an-object", "`error` is not an object", at="/error", expected="object", found=x.text[:200])
    elif message.type != "string" or not message:
        yield Finding("no-message", "The error has no message", at="/error/message", expected="string", found=message)


@area.must(
    "refused-stream-is-no-stream",
    sends=KEYLESS_STREAM,
    requires=("auth", "chat.stream"),
    spec=OPENAI_PYTHON.at(
        "Stream", "raises AuthenticationError for the status 401; an error inside a 200 stream is a bare APIError"
    ),
)
def refused_stream_is_no_stream(x: Exchange) -> Findings:
    """A request for a stream without a key is refused by its status and a JSON body, not within a stream."""
    if x.status not in REFUSED and x.streamed and any("error" in value for value in x.data):
        found = {"status": x.status, "body": x.text[:200]}
        yield Finding("refused-in-stream", "The key is refused within a stream", at="status", expected=401, found=found)
        return
    key_refused(x)
    if x.streamed:
        yield Finding(
            "stream",
            "The refusal is a stream",
            at="content-type",
            expected="application/json",
            found=x.header("content-type"),
        )


credentials = st.one_of(
    st.sampled_from(("Bearer", "bearer  x", "Basic eDp5", "Basic", "Token x", "x", "Bearer x y", 'Bearer "x"')),
    st.text(st.sampled_from("aZ09-._~+/=,;:%\"'<>(){}[] "), min_size=1, max_size=24).map(
        lambda text: f"Bearer z{text}z"
    ),
    st.integers(1000, 4000).map(lambda length: "Bearer " + "x" * length),
)
"""Values of the header `authorization` that are no key: bare schemes, other schemes, rubbish, and far too long ones."""


@area.should(
    "malformed-credentials-are-refused",
    sends=st.tuples(st.just(KEYLESS), credentials.map(lambda value: KEYLESS.with_headers(authorization=value))),
    spec=SECURITY,
    examples=6,
)
def malformed_credentials_are_refused(keyless: Exchange, malformed: Exchange) -> Findings:
    """Credentials of any other form than a valid key are refused, and not with a server error."""
    assert malformed.status is not None
    found = {"authorization": dict(malformed.probe.headers)["authorization"][:60], "status": malformed.status}
    if malformed.status >= 500:
        yield Finding(
            "server-error",
            "Malformed credentials are answered with a server error",
            at="status",
            expected=401,
            found=found,
            on=malformed.key,
        )
        return
    guarded(keyless)
    if not 400 <= malformed.status < 500:
        yield Finding(
            "not-refused",
            "Malformed credentials are not refused",
            at="status",
            expected=401,
            found=found,
            on=malformed.key,
        )


@area.note("refusal-code", sends=each(KEYLESS, WRONG), given=guarded)
def refusal_code(x: Exchange) -> Findings:
    """A refused key has a status, a type and a code; servers disagree on which."""
    key = "missing" if x.probe.auth == "none" else "wrong"
    yield Observed(x.status, f"{key} status")
    for name in ("type", "code"):
        if not x.error[name].missing:
            yield Observed(x.error[name].value, f"{key} {name}")
