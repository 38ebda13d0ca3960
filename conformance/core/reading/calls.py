"""Tool calls in answers: whole ones, and the fragments of them in a stream. Whether they are right, checks say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from conformance.core.reading.json import Value
from conformance.core.reading.message import Call, Choice

CUT_SHORT = ("length", "content_filter")
"""Finish reasons after which a call may lack its end, or be missing."""
MARKUP = re.compile(
    r"</?tool_calls?>|<\|/?(tool_calls?|tool_call_begin|tool_calls_section_begin|python_tag|tool|call)\|>"
    r"|\[/?TOOL_CALLS\]|<function=|<｜tool|<minimax:tool_call>|<(arg_key|arg_value|invoke name)"
)
"""How models spell a call before a server parses it: none of this is text for people."""


class Answered(Protocol):
    """What has an answer in it: an exchange, for one."""

    @property
    def choices(self) -> dict[int, Choice]:
        """The assembled choices by index."""

    @property
    def json(self) -> Value:
        """The body; absent where it is not JSON."""

    @property
    def data(self) -> tuple[Value, ...]:
        """The JSON value of each event."""


def called(*answers: Answered) -> bool:
    """Whether every answer has a call."""
    return all(any(choice.calls for choice in x.choices.values()) for x in answers)


def called_twice(*answers: Answered) -> bool:
    """Whether every answer has a choice with two calls."""
    return all(any(len(choice.calls) > 1 for choice in x.choices.values()) for x in answers)


def complete(*answers: Answered) -> Iterator[Call]:
    """The assembled calls of the choices that came to their end and were not cut short.

    Arguments that came as something else than text are another check's business: such calls are left out.
    """
    for x in answers:
        for choice in x.choices.values():
            if choice.finish_reason not in (None, *CUT_SHORT) and not any(_untyped(x)):
                yield from choice.calls


def _untyped(x: Answered) -> Iterator[bool]:
    """Whether the arguments of each call, or of each fragment that has any, are no text."""
    for call in whole(x):
        yield call["function"]["arguments"].type not in ("string", "absent")
    for one in fragments(x):
        yield one.value["function"]["arguments"].type not in ("string", "absent", "null")


def whole(x: Answered) -> Iterator[Value]:
    """The calls of a whole answer as they stand in its body."""
    for choice in x.json["choices"]:
        yield from choice["message"]["tool_calls"]


@dataclass(frozen=True)
class Fragment:
    """A piece of a call in a stream."""

    value: Value
    """The element of `delta.tool_calls`."""
    choice: int
    index: object
    """Its `index` as it stands there."""
    event: int
    """Which of the stream's JSON events it came in."""
    finished: bool
    """Whether that event, or one before it, gave the choice its finish reason."""
    finishing: bool
    """Whether it was that event."""
    first: bool
    """Whether no fragment before it has the same choice and index."""


def fragments(x: Answered) -> Iterator[Fragment]:
    """The fragments of the calls of a stream, in order."""
    seen: set[tuple[int, object]] = set()
    finished: set[int] = set()
    for event, value in enumerate(x.data):
        for choice in value["choices"]:
            number = choice["index"].value
            number = number if isinstance(number, int) else 0
            finishing = isinstance(choice["finish_reason"].value, str) and bool(choice["finish_reason"])
            if finishing:
                finished.add(number)
            for delta in choice["delta"]["tool_calls"]:
                index = delta["index"].value if delta["index"].type == "integer" else repr(delta["index"].value)
                first = (number, index) not in seen
                seen.add((number, index))
                yield Fragment(delta, number, index, event, number in finished, finishing, first)
