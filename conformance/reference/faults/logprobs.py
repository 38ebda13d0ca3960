"""Planted faults: log probabilities that are missing, in another shape, or not of these tokens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from conformance.reference.answer import Answer, Request, Respond, compact
from conformance.reference.fault import fault
from conformance.reference.faults.sampling import ignoring, refusing
from conformance.reference.rows import crashed, refused, whole


def holders(answer: Answer) -> Iterator[dict[str, Any]]:
    """Every `logprobs` object of an answer, whole or streamed, to change in place."""
    for choice in answer.choices if answer.is_chat else ():
        if isinstance(choice.get("logprobs"), dict):
            yield choice["logprobs"]


def entries(answer: Answer) -> Iterator[dict[str, Any]]:
    """Every entry of a token, to change in place."""
    for holder in holders(answer):
        yield from holder.get("content") or ()


ignores_logprobs = ignoring("logprobs-ignored", "`logprobs` is accepted and ignored.", "logprobs", "top_logprobs")


@fault("logprobs-legacy-schema")
def answers_like_the_old_interface(answer: Answer, request: Request) -> None:
    """`logprobs` has the arrays of the completions interface: tokens, token_logprobs, text_offset."""
    for holder in holders(answer):
        content = holder.pop("content")
        del holder["refusal"]
        holder["tokens"] = [entry["token"] for entry in content]
        holder["token_logprobs"] = [entry["logprob"] for entry in content]
        holder["top_logprobs"], holder["text_offset"] = None, [0 for _ in content]


@fault("sagemaker-stream-logprobs-list")
def wraps_logprobs_of_chunks(answer: Answer, request: Request) -> None:
    """In chunks, `logprobs` is a list with the object in it."""
    for chunk in answer.chunks:
        for choice in chunk["choices"]:
            if choice["logprobs"]:
                choice["logprobs"] = [choice["logprobs"]]


@fault("logprobs-inf-500", instead=True)
def cannot_write_infinity(request: Request, respond: Respond) -> Answer:
    """Log probabilities of a constrained answer are a server error: some are infinite."""
    if request.wish.get("logprobs") and request.wish.get("response_format"):
        return crashed("Out of range float values are not JSON compliant: -inf")
    return respond(request)


@fault("logprobs-infinite")
def writes_infinity(answer: Answer, request: Request) -> None:
    """The log probability of an impossible token is written as -Infinity, which is not JSON."""
    if whole(answer) and any(True for _ in entries(answer)):
        for entry in entries(answer):
            if entry["top_logprobs"]:
                entry["top_logprobs"][-1]["logprob"] = "-Infinity"
        answer.body = compact(answer.body).replace('"-Infinity"', "-Infinity").encode()


@fault("logprobs-true-without-top_logprobs-error", instead=True)
def wants_top_logprobs_too(request: Request, respond: Respond) -> Answer:
    """`logprobs: true` without `top_logprobs` is refused."""
    if request.wish.get("logprobs") is True and request.wish.get("top_logprobs") is None:
        return refused("Top logprobs must be set when logprobs is.", "top_logprobs")
    return respond(request)


@fault("logprobs-missing-for-suppressed-chunks")
def swallows_the_first_logprobs(answer: Answer, request: Request) -> None:
    """Where tools are offered, the first two chunks lose their log probabilities in the tool parser."""
    if answer.events is not None and request.wish.get("tools"):
        for holder in [one for one in holders(answer) if one["content"]][:2]:
            holder["content"] = []


@fault("logprob-clamped-by-top_p")
def computes_after_top_p(answer: Answer, request: Request) -> None:
    """With `top_p`, one token is left, with the log probability 0."""
    for entry in entries(answer):
        if (request.wish.get("top_p") or 1) < 1:
            entry["logprob"] = 0.0
            for one in entry["top_logprobs"]:
                one["logprob"] = 0.0
            del entry["top_logprobs"][1:]


@fault("logprobs-without-top")
def leaves_out_empty_lists(answer: Answer, request: Request) -> None:
    """An entry without alternatives has no `top_logprobs` at all."""
    for entry in entries(answer):
        if not entry["top_logprobs"]:
            del entry["top_logprobs"]


@fault("logprobs-negated")
def forgets_the_sign(answer: Answer, request: Request) -> None:
    """Log probabilities come without their minus sign."""
    for entry in entries(answer):
        for one in [entry, *entry["top_logprobs"]]:
            one["logprob"] = abs(one["logprob"])


@fault("logprobs-of-the-prompt")
def counts_from_another_token(answer: Answer, request: Request) -> None:
    """The entries are shifted by one token: the first is the end of the prompt."""
    for holder in holders(answer):
        if whole(answer) and holder["content"]:
            first = {"token": "\n", "logprob": 0.0, "bytes": [10], "top_logprobs": []}
            holder["content"] = [first, *holder["content"][:-1]]


@fault("logprobs-bytes-wrong")
def spells_with_code_points(answer: Answer, request: Request) -> None:
    """`bytes` has the letters of the token, not its bytes."""
    for entry in entries(answer):
        for one in [entry, *entry["top_logprobs"]]:
            one["bytes"] = list(one["token"])


@fault("top_logprobs-too-many")
def always_sends_twenty(answer: Answer, request: Request) -> None:
    """One alternative more comes than was asked for."""
    for entry in entries(answer):
        other = {"token": "zz", "logprob": -30.0, "bytes": [122, 122]}
        if request.wish.get("top_logprobs") is not None:
            entry["top_logprobs"] = [*entry["top_logprobs"], other]


@fault("top_logprobs-unsorted")
def sorts_alternatives_backwards(answer: Answer, request: Request) -> None:
    """The alternatives come with the unlikeliest first."""
    for entry in entries(answer):
        entry["top_logprobs"] = entry["top_logprobs"][::-1]


@fault("logprobs-unasked", instead=True)
def always_tells(request: Request, respond: Respond) -> Answer:
    """Log probabilities come with every answer."""
    if "logprobs" in request.wish or "top_logprobs" in request.wish or "messages" not in request.wish:
        return respond(request)
    return respond(request.asking(logprobs=True))


@fault("logprobs-refusal-missing")
def leaves_out_refusal(answer: Answer, request: Request) -> None:
    """`logprobs` has no `refusal`."""
    for holder in holders(answer):
        del holder["refusal"]


@fault("top_logprobs-alone-ignored", instead=True)
def ignores_top_alone(request: Request, respond: Respond) -> Answer:
    """`top_logprobs` without `logprobs` is ignored."""
    top = request.wish.get("top_logprobs")
    alone = isinstance(top, int) and 0 <= top <= 20 and not request.wish.get("logprobs")
    return respond(request.asking(top_logprobs=...) if alone else request)


@fault("top_logprobs-range-unchecked", instead=True)
def clamps_top(request: Request, respond: Respond) -> Answer:
    """`top_logprobs` beyond its range is taken for the nearest value in it."""
    top = request.wish.get("top_logprobs")
    if isinstance(top, int) and not isinstance(top, bool) and -100 <= top <= 100:
        return respond(request.asking(top_logprobs=max(0, min(20, top))))
    return respond(request)


# What a server may do

refuses_logprobs = refusing("logprobs-refused", "Log probabilities are refused by name.", "logprobs", "top_logprobs")


@fault("top_logprobs-short", legal=True)
def knows_fewer_alternatives(answer: Answer, request: Request) -> None:
    """One alternative fewer comes than was asked for: OpenAI says that this may be."""
    for entry in entries(answer):
        del entry["top_logprobs"][max(1, len(entry["top_logprobs"]) - 1) :]


@fault("logprobs-without-bytes", legal=True)
def has_no_bytes(answer: Answer, request: Request) -> None:
    """`bytes` is null."""
    for entry in entries(answer):
        for one in [entry, *entry["top_logprobs"]]:
            one["bytes"] = None


@fault("logprobs-of-the-end", legal=True)
def counts_the_end_too(answer: Answer, request: Request) -> None:
    """The token that ends the answer has an entry too."""
    filled = [holder for holder in holders(answer) if holder["content"]]
    for holder in filled if whole(answer) else filled[-1:]:
        holder["content"].append({"token": "", "logprob": -0.5, "bytes": [], "top_logprobs": []})


@fault("logprobs-floor", legal=True)
def has_a_floor(answer: Answer, request: Request) -> None:
    """What is very unlikely has the log probability -9999."""
    for entry in entries(answer):
        for one in entry["top_logprobs"][1:]:
            one["logprob"] = -9999.0
