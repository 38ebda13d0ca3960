"""Surgery on the tool calls of an answer, for the faults that need it, and the words of those that are rows. No fault is here."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from conformance.reference.answer import Answer, Event, Request, compact
from conformance.reference.fault import Fault, fault
from conformance.reference.rows import ALWAYS, Chosen, Place

Call = dict[str, Any]
Spot = tuple[int, int]
"""Number of the choice, and of the call within it."""


def streamed(answer: Answer) -> bool:
    """Whether the answer is a stream."""
    return answer.events is not None


def pieces(answer: Answer) -> Iterator[tuple[Spot, Event, Call]]:
    """The fragments of a stream's calls, each with the event that it is in."""
    for event in answer.events or ():
        for choice in event.choices:
            for call in choice["delta"].get("tool_calls") or ():
                yield (choice["index"], call["index"]), event, call


def first_pieces(answer: Answer) -> list[Call]:
    """The first fragment of each call."""
    found: dict[Spot, Call] = {}
    for place, _, call in pieces(answer):
        found.setdefault(place, call)
    return list(found.values())


def later_pieces(answer: Answer) -> list[Call]:
    """All fragments but the first of each call."""
    firsts = {id(call) for call in first_pieces(answer)}
    return [call for _, _, call in pieces(answer) if id(call) not in firsts]


def names(answer: Answer) -> dict[Spot, str]:
    """The names of the functions that a stream calls."""
    found: dict[Spot, str] = {}
    for place, _, call in pieces(answer):
        found[place] = found.get(place, "") + (call.get("function", {}).get("name") or "")
    return found


def joined(answer: Answer) -> dict[Spot, str]:
    """The arguments of a stream's calls, put together."""
    found: dict[Spot, str] = {}
    for place, _, call in pieces(answer):
        found[place] = found.get(place, "") + (call.get("function", {}).get("arguments") or "")
    return found


def take_out(answer: Answer, gone: Callable[[Call], bool]) -> None:
    """Take fragments out of a stream, with the events that then hold nothing."""
    kept: list[Event] = []
    for event in answer.events or ():
        holding = list(event.choices)
        had = any(choice["delta"].get("tool_calls") for choice in holding)
        for choice in holding:
            calls = [call for call in choice["delta"].get("tool_calls") or () if not gone(call)]
            choice["delta"].pop("tool_calls", None)
            if calls:
                choice["delta"]["tool_calls"] = calls
        if not had or any(choice["delta"] or choice["finish_reason"] for choice in holding):
            kept.append(event)
    answer.events = kept if answer.events is not None else None


def resay(answer: Answer, change: Callable[[str], Any]) -> None:
    """Put other arguments into every call that `change` changes; a streamed one then comes in a single piece."""
    if not streamed(answer):
        for call in answer.calls:
            if "function" in call:
                call["function"]["arguments"] = change(call["function"]["arguments"])
        return
    new = {place: text for place, old in joined(answer).items() if (text := change(old)) != old}
    said: set[Spot] = set()
    empty: set[int] = set()
    firsts = {id(call) for call in first_pieces(answer)}
    for place, _, call in pieces(answer):
        if place not in new or id(call) in firsts or "function" not in call:
            continue
        if place in said:
            empty.add(id(call))
        call["function"]["arguments"] = new[place]
        said.add(place)
    take_out(answer, lambda call: id(call) in empty)


def loaded(text: str) -> Any:
    """The value of JSON text; a text that was cut short as it is."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def revalue(text: str, change: Callable[[Any], Any]) -> str:
    """JSON text with every value in it, at any depth, put through `change`; other text as it is."""

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: walk(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [walk(inner) for inner in value]
        return change(value)

    value = loaded(text)
    return text if value == text else compact(walk(value))


def finish(answer: Answer, reason: str) -> None:
    """Give every choice that has called something another finish reason."""
    callers = {place[0] for place, _, _ in pieces(answer)}
    for choice in answer.choices:
        called = choice["index"] in callers or choice.get("message", {}).get("tool_calls")
        if called and choice["finish_reason"] in ("stop", "tool_calls"):
            choice["finish_reason"] = reason


def markup(name: str, arguments: str) -> str:
    """A call as a model writes it."""
    return f'<tool_call>\n{{"name": "{name}", "arguments": {arguments}}}\n</tool_call>'


def functions(request: Request) -> list[dict[str, Any]]:
    """The functions that a request offers, where they are well-formed."""
    tools = request.wish.get("tools")
    found = [tool.get("function") for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []
    return [function for function in found if isinstance(function, dict)]


PIECES = Place(lambda answer, request: [call for _, _, call in pieces(answer)])
"""The fragments of a stream's calls."""
FIRST = Place(lambda answer, request: first_pieces(answer))
LATER = Place(lambda answer, request: later_pieces(answer))


def unstreamed(answer: Answer) -> bool:
    """Whether the answer is whole."""
    return answer.events is None


def any_kind(answer: Answer) -> bool:
    """Whole answers and streams."""
    return True


def resaid(
    identity: str,
    how: Callable[[str], Any],
    *,
    says: str,
    of: Callable[[Answer], bool] = any_kind,
    when: Chosen = ALWAYS,
    legal: bool = False,
) -> Fault:
    """Calls have other arguments, in answers of one kind."""

    def sin(answer: Answer, request: Request) -> None:
        if of(answer) and when(request):
            resay(answer, how)

    return fault(identity, says=says, legal=legal)(sin)


def finishing(
    identity: str,
    reason: str,
    *,
    says: str,
    of: Callable[[Answer], bool] = any_kind,
    when: Chosen = ALWAYS,
    legal: bool = False,
) -> Fault:
    """Choices with calls have another finish reason, in answers of one kind."""

    def sin(answer: Answer, request: Request) -> None:
        if of(answer) and when(request):
            finish(answer, reason)

    return fault(identity, says=says, legal=legal)(sin)
