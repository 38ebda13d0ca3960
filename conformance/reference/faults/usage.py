"""Planted faults: token counts that are missing, wrong, or in the wrong place."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from conformance.reference.answer import Answer, Event, Request, Respond
from conformance.reference.fault import fault
from conformance.reference.faults.chunks import before_finish

Counts = dict[str, Any]


def counts(answer: Answer) -> Iterator[Counts]:
    """Every `usage` of an answer, whole or streamed, to change in place."""
    if answer.is_chat:
        for body in [answer.body] if answer.events is None else answer.chunks:
            if isinstance(body.get("usage"), dict):
                yield body["usage"]


def charge(usage: Counts, name: str, number: int) -> None:
    """Set a count, and keep the total the sum."""
    usage[name] = number
    usage["total_tokens"] = usage["prompt_tokens"] + usage["completion_tokens"]


def last(answer: Answer) -> dict[str, Any] | None:
    """The chunk of a stream that only has usage."""
    found = [chunk for chunk in answer.chunks if chunk.get("usage") and not chunk["choices"]]
    return found[-1] if found else None


def drop(answer: Answer, chunk: dict[str, Any]) -> None:
    """Take a chunk out of a stream."""
    answer.events = [event for event in answer.events or () if event.data is not chunk]


@fault("usage-missing")
def counts_nothing(answer: Answer, request: Request) -> None:
    """A whole answer has no usage."""
    if answer.is_chat and answer.events is None:
        answer.body.pop("usage", None)


@fault("usage-total-wrong")
def cannot_add(answer: Answer, request: Request) -> None:
    """The total is the completion alone."""
    for usage in counts(answer):
        usage["total_tokens"] = usage["completion_tokens"]


@fault("usage-counts-as-text")
def spells_counts(answer: Answer, request: Request) -> None:
    """The counts are strings."""
    for usage in counts(answer):
        for name in ("prompt_tokens", "completion_tokens", "total_tokens"):
            usage[name] = str(usage[name])


@fault("usage-prompt_tokens-zero")
def counts_no_prompt(answer: Answer, request: Request) -> None:
    """`prompt_tokens` is 0."""
    for usage in counts(answer):
        charge(usage, "prompt_tokens", 0)


@fault("usage-completion-zero")
def counts_no_completion(answer: Answer, request: Request) -> None:
    """`completion_tokens` is 0."""
    for usage in counts(answer):
        charge(usage, "completion_tokens", 0)


@fault("usage-prompt-constant")
def counts_every_prompt_alike(answer: Answer, request: Request) -> None:
    """Every prompt has 10 tokens."""
    for usage in counts(answer):
        charge(usage, "prompt_tokens", 10)


@fault("usage-tools-free", instead=True)
def counts_no_tools(request: Request, respond: Respond) -> Answer:
    """Tools are not counted."""
    answer = respond(request)
    if request.wish.get("tools") and answer.is_chat:
        without = request.asking(tools=..., tool_choice=..., parallel_tool_calls=..., stream=..., stream_options=...)
        plain = respond(without)
        for usage in counts(answer):
            charge(usage, "prompt_tokens", next(counts(plain))["prompt_tokens"])
    return answer


@fault("usage-prompt-drifts")
def counts_what_came_before(answer: Answer, request: Request) -> None:
    """Each answer counts a token more for its prompt than the one before."""
    request.memory["drift"] = request.memory.get("drift", -1) + 1
    for usage in counts(answer):
        charge(usage, "prompt_tokens", usage["prompt_tokens"] + request.memory["drift"])


@fault("gateway-usage-fabricated-stream")
def estimates_streamed_prompts(answer: Answer, request: Request) -> None:
    """A stream's `prompt_tokens` are estimated, and too many."""
    for usage in counts(answer) if answer.events is not None else ():
        charge(usage, "prompt_tokens", int(usage["prompt_tokens"] * 1.3) + 1)


@fault("usage-completion-counts-events")
def counts_events(answer: Answer, request: Request) -> None:
    """A stream's `completion_tokens` are the number of its chunks."""
    for usage in counts(answer) if answer.events is not None else ():
        charge(usage, "completion_tokens", len(answer.chunks) + 2)


@fault("usage-details-too-large")
def counts_parts_beyond_the_whole(answer: Answer, request: Request) -> None:
    """More tokens are cached than the prompt has."""
    for usage in counts(answer):
        usage["prompt_tokens_details"]["cached_tokens"] = usage["prompt_tokens"] + 1


@fault("usage-n-counts-one")
def counts_one_choice(answer: Answer, request: Request) -> None:
    """`completion_tokens` counts one of several choices."""
    n = request.wish.get("n")
    for usage in counts(answer) if isinstance(n, int) and n > 1 else ():
        charge(usage, "completion_tokens", usage["completion_tokens"] // n)


@fault("cached_tokens-missing-nonstream")
def tells_of_its_cache_in_streams(answer: Answer, request: Request) -> None:
    """Cached tokens of long prompts are in the usage of streams, and not of whole answers."""
    for usage in counts(answer):
        if usage["prompt_tokens"] > 1000:
            usage["prompt_tokens_details"] = None if answer.events is None else {"cached_tokens": 1000}


@fault("reasoning_tokens-zero-stream")
def forgets_streamed_thoughts(answer: Answer, request: Request) -> None:
    """Five tokens of thought are counted in every answer, but only whole ones say that they are thoughts."""
    for usage in counts(answer):
        charge(usage, "completion_tokens", usage["completion_tokens"] + 5)
        usage["completion_tokens_details"]["reasoning_tokens"] = 5 if answer.events is None else 0


@fault("usage-partial-object")
def counts_by_halves(answer: Answer, request: Request) -> None:
    """Chunks without usage have a part of one."""
    for chunk in answer.chunks:
        if not chunk.get("usage"):
            chunk["usage"] = {"total_tokens": 0}


@fault("usage-in-every-chunk-cumulative")
def counts_as_it_goes(answer: Answer, request: Request) -> None:
    """Every chunk has the usage so far."""
    for number, chunk in enumerate(answer.chunks):
        if not chunk.get("usage"):
            chunk["usage"] = {"prompt_tokens": 9, "completion_tokens": number, "total_tokens": 9 + number}


@fault("gateway-drops-usage-in-stream")
def strips_usage(answer: Answer, request: Request) -> None:
    """No chunk has a member `usage`."""
    for chunk in answer.chunks:
        chunk.pop("usage", None)


@fault("usage-stream-absent", instead=True)
def ignores_stream_options(request: Request, respond: Respond) -> Answer:
    """`include_usage` is ignored: no chunk of usage comes."""
    answer, options = respond(request), request.wish.get("stream_options")
    if answer.events is None or not options:
        return answer
    return respond(request.asking(stream_options={**options, "include_usage": False}))


@fault("usage-stream-absent-when-capped")
def counts_only_natural_ends(answer: Answer, request: Request) -> None:
    """A stream that is cut off at the cap has no usage."""
    chunk = last(answer)
    if chunk is not None and any(choice["finish_reason"] == "length" for choice in answer.choices):
        drop(answer, chunk)


@fault("usage-chunk-nonempty-choices")
def counts_in_the_finish(answer: Answer, request: Request) -> None:
    """The usage is in the chunk with the finish reason."""
    chunk = last(answer)
    if chunk is not None and answer.events:
        answer.events[before_finish(answer)].data["usage"] = chunk["usage"]
        drop(answer, chunk)


@fault("usage-chunk-before-finish")
def counts_too_early(answer: Answer, request: Request) -> None:
    """The chunk with the usage comes before the one with the finish reason."""
    chunk = last(answer)
    if chunk is not None and answer.events:
        drop(answer, chunk)
        answer.events.insert(before_finish(answer), Event(chunk))


@fault("usage-chunk-twice")
def counts_twice(answer: Answer, request: Request) -> None:
    """The chunk with the usage comes twice."""
    chunk = last(answer)
    if chunk is not None and answer.events:
        answer.events.insert(-1, Event(copy.deepcopy(chunk)))


@fault("usage-null-left-out")
def leaves_null_usage_out(answer: Answer, request: Request) -> None:
    """Chunks without usage have no member for it."""
    for chunk in answer.chunks:
        if chunk.get("usage", ...) is None:
            del chunk["usage"]


@fault("usage-chunk-unsolicited", instead=True)
def counts_unasked(request: Request, respond: Respond) -> Answer:
    """Every stream has a chunk with usage, asked for or not."""
    answer = respond(request)
    if answer.events is None:
        return answer
    options = request.wish.get("stream_options")
    return respond(request.asking(stream_options={**(options or {}), "include_usage": True}))


@fault("padding-stays")
def pads_all_the_same(answer: Answer, request: Request) -> None:
    """Chunks are padded though the request says not to."""
    for chunk in answer.chunks:
        chunk.setdefault("obfuscation", "xxxx")


@fault("stream-options-of-any-type", instead=True)
def takes_any_options(request: Request, respond: Respond) -> Answer:
    """Options of a wrong type are ignored."""
    options = request.wish.get("stream_options")
    wrong = options is not None and not (
        isinstance(options, dict) and all(isinstance(value, bool) for value in options.values())
    )
    return respond(request.asking(stream_options=...)) if wrong else respond(request)


@fault("usage-details-vendor-keys", legal=True)
def adds_other_counts(answer: Answer, request: Request) -> None:
    """The usage has counts of the vendor's own."""
    for usage in counts(answer):
        usage |= {"input_tokens": 0, "output_tokens": 0, "claude_cache_creation_5_m_tokens": 0}


@fault("usage-without-details", legal=True)
def counts_without_details(answer: Answer, request: Request) -> None:
    """The usage has the three counts and no more."""
    for usage in counts(answer):
        for name in ("prompt_tokens_details", "completion_tokens_details"):
            usage.pop(name, None)
