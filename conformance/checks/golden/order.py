"""The order in which the events of a stream come, as a small grammar over kinds of events.

    role (content | blank)* finish usage? done

`?`, `*`, `+`, `|` and parentheses mean what they mean in regular expressions. The kinds are in KINDS.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from types import MappingProxyType

from conformance.core.exchange import DONE, Exchange
from conformance.core.reading.json import ABSENT, NotJSON, Value, parse

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "role": "says who speaks, and no text yet",
        "content": "adds text",
        "call": "begins a tool call: its id or its name",
        "arguments": "goes on with a tool call",
        "mixed": "begins a tool call and goes on with one",
        "blank": "adds neither text nor a call",
        "finish": "has the finish reason",
        "usage": "has the usage, and no choices",
        "bare": "has neither choices nor usage",
        "error": "is an error object",
        "other": "is no JSON object",
        "done": f"is {DONE}",
    }
)
"""The kinds of events, and what makes an event one."""


@dataclass(frozen=True)
class Piece:
    """One event: its number, its kind, and the JSON value that it carries."""

    number: int
    kind: str
    value: Value


def pieces(x: Exchange) -> Iterator[Piece]:
    """The events of a stream, each with its kind."""
    for number, event in enumerate(x.events):
        value = Value(ABSENT, f"event {number} ")
        if event.data.strip() == DONE:
            yield Piece(number, "done", value)
            continue
        with suppress(NotJSON):
            value = Value(parse(event.data), f"event {number} ")
        yield Piece(number, kind_of(value), value)


def kind_of(value: Value) -> str:
    """The kind of an event, from the JSON value that it carries."""
    if value.type != "object":
        return "other"
    if not value["error"].missing:
        return "error"
    if not len(value["choices"]):
        return "bare" if value["usage"].missing else "usage"
    choice = value["choices"][0]
    delta = choice["delta"]
    if choice["finish_reason"]:
        return "finish"
    if len(delta["tool_calls"]):
        begun = {bool(call["id"] or call["function"]["name"]) for call in delta["tool_calls"]}
        return "mixed" if len(begun) > 1 else "call" if True in begun else "arguments"
    if delta["content"] or delta["refusal"]:
        return "content"
    return "role" if delta["role"] else "blank"


class Malformed(ValueError):
    """A text is no order; the message says why."""


@dataclass(frozen=True)
class Break:
    """Where a stream leaves its order: the place of the event, and the kinds that could have come there."""

    place: int
    expected: tuple[str, ...]


END = ""
"""Among what could have come: nothing more."""


@dataclass(frozen=True)
class Order:
    """An order, as it is written."""

    text: str

    def __post_init__(self) -> None:
        """Raises Malformed."""
        self._machine  # noqa: B018  - a malformed order is refused when it is made

    @cached_property
    def _machine(self) -> _Machine:
        return _Machine(self.text)

    def broken(self, kinds: Sequence[str]) -> Break | None:
        """Where these kinds first leave the order; None where they keep it."""
        machine = self._machine
        now = {_BEGIN}
        for place, kind in enumerate(kinds):
            following = {one for state in now for one in machine.follow[state]}
            now = {one for one in following if machine.kinds[one] == kind}
            if not now:
                return Break(place, tuple(dict.fromkeys(machine.kinds[one] for one in sorted(following))))
        if _END in {one for state in now for one in machine.follow[state]}:
            return None
        following = {one for state in now for one in machine.follow[state]}
        return Break(len(kinds), tuple(dict.fromkeys(machine.kinds[one] for one in sorted(following))))


_BEGIN, _END = 0, -1
_Part = tuple[bool, set[int], set[int]]
"""Of a part of an order: whether it may be empty, the places that it may begin with, and end with."""


class _Machine:
    """The places of an order (its words), and which may follow which."""

    def __init__(self, text: str) -> None:
        self.words = re.findall(r"[a-z]+|\S", text)
        self.kinds: dict[int, str] = {_END: END}
        self.follow: dict[int, set[int]] = {_BEGIN: set()}
        self.at = 0
        empty, first, last = self._either()
        if self._next():
            raise Malformed(f"there is a `{self._next()}` too many")
        self.follow[_BEGIN] |= first | ({_END} if empty else set())
        for place in last:
            self.follow[place].add(_END)

    def _next(self) -> str:
        return self.words[self.at] if self.at < len(self.words) else ""

    def _either(self) -> _Part:
        empty, first, last = self._sequence()
        while self._next() == "|":
            self.at += 1
            also, more, ends = self._sequence()
            empty, first, last = empty or also, first | more, last | ends
        return empty, first, last

    def _sequence(self) -> _Part:
        empty, first, last = self._repeated()
        while self._next() not in ("", ")", "|"):
            also, more, ends = self._repeated()
            for place in last:
                self.follow[place] |= more
            first = first | more if empty else first
            last = last | ends if also else ends
            empty = empty and also
        return empty, first, last

    def _repeated(self) -> _Part:
        empty, first, last = self._one()
        while self._next() in ("?", "*", "+"):
            if self._next() != "?":
                for place in last:
                    self.follow[place] |= first
            empty = empty or self._next() != "+"
            self.at += 1
        return empty, first, last

    def _one(self) -> _Part:
        word = self._next()
        self.at += 1
        if word == "(":
            part = self._either()
            if self._next() != ")":
                raise Malformed("a `)` is missing")
            self.at += 1
            return part
        if word not in KINDS:
            said = f"`{word}` is no kind of event" if word else "it ends too early"
            raise Malformed(f"{said}; there are {', '.join(KINDS)}")
        place = len(self.follow)
        self.kinds[place], self.follow[place] = word, set()
        return False, {place}, {place}


_TEXT = frozenset({"content", "blank"})
_CALLS = frozenset({"call", "arguments", "mixed"})


def _family(kind: str) -> frozenset[str]:
    """The kinds that come any number of times in place of this one."""
    return next((family for family in (_TEXT, _CALLS) if kind in family), frozenset({kind}))


def order_of(kinds: Sequence[str]) -> Order:
    """The order that these kinds came in, whatever the number of pieces that a text or a call comes in."""
    parts: list[str] = []
    for group, run in groupby(kinds, key=_family):
        found = list(run)
        if {*found} == {"call", "arguments"} and found[0] == "call":
            whole = ("call", "call") in zip(found, [*found[1:], "call"], strict=True)  # a call that came in one piece
            parts.append(f"(call arguments{'*' if whole else '+'})+")
        elif group in (_TEXT, _CALLS):
            parts.append(f"({' | '.join(sorted(set(found)))})+" if len(set(found)) > 1 else f"{found[0]}+")
        else:
            parts += found
    return Order(" ".join(parts))


def shown(kinds: Sequence[str], most: int = 12) -> str:
    """Kinds as a short text: `role content x23 finish done`."""
    runs = [(kind, len(list(run))) for kind, run in groupby(kinds)]
    words = [kind if number == 1 else f"{kind} x{number}" for kind, number in runs[:most]]
    return " ".join([*words, *(["..."] if len(runs) > most else [])]) or "nothing"
