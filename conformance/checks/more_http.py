"""More about how chat answers travel: headers that nobody asked for, codings of requests, browsers, quotas."""

from __future__ import annotations

import gzip
from dataclasses import replace

from conformance.core.check import REPLY, check
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed
from conformance.core.probe import Probe
from conformance.core.requirement import HTTP, NOTE, SHOULD
from conformance.judging.refusal import message
from conformance.probes.chat import HELLO, PATH

FURTHER = HELLO.with_headers(
    idempotency_key="conformance-0001",
    x_client_request_id="conformance-0001",
    traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    http_referer="https://example.com/",
    x_title="conformance",
)
"""Headers that clients and gateways add: for retries, for tracing, for statistics."""
ORGANISED = HELLO.with_headers(openai_organization="org-conformance", openai_project="proj_conformance")
PIECEMEAL = HELLO.with_headers(transfer_encoding="chunked")
"""A request whose length is not told beforehand, as clients send what they have not got in one piece."""
ZIPPED = replace(HELLO, body=gzip.compress(HELLO.body or b"", mtime=0)).with_headers(content_encoding="gzip")
"""A compressed request. No model's name can be put into it: a server that reads it does not find the model."""
PREFLIGHT = Probe(
    PATH,
    None,
    "OPTIONS",
    (
        ("origin", "https://example.com"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization, content-type"),
    ),
    auth="none",
)
"""What a browser asks before it sends the request of a page."""


def said(x: Exchange) -> dict[str, object]:
    """A status and what came with it, as `found` of a finding."""
    return {"status": x.status, "message": message(x)[:300]}


@check(
    "http.further-headers-do-no-harm",
    SHOULD,
    sends=FURTHER,
    needs=REPLY,
    spec=HTTP.at("5.1. Field Names", "Other recipients SHOULD ignore unrecognized header and trailer fields."),
)
def further_headers_do_no_harm(x: Exchange) -> Findings:
    """Headers that clients and gateways add do no harm: an idempotency key, a trace, a request id of the client's."""
    if not x.ok:
        yield Finding(
            "request-further-headers-not-answered",
            "a request with further headers is not answered 2xx",
            at="status",
            expected=200,
            found=said(x),
        )


@check("http.organization-headers", NOTE, sends=ORGANISED, needs=REPLY)
def organization_headers(x: Exchange) -> Findings:
    """What becomes of a request with an organization and a project that do not exist: OpenAI refuses it."""
    yield Observed(x.status, "status")


@check(
    "http.requests-in-pieces-are-accepted",
    SHOULD,
    sends=PIECEMEAL,
    needs=REPLY,
    spec=HTTP.at(
        "RFC 9112, 7.1. Chunked Transfer Coding",
        "A recipient MUST be able to parse and decode the chunked transfer coding.",
        "https://www.rfc-editor.org/rfc/rfc9112#section-7.1",
    ),
    remedy="Send requests with a content-length.",
)
def requests_in_pieces_are_accepted(x: Exchange) -> Findings:
    """A request may come in chunks, its length not told beforehand."""
    if not x.ok:
        yield Finding(
            "request-chunks-not-answered-2xx",
            "a request in chunks is not answered 2xx",
            at="status",
            expected=200,
            found=said(x),
        )


@check(
    "http.compressed-requests-do-no-harm",
    SHOULD,
    sends=ZIPPED,
    needs=REPLY,
    spec=HTTP.at(
        "15.5.16. 415 Unsupported Media Type",
        "The format problem might be due to the request's indicated Content-Type or Content-Encoding, or as a result "
        "of inspecting the data directly.",
    ),
)
def compressed_requests_do_no_harm(x: Exchange) -> Findings:
    """A compressed request is read or refused, and no server error."""
    assert x.status is not None
    yield Observed(x.status, "status")
    if x.status >= 500:
        yield Finding(
            "compressed-request-server-error",
            "a compressed request is a server error",
            at="status",
            expected="2xx or 4xx",
            found=said(x),
        )


@check("http.preflight", NOTE, sends=PREFLIGHT, needs=REPLY)
def preflight(x: Exchange) -> Findings:
    """Whether a page in a browser may ask the endpoint: what `OPTIONS` with an origin is answered."""
    yield Observed(x.status, "status")
    for name in ("access-control-allow-origin", "access-control-allow-headers", "access-control-allow-methods"):
        yield Observed(x.header(name), name)


METADATA = ("x-ratelimit-", "openai-", "x-request-id", "retry-after", "server-timing", "x-amzn-", "cf-ray")


@check("http.metadata", NOTE, sends=HELLO, needs=REPLY)
def metadata(x: Exchange) -> Findings:
    """Which headers tell about a request: its id, its time, and what is left of a quota."""
    yield Observed(sorted({name for name, _ in x.headers if name.startswith(METADATA)}), "headers")
