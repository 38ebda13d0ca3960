"""Planted faults: finish reasons that are missing, early, doubled, or not true."""

from __future__ import annotations

import copy
from typing import Any

from conformance.reference.answer import Answer, Event, Request
from conformance.reference.fault import fault
from conformance.reference.faults.chunks import before_finish, choices


def rename(answer: Answer, old: str, new: Any) -> None:
    """Give another finish reason in the place of one, whole or streamed."""
    if answer.is_chat:
        for choice in answer.choices:
            if choice.get("finish_reason") == old:
                choice["finish_reason"] = new


@fault("finish-n-only-last-index")
def ends_the_last_choice_only(answer: Answer, request: Request) -> None:
    """Of several choices in a stream, only the last gets a finish reason."""
    last = max((choice["index"] for choice in choices(answer)), default=0)
    for choice in choices(answer):
        if choice["index"] != last:
            choice["finish_reason"] = None


@fault("finish-reason-duplicate")
def ends_twice(answer: Answer, request: Request) -> None:
    """The chunk with the finish reason comes twice."""
    if answer.events and (where := before_finish(answer)):
        answer.events.insert(where, Event(copy.deepcopy(answer.events[where].data)))


@fault("finish-reason-early-in-stream")
def ends_all_the_time(answer: Answer, request: Request) -> None:
    """Every chunk has the finish reason `stop`."""
    for choice in choices(answer):
        choice["finish_reason"] = choice["finish_reason"] or "stop"


@fault("text-after-finish")
def goes_on_after_the_end(answer: Answer, request: Request) -> None:
    """The last text of a stream comes after its finish reason."""
    where = before_finish(answer)
    if answer.events and where > 1 and any(one["delta"].get("content") for one in answer.events[where - 1].choices):
        answer.events[where - 1 : where + 1] = [answer.events[where], answer.events[where - 1]]


@fault("finish-reason-empty-string")
def has_empty_finish(answer: Answer, request: Request) -> None:
    """The finish reason is an empty string until the last chunk."""
    for choice in choices(answer):
        choice["finish_reason"] = choice["finish_reason"] or ""


@fault("finish-reason-invented-in-stream")
def aborts(answer: Answer, request: Request) -> None:
    """A stream ends with the finish reason `eos`."""
    if answer.events is not None:
        rename(answer, "stop", "eos")


@fault("finish-reason-null-natural-stop-only")
def never_stops(answer: Answer, request: Request) -> None:
    """A stream that ends of itself has no finish reason; one that is cut off has."""
    if answer.events is not None:
        rename(answer, "stop", None)


@fault("gateway-finish-reason-dropped")
def drops_the_finish_reason(answer: Answer, request: Request) -> None:
    """No choice has a member `finish_reason`, whole or streamed."""
    if answer.is_chat:
        for choice in answer.choices:
            choice.pop("finish_reason", None)


@fault("finish-stop-streamed-for-length")
def hides_the_cap_in_streams(answer: Answer, request: Request) -> None:
    """A stream that was cut off at the cap says `stop`; a whole answer says `length`."""
    if answer.events is not None:
        rename(answer, "length", "stop")
