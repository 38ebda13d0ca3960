"""Planted faults: streams that stall, connections that break, and requests that get in each other's way.

A server in memory sees no connections and no hang-ups. These faults go by the
order of the suite's own prompts instead.
"""

from __future__ import annotations

import hashlib
from typing import Any

from conformance.reference.answer import Answer, Event, Request, Respond
from conformance.reference.fault import fault
from conformance.reference.faults.framing import place
from conformance.reference.rows import said

SAY = "Say exactly: "
PONG = f"{SAY}pong"
COUNT = "Count to forty"


def before(request: Request) -> str:
    """What was said in the request before this one, with `streamed` where it asked for a stream."""
    earlier: str = request.memory.get("before", "")
    request.memory["before"] = said(request) + (", streamed" if request.wish.get("stream") is True else "")
    return earlier


def broken() -> Answer:
    """An answer that breaks off before its body."""
    return Answer(200, {"content-type": "application/json"}, b"", ending="drop")


def words(answer: Answer) -> list[dict[str, Any]]:
    """The messages of a whole answer."""
    return answer.messages if answer.is_chat and answer.events is None else []


@fault("stream-stalls-midway-open")
def stalls(answer: Answer, request: Request) -> None:
    """A stream stops half-way, and the connection stays open."""
    if answer.events:
        answer.events, answer.ending = answer.events[: place(answer)], "hang"


@fault("stream-truncated-clean-eof")
def breaks_off_cleanly(answer: Answer, request: Request) -> None:
    """A stream ends half-way, as if that were all."""
    if answer.events:
        answer.events = answer.events[: place(answer)]


@fault("stream-cut")
def breaks_the_connection(answer: Answer, request: Request) -> None:
    """The connection breaks half-way through a stream."""
    if answer.events:
        answer.events, answer.ending = answer.events[: place(answer)], "drop"


@fault("stream-buffered")
def holds_back(answer: Answer, request: Request) -> None:
    """A long stream is held back until it is complete."""
    if answer.events and len(answer.events) > 20:
        answer.after += 2.0
        for event in answer.events:
            event.after = 0.0


@fault("hang-up-breaks-the-next", instead=True)
def resents_hang_ups(request: Request, respond: Respond) -> Answer:
    """The request after one that the client hung up on is an internal error."""
    earlier = before(request)
    answer = respond(request)
    if earlier.startswith(COUNT) and said(request) == PONG and answer.is_chat and answer.events is None:
        answer.status = 500
        answer.body = {"error": {"message": "no free slot", "type": "server_error", "param": None, "code": None}}
    return answer


@fault("connection-breaks-after-stream", instead=True)
def breaks_after_streams(request: Request, respond: Respond) -> Answer:
    """The request after a stream, on the same connection, is not answered."""
    earlier = before(request)
    return broken() if earlier == "Say hello, streamed" and said(request) == PONG else respond(request)


@fault("keepalive-idle-5s-reset", instead=True)
def forgets_idle_connections(request: Request, respond: Respond) -> Answer:
    """The connection of an agent that paused is broken when its next request comes."""
    earlier = before(request)
    return broken() if earlier == "Say hello" and said(request) == PONG else respond(request)


@fault("concurrency-cross-contamination")
def mixes_answers_up(answer: Answer, request: Request) -> None:
    """An answer is that to the request before."""
    if said(request).startswith(SAY) and words(answer):
        mine = words(answer)[0]["content"]
        words(answer)[0]["content"] = request.memory.get("word", mine)
        request.memory["word"] = mine


@fault("concurrency-slots-truncated")
def shares_its_context(answer: Answer, request: Request) -> None:
    """The third answer to the same long request is cut short, without a word."""
    key = f"seen {hashlib.sha256(request.body).hexdigest()}"
    request.memory[key] = request.memory.get(key, 0) + 1
    for message in words(answer):
        if request.memory[key] > 2 and len(message.get("content") or "") > 80:
            message["content"] = message["content"][:40]


@fault("overload-500-instead-of-429", instead=True)
def breaks_under_load(request: Request, respond: Respond) -> Answer:
    """Of a burst of equal requests, those after the eighth get a 500."""
    if said(request) != PONG:
        return respond(request)
    request.memory["burst"] = request.memory.get("burst", 0) + 1
    if request.memory["burst"] <= 8:
        return respond(request)
    return Answer(
        500,
        {"content-type": "application/json"},
        {"error": {"message": "queue full", "type": "server_error", "param": None, "code": None}},
    )


@fault("gateway-stream-data-race")
def leaks_events(answer: Answer, request: Request) -> None:
    """An event of a stream that was given up comes out in the next stream."""
    if not answer.events:
        return
    if (stray := request.memory.pop("stray", None)) is not None:
        answer.events.insert(place(answer), Event(stray))
    if said(request).startswith(f"{COUNT}, then say"):
        request.memory["stray"] = answer.events[1].data


@fault("slow", legal=True)
def takes_its_time(answer: Answer, request: Request) -> None:
    """Every event takes a while."""
    for event in answer.events or ():
        event.after = max(event.after, 0.05)


@fault("fast-after-a-wait", legal=True)
def thinks_first(answer: Answer, request: Request) -> None:
    """A stream begins late, and is then fast."""
    if answer.events:
        answer.events[0].after = 3.0
        for event in answer.events[1:]:
            event.after = max(event.after, 0.0005)
