"""How chat requests and answers travel: media types and codings, headers that clients add, methods and paths, browsers."""

from __future__ import annotations

import gzip
from dataclasses import replace

from conformance.core.check import OK, REPLY, Area, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed
from conformance.core.probe import Probe
from conformance.core.requirement import HTTP, OPENAI_NODE, OPENAI_PYTHON, REPORTS
from conformance.judging.refusal import status_and_message
from conformance.probes.chat import HELLO, PATH, get

GET = get(PATH)
HEAD = replace(GET, method="HEAD")
PUT = replace(HELLO, method="PUT")

IDENTITY = HELLO.with_headers(accept_encoding="identity")
GZIP = HELLO.with_headers(accept_encoding="gzip")

OFFICIAL = HELLO.with_headers(
    accept="application/json",
    user_agent="OpenAI/Python 3.54.0",
    x_stainless_lang="python",
    x_stainless_package_version="3.54.0",
    x_stainless_os="Linux",
    x_stainless_arch="x64",
    x_stainless_runtime="CPython",
    x_stainless_runtime_version="3.11.7",
    x_stainless_async="false",
    x_stainless_retry_count="0",
    x_stainless_read_timeout="600",
)
"""`HELLO` with the headers that the official Python client sends."""
FURTHER = HELLO.with_headers(
    idempotency_key="conformance-0001",
    x_client_request_id="conformance-0001",
    traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    http_referer="https://example.com/",
    x_title="conformance",
)
"""Headers that clients and gateways add: for retries, for tracing, for statistics."""
ORGANISED = HELLO.with_headers(openai_organization="org-conformance", openai_project="proj_conformance")
CHUNKED = HELLO.with_headers(transfer_encoding="chunked")
"""A request whose length is not told beforehand, as clients send what they do not hold as a whole."""
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

SLASHED = replace(HELLO, path=f"{PATH}/")
DOUBLED = replace(HELLO, path=f"/{PATH}")
"""What naive clients make of a base URL that ends with a slash."""

area = Area("http", needs=REPLY)


@area.must(
    "content-type-is-json",
    sends=HELLO,
    needs=OK,
    spec=OPENAI_NODE.at("response parsing", "a body whose content-type is not JSON is handed over as text, unparsed"),
)
def content_type_is_json(x: Exchange) -> Findings:
    """The content type of a whole answer is `application/json`."""
    if x.media_type != "application/json" and not x.media_type.endswith("+json"):
        yield Finding(
            "other-content-type",
            "The content type is not `application/json`",
            at="content-type",
            expected="application/json",
            found=x.header("content-type"),
        )


@area.may(
    "body-begins-with-the-object",
    sends=HELLO,
    needs=OK,
    spec=REPORTS.at(
        "omlx",
        "spaces sent before the body to keep the connection alive are malformed JSON to strict clients",
        "https://github.com/jundot/omlx/pull/2072",
    ),
)
def body_begins_with_the_object(x: Exchange) -> Findings:
    """The first byte of a whole answer is that of its JSON object."""
    if x.body[:1] in (b" ", b"\n", b"\r", b"\t", b"\xef"):
        yield Finding(
            "other-first-byte", "The body does not begin with `{`", at=(0, 1), expected="{", found=x.body[:16]
        )


@area.should(
    "only-accepted-codings",
    sends=each(IDENTITY, GZIP),
    needs=OK,
    spec=HTTP.at(
        "12.5.3. Accept-Encoding",
        "the origin server SHOULD send a response without any content coding unless the identity coding is indicated "
        "as unacceptable",
    ),
)
def only_accepted_codings(x: Exchange) -> Findings:
    """A body is compressed only in a way that the request accepts, and can be decompressed."""
    accepted, at = dict(x.probe.headers)["accept-encoding"], "content-encoding"
    coding = (x.header(at) or "identity").strip().lower()
    if coding not in ("identity", accepted):
        yield Finding(
            "coding-not-accepted", "The request does not accept the coding", at=at, expected=accepted, found=coding
        )
    elif not x.streamed and (x.not_json or (coding != "identity" and x.body == x.raw)):
        yield Finding("not-decodable", "The body cannot be decoded", at=at, expected=coding, found=x.raw[:16])


@area.must(
    "official-headers-are-accepted",
    sends=OFFICIAL,
    spec=OPENAI_PYTHON.at("request headers", "x-stainless-* and a user-agent go with every request"),
)
def official_headers_are_accepted(x: Exchange) -> Findings:
    """A request with the headers that the official client sends is answered."""
    if not x.ok:
        found = status_and_message(x)
        yield Finding("not-2xx", "The request is not answered 2xx", at="status", expected="200", found=found)


@area.should(
    "further-headers-do-no-harm",
    sends=FURTHER,
    spec=HTTP.at("5.1. Field Names", "Other recipients SHOULD ignore unrecognized header and trailer fields."),
)
def further_headers_do_no_harm(x: Exchange) -> Findings:
    """A request with headers that clients and gateways add is answered: an idempotency key, a trace, a request id."""
    if not x.ok:
        found = status_and_message(x)
        yield Finding("not-2xx", "The request is not answered 2xx", at="status", expected=200, found=found)


@area.note("organization-headers", sends=ORGANISED)
def organization_headers(x: Exchange) -> Findings:
    """A request with an organization and a project that do not exist may be refused, as by OpenAI, or answered."""
    yield Observed(x.status, "status")


@area.should(
    "requests-in-pieces-are-accepted",
    sends=CHUNKED,
    spec=HTTP.at(
        "RFC 9112, 7.1. Chunked Transfer Coding",
        "A recipient MUST be able to parse and decode the chunked transfer coding.",
        "https://www.rfc-editor.org/rfc/rfc9112#section-7.1",
    ),
    remedy="send requests with a content-length",
)
def requests_in_pieces_are_accepted(x: Exchange) -> Findings:
    """A request may come in chunks, without a content length."""
    if not x.ok:
        found = status_and_message(x)
        yield Finding("not-2xx", "The request is not answered 2xx", at="status", expected=200, found=found)


@area.should(
    "compressed-requests-do-no-harm",
    sends=ZIPPED,
    spec=HTTP.at(
        "15.5.16. 415 Unsupported Media Type",
        "The format problem might be due to the request's indicated Content-Type or Content-Encoding, or as a result "
        "of inspecting the data directly.",
    ),
)
def compressed_requests_do_no_harm(x: Exchange) -> Findings:
    """A compressed request is answered or refused, and not with a server error."""
    assert x.status is not None
    yield Observed(x.status, "status")
    if x.status >= 500:
        found = status_and_message(x)
        yield Finding("server-error", "The answer is a server error", at="status", expected="2xx or 4xx", found=found)


@area.should(
    "other-methods-are-refused",
    sends=each(GET, PUT),
    spec=HTTP.at(
        "15.5.6. 405 Method Not Allowed",
        "the method received in the request-line is known by the origin server but not supported by the target "
        "resource",
    ),
)
def other_methods_are_refused(x: Exchange) -> Findings:
    """`GET` and `PUT` on the chat route are answered 4xx, with an error object; `GET` may list stored answers."""
    assert x.status is not None
    method = x.probe.method
    if x.ok and method == "GET" and x.json["object"].value == "list":
        return
    if not 400 <= x.status < 500:
        found = {"method": method, "status": x.status}
        yield Finding(
            "not-refused", "A method other than POST is not refused", at="status", expected="405 or 404", found=found
        )
    elif x.error["message"].type != "string":
        found = {"method": method, "body": x.text[:200]}
        yield Finding("no-error-object", "The refusal has no error object with a message", at="/error", found=found)


@area.may(
    "head-agrees-with-get",
    sends=(HEAD, GET),
    spec=HTTP.at(
        "9.3.2. HEAD",
        "The HEAD method is identical to GET except that the server MUST NOT send content in the response.",
    ),
)
def head_agrees_with_get(head: Exchange, get_: Exchange) -> Findings:
    """`HEAD` on the chat route is answered with the status that `GET` has."""
    if head.status != get_.status:
        yield Finding(
            "other-status", "HEAD and GET have different statuses", at="status", expected=get_.status, found=head.status
        )


@area.should(
    "stray-slashes-do-no-harm",
    sends=each(SLASHED, DOUBLED),
    spec=OPENAI_PYTHON.at(
        "base_url", "the client puts exactly one slash between base URL and path; others put none or two"
    ),
    remedy="write the base URL without a slash at its end",
)
def stray_slashes_do_no_harm(x: Exchange) -> Findings:
    """A path with a slash too many is answered, redirected or refused; a 2xx answer to it is a chat completion."""
    assert x.status is not None
    yield Observed(x.status, "after the path" if x.probe.path.endswith("/") else "before the path")
    if x.status >= 500:
        found = status_and_message(x)
        yield Finding(
            "server-error", "The answer is a server error", at="status", expected="2xx, 3xx or 4xx", found=found
        )
    elif x.ok and x.json["choices"].type != "array":
        found = {"status": x.status, "content-type": x.header("content-type"), "body": x.text[:100]}
        yield Finding("no-chat-completion", "The 2xx answer is not a chat completion", at="status", found=found)


@area.note("preflight", sends=PREFLIGHT)
def preflight(x: Exchange) -> Findings:
    """A page in a browser may be allowed to ask the endpoint: by the answer to `OPTIONS` with an origin."""
    yield Observed(x.status, "status")
    for name in ("access-control-allow-origin", "access-control-allow-headers", "access-control-allow-methods"):
        yield Observed(x.header(name), name)


METADATA = ("x-ratelimit-", "openai-", "x-request-id", "retry-after", "server-timing", "x-amzn-", "cf-ray")


@area.note("metadata", sends=HELLO)
def metadata(x: Exchange) -> Findings:
    """Headers may tell about a request: its id, its time, and what is left of a quota."""
    yield Observed(sorted({name for name, _ in x.headers if name.startswith(METADATA)}), "headers")
