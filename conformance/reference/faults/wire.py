"""What a server may do with the bytes of its answers: other framing, other reads, other JSON text, other headers.

The outermost layer: what these variants leave behind is bytes, which the others cannot change any more.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from random import Random

from conformance.reference.answer import Answer, Event, Request
from conformance.reference.fault import fault
from conformance.reference.faults.framing import framed, pieces, reframe
from conformance.reference.rows import ANY, become

STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')


def in_reads(answer: Answer, sizes: Iterable[int]) -> None:
    """Send the bytes of an answer, whole or streamed, in reads of these sizes. Waits stay where they were."""
    parts = list(answer.pieces())
    if not parts:
        return
    size, made = iter(sizes), []
    for after, data in parts:
        start = 0
        while start < len(data):
            end = start + next(size)
            made.append(Event(data[start:end], after if start == 0 else 0.0))
            start = end
    answer.events, answer.body = made, None


def forever(size: int) -> Iterator[int]:
    """The same size again and again."""
    while True:
        yield size


@fault("one-byte-a-read", legal=True)
def sends_byte_by_byte(answer: Answer, request: Request) -> None:
    """The network brings one byte at a time."""
    in_reads(answer, forever(1))


@fault("odd-reads", legal=True)
def sends_odd_reads(answer: Answer, request: Request) -> None:
    """The network cuts where it likes: within characters, line ends and events, and joins events."""
    random = Random(request.body)
    joined: list[Event] = []
    for event in answer.events or ():
        if joined and not event.after:
            joined[-1].data += event.encode()
        else:
            joined.append(Event(event.encode(), event.after))
    if answer.events is not None:
        answer.events = joined
    in_reads(answer, iter(lambda: random.randint(1, 90), 0))


@fault("stream-in-one-read", legal=True)
def sends_all_at_once(answer: Answer, request: Request) -> None:
    """A fast server: all events of a stream come in one read, at once. After a wait they would have been held back."""
    if answer.events and not answer.after and not any(event.after for event in answer.events):
        answer.events = [Event(b"".join(pieces(answer)))]


@fault("length-undeclared", legal=True)
def declares_no_length(answer: Answer, request: Request) -> None:
    """Whole answers come in chunks, without a content-length."""
    in_reads(answer, forever(1 << 20))


LINES = (
    framed("lines-end-cr", lambda data, place: data.replace(b"\n", b"\r"),
        says="Lines of streams end with CR.", legal=True),
    framed("lines-end-anyhow", lambda data, place: data.replace(b"\n", (b"\n", b"\r\n", b"\r")[place % 3]),
        says="Lines of streams end with LF, CRLF or CR, as it comes.", legal=True),
    framed("spare-blank-lines", lambda data, place: data + b"\n\n",
        says="Several blank lines separate the events of a stream.", legal=True),
    framed("events-numbered", lambda data, place: b"id: %d\n%b" % (place, data),
        says="Every event has an id.", legal=True),
    framed("events-with-retry", lambda data, place: b"retry: 3000\n" + data,
        says="Events say, beside their data, after how long to connect again.", legal=True),
    framed("events-called-message", lambda data, place: b"event: message\n" + data,
        says="Every event has the name that events without a name have.", legal=True),
)  # fmt: skip


@fault("comments-everywhere", legal=True)
def comments_on_everything(answer: Answer, request: Request) -> None:
    """Comments come before the first event, within events and after them: empty ones, and such that look like data."""
    framed = [b':\n: data: {"error": "\xc3\xa4"}\n' + data[:-1] + b":within\n\n: x\n\n" for data in pieces(answer)]
    if framed:
        framed[0] = b": OPENROUTER PROCESSING\n\n" * 3 + framed[0]
    reframe(answer, framed)


@fault("comments-while-waiting", legal=True)
def hums_while_it_thinks(answer: Answer, request: Request) -> None:
    """A comment a second keeps the connection alive until the first event comes, 20 seconds late."""
    if answer.events:
        spread = [Event(event.encode(), event.after or 0.0005) for event in answer.events]
        answer.events = [Event(b": keep-alive\n\n", 1.0) for _ in range(20)] + spread


@fault("first-byte-late", legal=True)
def wakes_up_late(answer: Answer, request: Request) -> None:
    """Nothing comes for 25 seconds, as from a model that is being loaded; then all as usual."""
    answer.after += 25.0
    for event in answer.events or ():
        event.after = max(event.after, 0.0005)


def respell(answer: Answer, **how: object) -> None:
    """Write the JSON of an answer in another way, the same values."""
    for event in answer.events or ():
        if isinstance(event.data, dict):
            event.data = json.dumps(event.data, **{**how, "indent": None})  # type: ignore[arg-type]
    if isinstance(answer.body, dict):
        answer.body = (json.dumps(answer.body, **how) + "\n").encode()  # type: ignore[arg-type]


@fault("bodies-indented", legal=True)
def prints_prettily(answer: Answer, request: Request) -> None:
    """Whole answers and errors are indented over several lines; the JSON of events has spaces."""
    respell(answer, ensure_ascii=False, indent="\t", separators=(" , ", " : "))


@fault("json-escaped", legal=True)
def escapes_what_it_can(answer: Answer, request: Request) -> None:
    """Everything beyond ASCII is escaped in JSON, and so are slashes and some letters of names and values."""

    def escaped(text: str) -> str:
        return text.replace("/", "\\/").replace("e", "\\u0065") if "\\" not in text else text

    for event in answer.events or ():
        if isinstance(event.data, dict):
            event.data = _in_strings(json.dumps(event.data), escaped)
    if isinstance(answer.body, dict):
        answer.body = _in_strings(json.dumps(answer.body), escaped).encode()


def _in_strings(text: str, change: Callable[[str], str]) -> str:
    """JSON text with each of its strings changed."""
    return STRING.sub(lambda match: f'"{change(match[1])}"', text)


@fault("whitespace-after-the-body", legal=True)
def ends_with_space(answer: Answer, request: Request) -> None:
    """White space follows the JSON of whole answers and of errors."""
    if answer.events is None and answer.body is not None and b"json" in answer.headers.get("content-type", "").encode():
        answer.body = b"".join(data for _, data in answer.pieces()) + b"\n \r\n\t\n"


@fault("stream-charset", legal=True)
def names_the_charset_of_streams(answer: Answer, request: Request) -> None:
    """The content type of a stream has a charset, and capitals."""
    if answer.events is not None and answer.headers.get("content-type", "").startswith("text/event-stream"):
        answer.headers["content-type"] = "Text/Event-Stream;charset=UTF-8"


def accepts(request: Request, coding: str) -> bool:
    """Whether a client takes this content coding. One that does not say takes any (RFC 9110, 12.5.3)."""
    return coding in request.headers.get("accept-encoding", coding)


def compress(answer: Answer, coding: str) -> None:
    """Compress an answer, whole or streamed, and after each event as far as it goes."""
    if "content-encoding" in answer.headers:
        return
    engine = zlib.compressobj(wbits=31 if coding == "gzip" else 15)
    made = [Event(engine.compress(data) + engine.flush(zlib.Z_SYNC_FLUSH), after) for after, data in answer.pieces()]
    if not made:
        return
    made.append(Event(engine.flush()))
    answer.headers["content-encoding"] = coding
    if answer.events is not None:
        answer.events = made
    else:
        answer.body = b"".join(event.data for event in made)


@fault("all-gzip-where-accepted", legal=True)
def compresses_streams_too(answer: Answer, request: Request) -> None:
    """Answers, streams and errors are compressed where the client accepts it; each event is sent at once as before."""
    if accepts(request, "gzip"):
        compress(answer, "gzip")


@fault("all-deflate-where-accepted", legal=True)
def deflates(answer: Answer, request: Request) -> None:
    """Answers, streams and errors are deflated where the client accepts that."""
    if accepts(request, "deflate"):
        compress(answer, "deflate")


@fault("more-headers", legal=True)
def sends_more_headers(answer: Answer, request: Request) -> None:
    """Answers come through a network that adds headers of its own: cookies, caches, limits, a long policy."""
    answer.headers.update(
        {
            "set-cookie": "__cf_bm=abc; path=/; HttpOnly; Secure",
            "server": "cloudflare",
            "via": "1.1 proxy, 2.0 gateway",
            "date": "Fri, 15 Jan 2027 08:04:00 GMT",
            "vary": "Accept-Encoding, Origin",
            "cache-control": "no-cache, no-transform",
            "alt-svc": 'h3=":443"; ma=86400',
            "x-ratelimit-limit-requests": "10000",
            "x-ratelimit-remaining-requests": "9999",
            "x-ratelimit-reset-requests": "6ms",
            "access-control-expose-headers": "X-Request-ID",
            "content-security-policy": "default-src 'none'" + "; img-src https://example.com" * 60,
            "x-empty": "",
        }
    )


@fault("header-names-capital", legal=True)
def capitalises_header_names(answer: Answer, request: Request) -> None:
    """The names of headers have capitals."""
    answer.headers = {name.title(): value for name, value in answer.headers.items()}


closes_the_connection = become(
    "connection-closes",
    ANY,
    headers={"connection": "close"},
    says="The connection is closed after every answer.",
    legal=True,
)
