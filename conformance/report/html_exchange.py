"""One exchange as a page shows it: the request and the answer side by side, a stream as a timeline.

Everything in a Panel is legible text or a number, cut to a sensible size. Escaping is the template's business.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

from conformance.core import address, curl
from conformance.core.address import BEARER, Carriage
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding
from conformance.core.reading.span import span_of
from conformance.core.text import legible, legible_lines, number_of
from conformance.report.pointing import mark_of

BODY = 8000
"""Characters of a body that are shown: more is for `exchanges.jsonl`."""
DATA = 600
"""Characters of one event's data."""
HEAD, TAIL = 40, 12
"""Events shown at the beginning and at the end of a long stream, besides those that a finding is about."""
HEADERS = 40

SCALE = 1000
"""Width of a timeline, in its own units."""

_EVENT = re.compile(r"event (\d+)\b")


@dataclass(frozen=True)
class EventLine:
    """One event of a stream."""

    number: int
    at: str
    """When it was complete, in seconds; "" where that cannot be told."""
    gap: str
    """Seconds since the one before."""
    size: int
    data: str
    guilty: bool
    """Whether a finding is about it."""
    skipped: int
    """How many events before this one are not shown."""


@dataclass(frozen=True)
class Panel:
    """What there is to see of an exchange."""

    key: str
    request: str
    """Method and address."""
    request_headers: tuple[tuple[str, str], ...]
    request_body: str
    credentials: str
    leaves: str
    command: str
    status: str
    answer_headers: tuple[tuple[str, str], ...]
    body: str
    """The body of an answer that is no stream."""
    pieces: tuple[tuple[str, bool], ...]
    """The same in pieces, and whether a finding is about each."""
    guilty: frozenset[str]
    """`status`, and names of headers in lower case, that findings are about."""
    indented: bool
    """Whether the body is shown with line breaks that were not sent."""
    size: int
    ending: str
    """How it ended, where it did not just end."""
    waits: str
    times: str
    events: tuple[EventLine, ...]
    rest: int
    """Events after the last one shown."""
    comments: int
    answered: float | None
    """Where on the timeline the headers came, of SCALE."""
    ticks: str
    """The path of the timeline's ticks: one for each chunk."""

    @property
    def weight(self) -> int:
        """About how many characters it takes."""
        events = sum(len(event.data) + 150 for event in self.events)
        return len(self.request_body) + len(self.body) + len(self.command) + len(self.ticks) + events + 3000


def panel(
    x: Exchange,
    base_url: str,
    model: str,
    findings: Sequence[Finding] = (),
    *,
    carriage: Carriage = BEARER,
    query: str = "",
) -> Panel:
    """The panel of an exchange; the findings mark the events that they are about.

    How the key of its target travels, and the query of its URLs, say how to send it again.
    """
    name = x.model or model
    path, sent = address.filled(x.probe, name)
    streamed = x.streamed and bool(x.events)
    body, indented = ("", False) if streamed else _readable(x.body)
    shown = _events(x, _guilty(x, findings)) if streamed else ()
    own = [finding for finding in findings if finding.on in ("", x.key)]
    return Panel(
        key=x.key,
        request=legible(f"{x.probe.method} {address.url(base_url, path, query)}", 500),
        request_headers=_headers(x.probe.headers),
        request_body="" if sent is None else _asked(sent)[0],
        credentials={"key": "with credentials", "none": "without credentials"}.get(x.probe.auth, "with a wrong key"),
        leaves=_leaves(x),
        command=legible(curl.command(x.probe, base_url, name, carriage, query)),
        status="no answer" if x.status is None else f"{legible(x.http, 20)} {x.status}",
        answer_headers=_headers(x.headers),
        body=body,
        pieces=_pieces(body, [finding.at for finding in own]),
        guilty=frozenset(mark_of(x, finding).header for finding in own) - {""},
        indented=indented,
        size=len(x.raw),
        ending="" if str(x.ending) == "done" else legible(str(x.ending), 300),
        waits=", ".join(f"{wait.status}: waited {wait.seconds:g} s" for wait in x.waits[:10]),
        times=_times(x, streamed),
        events=shown,
        rest=len(x.events) - 1 - shown[-1].number if shown else 0,
        comments=len(x.stream.comments) if streamed else 0,
        answered=None if x.answered is None else round(_place(x, x.answered), 1),
        ticks=_ticks(x) if streamed else "",
    )


def _headers(headers: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    shown = [(legible(name, 100), legible(value, 300)) for name, value in headers[:HEADERS]]
    if len(headers) > HEADERS:
        shown.append(("…", number_of(len(headers) - HEADERS, "more header")))
    return tuple(shown)


def _readable(body: bytes) -> tuple[str, bool]:
    """The text of a body, and whether line breaks were added: to JSON on one line, as long as it stays readable."""
    text = body.decode(errors="replace")
    if len(text) <= 4 * BODY and "\n" not in text.strip() and text.lstrip()[:1] in ("{", "["):
        try:
            return legible_lines(json.dumps(json.loads(text), indent=2, ensure_ascii=False), BODY), True
        except (ValueError, RecursionError):
            pass
    return legible_lines(text, BODY), False


def _pieces(body: str, places: Iterable[str | tuple[int, int]]) -> tuple[tuple[str, bool], ...]:
    """A body as it is shown, cut where the values begin and end that findings are about.

    A body that was cut off is no JSON any more: nothing is marked in it.
    """
    raw, pieces, done = body.encode(errors="replace"), [], 0
    found = (span_of(raw, at) for at in places if isinstance(at, str) and at.startswith("/"))
    for start, end in sorted({span for span in found if span}):
        if start >= done:
            pieces += [(raw[done:start].decode(), False), (raw[start:end].decode(), True)]
            done = end
    return tuple(piece for piece in (*pieces, (raw[done:].decode(), False)) if piece[0])


_asked = lru_cache(maxsize=1024)(_readable)
"""For requests, which are the same for every target."""


def _leaves(x: Exchange) -> str:
    leave = x.probe.leave
    if leave is None:
        return ""
    after = number_of(leave.events, "event") if leave.events is not None else f"{leave.seconds:g} s"
    return f"hangs up after {after}"


def _times(x: Exchange, streamed: bool) -> str:
    facts = [] if x.answered is None else [f"headers after {x.answered:.3f} s"]
    if streamed and x.chunks:
        facts.append(f"first bytes after {x.chunks[0].at:.3f} s")
    facts.append(f"end after {x.ended:.3f} s")
    if x.chunks:
        facts.append(number_of(len(x.chunks), "chunk"))
    return ", ".join(facts)


def _guilty(x: Exchange, findings: Sequence[Finding]) -> set[int]:
    """The numbers of the events that findings are about."""
    numbers = set()
    for finding in findings:
        if finding.on not in ("", x.key):
            continue
        if isinstance(finding.at, tuple):
            start, end = finding.at
            spans = [event.span for event in x.events]
            numbers |= {number for number, span in enumerate(spans) if span[0] < end and start < span[1]}
        elif found := _EVENT.match(finding.at):
            numbers.add(int(found[1]))
    return numbers


def _events(x: Exchange, guilty: Collection[int]) -> tuple[EventLine, ...]:
    ends = list(accumulate(len(chunk.data) for chunk in x.chunks))
    timed = x.body is x.raw or x.body == x.raw  # in a compressed body, offsets of events say nothing about chunks

    def arrived(number: int) -> float | None:
        place = bisect_right(ends, x.events[number].span[1] - 1)
        return x.chunks[place].at if timed and place < len(x.chunks) else None

    lines: list[EventLine] = []
    total, last = len(x.events), -1
    close = {one + step for one in sorted(guilty)[:20] for step in (-1, 0, 1)}
    for number, event in enumerate(x.events):
        if HEAD <= number < total - TAIL and number not in close:
            continue
        at = arrived(number)
        before = arrived(number - 1) if number else 0.0
        gap = "" if at is None or before is None else f"+{at - before:.3f}"
        text = f"{event.name}: {event.data}" if event.name else event.data
        lines.append(
            EventLine(
                number=number,
                at="" if at is None else f"{at:.3f}",
                gap=gap,
                size=event.span[1] - event.span[0],
                data=legible(text, DATA),
                guilty=number in guilty,
                skipped=number - last - 1,
            )
        )
        last = number
    return tuple(lines)


def _place(x: Exchange, at: float) -> float:
    whole = max(x.ended, x.chunks[-1].at if x.chunks else 0.0, 1e-6)
    return min(max(at / whole, 0.0), 1.0) * SCALE


def _ticks(x: Exchange) -> str:
    """A path with a stroke where chunks arrived; those too close to tell apart are one."""
    places = dict.fromkeys(round(_place(x, chunk.at)) for chunk in x.chunks)
    return "".join(f"M{place} 3v18" for place in places)
