"""Faults in how streams carry tool calls."""

from __future__ import annotations

import json
from typing import Any

from conformance.reference.answer import Answer, Event, Request, compact
from conformance.reference.fault import fault
from conformance.reference.faults.calls import (
    LATER,
    PIECES,
    finish,
    finishing,
    first_pieces,
    joined,
    later_pieces,
    loaded,
    markup,
    names,
    pieces,
    resaid,
    resay,
    revalue,
    streamed,
    take_out,
)
from conformance.reference.faults.tool_choice import LEAKED
from conformance.reference.rows import Part, a, alter, change, drop, given, put

# What fragments carry


@fault("sagemaker-tool-name-missing-stream")
def forgets_names(answer: Answer, request: Request) -> None:
    """No fragment has a name, and each has a new id."""
    for number, (_, _, call) in enumerate(pieces(answer)):
        call["id"] = f"call_{number:024}"
        call.get("function", {}).pop("name", None)


def empty_name(call: Part) -> None:
    """Give a fragment an empty name."""
    call.setdefault("function", {})["name"] = ""


FRAGMENTS = (
    drop("tool-type-missing-named-stream", PIECES, "type", when=given("tool_choice", a(dict)),
        says="A named function is streamed without a type."),
    put("tool-type-empty-string", LATER, type="", says="Later fragments have an empty type."),
    put("tool-type-null-later", LATER, type=None, says="Later fragments have null for a type."),
    alter("tool-delta-empty-name-repeated", LATER, empty_name, says="Later fragments have an empty name."),
    alter("tool-final-chunk-name-lost", LATER[-1:], empty_name, says="The last fragment has an empty name."),
    put("tool-id-repeated-or-empty-in-continuation", LATER, id="", says="Later fragments have an empty id."),
    drop("tool-index-missing", PIECES, "index", says="Fragments have no index."),
    change("tool-index-starts-at-1", PIECES, "index", lambda index: index + 1, says="The first call has the index 1."),
    put("tool-parallel-same-index", PIECES, index=0, says="Every call has the index 0."),
    put("tool-stream-arguments-null", PIECES.under("function"), arguments=None,
        says="The arguments of every fragment are null."),
)  # fmt: skip


@fault("tool-name-repeated-each-delta")
def repeats_names(answer: Answer, request: Request) -> None:
    """Every fragment has the name."""
    known = names(answer)
    for place, _, call in pieces(answer):
        call.setdefault("function", {})["name"] = known[place]


@fault("tool-id-repeated-in-continuation")
def repeats_ids(answer: Answer, request: Request) -> None:
    """Every fragment has the id."""
    known: dict[Any, str] = {}
    for place, _, call in pieces(answer):
        call["id"] = known.setdefault(place, call.get("id", ""))


@fault("tool-index-shift-empty-args")
def moves_calls_without_arguments(answer: Answer, request: Request) -> None:
    """Later fragments of a call without arguments have the next index."""
    bare = {place for place, text in joined(answer).items() if text == "{}"}
    firsts = {id(call) for call in first_pieces(answer)}
    for place, _, call in list(pieces(answer)):
        if place in bare and id(call) not in firsts:
            call["index"] += 1


@fault("tool-args-dict-in-stream")
def streams_an_object(answer: Answer, request: Request) -> None:
    """The arguments come in one piece, as an object."""
    resay(answer, lambda text: text + " " if streamed(answer) else text)
    for call in later_pieces(answer):
        call["function"]["arguments"] = loaded(call["function"]["arguments"])


# What fragments add up to


@fault("tool-args-full-replay-at-end")
def says_everything_twice(answer: Answer, request: Request) -> None:
    """The last fragment of a call has all its arguments once more."""
    known = joined(answer)
    for place in known:
        last = [call for other, _, call in pieces(answer) if other == place][-1]
        last.setdefault("function", {})["arguments"] = (last["function"].get("arguments") or "") + known[place]


ARGUMENTS = (
    resaid("tool-args-last-brace-lost", lambda text: text[:-1], of=streamed,
        says="The last character of the arguments is lost in streams."),
    resaid("tool-args-nested-brace-lost", lambda text: text.replace("}", "", 1) if text.count("}") > 1 else text,
        of=streamed, says="One of two closing braces of nested arguments is lost in streams."),
    resaid("tool-args-type-coerced-to-string",
        lambda text: revalue(text, lambda value: json.dumps(value) if type(value) in (int, float, bool) else value),
        of=streamed, says="Numbers and booleans are strings in streams."),
    resaid("tool-stream-args-differ",
        lambda text: compact(dict(list(loaded(text).items())[:-1])) if text.endswith("}") else text, of=streamed,
        says="The last argument is not there in streams."),
    resaid("tool-zero-arg-empty-string", lambda text: "" if text == "{}" else text, of=streamed,
        says="The arguments of a call without any are empty in streams."),
    resaid("tool-stream-line-breaks-lost",
        lambda text: revalue(text, lambda value: value.replace("\n", " ") if isinstance(value, str) else value),
        of=streamed, says="Line breaks in values become spaces in streams."),
    resaid("tool-escape-split-lost", lambda text: text.replace('\\"', '"'), of=streamed,
        says="An escaped quote in the arguments is no longer escaped in streams."),
    finishing("tool-finish-stop-stream", "stop", of=streamed,
        says="The finish reason of a stream with calls is `stop`."),
)  # fmt: skip


@fault("tool-stream-vs-nonstream-args-differ")
def reads_arguments_differently(answer: Answer, request: Request) -> None:
    """A last argument is lost: it is not there when whole, and unfinished when streamed."""
    if streamed(answer):
        resay(answer, lambda text: text[: text.find(":") + 1] or text)
    else:
        resay(answer, lambda text: "{}")


@fault("tool-zero-arg-never-streamed")
def never_sends_no_arguments(answer: Answer, request: Request) -> None:
    """A call without arguments has no fragments that could hold any."""
    bare = {place for place, text in joined(answer).items() if text == "{}"}
    first = {id(call) for call in first_pieces(answer)}
    gone = {id(call) for place, _, call in pieces(answer) if place in bare and id(call) not in first}
    take_out(answer, lambda call: id(call) in gone)
    for call in first_pieces(answer) if gone else ():
        call["function"].pop("arguments", None)


@fault("tool-only-first-of-array-parsed")
def streams_the_first_call_only(answer: Answer, request: Request) -> None:
    """Streams have the first call only."""
    take_out(answer, lambda call: call["index"] > 0)


@fault("tool-call-lost-in-reasoning-phase")
def streams_calls_as_text(answer: Answer, request: Request) -> None:
    """Calls are raw text in streams, and the finish reason is `stop`."""
    known, arguments = names(answer), joined(answer)
    if not known:
        return
    finish(answer, "stop")
    said = False
    for _, event, _ in list(pieces(answer)):
        for choice in event.data["choices"]:
            if choice["delta"].pop("tool_calls", None) and not said:
                choice["delta"]["content"] = "\n".join(markup(known[place], arguments[place]) for place in known)
                said = True


@fault("tool-broken-call-streamed")
def streams_broken_calls(answer: Answer, request: Request) -> None:
    """A call that the model breaks off is text when whole, and a call when streamed."""
    texts = [part for part in answer.messages if part.get("content")]
    text = "".join(part["content"] for part in texts)
    if not streamed(answer) or not text.startswith(LEAKED[:30]) or text.endswith("</tool_call>"):
        return
    name, _, arguments = text.partition('"arguments": ')
    function = {"name": name.split('"')[3], "arguments": arguments}
    for part in texts:
        part.pop("content")
    texts[0]["tool_calls"] = [{"index": 0, "id": "call_broken00000000000000", "type": "function", "function": function}]
    finish(answer, "tool_calls")


# Order and end


def _last_finish(answer: Answer) -> int:
    """The place of the event that finishes a choice with calls."""
    places = [
        place
        for place, event in enumerate(answer.events or ())
        if any(choice.get("finish_reason") for choice in event.choices)
    ]
    return places[-1] if places and answer.calls else -1


@fault("tool-delta-args-with-finish-same-chunk")
def finishes_with_arguments(answer: Answer, request: Request) -> None:
    """The last piece of arguments is in the chunk with the finish reason."""
    if streamed(answer) and answer.events and (place := _last_finish(answer)) > 0:
        before = answer.events[place - 1].data["choices"][0]["delta"]
        if before.get("tool_calls"):
            answer.events[place].data["choices"][0]["delta"]["tool_calls"] = before["tool_calls"]
            del answer.events[place - 1]


@fault("tool-delta-after-finish")
def goes_on_after_the_finish(answer: Answer, request: Request) -> None:
    """The last piece of arguments comes after the finish reason."""
    if streamed(answer) and answer.events and (place := _last_finish(answer)) > 0:
        answer.events[place - 1 : place + 1] = [answer.events[place], answer.events[place - 1]]


@fault("tool-calls-interleaved")
def interleaves_calls(answer: Answer, request: Request) -> None:
    """The fragments of two calls take turns."""
    events = answer.events or []
    held: dict[int, list[Event]] = {}
    for place, event, _ in pieces(answer):
        held.setdefault(place[1], []).append(event)
    if len(held) != 2 or any(choice["index"] for choice in answer.choices):
        return
    one, other = held.values()
    turns = [event for pair in zip(one, other, strict=False) for event in pair]
    turns += one[len(other) :] + other[len(one) :]
    start = events.index(one[0])
    answer.events = events[:start] + turns + [event for event in events[start:] if event not in turns]


@fault("tool-stream-index-error-abort")
def breaks_off_after_the_first_fragment(answer: Answer, request: Request) -> None:
    """The connection breaks after the first fragment of a call."""
    first = next((event for _, event, _ in pieces(answer)), None)
    if first is not None and answer.events:
        answer.events = answer.events[: answer.events.index(first) + 1]
        answer.ending = "drop"


@fault("tool-stream-not-streamed")
def answers_in_one_piece(answer: Answer, request: Request) -> None:
    """A stream of calls is labelled as JSON."""
    if any(pieces(answer)):
        answer.headers["content-type"] = "application/json"
