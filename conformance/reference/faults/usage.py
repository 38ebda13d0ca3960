"""Planted faults: token counts that are missing, wrong, or in the wrong place."""

from __future__ import annotations

import copy
from typing import Any

from conformance.reference.answer import Answer, Event, Request, Respond
from conformance.reference.fault import fault
from conformance.reference.faults.chunks import before_finish
from conformance.reference.rows import CHUNKS, USAGE, alter, as_stream, drop, fill, put

Counts = dict[str, Any]


def charge(usage: Counts, name: str, number: int) -> None:
    """Set a count, and keep the total the sum."""
    usage[name] = number
    usage["total_tokens"] = usage["prompt_tokens"] + usage["completion_tokens"]


def last(answer: Answer) -> dict[str, Any] | None:
    """The chunk of a stream that only has usage."""
    found = [chunk for chunk in answer.chunks if chunk.get("usage") and not chunk["choices"]]
    return found[-1] if found else None


def take_out(answer: Answer, chunk: dict[str, Any]) -> None:
    """Take a chunk out of a stream."""
    answer.events = [event for event in answer.events or () if event.data is not chunk]


THREE = ("prompt_tokens", "completion_tokens", "total_tokens")


COUNTS = (
    alter("usage-counts-as-text", USAGE, lambda usage: usage.update({name: str(usage[name]) for name in THREE}),
        says="The counts are strings."),
    alter("usage-prompt_tokens-zero", USAGE, lambda usage: charge(usage, "prompt_tokens", 0),
        says="`prompt_tokens` is 0."),
    alter("usage-completion-zero", USAGE, lambda usage: charge(usage, "completion_tokens", 0),
        says="`completion_tokens` is 0."),
    alter("usage-prompt-constant", USAGE, lambda usage: charge(usage, "prompt_tokens", 10),
        says="Every prompt has 10 tokens."),
    alter("gateway-usage-fabricated-stream", as_stream(USAGE),
        lambda usage: charge(usage, "prompt_tokens", int(usage["prompt_tokens"] * 1.3) + 1),
        says="The `prompt_tokens` of a stream are estimated, and too many."),
    alter("usage-details-too-large", USAGE,
        lambda usage: usage["prompt_tokens_details"].update(cached_tokens=usage["prompt_tokens"] + 1),
        says="More tokens are cached than the prompt has."),
)  # fmt: skip


@fault("usage-tools-free", instead=True)
def counts_no_tools(request: Request, respond: Respond) -> Answer:
    """Tools are not counted."""
    answer = respond(request)
    if request.wish.get("tools") and answer.is_chat:
        without = request.asking(tools=..., tool_choice=..., parallel_tool_calls=..., stream=..., stream_options=...)
        plain = respond(without)
        for usage in USAGE(answer, request):
            charge(usage, "prompt_tokens", USAGE(plain, request)[0]["prompt_tokens"])
    return answer


@fault("usage-prompt-drifts")
def counts_what_came_before(answer: Answer, request: Request) -> None:
    """Each answer counts a token more for its prompt than the one before."""
    request.memory["drift"] = request.memory.get("drift", -1) + 1
    for usage in USAGE(answer, request):
        charge(usage, "prompt_tokens", usage["prompt_tokens"] + request.memory["drift"])


@fault("usage-completion-counts-events")
def counts_events(answer: Answer, request: Request) -> None:
    """A stream's `completion_tokens` are the number of its chunks."""
    for usage in USAGE(answer, request) if answer.events is not None else ():
        charge(usage, "completion_tokens", len(answer.chunks) + 2)


@fault("usage-n-counts-one")
def counts_one_choice(answer: Answer, request: Request) -> None:
    """`completion_tokens` counts one of several choices."""
    n = request.wish.get("n")
    for usage in USAGE(answer, request) if isinstance(n, int) and n > 1 else ():
        charge(usage, "completion_tokens", usage["completion_tokens"] // n)


@fault("cached_tokens-missing-nonstream")
def tells_of_its_cache_in_streams(answer: Answer, request: Request) -> None:
    """Cached tokens of long prompts are in the usage of streams, and not of whole answers."""
    for usage in USAGE(answer, request):
        if usage["prompt_tokens"] > 1000:
            usage["prompt_tokens_details"] = None if answer.events is None else {"cached_tokens": 1000}


@fault("reasoning_tokens-zero-stream")
def forgets_streamed_thoughts(answer: Answer, request: Request) -> None:
    """Five tokens of thought are counted in every answer, but only whole ones say that they are thoughts."""
    for usage in USAGE(answer, request):
        charge(usage, "completion_tokens", usage["completion_tokens"] + 5)
        usage["completion_tokens_details"]["reasoning_tokens"] = 5 if answer.events is None else 0


UNCOUNTED = CHUNKS.where(lambda chunk: not chunk.get("usage"))


CHUNKED = (
    put("usage-partial-object", UNCOUNTED, usage={"total_tokens": 0},
        says="Chunks without usage have a `usage` with `total_tokens` only."),
    drop("gateway-drops-usage-in-stream", CHUNKS, "usage", says="No chunk has a member `usage`."),
    drop("usage-null-left-out", CHUNKS.where(lambda chunk: chunk.get("usage", ...) is None), "usage",
        says="Chunks without usage have no member for it."),
    fill("padding-stays", CHUNKS, obfuscation="xxxx", says="Chunks are padded though the request says not to."),
)  # fmt: skip


@fault("usage-in-every-chunk-cumulative")
def counts_as_it_goes(answer: Answer, request: Request) -> None:
    """Every chunk has the usage so far."""
    for number, chunk in enumerate(answer.chunks):
        if not chunk.get("usage"):
            chunk["usage"] = {"prompt_tokens": 9, "completion_tokens": number, "total_tokens": 9 + number}


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
        take_out(answer, chunk)


@fault("usage-chunk-nonempty-choices")
def counts_in_the_finish(answer: Answer, request: Request) -> None:
    """The usage is in the chunk with the finish reason."""
    chunk = last(answer)
    if chunk is not None and answer.events:
        answer.events[before_finish(answer)].data["usage"] = chunk["usage"]
        take_out(answer, chunk)


@fault("usage-chunk-before-finish")
def counts_too_early(answer: Answer, request: Request) -> None:
    """The chunk with the usage comes before the one with the finish reason."""
    chunk = last(answer)
    if chunk is not None and answer.events:
        take_out(answer, chunk)
        answer.events.insert(before_finish(answer), Event(chunk))


@fault("usage-chunk-twice")
def counts_twice(answer: Answer, request: Request) -> None:
    """The chunk with the usage comes twice."""
    chunk = last(answer)
    if chunk is not None and answer.events:
        answer.events.insert(-1, Event(copy.deepcopy(chunk)))


@fault("usage-chunk-unsolicited", instead=True)
def counts_unasked(request: Request, respond: Respond) -> Answer:
    """Every stream has a chunk with usage, asked for or not."""
    answer = respond(request)
    if answer.events is None:
        return answer
    options = request.wish.get("stream_options")
    return respond(request.asking(stream_options={**(options or {}), "include_usage": True}))


@fault("stream-options-of-any-type", instead=True)
def takes_any_options(request: Request, respond: Respond) -> Answer:
    """Options of a wrong type are ignored."""
    options = request.wish.get("stream_options")
    wrong = options is not None and not (
        isinstance(options, dict) and all(isinstance(value, bool) for value in options.values())
    )
    return respond(request.asking(stream_options=...)) if wrong else respond(request)


LEGAL = (
    put("usage-details-vendor-keys", USAGE, input_tokens=0, output_tokens=0, claude_cache_creation_5_m_tokens=0,
        says="The usage has counts of the vendor's own.", legal=True),
    drop("usage-without-details", USAGE, "prompt_tokens_details", "completion_tokens_details",
        says="The usage has the three counts and no more.", legal=True),
)  # fmt: skip
