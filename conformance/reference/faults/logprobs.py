"""Planted faults: log probabilities that are missing, in another shape, or not of these tokens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from conformance.reference.answer import Answer, Request, compact
from conformance.reference.fault import fault
from conformance.reference.faults.sampling import refusing
from conformance.reference.rows import (
    CHOICES,
    STREAMED,
    Place,
    alter,
    as_stream,
    ask,
    asking,
    change,
    crash,
    drop,
    exactly,
    given,
    has,
    put,
    refuse,
    whole,
    without,
)

LOGPROBS = CHOICES.under("logprobs")
TOKENS = Place(lambda answer, request: entries(answer))
"""Entries of tokens."""
LIKELY = Place(
    lambda answer, request: [token for entry in entries(answer) for token in (entry, *entry["top_logprobs"])]
)
"""Tokens and their alternatives."""


def holders(answer: Answer) -> Iterator[dict[str, Any]]:
    """Every `logprobs` object of an answer, whole or streamed, to change in place."""
    for choice in answer.choices if answer.is_chat else ():
        if isinstance(choice.get("logprobs"), dict):
            yield choice["logprobs"]


def entries(answer: Answer) -> Iterator[dict[str, Any]]:
    """Every entry of a token, to change in place."""
    for holder in holders(answer):
        yield from holder.get("content") or ()


IGNORED = (
    ask("logprobs-ignored", without("logprobs", "top_logprobs"), after=200, says="`logprobs` is accepted and ignored."),
    ask("logprobs-unasked", asking(logprobs=True), when=has("messages") & ~has("logprobs", "top_logprobs"),
        says="Every answer has log probabilities."),
    ask("top_logprobs-alone-ignored", without("top_logprobs"),
        when=~given("logprobs", bool) & given("top_logprobs", lambda top: isinstance(top, int) and 0 <= top <= 20),
        says="`top_logprobs` without `logprobs` is ignored."),
    ask("top_logprobs-range-unchecked",
        lambda request: request.asking(top_logprobs=max(0, min(20, request.wish["top_logprobs"]))),
        when=given("top_logprobs", lambda top: type(top) is int and -100 <= top <= 100),
        says="`top_logprobs` beyond its range is taken for the nearest value in it."),
    crash("logprobs-inf-500", when=given("logprobs", bool) & given("response_format", bool),
        message="Out of range float values are not JSON compliant: -inf",
        says="Log probabilities of a constrained answer are a server error: some are infinite."),
    refuse("logprobs-true-without-top_logprobs-error", when=given("logprobs", exactly(True)) & ~given("top_logprobs"),
        message="Top logprobs must be set when logprobs is.", param="top_logprobs",
        says="`logprobs: true` without `top_logprobs` is refused."),
    refusing("logprobs-refused", "logprobs", "top_logprobs", says="Log probabilities are refused by name."),
)  # fmt: skip


@fault("logprobs-legacy-schema")
def answers_like_the_old_interface(answer: Answer, request: Request) -> None:
    """`logprobs` has the arrays of the completions interface: tokens, token_logprobs, text_offset."""
    for holder in holders(answer):
        content = holder.pop("content")
        del holder["refusal"]
        holder["tokens"] = [entry["token"] for entry in content]
        holder["token_logprobs"] = [entry["logprob"] for entry in content]
        holder["top_logprobs"], holder["text_offset"] = None, [0 for _ in content]


SHAPES = (
    change("sagemaker-stream-logprobs-list", STREAMED, "logprobs",
        lambda logprobs: [logprobs] if logprobs else logprobs,
        says="In chunks, `logprobs` is a list with the object in it."),
    drop("logprobs-without-top", TOKENS.where(lambda entry: not entry["top_logprobs"]), "top_logprobs",
        says="An entry without alternatives has no `top_logprobs` at all."),
    change("logprobs-negated", LIKELY, "logprob", abs, says="Log probabilities have no minus sign."),
    alter("logprobs-bytes-wrong", LIKELY, lambda token: token.update(bytes=list(token["token"])),
        says="`bytes` has the letters of the token, not its bytes."),
    change("top_logprobs-too-many", TOKENS, "top_logprobs",
        lambda top: [*top, {"token": "zz", "logprob": -30.0, "bytes": [122, 122]}], when=given("top_logprobs"),
        says="There is one alternative more than was asked for."),
    change("top_logprobs-unsorted", TOKENS, "top_logprobs", lambda top: top[::-1],
        says="The unlikeliest alternative comes first."),
    drop("logprobs-refusal-missing", LOGPROBS, "refusal", says="`logprobs` has no `refusal`."),
    change("top_logprobs-short", TOKENS, "top_logprobs", lambda top: top[: max(1, len(top) - 1)],
        says="There is one alternative fewer than was asked for: OpenAI says that this may be.", legal=True),
    put("logprobs-without-bytes", LIKELY, bytes=None, says="`bytes` is null.", legal=True),
    put("logprobs-floor",
        Place(lambda answer, request: [token for entry in entries(answer) for token in entry["top_logprobs"][1:]]),
        logprob=-9999.0, says="What is very unlikely has the log probability -9999.", legal=True),
    put("logprobs-missing-for-suppressed-chunks", as_stream(LOGPROBS).having("content")[:2], content=[],
        when=given("tools", bool),
        says="Where tools are offered, the first two chunks lose their log probabilities in the tool parser."),
)  # fmt: skip


@fault("logprobs-infinite")
def writes_infinity(answer: Answer, request: Request) -> None:
    """The log probability of an impossible token is written as -Infinity, which is not JSON."""
    if whole(answer) and any(True for _ in entries(answer)):
        for entry in entries(answer):
            if entry["top_logprobs"]:
                entry["top_logprobs"][-1]["logprob"] = "-Infinity"
        answer.body = compact(answer.body).replace('"-Infinity"', "-Infinity").encode()


@fault("logprob-clamped-by-top_p")
def computes_after_top_p(answer: Answer, request: Request) -> None:
    """With `top_p`, one token is left, with the log probability 0."""
    for entry in entries(answer):
        if (request.wish.get("top_p") or 1) < 1:
            entry["logprob"] = 0.0
            for token in entry["top_logprobs"]:
                token["logprob"] = 0.0
            del entry["top_logprobs"][1:]


@fault("logprobs-of-the-prompt")
def counts_from_another_token(answer: Answer, request: Request) -> None:
    """The entries are shifted by one token: the first is the end of the prompt."""
    for holder in holders(answer):
        if whole(answer) and holder["content"]:
            first = {"token": "\n", "logprob": 0.0, "bytes": [10], "top_logprobs": []}
            holder["content"] = [first, *holder["content"][:-1]]


# What a server may do


@fault("logprobs-of-the-end", legal=True)
def counts_the_end_too(answer: Answer, request: Request) -> None:
    """The token that ends the answer has an entry too."""
    filled = [holder for holder in holders(answer) if holder["content"]]
    for holder in filled if whole(answer) else filled[-1:]:
        holder["content"].append({"token": "", "logprob": -0.5, "bytes": [], "top_logprobs": []})
