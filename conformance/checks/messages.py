"""Messages that break the contract are refused, and those on which servers disagree are noted."""

from __future__ import annotations

from conformance.core.check import REPLY, check
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed
from conformance.core.requirement import ERRORS, MUST, NOTE, SHOULD, SPEC
from conformance.judging.refusal import message
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


def refused(x: Exchange, sentence: str) -> Findings:
    """A finding where a broken request is not refused: answered (in the words of `sentence`), or a server error."""
    assert x.status is not None
    if x.ok:
        yield Finding("", sentence, at="status", expected="400", found=x.status)
    elif not 400 <= x.status < 500:
        found = {"status": x.status, "message": message(x)[:300]}
        yield Finding(
            "mistake-client-not-answered-4xx",
            "a mistake of the client's is not answered 4xx",
            at="status",
            expected="400",
            found=found,
        )


@check(
    "messages.unknown-role-is-refused",
    SHOULD,
    sends=WIZARD,
    needs=REPLY,
    spec=SPEC.at("ChatCompletionRequestMessage", "oneOf: Developer, System, User, Assistant, Tool, Function message"),
)
def unknown_role_is_refused(x: Exchange) -> Findings:
    """A message of a role that does not exist is refused."""
    yield from refused(x, "a message of an unknown role is accepted")


@check("messages.role-is-required", MUST, sends=ROLELESS, needs=REPLY, spec=MALFORMED)
def role_is_required(x: Exchange) -> Findings:
    """A message without a role is refused."""
    yield from refused(x, "a message without a role is accepted")


@check("messages.content-is-required", MUST, sends=CONTENTLESS, needs=REPLY, spec=MALFORMED)
def content_is_required(x: Exchange) -> Findings:
    """A user message without a content is refused."""
    yield from refused(x, "a user message without a content is accepted")


@check("messages.content-is-text-or-parts", MUST, sends=mistyped, needs=REPLY, spec=MALFORMED, examples=8)
def content_is_text_or_parts(x: Exchange) -> Findings:
    """A content that is neither a string nor a list of parts is refused."""
    yield from refused(x, "a content of the wrong type is accepted")


@check("messages.unknown-part-is-refused", MUST, sends=STRANGE_PART, needs=REPLY, spec=MALFORMED)
def unknown_part_is_refused(x: Exchange) -> Findings:
    """A content part of a type that does not exist is refused, not left out."""
    yield from refused(x, "a part of an unknown type is accepted")


@check(
    "messages.empty-content-does-no-harm",
    SHOULD,
    sends=NOTHING,
    needs=REPLY,
    spec=SPEC.at("ChatCompletionRequestUserMessage.content", "type: string (no minLength)"),
)
def empty_content_does_no_harm(x: Exchange) -> Findings:
    """An empty user message is answered or refused, and not with a server error."""
    assert x.status is not None
    yield Observed(x.status, "status")
    if x.status >= 500:
        found = {"status": x.status, "message": message(x)[:300]}
        yield Finding(
            "empty-message-server-error",
            "an empty message is a server error",
            at="status",
            expected="200 or 400",
            found=found,
        )


@check("messages.assistant-may-be-last", NOTE, sends=UNANSWERED, needs=REPLY)
def assistant_may_be_last(x: Exchange) -> Findings:
    """A conversation that ends with an assistant message is continued, answered anew, or refused."""
    yield Observed(x.status, "status")


@check("messages.thoughts-may-be-fed-back", NOTE, sends=THOUGHT, needs=REPLY)
def thoughts_may_be_fed_back(x: Exchange) -> Findings:
    """An assistant message in the history may have `reasoning_content`, as another server wrote it."""
    yield Observed(x.status, "status")
