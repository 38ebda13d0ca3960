"""Golden sets as checks: one for each answer, and for a recorded set one more for what is new in any of them.

What is missing or of another type is a finding. What is new is only observed where the set is written from OpenAI's documents
(servers may say more); where the set is a recording, it is a finding of a check of its own, which is not binding.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from conformance.checks.golden.order import pieces, shown
from conformance.checks.golden.sets import MEDIA_TYPE, PRESENT, Entry, GoldenSet, Stream
from conformance.checks.golden.shape import Difference, Pointers, differences
from conformance.core.check import REPLY, Check, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed, Unsupported
from conformance.core.reading.json import ABSENT
from conformance.core.requirement import Level, Reference
from conformance.judging.refusal import named

AREA = "golden"
EXTRAS = "nothing-more"
"""The last part of the id of the check for new members of a recorded set."""

FINDINGS = {
    "missing": Finding("member-missing", "A member is missing"),
    "extra": Finding("member-new", "A member is new"),
    "type": Finding("type-differs", "The type of a member differs"),
    "value": Finding("value-differs", "The value of a member differs"),
    "length": Finding("length-differs", "The length of an array differs"),
    "status": Finding("status-differs", "The status differs"),
    "header missing": Finding("header-missing", "A header is missing"),
    "header extra": Finding("header-new", "A header is new"),
    "header value": Finding("header-differs", "The value of a header differs"),
    "not JSON": Finding("not-json", "The body is not JSON"),
    "order": Finding("order-differs", "The order of the events differs"),
}
"""What is found for each sort of difference: the same for every server."""
EXTRA = ("extra", "header extra")
NO_ROUTE = (404, 405, 501)
"""How a server says that it has no such route."""


def checks_of(golden: GoldenSet) -> tuple[Check, ...]:
    """The checks that a golden set makes, in its order."""
    checks = tuple(_check(golden, entry) for entry in golden.entries)
    return (*checks, _extras(golden)) if golden.recorded else checks


def _check(golden: GoldenSet, entry: Entry) -> Check:
    def judge(x: Exchange) -> Findings:
        if not golden.recorded and (reason := unsupported(entry, x)):
            raise Unsupported(reason)
        extra: list[str] = []
        for difference in departures(golden, entry, x):
            if difference.sort in EXTRA:
                extra.append(_general(difference.at))
            else:
                yield _finding(difference)
        if extra and not golden.recorded:
            yield Observed(sorted(set(extra)), "extra")

    return Check(
        id=f"{AREA}.{golden.name}.{entry.name}",
        level=golden.level,
        title=f"{entry.about[:1].upper()}{entry.about[1:]} is answered as {_measure(golden)}.",
        sends=entry.probe,
        spec=entry.source or _source(golden, entry.name),
        judge=judge,
        needs=REPLY,
        requires=entry.requires,
        remedy=_remedy(golden),
        detail=golden.about,
        place=f"{golden.path.name}:{entry.line}",
    )


def _extras(golden: GoldenSet) -> Check:
    by_key = {entry.probe.key: entry for entry in golden.entries}

    def judge(x: Exchange) -> Findings:
        for difference in departures(golden, by_key[x.key], x):
            if difference.sort in EXTRA:
                yield _finding(difference)

    return Check(
        id=f"{AREA}.{golden.name}.{EXTRAS}",
        level=Level.MAY,
        title=f"No answer has members that it did not have when `{golden.name}` was recorded.",
        sends=each(*(entry.probe for entry in golden.entries)),
        spec=_source(golden, "all answers"),
        judge=judge,
        needs=REPLY,
        remedy=_remedy(golden),
        place=golden.path.name,
    )


def _measure(golden: GoldenSet) -> str:
    return f"recorded in `{golden.name}`" if golden.recorded else "OpenAI documents it"


def _source(golden: GoldenSet, section: str) -> Reference:
    made = ", ".join(f"{key} {value}" for key, value in golden.made.items())
    return Reference(f"golden set `{golden.name}`", section, "", made or golden.about or str(golden.path), "contract")


def _remedy(golden: GoldenSet) -> str:
    return f"Where the change is meant, record it: --conformance-record-golden {golden.name}" if golden.recorded else ""


def unsupported(entry: Entry, x: Exchange) -> str:
    """Why the server does not support what is asked, as its answer shows; "" where it does not show that."""
    if entry.probe.auth != "key" and x.ok:
        return "the server answers without a valid key"
    if x.ok or not entry.status.startswith("2"):
        return ""
    if feature := named(x, entry.requires):
        return f"the server refuses `{feature}` ({x.status})"
    if "models" in entry.requires and x.status in NO_ROUTE:
        return f"the server has no `{entry.probe.path}` ({x.status})"
    return ""


def departures(golden: GoldenSet, entry: Entry, x: Exchange) -> Iterator[Difference]:
    """How an answer differs from the golden one, each way once: a thousand chunks with one fault have one fault."""
    seen: set[tuple[str, str, str, str]] = set()
    for difference in _departures(golden, entry, x):
        key = (difference.sort, _general(difference.at), repr(difference.expected), repr(difference.found))
        if key not in seen:
            seen.add(key)
            yield difference


def _general(at: str) -> str:
    """A pointer without its event, and with `*` for the index of an array."""
    return re.sub(r"/[0-9]+(?=/|$)", "/*", re.sub(r"^event [0-9]+ (?=/)", "", at))


def _departures(golden: GoldenSet, entry: Entry, x: Exchange) -> Iterator[Difference]:
    status = str(x.status)
    if status != entry.status and not (entry.status.endswith("xx") and status[:1] == entry.status[:1]):
        expected = int(entry.status) if entry.status.isdigit() else entry.status
        yield Difference("status", "status", expected, x.status)
        if status[:1] != entry.status[:1]:
            return  # an error instead of an answer differs in everything: that is one fault
    yield from _of_headers(golden, entry, x)
    if entry.stream is not None:
        yield from _of_stream(entry.stream, x, golden.masks)
    elif entry.body is not None and x.not_json:
        yield Difference("not JSON", "body", "JSON", x.text[:200])
    elif entry.body is not None:
        yield from differences(entry.body, x.json, golden.masks)


def _of_headers(golden: GoldenSet, entry: Entry, x: Exchange) -> Iterator[Difference]:
    for name in dict.fromkeys((*golden.headers, *entry.headers)):
        expected, found = entry.headers.get(name), x.header(name)
        if expected is None:
            if found is not None and golden.recorded:
                yield Difference("header extra", name, "absent", PRESENT)
        elif found is None:
            yield Difference("header missing", name, expected, "absent")
        elif name == MEDIA_TYPE and x.media_type != expected and not (_is_json(x.media_type) and not golden.recorded):
            yield Difference("header value", name, expected, x.media_type)


def _is_json(media_type: str) -> bool:
    """Whether this is another media type for JSON. OpenAI's documents do not say which ones are allowed."""
    return media_type.endswith("+json")


def _of_stream(stream: Stream, x: Exchange, masks: Pointers) -> Iterator[Difference]:
    found = list(pieces(x))
    kinds = [piece.kind for piece in found]
    if (broken := stream.order.broken(kinds)) is not None:
        at = f"event {broken.place}" if broken.place < len(kinds) else "the end of the stream"
        expected = " or ".join(kind or "the end" for kind in broken.expected)
        yield Difference("order", at, f"{expected} (the order is: {stream.order.text})", shown(kinds))
    for piece in found:
        shape = stream.chunks.get(piece.kind)
        if shape is not None:
            yield from differences(shape, piece.value, masks)


def _finding(difference: Difference) -> Finding:
    found = ABSENT if "missing" in difference.sort else difference.found
    expected = ABSENT if difference.sort in EXTRA else difference.expected
    return replace(FINDINGS[difference.sort], at=difference.at, expected=expected, found=found)
