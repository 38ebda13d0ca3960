"""Errors under load: time-outs that a server or its gateway reports."""

from __future__ import annotations

from conformance.core.check import ANYTHING, Area, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Unwitnessed
from conformance.core.requirement import OPENAI_PYTHON
from conformance.probes.chat import COUNT, COUNT_STREAMED, HELLO

area = Area("errors", needs=ANYTHING)


@area.should(
    "timeouts-are-told",
    sends=each(HELLO, COUNT, COUNT_STREAMED),
    spec=OPENAI_PYTHON.at(
        "errors",
        "408 and 504 are sent again twice; then APIStatusError or InternalServerError, with no word but the status where the "
        "body is no error object",
    ),
    remedy="let the gateway answer its time-outs in JSON: {error: {message, type, param, code}}",
)
def timeouts_are_told(x: Exchange) -> Findings:
    """A time-out that the server or its gateway reports (408, 504) has an error object with a message."""
    if x.status not in (408, 504, 524):
        raise Unwitnessed("no request timed out at the server")
    message = x.error["message"]
    if message.type != "string" or not message:
        yield Finding(
            "no-error-object",
            "The body of a time-out has no error object with a message",
            expected="error.message",
            found=x.text[:300],
        )
