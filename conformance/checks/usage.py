"""`usage`: the tokens that a request cost, whole and streamed. When a stream has it is judged in `stream_options.py`."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.core.check import OK, Area, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed, Unsupported, Unwitnessed
from conformance.core.reading.json import Value
from conformance.core.requirement import REPORTS, SPEC
from conformance.probes.chat import GREEDY, HELLO, STREAMED
from conformance.probes.streams import CAPPED_USAGE, GREEDY_USAGE, LONG, LONG_USAGE, TWO, USAGE, longer
from conformance.probes.tools import UNNEEDED

area = Area("usage")
BOTH_MODES = ("chat.stream", "usage.stream")

COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")
PARTS = (("prompt_tokens_details", "prompt_tokens"), ("completion_tokens_details", "completion_tokens"))
WITHIN = ("cached_tokens", "reasoning_tokens", "audio_tokens", "text_tokens", "image_tokens")
"""Details that are a part of the count. Rejected predictions are not: some servers count them on top."""
CACHED = ("prompt_tokens_details", "cached_tokens")
THOUGHTS = ("completion_tokens_details", "reasoning_tokens")
NONE = "the answer has no usage"
ZERO = "no tokens are counted, so there is nothing to compare with"
AT = "usage"
PROMPT = SPEC.at("CompletionUsage.prompt_tokens", "Number of tokens in the prompt.")
COMPLETION = SPEC.at("CompletionUsage.completion_tokens", "Number of tokens in the generated completion.")
MODES = each(HELLO, USAGE)


def count(x: Exchange, *path: str) -> int | None:
    """A count in the usage of an answer; None where it is missing or not an integer."""
    value = x.usage
    for step in path:
        value = value[step]
    return value.value if value.type == "integer" else None


def counted(x: Exchange, name: str) -> int:
    """A count in the usage of an answer. Raises Unsupported where it is missing or not an integer."""
    found = count(x, name)
    if found is None:
        raise Unsupported(NONE)
    return found


def has_usage(x: Exchange) -> None:
    """Raises Unsupported where an answer has no usage."""
    if x.usage.absent:
        raise Unsupported(NONE)


def usages(x: Exchange) -> Iterator[Value]:
    """Every `usage` in an answer that is present and not null."""
    return (body["usage"] for body in x.bodies if not body["usage"].missing)


@area.should(
    "is-there",
    sends=HELLO,
    spec=SPEC.at("CreateChatCompletionResponse.usage", "Usage statistics for the completion request."),
)
def is_there(x: Exchange) -> Findings:
    """A whole answer has `usage`."""
    if not x.streamed and x.json["usage"].missing:
        yield Finding("no-usage", "The answer has no `usage`", at="/usage", expected="object", found=x.json["usage"])


@area.must(
    "is-complete",
    sends=each(HELLO, STREAMED, USAGE),
    needs=OK,
    spec=SPEC.at("CompletionUsage", "required: [prompt_tokens, completion_tokens, total_tokens]"),
)
def is_complete(x: Exchange) -> Findings:
    """Where there is usage, it has three counts that are non-negative integers."""
    for value in (usage[name] for usage in usages(x) for name in COUNTS):
        if value.type != "integer" or value.value < 0:
            yield Finding(
                "invalid-count", "A token count is missing, negative or not an integer", at=value.pointer, found=value
            )


@area.must(
    "total-is-the-sum",
    sends=each(HELLO, USAGE, CAPPED_USAGE),
    spec=SPEC.at("CompletionUsage.total_tokens", "Total number of tokens used in the request (prompt + completion)."),
)
def total_is_the_sum(x: Exchange) -> Findings:
    """`total_tokens` is `prompt_tokens` plus `completion_tokens`."""
    prompt, completion, total = (counted(x, name) for name in COUNTS)
    if total != prompt + completion:
        yield Finding(
            "wrong-total",
            "The total is not the sum of prompt and completion tokens",
            at=x.usage.pointer,
            expected=prompt + completion,
            found=total,
        )


@area.must("prompt-is-counted", sends=MODES, spec=PROMPT)
def prompt_is_counted(x: Exchange) -> Findings:
    """`prompt_tokens` is more than 0, as every request has a prompt."""
    prompt = counted(x, "prompt_tokens")
    if prompt <= 0:
        yield Finding(
            "prompt-not-counted",
            "The prompt has text but no tokens are counted for it",
            at=x.usage["prompt_tokens"].pointer,
            found=prompt,
        )


@area.must("completion-is-counted", sends=MODES, spec=COMPLETION)
def completion_is_counted(x: Exchange) -> Findings:
    """`completion_tokens` is more than 0 where there is text."""
    completion = counted(x, "completion_tokens")
    if completion <= 0 and x.choice.text:
        yield Finding(
            "completion-not-counted",
            "The answer has text but no tokens are counted for it",
            at=x.usage["completion_tokens"].pointer,
            found=completion,
        )


@area.should(
    "details-are-parts",
    sends=each(HELLO, GREEDY_USAGE),
    spec=SPEC.at("CompletionUsage.completion_tokens_details", "Breakdown of tokens used in a completion."),
)
def details_are_parts(x: Exchange) -> Findings:
    """Every detail of the usage is an integer, and no more than the count that it is a part of."""
    has_usage(x)
    for name, whole in PARTS:
        limit = count(x, whole)
        for detail, value in x.usage[name].items():
            if detail.endswith("_tokens") and value.value is not None:
                if value.type != "integer" or value.value < 0:
                    yield Finding(
                        "invalid-detail",
                        "A detail of the usage is negative or not an integer",
                        at=value.pointer,
                        found=value,
                    )
                elif detail in WITHIN and limit is not None and value.value > limit:
                    yield Finding(
                        "part-exceeds-whole",
                        "A detail of the usage exceeds the count that it is a part of",
                        at=value.pointer,
                        expected=limit,
                        found=value,
                    )


@area.must("longer-prompts-cost-more", sends=longer, examples=4, spec=PROMPT)
def longer_prompts_cost_more(short: Exchange, long: Exchange) -> Findings:
    """A prompt with more words has more `prompt_tokens`."""
    few, many = counted(short, "prompt_tokens"), counted(long, "prompt_tokens")
    if few == 0:
        raise Unsupported(ZERO)
    if many <= few:
        yield Finding(
            "longer-prompt-not-more",
            "A longer prompt does not have more tokens",
            at=AT,
            expected=f"over {few}",
            found=many,
            on=long.key,
        )


@area.should("tools-are-counted", sends=(HELLO, UNNEEDED), requires="tools", spec=PROMPT)
def tools_are_counted(without: Exchange, offered: Exchange) -> Findings:
    """A request with a tool has more `prompt_tokens` than the same without."""
    few, many = counted(without, "prompt_tokens"), counted(offered, "prompt_tokens")
    if few == 0:
        raise Unsupported(ZERO)
    if many <= few:
        yield Finding(
            "tools-not-counted",
            "A tool does not add to the prompt tokens",
            at=AT,
            expected=f"over {few}",
            found=many,
            on=offered.key,
        )


@area.should("same-prompt-same-count", sends=(GREEDY, GREEDY.again()), spec=PROMPT)
def same_prompt_same_count(first: Exchange, second: Exchange) -> Findings:
    """The same prompt has the same `prompt_tokens` each time."""
    expected, found = counted(first, "prompt_tokens"), counted(second, "prompt_tokens")
    if expected != found:
        yield Finding(
            "count-changes",
            "The same prompt has a different count the second time",
            at=AT,
            expected=expected,
            found=found,
            on=second.key,
        )


@area.must(
    "prompt-is-the-same-streamed",
    sends=(HELLO, USAGE),
    requires=BOTH_MODES,
    spec=PROMPT,
    remedy="the usage of the stream is estimated on the way: bill by whole answers",
)
def prompt_is_the_same_streamed(whole: Exchange, streamed: Exchange) -> Findings:
    """A stream has the same `prompt_tokens` as the whole answer."""
    expected, found = counted(whole, "prompt_tokens"), counted(streamed, "prompt_tokens")
    if expected != found:
        yield Finding(
            "count-differs",
            "The count of the stream differs from that of the whole answer",
            at=AT,
            expected=expected,
            found=found,
            on=streamed.key,
        )


@area.should("completion-is-the-same-streamed", sends=(GREEDY, GREEDY_USAGE), requires=BOTH_MODES, spec=COMPLETION)
def completion_is_the_same_streamed(whole: Exchange, streamed: Exchange) -> Findings:
    """A stream has the same `completion_tokens` as the whole answer of the same text, where there are no thoughts."""
    expected, found = counted(whole, "completion_tokens"), counted(streamed, "completion_tokens")
    thoughts = [count(x, *THOUGHTS) for x in (whole, streamed)]
    if whole.choice.text != streamed.choice.text or any(thoughts) or whole.choice.reasoning:
        raise Unwitnessed("the two answers are not of the same text")
    if expected != found:
        yield Finding(
            "count-differs",
            "The count of the stream differs from that of the whole answer",
            at=AT,
            expected=expected,
            found=found,
            on=streamed.key,
        )


@area.should(
    "thoughts-are-counted-streamed",
    sends=(GREEDY, GREEDY_USAGE),
    requires=BOTH_MODES,
    spec=REPORTS.at(
        "SGLang", "thoughts were counted in whole answers only", "https://github.com/sgl-project/sglang/issues/15660"
    ),
)
def thoughts_are_counted_streamed(whole: Exchange, streamed: Exchange) -> Findings:
    """Where whole answers count `reasoning_tokens`, a stream with as many tokens counts them too."""
    thoughts = count(whole, *THOUGHTS) or 0
    if not thoughts:
        raise Unwitnessed("the model does not think, or does not say so")
    # The same request may be answered with fewer thoughts the second time: then it has fewer tokens, too.
    fewest = (count(whole, "completion_tokens") or 0) - thoughts / 2
    if not count(streamed, *THOUGHTS) and (count(streamed, "completion_tokens") or 0) > fewest:
        where = streamed.usage["completion_tokens_details"]
        yield Finding(
            "reasoning-not-counted",
            "The stream counts no reasoning tokens",
            at=where.pointer,
            expected=thoughts,
            found=where,
            on=streamed.key,
        )


@area.should(
    "choices-are-summed",
    sends=(GREEDY, TWO),
    requires="chat.n",
    spec=SPEC.at(
        "CreateChatCompletionRequest.n",
        "Note that you will be charged based on the number of generated tokens across all of the choices.",
    ),
)
def choices_are_summed(single: Exchange, double: Exchange) -> Findings:
    """With `n: 2`, `completion_tokens` counts both choices."""
    few, many = counted(single, "completion_tokens"), counted(double, "completion_tokens")
    if few == 0:
        raise Unsupported(ZERO)
    if not single.choice.text or [choice.text for choice in double.choices.values()] != [single.choice.text] * 2:
        raise Unwitnessed("the choices are not of the same text as the single answer")
    if many <= few:
        yield Finding(
            "choices-not-summed",
            "Two choices have no more tokens than one",
            at=AT,
            expected=2 * few,
            found=many,
            on=double.key,
        )


@area.should(
    "cached-tokens-in-both-modes",
    sends=LONG.then(lambda *_: LONG_USAGE, lambda *_: LONG.again()),
    requires=BOTH_MODES,
    spec=REPORTS.at("oMLX", "cached tokens were null in whole answers", "https://github.com/jundot/omlx/issues/919"),
)
def cached_tokens_in_both_modes(_: Exchange, streamed: Exchange, whole: Exchange) -> Findings:
    """Where a stream says how many tokens of its prompt were cached, a whole answer after it says so too."""
    has_usage(whole)
    if not count(streamed, *CACHED):
        raise Unwitnessed("the repeated prompt was not cached, or the stream does not say so")
    cached = count(whole, *CACHED)
    yield Observed(cached, "cached tokens of a repeated prompt")
    if cached is None:
        where = whole.usage["prompt_tokens_details"]
        yield Finding(
            "no-cached-tokens",
            "The whole answer does not count cached tokens",
            at=where.pointer,
            found=where,
            on=whole.key,
        )


@area.note("members", sends=HELLO)
def members(x: Exchange) -> Findings:
    """The members of `usage` and of its details are recorded."""
    yield Observed(sorted(name for name, _ in x.usage.items()), "usage")
    for name, _ in PARTS:
        yield Observed(sorted(detail for detail, _ in x.usage[name].items()), name)
