"""Whether a stream comes when it is asked for, and only then; and its headers. How it is framed is judged elsewhere."""

from __future__ import annotations

from conformance.checks.stream_framing import carriers
from conformance.core.check import OK, REPLY, check, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Unsupported
from conformance.core.requirement import HTTP, MAY, MUST, OPENAI_PYTHON, REPORTS, SHOULD, SPEC
from conformance.judging.refusal import named
from conformance.probes.chat import COUNT_STREAMED, HELLO, STREAMED
from conformance.probes.streams import (
    ACCEPTING_EVENTS,
    NOT_STREAMED,
    NULL_STREAMED,
    OFFICIAL,
    PLAIN,
    STOPPED_STREAMED,
    STRING_STREAMED,
    invalid,
)

STREAM = SPEC.at(
    "CreateChatCompletionRequest.stream",
    "If set to true, the model response data will be streamed to the client as it is generated using "
    "[server-sent events]",
)
SHORT_AND_LONG = each(STREAMED, COUNT_STREAMED)


@check(
    "stream.requests-are-accepted",
    MUST,
    sends=each(STREAMED, COUNT_STREAMED, OFFICIAL, PLAIN, STOPPED_STREAMED, NOT_STREAMED, NULL_STREAMED),
    needs=REPLY,
    requires="chat.stream",
    spec=STREAM,
)
def requests_are_accepted(x: Exchange) -> Findings:
    """A valid request is answered, streamed or not as it says."""
    if feature := named(x, ("chat.stream",)):
        yield Unsupported(f"the server refuses `{feature}` ({x.status})")
    elif not x.ok:
        yield Finding("valid-request-refused", "a valid request is refused", expected="2xx", found=x.status)
    for value in x.data:
        if not value["error"].missing:
            yield Finding(
                "error-comes-place-answer",
                "an error comes in the place of an answer",
                at=value["error"].pointer,
                found=value["error"],
            )


@check("stream.is-labelled-as-events", MUST, sends=SHORT_AND_LONG, needs=OK, requires="chat.stream", spec=STREAM)
def is_labelled_as_events(x: Exchange) -> Findings:
    """A stream has the content type `text/event-stream`."""
    if carriers(x) and not x.streamed:
        yield Finding(
            "stream-not-labelled-one",
            "a stream is not labelled as one",
            at="content-type",
            expected="text/event-stream",
            found=x.header("content-type"),
        )


@check(
    "stream.holds-events",
    MUST,
    sends=SHORT_AND_LONG,
    needs=OK,
    requires="chat.stream",
    spec=STREAM,
    remedy="the official clients read such a body without an error, and get nothing: ask for whole answers instead",
)
def holds_events(x: Exchange) -> Findings:
    """The body of a stream holds server-sent events."""
    rest = x.stream.unfinished
    if not carriers(x) and not (rest and rest.has_data):
        yield Finding("body-holds-no-server-sent", "the body holds no server-sent events", found=x.text[:200])


@check(
    "stream.is-not-compressed-unasked",
    SHOULD,
    sends=PLAIN,
    needs=OK,
    requires="chat.stream",
    spec=HTTP.at(
        "12.5.3 Accept-Encoding",
        "the origin server SHOULD send a response without any content coding unless the identity coding is "
        "indicated as unacceptable",
    ),
)
def is_not_compressed_unasked(x: Exchange) -> Findings:
    """A stream is not compressed for a client that only takes it as it is."""
    coding = (x.header("content-encoding") or "identity").strip().lower()
    if coding != "identity":
        yield Finding(
            "stream-compressed", "the stream is compressed", at="content-encoding", expected="identity", found=coding
        )


@check(
    "stream.comes-to-the-official-client",
    MUST,
    sends=(STREAMED, OFFICIAL),
    needs=OK,
    requires="chat.stream",
    spec=OPENAI_PYTHON.at(
        "BaseClient.default_headers", "`Accept: application/json` goes with every request, streams too"
    ),
)
def comes_to_the_official_client(plain: Exchange, official: Exchange) -> Findings:
    """A stream comes as events also to a client that accepts JSON, as the official ones say they do."""
    if carriers(plain) and not carriers(official):
        yield Finding(
            "official-headers-keep-stream-away",
            "the official headers keep the stream away",
            found=official.text[:200],
            on=official.key,
        )


@check(
    "stream.only-comes-when-asked",
    MUST,
    sends=each(HELLO, NOT_STREAMED, NULL_STREAMED),
    needs=OK,
    spec=SPEC.at("CreateChatCompletionRequest.stream", "default: false"),
)
def only_comes_when_asked(x: Exchange) -> Findings:
    """Without `stream`, or with false or null, the answer is one JSON body."""
    if x.streamed or carriers(x):
        yield Finding(
            "stream-comes-unasked",
            "a stream comes unasked",
            at="content-type",
            expected="application/json",
            found=x.media_type,
        )


@check(
    "stream.accept-header-does-not-force-it",
    SHOULD,
    sends=ACCEPTING_EVENTS,
    needs=REPLY,
    spec=REPORTS.at(
        "OmniRoute",
        "clients that accept events everywhere got a stream in the place of JSON",
        "https://github.com/diegosouzapw/OmniRoute/issues/6740",
    ),
)
def accept_header_does_not_force_it(x: Exchange) -> Findings:
    """With `stream: false`, a client that accepts events gets JSON all the same."""
    if x.streamed or carriers(x):
        yield Finding(
            "accept-header-outweighs-stream-false",
            "the Accept header outweighs `stream: false`",
            at="content-type",
            found=x.media_type,
        )


@check(
    "stream.must-be-a-boolean",
    MAY,
    sends=STRING_STREAMED,
    needs=REPLY,
    spec=SPEC.at("CreateChatCompletionRequest.stream", "type: boolean"),
)
def must_be_a_boolean(x: Exchange) -> Findings:
    """A `stream` that is a string is refused with a client error."""
    if x.status is None or not 400 <= x.status < 500:
        yield Finding("string-taken-boolean", "a string is taken for a boolean", expected="4xx", found=x.status)


@check(
    "stream.refusals-come-before-it",
    MUST,
    sends=invalid,
    examples=8,
    needs=REPLY,
    requires="chat.stream",
    spec=OPENAI_PYTHON.at(
        "_make_status_error", "the HTTP status chooses the exception; an error within a stream has none"
    ),
)
def refusals_come_before_it(whole: Exchange, streamed: Exchange) -> Findings:
    """What is refused as a whole answer is refused as a stream too, with the same HTTP status."""
    if whole.status is None or not 400 <= whole.status < 500:
        return
    if streamed.ok:
        yield Finding(
            "stream-begins-request-invalid",
            "a stream begins for a request that is invalid",
            expected=whole.status,
            found=200,
            on=streamed.key,
        )
    elif streamed.status != whole.status:
        yield Finding(
            "refusal-another-status",
            "the refusal has another status",
            expected=whole.status,
            found=streamed.status,
            on=streamed.key,
        )
    elif streamed.streamed:
        yield Finding(
            "refusal-labelled-events",
            "the refusal is labelled as events",
            at="content-type",
            found=streamed.media_type,
            on=streamed.key,
        )
