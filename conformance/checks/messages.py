"""Messages that break the contract are refused, and those on which servers disagree are noted."""

from __future__ import annotations

from conformance.core.check import REPLY, Area
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed
from conformance.core.requirement import ERRORS, SPEC
from conformance.judging.refusal import status_and_message
from conformance.probes.history import (
    CONTENTLESS,
    NOTHING,
    ROLELESS,
    STRANGE_PART,
    THOUGHT,
    UNANSWERED,
    WIZARD,
    mistyped,
)

MALFORMED = ERRORS.at(
    "BadRequestError", "Your request was malformed or missing some required parameters, such as a token or an input."
)

area = Area("messages", needs=REPLY)


def refused(x: Exchange) -> Findings:
    """A finding where a malformed message is not refused: it is accepted, or answered with a server error."""
    assert x.status is not None
    if x.ok:
        yield Finding("accepted", "The malformed message is accepted", at="status", expected="400", found=x.status)
    elif not 400 <= x.status < 500:
        found = status_and_message(x)
        yield Finding("not-4xx", "The malformed message is not answered 4xx", at="status", expected="400", found=found)


REFUSED = (
    area.should(
        "unknown-role-is-refused",
        title="A message of a role that does not exist is refused.",
        sends=WIZARD,
        spec=SPEC.at(
            "ChatCompletionRequestMessage", "oneOf: Developer, System, User, Assistant, Tool, Function message"
        ),
    )(refused),
    area.must("role-is-required", title="A message without a role is refused.", sends=ROLELESS, spec=MALFORMED)(
        refused
    ),
    area.must(
        "content-is-required", title="A user message without content is refused.", sends=CONTENTLESS, spec=MALFORMED
    )(refused),
    area.must(
        "content-is-text-or-parts",
        title="Content that is neither a string nor a list of parts is refused.",
        sends=mistyped,
        spec=MALFORMED,
    )(refused),
    area.must(
        "unknown-part-is-refused",
        title="A content part of a type that does not exist is refused, not left out.",
        sends=STRANGE_PART,
        spec=MALFORMED,
    )(refused),
)


@area.should(
    "empty-content-does-no-harm",
    sends=NOTHING,
    spec=SPEC.at("ChatCompletionRequestUserMessage.content", "type: string (no minLength)"),
)
def empty_content_does_no_harm(x: Exchange) -> Findings:
    """An empty user message is answered or refused, and not with a server error."""
    assert x.status is not None
    yield Observed(x.status, "status")
    if x.status >= 500:
        found = status_and_message(x)
        yield Finding("server-error", "The answer is a server error", at="status", expected="200 or 400", found=found)


@area.note("assistant-may-be-last", sends=UNANSWERED)
def assistant_may_be_last(x: Exchange) -> Findings:
    """A conversation that ends with an assistant message is continued, answered anew, or refused."""
    yield Observed(x.status, "status")


@area.note("thoughts-may-be-fed-back", sends=THOUGHT)
def thoughts_may_be_fed_back(x: Exchange) -> Findings:
    """An assistant message in the history may have `reasoning_content`, as another server wrote it."""
    yield Observed(x.status, "status")
