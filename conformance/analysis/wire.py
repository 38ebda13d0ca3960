"""Two answers to one probe, field by field: how they ended, status, media type, framing, headers, and every member of the bodies.

Pure: two exchanges in, differences out. What differs between any two answers is masked (`golden.volatile`); a text with a space
in it is prose, of which only the type is compared. An error in the place of an answer differs in everything: that is one
difference, with what the error says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from conformance.checks.golden.order import pieces, shown
from conformance.checks.golden.shape import Pointers, Shape, merged, shape_of
from conformance.checks.golden.volatile import ANSWERS, HEADERS
from conformance.core.exchange import Exchange, How
from conformance.core.reading.json import ABSENT, escape

SORTS: Mapping[str, str] = {
    "ending": "the exchange ends in another way",
    "status": "the status is another",
    "media type": "the body is of another media type",
    "framing": "the stream is framed in another way",
    "header": "a header is there in only one of them",
    "not JSON": "only one of the bodies is JSON",
    "error": "the error says something else",
    "pacing": "the stream comes all at once in one of them, and in pieces in the other",
    "order": "the events come in another order",
    "member": "a member is there in only one of them",
    "type": "a member is of another type",
    "value": "a member has another value",
    "count": "an array has another length",
}
"""The sorts of differences, the gravest first, and what each means."""

COUNTED = Pointers({"/choices": "n asks for so many"})
SPEAKING = ("type", "code", "param")
"""The members of an error object that programs read."""
NOTHING = "absent"


@dataclass(frozen=True)
class Departure:
    """One way in which the candidate's answer differs from the baseline's. `place` has `*` for indexes."""

    sort: str
    place: str
    baseline: Any
    candidate: Any

    @property
    def key(self) -> tuple[str, str]:
        """What makes it the same difference in another pair of answers."""
        return self.sort, self.place


def departures(baseline: Exchange, candidate: Exchange, masks: Pointers = ANSWERS) -> tuple[Departure, ...]:
    """Every difference, each once, in the order of SORTS."""
    order = list(SORTS)
    found = {(one.key, repr(one.baseline), repr(one.candidate)): one for one in _all(baseline, candidate, masks)}
    return tuple(sorted(found.values(), key=lambda one: order.index(one.sort)))


def _all(old: Exchange, new: Exchange, masks: Pointers) -> Iterator[Departure]:
    if new.probe.leave is not None and new.probe.leave.seconds is not None:
        return  # the client hung up after so many seconds: how far the answer had come by then is chance
    endings = [(x.ending.how, x.ending.phase) for x in (old, new)]
    if endings[0] != endings[1]:
        yield Departure("ending", "", *(" ".join(part for part in one if part) for one in endings))
    if old.status is None or new.status is None or How.UNSENT in (old.ending.how, new.ending.how):
        return
    if old.status != new.status:
        yield Departure("status", "", old.status, new.status)
    if old.ok != new.ok:
        refused = new if old.ok else old
        for name in SPEAKING:
            said = refused.error[name].value
            if said is not ABSENT:
                yield Departure("error", f"/error/{name}", *((NOTHING, said) if old.ok else (said, NOTHING)))
        return
    yield from _around(old, new)
    if old.streamed and new.streamed:
        yield from _streams(old, new, masks)
    elif not old.streamed and not new.streamed:
        yield from _bodies(old, new, masks)


def _around(old: Exchange, new: Exchange) -> Iterator[Departure]:
    if old.media_type != new.media_type:
        yield Departure("media type", "content-type", old.media_type or NOTHING, new.media_type or NOTHING)
    for name in HEADERS:
        there = [x.header(name) is not None for x in (old, new)]
        if there[0] != there[1]:
            yield Departure("header", name, *("present" if one else NOTHING for one in there))
    if old.streamed and new.streamed:
        for place, was, now in zip(FRAMES, _frame(old), _frame(new), strict=True):
            if was != now:
                yield Departure("framing", place, was, now)


FRAMES = ("line ends", "comments", "byte order mark", "fields", "event names", "unfinished", "oddities")


def _frame(x: Exchange) -> tuple[Any, ...]:
    """What a stream looks like before anybody reads its data."""
    stream = x.stream
    return (
        sorted(repr(end) for end in stream.line_ends),
        bool(stream.comments),
        stream.bom,
        sorted({name for event in stream.events for name in event.fields}),
        sorted({event.name for event in stream.events if event.name}),
        stream.unfinished is not None,
        sorted({odd for _, odd in stream.oddities}),
    )


def _streams(old: Exchange, new: Exchange, masks: Pointers) -> Iterator[Departure]:
    sides = [list(pieces(x)) for x in (old, new)]
    kinds = [[piece.kind for piece in side] for side in sides]
    spans = [_span(x) for x in (old, new)]
    if max(spans) >= SLOW and min(spans) < HELD * max(spans):
        yield Departure("pacing", "seconds from first to last event", *(round(span, 2) for span in spans))
    if grammar(kinds[0]) != grammar(kinds[1]):
        yield Departure("order", "events", shown(kinds[0]), shown(kinds[1]))
    for kind in dict.fromkeys((*kinds[0], *kinds[1])):
        shapes = [
            merged(
                shape_of(piece.value, masks, COUNTED) for piece in side if piece.kind == kind and not piece.value.absent
            )
            for side in sides
        ]
        if shapes[0] is not None and shapes[1] is not None:
            for one in _shapes(shapes[0], shapes[1], ""):
                yield Departure(one.sort, f"{kind}: {one.place}", one.baseline, one.candidate)


SLOW = 1.0
"""Seconds from the first event to the last from which on a stream shows its pace."""
HELD = 0.1
"""The part of them within which a stream comes that was held back."""


def _span(x: Exchange) -> float:
    times = [x.at_byte(event.span[1] - 1) for event in x.events if event.has_data]
    return times[-1] - times[0] if len(times) > 5 and not x.packed else 0.0


MANY = ("content", "blank", "call", "arguments", "mixed")
"""Kinds of events of which there may be any number in a row: a text may come in any pieces, and a model makes any calls."""


def grammar(kinds: list[str]) -> tuple[str, ...]:
    """The order of events without the number of those that may be many; blank ones are as those with text."""
    words = ["content" if kind == "blank" else kind for kind in kinds]
    return tuple(kind for kind, run in groupby(words) for _ in (range(1) if kind in MANY else run))


def _bodies(old: Exchange, new: Exchange, masks: Pointers) -> Iterator[Departure]:
    if bool(old.not_json) != bool(new.not_json):
        yield Departure("not JSON", "body", *(x.text[:200] if x.not_json else "JSON" for x in (old, new)))
    elif not old.not_json:
        for one in _shapes(shape_of(old.json, masks, COUNTED), shape_of(new.json, masks, COUNTED), ""):
            sort = "error" if one.place.startswith("/error/") and one.sort == "value" else one.sort
            yield Departure(sort, one.place, one.baseline, one.candidate)


def _shapes(old: Shape, new: Shape, place: str) -> Iterator[Departure]:
    """How one shape differs from another, member by member. Of what only some elements have, nothing follows."""
    if old.types != new.types:
        yield Departure("type", place, str(old), str(new))
        return
    if _closed(old) and _closed(new) and old.values != new.values:
        yield Departure("value", place, *(list(one.values or ()) for one in (old, new)))
    if old.count is not None and new.count is not None and old.count != new.count:
        yield Departure("count", place, old.count, new.count)
    if old.items is not None and new.items is not None:
        yield from _shapes(old.items, new.items, f"{place}/*")
    was, now = old.members, new.members
    if was is None or now is None:
        return
    for name in sorted({*was, *now}):
        below = f"{place}/{escape(name)}"
        if name in was and name in now:
            yield from _shapes(was[name], now[name], below)
        elif not (was.get(name) or now[name]).optional:
            yield Departure("member", below, *(str(side[name]) if name in side else NOTHING for side in (was, now)))


def _closed(shape: Shape) -> bool:
    """Whether its values are words of the protocol, and not prose."""
    return shape.values is not None and not any(isinstance(one, str) and " " in one.strip() for one in shape.values)


@dataclass(frozen=True)
class Change:
    """One difference in all the answers that show it."""

    departure: Departure
    """The first; others of the same sort and place may have other values."""
    keys: tuple[str, ...]
    """Of the probes, in the order of the pairs."""
    ways: int = 1
    """How many different pairs of values there are."""


def changes(pairs: Iterable[tuple[Exchange, Exchange]], masks: Pointers = ANSWERS) -> tuple[Change, ...]:
    """The differences of many pairs of answers, by sort and place: the gravest sorts first, in them the most frequent."""
    found: dict[tuple[str, str], list[tuple[Departure, str]]] = {}
    for old, new in pairs:
        for one in departures(old, new, masks):
            found.setdefault(one.key, []).append((one, new.key))
    order = list(SORTS)
    merged_ones = [
        Change(
            some[0][0],
            tuple(dict.fromkeys(key for _, key in some)),
            len({(repr(one.baseline), repr(one.candidate)) for one, _ in some}),
        )
        for some in found.values()
    ]
    return tuple(sorted(merged_ones, key=lambda one: (order.index(one.departure.sort), -len(one.keys))))
