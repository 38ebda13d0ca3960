"""Bearer tokens at a SageMaker endpoint: the valid one opens, every other is refused, and no refusal repeats a token."""

from __future__ import annotations

import re

from conformance.core.check import ANYTHING, REPLY, Area, each
from conformance.core.exchange import Exchange, How
from conformance.core.finding import Finding, Findings, Observed, Unwitnessed
from conformance.core.probe import BRIEF
from conformance.core.requirement import AWS_SIGNING, BEARER_TOKENS, OPENAI_PYTHON, SAGEMAKER_GUIDE
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

TOKEN = re.compile(
    r"(?:sagemaker|bedrock)-api-key-[\w+/=-]{16}|c2FnZW1ha2VyLmFtYXpvbmF3cy5jb20|X-Amz-(?:Signature|Security-Token)=|\*{40}"
)
"""A token, or the URL in it. Where the suite has masked one, asterisks are in its place: far more than people write."""

area = Area("sagemaker", needs=REPLY, requires="auth", kinds=SAGEMAKER)


@area.must("token-is-accepted", sends=HELLO, requires=(), spec=BEARER)
def token_is_accepted(x: Exchange) -> Findings:
    """A bearer token made from AWS credentials is accepted."""
    if x.status in (401, 403):
        found = {"status": x.status, "body": x.text[:300]}
        yield Finding("valid-token-refused", "A valid token is refused", at="status", expected="2xx", found=found)


def refused(x: Exchange) -> Findings:
    """A finding where a request without a valid token is not refused."""
    if x.status is not None and not 400 <= x.status < 500:
        yield Finding(
            "not-refused", "A request without a valid token is not refused", at="status", expected=403, found=x.status
        )


BAD_TOKENS = (
    area.must(
        "missing-token-is-refused",
        title="A request without a token is refused.",
        sends=MISSING,
        spec=BEARER,
    )(refused),
    area.must(
        "malformed-token-is-refused",
        title="A token that is cut short is refused, and not with a server error.",
        sends=MALFORMED,
        spec=BEARER,
    )(refused),
    area.must(
        "tampered-token-is-refused",
        title="A token with a wrong signature is refused.",
        sends=TAMPERED,
        spec=CREDENTIALS,
    )(refused),
    area.must(
        "expired-token-is-refused",
        title="An expired token is refused.",
        sends=EXPIRED,
        spec=SHORT_LIVED,
    )(refused),
    area.should(
        "foreign-token-is-refused",
        title="A token for another region is refused.",
        sends=FOREIGN,
        spec=AWS_SIGNING.at(
            "X-Amz-Credential",
            "The credential scope value, which is a string that includes your access key, the date, the region you are"
            " targeting, the service you are requesting",
        ),
    )(refused),
)


def token_was_refused(x: Exchange) -> None:
    """Raise Unwitnessed where there is no refusal to look at."""
    if x.status is None or not 400 <= x.status < 500:
        raise Unwitnessed(f"the token was not refused (answered {x.status})")


@area.should(
    "refusal-has-an-error-object",
    sends=each(*BAD),
    given=token_was_refused,
    spec=OPENAI_PYTHON.at("errors", "the text of an exception is `error.message` of the body, else the whole body"),
    remedy="show people the status and the whole body: clients find no message in it",
)
def refusal_has_an_error_object(x: Exchange) -> Findings:
    """A refused token is answered with an error object that has a message."""
    if not isinstance(x.error["message"].value, str) or not x.error["message"].value:
        yield Finding(
            "no-error-object",
            "The refusal has no error object with a message",
            at="/error/message",
            expected="string",
            found=x.text[:200],
        )


@area.should(
    "refusal-keeps-the-token-to-itself",
    sends=each(MALFORMED, TAMPERED, EXPIRED, FOREIGN),
    given=token_was_refused,
    spec=BEARER_TOKENS.at(
        "Abstract", "To prevent misuse, bearer tokens need to be protected from disclosure in storage and in transport."
    ),
    remedy="keep the bodies of 4xx answers out of logs",
)
def refusal_keeps_the_token_to_itself(x: Exchange) -> Findings:
    """The refusal of a token does not repeat it."""
    header = next((name for name, value in x.headers if TOKEN.search(value)), None)
    if header or TOKEN.search(x.text):
        yield Finding("token-repeated", "The refusal repeats the token", at=header or "body", expected="no token")


@area.note("refusal-code", sends=each(*BAD), given=token_was_refused)
def refusal_code(x: Exchange) -> Findings:
    """The refusal of a token has a status, a type and a code that no document names."""
    case = {"none": "missing"}.get(x.probe.auth, x.probe.auth)
    yield Observed(x.status, f"{case} status")
    for name in ("type", "code"):
        if not x.error[name].missing:
            yield Observed(x.error[name].value, f"{case} {name}")
    if x.error.missing and x.json.type == "object":
        yield Observed(sorted(x.json.value), f"{case} members")


@area.should(
    "stream-outlives-its-token",
    sends=OUTLIVING,
    needs=ANYTHING,
    requires="chat.stream",
    spec=SAGEMAKER_GUIDE.at(
        "Invoke endpoints with OpenAI-compatible APIs",
        "returns responses directly from the container, including streaming",
    ),
    remedy="mint tokens that live longer than the longest answer",
)
def stream_outlives_its_token(x: Exchange) -> Findings:
    """A stream that has begun ends properly, even if its token expires meanwhile."""
    if x.status is None or not 200 <= x.status < 300:
        raise Unwitnessed(f"the stream did not begin: {x.status or x.ending}")
    if x.ending.how in (How.TIMED_OUT, How.TOO_LARGE):
        raise Unwitnessed(f"this client broke the stream off: {x.ending}")
    if x.ended <= BRIEF:
        raise Unwitnessed(f"the stream was over in {x.ended:.1f} s, before its token")
    if x.ending.how is How.CUT:
        yield Finding(
            "cut-off",
            "The stream breaks off after its token expired",
            expected="its end",
            found=f"cut after {x.ended:.0f} s",
        )
    elif any(not value["error"].missing for value in x.data):
        yield Finding(
            "error-in-stream",
            "The stream reports an error after its token expired",
            expected="its end",
            found=x.text[-300:],
        )
