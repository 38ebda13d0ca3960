"""Planted faults: finish reasons that are missing, early, doubled, or not true."""

from __future__ import annotations

import copy

from conformance.reference.answer import Answer, Event, Request
from conformance.reference.fault import fault
from conformance.reference.faults.chunks import before_finish, choices
from conformance.reference.rows import CHOICES, STREAMED, change, drop


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


REASONS = (
    change("finish-reason-early-in-stream", STREAMED, "finish_reason", lambda reason: reason or "stop",
        says="Every chunk has the finish reason `stop`."),
    change("finish-reason-empty-string", STREAMED, "finish_reason", lambda reason: reason or "",
        says="The finish reason is an empty string until the last chunk."),
    change("finish-reason-invented-in-stream", STREAMED, "finish_reason", {"stop": "eos"},
        says="A stream ends with the finish reason `eos`."),
    change("finish-reason-null-natural-stop-only", STREAMED, "finish_reason", {"stop": None},
        says="A stream that ends naturally has no finish reason; one that is cut off has."),
    drop("gateway-finish-reason-dropped", CHOICES, "finish_reason",
        says="No choice has a member `finish_reason`, whole or streamed."),
    change("finish-stop-streamed-for-length", STREAMED, "finish_reason", {"length": "stop"},
        says="A stream that was cut off at the cap has the finish reason `stop`; a whole answer has `length`."),
)  # fmt: skip


@fault("text-after-finish")
def goes_on_after_the_end(answer: Answer, request: Request) -> None:
    """The last text of a stream comes after its finish reason."""
    where = before_finish(answer)
    if (
        answer.events
        and where > 1
        and any(choice["delta"].get("content") for choice in answer.events[where - 1].choices)
    ):
        answer.events[where - 1 : where + 1] = [answer.events[where], answer.events[where - 1]]
