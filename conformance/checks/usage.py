"""`usage`: what a request cost in tokens, whole and streamed. When a stream carries it is judged elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.core.check import OK, check, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed, Unsupported, Unwitnessed
from conformance.core.probe import Probe
from conformance.core.reading.json import Value
from conformance.core.requirement import MUST, NOTE, REPORTS, SHOULD, SPEC
from conformance.probes.chat import GREEDY, HELLO, STREAMED
from conformance.probes.streams import CAPPED_USAGE, GREEDY_USAGE, LONG, LONG_USAGE, TWO, USAGE, longer
from conformance.probes.tools import UNNEEDED

COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")
PARTS = (("prompt_tokens_details", "prompt_tokens"), ("completion_tokens_details", "completion_tokens"))
WITHIN = ("cached_tokens", "reasoning_tokens", "audio_tokens", "text_tokens", "image_tokens")
"""Details that are a part of the count. Rejected predictions are not: they are counted on top by some."""
NONE = "the answer carries no usage"
AT = "usage"
PROMPT = SPEC.at("CompletionUsage.prompt_tokens", "Number of tokens in the prompt.")
COMPLETION = SPEC.at("CompletionUsage.completion_tokens", "Number of tokens in the generated completion.")
MODES = each(HELLO, USAGE)


def count(x: Exchange, *path: str) -> int | None:
    """A count in the usage of an answer; None where there is none, or no integer."""
    value = x.usage
    for step in path:
        value = value[step]
    return value.value if value.type == "integer" else None


def usages(x: Exchange) -> Iterator[Value]:
    """Every `usage` of an answer that is there and not null."""
    return (body["usage"] for body in x.bodies if not body["usage"].missing)


@check(
    "usage.is-there",
    SHOULD,
    sends=HELLO,
    spec=SPEC.at("CreateChatCompletionResponse.usage", "Usage statistics for the completion request."),
)
def is_there(x: Exchange) -> Findings:
    """A whole answer has `usage`."""
    if not x.streamed and x.json["usage"].missing:
        yield Finding("no-usage", "there is no usage", at="/usage", expected="object", found=x.json["usage"])


@check(
    "usage.is-complete",
    MUST,
    sends=each(HELLO, STREAMED, USAGE),
    needs=OK,
    spec=SPEC.at("CompletionUsage", "required: [prompt_tokens, completion_tokens, total_tokens]"),
)
def is_complete(x: Exchange) -> Findings:
    """Where there is usage, it has three counts that are integers and not negative."""
    for usage in usages(x):
        for name in COUNTS:
            if usage[name].type != "integer" or usage[name].value < 0:
                yield Finding(
                    "count-missing-negative-no-integer",
                    "a count is missing, negative or no integer",
                    at=usage[name].pointer,
                    found=usage[name],
                )


@check(
    "usage.total-is-the-sum",
    MUST,
    sends=each(HELLO, USAGE, CAPPED_USAGE),
    spec=SPEC.at("CompletionUsage.total_tokens", "Total number of tokens used in the request (prompt + completion)."),
)
def total_is_the_sum(x: Exchange) -> Findings:
    """`total_tokens` is `prompt_tokens` plus `completion_tokens`."""
    prompt, completion, total = (count(x, name) for name in COUNTS)
    if prompt is None or completion is None or total is None:
        yield Unsupported(NONE)
    elif total != prompt + completion:
        yield Finding(
            "total-another-number",
            "the total is another number",
            at=x.usage.pointer,
            expected=prompt + completion,
            found=total,
        )


@check("usage.prompt-is-counted", MUST, sends=MODES, spec=PROMPT)
def prompt_is_counted(x: Exchange) -> Findings:
    """`prompt_tokens` is more than 0: there was a prompt."""
    prompt = count(x, "prompt_tokens")
    if prompt is None:
        yield Unsupported(NONE)
    elif prompt <= 0:
        yield Finding(
            "prompt-not-counted", "the prompt is not counted", at=x.usage["prompt_tokens"].pointer, found=prompt
        )


@check("usage.completion-is-counted", MUST, sends=MODES, spec=COMPLETION)
def completion_is_counted(x: Exchange) -> Findings:
    """`completion_tokens` is more than 0 where there is text."""
    completion = count(x, "completion_tokens")
    if completion is None:
        yield Unsupported(NONE)
    elif completion <= 0 and x.choice.text:
        yield Finding(
            "text-not-counted", "the text is not counted", at=x.usage["completion_tokens"].pointer, found=completion
        )


@check(
    "usage.details-are-parts",
    SHOULD,
    sends=each(HELLO, GREEDY_USAGE),
    spec=SPEC.at("CompletionUsage.completion_tokens_details", "Breakdown of tokens used in a completion."),
)
def details_are_parts(x: Exchange) -> Findings:
    """Every detail of the usage is an integer, and no more than the count that it is a part of."""
    if x.usage.absent:
        yield Unsupported(NONE)
    for name, whole in PARTS:
        limit = count(x, whole)
        for detail, value in x.usage[name].items():
            if detail.endswith("_tokens") and value.value is not None:
                if value.type != "integer" or value.value < 0:
                    yield Finding(
                        "detail-negative-no-integer",
                        "a detail is negative or no integer",
                        at=value.pointer,
                        found=value,
                    )
                elif detail in WITHIN and limit is not None and value.value > limit:
                    yield Finding(
                        "part-more-than-whole",
                        "a part is more than the whole",
                        at=value.pointer,
                        expected=limit,
                        found=value,
                    )


@check("usage.longer-prompts-cost-more", MUST, sends=longer, examples=4, spec=PROMPT)
def longer_prompts_cost_more(short: Exchange, long: Exchange) -> Findings:
    """A prompt with more words has more `prompt_tokens`."""
    few, many = count(short, "prompt_tokens"), count(long, "prompt_tokens")
    if not few or many is None:
        yield Unsupported(NONE)
    elif many <= few:
        yield Finding(
            "more-words-not-more-tokens",
            "more words are not more tokens",
            at=AT,
            expected=f"over {few}",
            found=many,
            on=long.key,
        )


@check("usage.tools-are-counted", SHOULD, sends=(HELLO, UNNEEDED), requires="tools", spec=PROMPT)
def tools_are_counted(without: Exchange, offered: Exchange) -> Findings:
    """A request with a tool has more `prompt_tokens` than the same without."""
    few, many = count(without, "prompt_tokens"), count(offered, "prompt_tokens")
    if not few or many is None:
        yield Unsupported(NONE)
    elif many <= few:
        yield Finding(
            "tool-costs-nothing", "the tool costs nothing", at=AT, expected=f"over {few}", found=many, on=offered.key
        )


@check("usage.same-prompt-same-count", SHOULD, sends=(GREEDY, GREEDY.again()), spec=PROMPT)
def same_prompt_same_count(first: Exchange, second: Exchange) -> Findings:
    """The same prompt has the same `prompt_tokens` each time."""
    one, other = count(first, "prompt_tokens"), count(second, "prompt_tokens")
    if one is None or other is None:
        yield Unsupported(NONE)
    elif one != other:
        yield Finding(
            "same-prompt-another-count",
            "the same prompt has another count",
            at=AT,
            expected=one,
            found=other,
            on=second.key,
        )


@check(
    "usage.prompt-is-the-same-streamed",
    MUST,
    sends=(HELLO, USAGE),
    requires=("chat.stream", "usage.stream"),
    spec=PROMPT,
    remedy="the usage of the stream is estimated on the way: bill by whole answers",
)
def prompt_is_the_same_streamed(whole: Exchange, streamed: Exchange) -> Findings:
    """A stream has the `prompt_tokens` of the whole answer."""
    one, other = count(whole, "prompt_tokens"), count(streamed, "prompt_tokens")
    if one is None or other is None:
        yield Unsupported(NONE)
    elif one != other:
        yield Finding(
            "streamed-count-another", "the streamed count is another", at=AT, expected=one, found=other, on=streamed.key
        )


@check(
    "usage.completion-is-the-same-streamed",
    SHOULD,
    sends=(GREEDY, GREEDY_USAGE),
    requires=("chat.stream", "usage.stream"),
    spec=COMPLETION,
)
def completion_is_the_same_streamed(whole: Exchange, streamed: Exchange) -> Findings:
    """A stream has the `completion_tokens` of the whole answer of the same text, where there are no thoughts."""
    one, other = count(whole, "completion_tokens"), count(streamed, "completion_tokens")
    thoughts = [count(x, "completion_tokens_details", "reasoning_tokens") for x in (whole, streamed)]
    if one is None or other is None:
        yield Unsupported(NONE)
    elif whole.choice.text != streamed.choice.text or any(thoughts) or whole.choice.reasoning:
        yield Unwitnessed("the two answers are not of the same text")
    elif one != other:
        yield Finding(
            "streamed-count-another", "the streamed count is another", at=AT, expected=one, found=other, on=streamed.key
        )


@check(
    "usage.thoughts-are-counted-streamed",
    SHOULD,
    sends=(GREEDY, GREEDY_USAGE),
    requires=("chat.stream", "usage.stream"),
    spec=REPORTS.at(
        "SGLang", "thoughts were counted in whole answers only", "https://github.com/sgl-project/sglang/issues/15660"
    ),
)
def thoughts_are_counted_streamed(whole: Exchange, streamed: Exchange) -> Findings:
    """Where whole answers count `reasoning_tokens`, a stream that has as many tokens counts them too."""
    thought = count(whole, "completion_tokens_details", "reasoning_tokens") or 0
    one, other = count(whole, "completion_tokens") or 0, count(streamed, "completion_tokens") or 0
    if not thought:
        yield Unwitnessed("the model does not think, or does not say so")
    elif not count(streamed, "completion_tokens_details", "reasoning_tokens") and other > one - thought / 2:
        where = streamed.usage["completion_tokens_details"]
        yield Finding(
            "stream-counts-no-thoughts",
            "the stream counts no thoughts",
            at=where.pointer,
            expected=thought,
            found=where,
            on=streamed.key,
        )


@check(
    "usage.choices-are-summed",
    SHOULD,
    sends=(GREEDY, TWO),
    requires="chat.n",
    spec=SPEC.at(
        "CreateChatCompletionRequest.n",
        "Note that you will be charged based on the number of generated tokens across all of the choices.",
    ),
)
def choices_are_summed(one: Exchange, two: Exchange) -> Findings:
    """With `n: 2`, `completion_tokens` counts both choices."""
    single, both = count(one, "completion_tokens"), count(two, "completion_tokens")
    texts = {choice.text for choice in two.choices.values()}
    if not single or both is None:
        yield Unsupported(NONE)
    elif len(two.choices) != 2 or texts != {one.choice.text} or not one.choice.text:
        yield Unwitnessed("the choices are not of the same text as the single answer")
    elif both <= single:
        yield Finding(
            "two-choices-cost-much-one",
            "two choices cost as much as one",
            at=AT,
            expected=2 * single,
            found=both,
            on=two.key,
        )


def _once_more(*_: Exchange) -> Probe:
    return LONG.again()


@check(
    "usage.cached-tokens-in-both-modes",
    SHOULD,
    sends=LONG.then(lambda _: LONG_USAGE, _once_more),
    requires=("chat.stream", "usage.stream"),
    spec=REPORTS.at("oMLX", "cached tokens were null in whole answers", "https://github.com/jundot/omlx/issues/919"),
)
def cached_tokens_in_both_modes(_: Exchange, streamed: Exchange, whole: Exchange) -> Findings:
    """Where a stream says how many tokens of its prompt were cached, a whole answer after it says so too."""
    path = ("prompt_tokens_details", "cached_tokens")
    yield Observed(count(whole, *path), "cached tokens of a repeated prompt")
    if whole.usage.absent:
        yield Unsupported(NONE)
    elif not count(streamed, *path):
        yield Unwitnessed("the repeated prompt was not cached, or the stream does not say so")
    elif count(whole, *path) is None:
        where = whole.usage["prompt_tokens_details"]
        yield Finding(
            "whole-answer-does-not-say",
            "the whole answer does not say how many",
            at=where.pointer,
            found=where,
            on=whole.key,
        )


@check("usage.members", NOTE, sends=HELLO)
def members(x: Exchange) -> Findings:
    """The members of `usage` and of its details."""
    yield Observed(sorted(name for name, _ in x.usage.items()), "usage")
    for name, _ in PARTS:
        yield Observed(sorted(detail for detail, _ in x.usage[name].items()), name)
