"""Bearer tokens at a SageMaker endpoint: the valid one opens, every other is refused, and what is refused is not told on."""

from __future__ import annotations

import re

from conformance.core.check import ANYTHING, REPLY, check, each
from conformance.core.exchange import Exchange, How
from conformance.core.finding import Finding, Findings, Observed, Unwitnessed
from conformance.core.probe import BRIEF
from conformance.core.requirement import AWS_SIGNING, BEARER_TOKENS, MUST, NOTE, OPENAI_PYTHON, SAGEMAKER_GUIDE, SHOULD
from conformance.probes.chat import HELLO
from conformance.probes.sagemaker import BAD, EXPIRED, FOREIGN, MALFORMED, MISSING, OUTLIVING, SAGEMAKER, TAMPERED

BEARER = SAGEMAKER_GUIDE.at(
    "Authentication with bearer tokens", "SageMaker AI OpenAI-compatible endpoints use bearer token authentication."
)
SHORT_LIVED = SAGEMAKER_GUIDE.at(
    "Authentication with bearer tokens",
    "creates short-lived tokens (valid up to 12 hours) from your existing AWS credentials",
)
CREDENTIALS = SAGEMAKER_GUIDE.at(
    "Authentication with bearer tokens",
    "The token contains your role or user credentials and requires the sagemaker:CallWithBearerToken and"
    " sagemaker:InvokeEndpoint action permissions.",
)

ECHO = re.compile(
    r"(?:sagemaker|bedrock)-api-key-[\w+/=-]{16}|c2FnZW1ha2VyLmFtYXpvbmF3cy5jb20|X-Amz-(?:Signature|Security-Token)=|\*{40}"
)
"""A token, or the URL in it. Where the suite has masked one, asterisks are in its place: far more than people write."""


def _admitted(x: Exchange, what: str) -> Findings:
    """A finding where a request with a bad token is not refused."""
    if x.status is not None and not 400 <= x.status < 500:
        yield Finding("", f"{what} is not refused", at="status", expected=403, found=x.status)


@check("sagemaker.token-is-accepted", MUST, sends=HELLO, needs=REPLY, kinds=SAGEMAKER, spec=BEARER)
def token_is_accepted(x: Exchange) -> Findings:
    """A bearer token made from AWS credentials is accepted."""
    if x.status in (401, 403):
        found = {"status": x.status, "body": x.text[:300]}
        yield Finding("valid-token-refused", "a valid token is refused", at="status", expected="2xx", found=found)


@check(
    "sagemaker.missing-token-is-refused",
    MUST,
    sends=MISSING,
    needs=REPLY,
    requires="auth",
    kinds=SAGEMAKER,
    spec=BEARER,
)
def missing_token_is_refused(x: Exchange) -> Findings:
    """A request without a token is refused."""
    yield from _admitted(x, "a request without a token")


@check(
    "sagemaker.malformed-token-is-refused",
    MUST,
    sends=MALFORMED,
    needs=REPLY,
    requires="auth",
    kinds=SAGEMAKER,
    spec=BEARER,
)
def malformed_token_is_refused(x: Exchange) -> Findings:
    """A token that is cut short is refused, and not with a server error."""
    yield from _admitted(x, "a token that is cut short")


@check(
    "sagemaker.tampered-token-is-refused",
    MUST,
    sends=TAMPERED,
    needs=REPLY,
    requires="auth",
    kinds=SAGEMAKER,
    spec=CREDENTIALS,
)
def tampered_token_is_refused(x: Exchange) -> Findings:
    """A token with a signature that nobody made is refused."""
    yield from _admitted(x, "a token with a wrong signature")


@check(
    "sagemaker.expired-token-is-refused",
    MUST,
    sends=EXPIRED,
    needs=REPLY,
    requires="auth",
    kinds=SAGEMAKER,
    spec=SHORT_LIVED,
)
def expired_token_is_refused(x: Exchange) -> Findings:
    """A token whose second is over is refused."""
    yield from _admitted(x, "an expired token")


@check(
    "sagemaker.foreign-token-is-refused",
    SHOULD,
    sends=FOREIGN,
    needs=REPLY,
    requires="auth",
    kinds=SAGEMAKER,
    spec=AWS_SIGNING.at(
        "X-Amz-Credential",
        "The credential scope value, which is a string that includes your access key, the date, the region you are"
        " targeting, the service you are requesting",
    ),
)
def foreign_token_is_refused(x: Exchange) -> Findings:
    """A token for another region is refused."""
    yield from _admitted(x, "a token for another region")


def _not_refused(x: Exchange) -> Findings:
    if x.status is None or not 400 <= x.status < 500:
        yield Unwitnessed(f"the token was not refused (answered {x.status})")


@check(
    "sagemaker.refusal-has-an-error-object",
    SHOULD,
    sends=each(*BAD),
    needs=REPLY,
    requires="auth",
    kinds=SAGEMAKER,
    spec=OPENAI_PYTHON.at("errors", "the text of an exception is `error.message` of the body, else the whole body"),
    remedy="show people the status and the whole body: clients find no message in it",
)
def refusal_has_an_error_object(x: Exchange) -> Findings:
    """A refused token is answered with an error object that has a message."""
    yield from _not_refused(x)
    if not isinstance(x.error["message"].value, str) or not x.error["message"].value:
        yield Finding(
            "refusal-no-error-object",
            "the refusal has no error object",
            at="/error/message",
            expected="string",
            found=x.text[:200],
        )


@check(
    "sagemaker.refusal-keeps-the-token-to-itself",
    SHOULD,
    sends=each(MALFORMED, TAMPERED, EXPIRED, FOREIGN),
    needs=REPLY,
    requires="auth",
    kinds=SAGEMAKER,
    spec=BEARER_TOKENS.at(
        "Abstract", "To prevent misuse, bearer tokens need to be protected from disclosure in storage and in transport."
    ),
    remedy="keep the bodies of 4xx answers out of logs",
)
def refusal_keeps_the_token_to_itself(x: Exchange) -> Findings:
    """The refusal of a token does not repeat it."""
    yield from _not_refused(x)
    where = next((name for name, value in x.headers if ECHO.search(value)), "body" if ECHO.search(x.text) else "")
    if where:
        yield Finding("token-comes-back-refusal", "the token comes back in the refusal", at=where, expected="no token")


@check("sagemaker.refusal-code", NOTE, sends=each(*BAD), needs=REPLY, requires="auth", kinds=SAGEMAKER)
def refusal_code(x: Exchange) -> Findings:
    """A refused token has a status, a type and a code, which no document tells."""
    yield from _not_refused(x)
    case = {"none": "missing"}.get(x.probe.auth, x.probe.auth)
    yield Observed(x.status, f"{case} status")
    for name in ("type", "code"):
        if not x.error[name].missing:
            yield Observed(x.error[name].value, f"{case} {name}")
    if x.error.missing and x.json.type == "object":
        yield Observed(sorted(x.json.value), f"{case} members")


@check(
    "sagemaker.stream-outlives-its-token",
    SHOULD,
    sends=OUTLIVING,
    needs=ANYTHING,
    requires="chat.stream",
    kinds=SAGEMAKER,
    spec=SAGEMAKER_GUIDE.at(
        "Invoke endpoints with OpenAI-compatible APIs",
        "returns responses directly from the container, including streaming",
    ),
    remedy="mint tokens that live longer than the longest answer",
)
def stream_outlives_its_token(x: Exchange) -> Findings:
    """A stream that has begun ends properly, also when its token expires meanwhile."""
    if x.status is None or not 200 <= x.status < 300:
        yield Unwitnessed(f"the stream did not begin: {x.status or x.ending}")
    elif x.ending.how in (How.TIMED_OUT, How.TOO_LARGE):
        yield Unwitnessed(f"this client broke the stream off: {x.ending}")
    elif x.ended <= BRIEF:
        yield Unwitnessed(f"the stream was over in {x.ended:.1f} s, before its token")
    elif x.ending.how is How.CUT:
        at = f"{x.ended:.0f} s"
        yield Finding(
            "stream-breaks-off-after-token",
            "the stream breaks off after its token expired",
            expected="its end",
            found=f"cut after {at}",
        )
    elif any(not value["error"].missing for value in x.data):
        yield Finding(
            "error-comes-stream-after-token",
            "an error comes in the stream after its token expired",
            expected="its end",
            found=x.text[-300:],
        )
