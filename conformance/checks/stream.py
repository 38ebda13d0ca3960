"""Whether a stream comes when it is asked for, and only then; and its headers. Its framing is judged in `stream_framing.py`."""

from __future__ import annotations

from conformance.checks.stream_framing import SHORT_AND_LONG, carriers
from conformance.core.check import OK, REPLY, Area, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Unsupported
from conformance.core.requirement import HTTP, OPENAI_PYTHON, REPORTS, SPEC
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

area = Area("stream", needs=OK, requires="chat.stream")

STREAM = SPEC.at(
    "CreateChatCompletionRequest.stream",
    "If set to true, the model response data will be streamed to the client as it is generated using "
    "[server-sent events]",
)


@area.must(
    "requests-are-accepted",
    sends=each(STREAMED, COUNT_STREAMED, OFFICIAL, PLAIN, STOPPED_STREAMED, NOT_STREAMED, NULL_STREAMED),
    needs=REPLY,
    spec=STREAM,
)
def requests_are_accepted(x: Exchange) -> Findings:
    """A valid request is answered, whatever it says about streaming."""
    if feature := named(x, ("chat.stream",)):
        raise Unsupported(f"the server refuses `{feature}` ({x.status})")
    if not x.ok:
        yield Finding("refused", "A valid request is refused", expected="2xx", found=x.status)
    for value in x.data:
        if not value["error"].missing:
            yield Finding(
                "error-in-stream", "The stream contains an error", at=value["error"].pointer, found=value["error"]
            )


@area.must("is-labelled-as-events", sends=SHORT_AND_LONG, spec=STREAM)
def is_labelled_as_events(x: Exchange) -> Findings:
    """A stream has the content type `text/event-stream`."""
    if carriers(x) and not x.streamed:
        yield Finding(
            "wrong-content-type",
            "The content type of the stream is not `text/event-stream`",
            at="content-type",
            expected="text/event-stream",
            found=x.header("content-type"),
        )


@area.must(
    "holds-events",
    sends=SHORT_AND_LONG,
    spec=STREAM,
    remedy="the official clients read such a body without an error and get nothing: ask for whole answers instead",
)
def holds_events(x: Exchange) -> Findings:
    """The body of a stream has server-sent events."""
    rest = x.stream.unfinished
    if not carriers(x) and not (rest and rest.has_data):
        yield Finding("no-events", "The body has no server-sent events", found=x.text[:200])


@area.should(
    "is-not-compressed-unasked",
    sends=PLAIN,
    spec=HTTP.at(
        "12.5.3 Accept-Encoding",
        "the origin server SHOULD send a response without any content coding unless the identity coding is "
        "indicated as unacceptable",
    ),
)
def is_not_compressed_unasked(x: Exchange) -> Findings:
    """A stream is not compressed for a client that accepts no compression."""
    coding = (x.header("content-encoding") or "identity").strip().lower()
    if coding != "identity":
        yield Finding(
            "compressed", "The stream is compressed", at="content-encoding", expected="identity", found=coding
        )


@area.must(
    "comes-to-the-official-client",
    sends=(STREAMED, OFFICIAL),
    spec=OPENAI_PYTHON.at(
        "BaseClient.default_headers", "`Accept: application/json` goes with every request, streams too"
    ),
)
def comes_to_the_official_client(plain: Exchange, official: Exchange) -> Findings:
    """A client that accepts JSON, as the official ones say they do, gets a stream as events too."""
    if carriers(plain) and not carriers(official):
        yield Finding(
            "no-events",
            "A request with the headers of the official client gets no server-sent events",
            found=official.text[:200],
            on=official.key,
        )


@area.must(
    "only-comes-when-asked",
    sends=each(HELLO, NOT_STREAMED, NULL_STREAMED),
    spec=SPEC.at("CreateChatCompletionRequest.stream", "default: false"),
    requires=(),
)
def only_comes_when_asked(x: Exchange) -> Findings:
    """Without `stream`, or with false or null, the answer is one JSON body."""
    if x.streamed or carriers(x):
        yield Finding(
            "unrequested-stream",
            "A request without `stream: true` is answered with a stream",
            at="content-type",
            expected="application/json",
            found=x.media_type,
        )


@area.should(
    "accept-header-does-not-force-it",
    sends=ACCEPTING_EVENTS,
    needs=REPLY,
    spec=REPORTS.at(
        "OmniRoute",
        "clients that accept events everywhere got a stream in the place of JSON",
        "https://github.com/diegosouzapw/OmniRoute/issues/6740",
    ),
    requires=(),
)
def accept_header_does_not_force_it(x: Exchange) -> Findings:
    """With `stream: false`, a client that accepts events gets JSON nevertheless."""
    if x.streamed or carriers(x):
        yield Finding(
            "unrequested-stream", "The Accept header overrides `stream: false`", at="content-type", found=x.media_type
        )


@area.may(
    "must-be-a-boolean",
    sends=STRING_STREAMED,
    needs=REPLY,
    spec=SPEC.at("CreateChatCompletionRequest.stream", "type: boolean"),
    requires=(),
)
def must_be_a_boolean(x: Exchange) -> Findings:
    """A `stream` that is a string is refused with a client error."""
    if x.status is None or not 400 <= x.status < 500:
        yield Finding("not-refused", "A string as `stream` is not refused", expected="4xx", found=x.status)


@area.must(
    "refusals-come-before-it",
    sends=invalid,
    examples=8,
    needs=REPLY,
    spec=OPENAI_PYTHON.at(
        "_make_status_error", "the HTTP status chooses the exception; an error within a stream has none"
    ),
)
def refusals_come_before_it(whole: Exchange, streamed: Exchange) -> Findings:
    """A request that is refused without `stream` is refused with it too, with the same HTTP status."""
    if whole.status is None or not 400 <= whole.status < 500:
        return
    if streamed.ok:
        yield Finding(
            "not-refused", "A stream begins for an invalid request", expected=whole.status, found=200, on=streamed.key
        )
    elif streamed.status != whole.status:
        yield Finding(
            "status-differs",
            "The streamed request is refused with a different HTTP status",
            expected=whole.status,
            found=streamed.status,
            on=streamed.key,
        )
    elif streamed.streamed:
        yield Finding(
            "wrong-content-type",
            "The refusal has the content type of a stream",
            at="content-type",
            found=streamed.media_type,
            on=streamed.key,
        )
