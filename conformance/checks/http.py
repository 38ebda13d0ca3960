"""How chat answers travel: media type and coding; and requests that are not the one `POST` that the route is for."""

from __future__ import annotations

from dataclasses import replace

from conformance.core.check import OK, REPLY, check, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed
from conformance.core.requirement import HTTP, MAY, MUST, OPENAI_NODE, OPENAI_PYTHON, REPORTS, SHOULD
from conformance.judging.refusal import message
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

SLASHED = replace(HELLO, path=f"{PATH}/")
DOUBLED = replace(HELLO, path=f"/{PATH}")
"""What naive clients make of a base URL that ends with a slash."""


def said(x: Exchange) -> dict[str, object]:
    """A status and what came with it, as `found` of a finding."""
    return {"status": x.status, "message": message(x)[:300]}


@check(
    "http.content-type-is-json",
    MUST,
    sends=HELLO,
    needs=OK,
    spec=OPENAI_NODE.at("response parsing", "a body whose content-type is not JSON is handed over as text, unparsed"),
)
def content_type_is_json(x: Exchange) -> Findings:
    """The content type of a whole answer is `application/json`."""
    if x.media_type != "application/json" and not x.media_type.endswith("+json"):
        found = x.header("content-type")
        yield Finding(
            "content-type-another",
            "the content type is another",
            at="content-type",
            expected="application/json",
            found=found,
        )


@check(
    "http.body-begins-with-the-object",
    MAY,
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
            "body-does-not-begin", "the body does not begin with `{`", at=(0, 1), expected="{", found=x.body[:16]
        )


@check(
    "http.only-accepted-codings",
    SHOULD,
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
    accepted = dict(x.probe.headers)["accept-encoding"]
    coding = (x.header("content-encoding") or "identity").strip().lower()
    if coding not in ("identity", accepted):
        yield Finding(
            "content-coding-not-accepted",
            "the content coding was not accepted",
            at="content-encoding",
            expected=accepted,
            found=coding,
        )
    elif not x.streamed and (x.not_json or (coding != "identity" and x.body == x.raw)):
        yield Finding(
            "body-cannot-decoded",
            "the body cannot be decoded",
            at="content-encoding",
            expected=coding,
            found=x.raw[:16],
        )


@check(
    "http.official-headers-are-accepted",
    MUST,
    sends=OFFICIAL,
    needs=REPLY,
    spec=OPENAI_PYTHON.at("request headers", "x-stainless-* and a user-agent go with every request"),
)
def official_headers_are_accepted(x: Exchange) -> Findings:
    """The headers that the official client sends do no harm."""
    if not x.ok:
        yield Finding(
            "request-them-not-answered-2xx",
            "a request with them is not answered 2xx",
            at="status",
            expected="200",
            found=said(x),
        )


@check(
    "http.other-methods-are-refused",
    SHOULD,
    sends=each(GET, PUT),
    needs=REPLY,
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
            "another-method-than-post-not",
            "another method than POST is not refused",
            at="status",
            expected="405 or 404",
            found=found,
        )
    elif x.error["message"].type != "string":
        found = {"method": method, "body": x.text[:200]}
        yield Finding(
            "another-method-than-post-refused",
            "another method than POST is refused without an error object",
            at="/error",
            found=found,
        )


@check(
    "http.head-agrees-with-get",
    MAY,
    sends=(HEAD, GET),
    needs=REPLY,
    spec=HTTP.at(
        "9.3.2. HEAD",
        "The HEAD method is identical to GET except that the server MUST NOT send content in the response.",
    ),
)
def head_agrees_with_get(head: Exchange, get_: Exchange) -> Findings:
    """`HEAD` on the chat route is answered with the status that `GET` has."""
    if head.status != get_.status:
        yield Finding(
            "head-get-different-statuses",
            "HEAD and GET have different statuses",
            at="status",
            expected=get_.status,
            found=head.status,
        )


@check(
    "http.stray-slashes-do-no-harm",
    SHOULD,
    sends=each(SLASHED, DOUBLED),
    needs=REPLY,
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
        yield Finding(
            "slash-too-many-server-error",
            "a slash too many is a server error",
            at="status",
            expected="2xx, 3xx or 4xx",
            found=said(x),
        )
    elif x.ok and x.json["choices"].type != "array":
        found = {"status": x.status, "content-type": x.header("content-type"), "body": x.text[:100]}
        yield Finding(
            "slash-too-many-answered-2xx",
            "a slash too many is answered 2xx with no chat completion",
            at="status",
            found=found,
        )
