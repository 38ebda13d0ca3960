"""Which values parameters take, and how long an answer may get.

Values that a server is free to refuse are a note; those that have to be refused are in `invalid`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from conformance.checks.sampling import refusal, served
from conformance.core.check import ANSWER, REPLY, Area
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed, Unwitnessed
from conformance.core.probe import Probe
from conformance.core.requirement import OPENAI_PYTHON, REPORTS, SPEC
from conformance.probes.chat import COUNT, HELLO, chat
from conformance.probes.invalid import HUGE_CAP, either
from conformance.probes.streams import GREEDY_COUNT

area = Area("sampling", needs=REPLY)

CAPPED = COUNT.asking(max_completion_tokens=5)
DEFAULTS = chat(temperature=1, top_p=1, n=1, presence_penalty=0, frequency_penalty=0, stream=False)
NULLS = chat(temperature=None, top_p=None, n=None, stop=None, max_completion_tokens=None, seed=None, stream=None)

CAP = SPEC.at(
    "CreateChatCompletionRequest.max_completion_tokens",
    "An upper bound for the number of tokens that can be generated for a completion, including visible output tokens "
    "and [reasoning tokens](/docs/guides/reasoning).",
)
LENGTH = SPEC.at(
    "CreateChatCompletionResponse.choices.finish_reason",
    "`length` if the maximum number of tokens specified in the request was reached",
)


def with_one(**members: SearchStrategy[Any]) -> SearchStrategy[Probe]:
    """The plainest request with one of these members, its value drawn."""
    wishes = [st.tuples(st.just(name), values) for name, values in members.items()]
    return st.one_of(*wishes).map(lambda drawn: HELLO.asking(**{drawn[0]: drawn[1]}))


@area.should(
    "defaults-are-accepted",
    sends=DEFAULTS,
    spec=SPEC.at("ModelResponseProperties.top_p", "minimum: 0, maximum: 1, default: 1"),
    remedy="Leave default values out of the requests: several clients write them out.",
)
def defaults_are_accepted(x: Exchange) -> Findings:
    """A request that writes out the default values of its parameters is answered."""
    if not x.ok:
        yield Finding("refused", "Default values are refused", **refusal(x))


@area.should(
    "null-means-absent",
    sends=NULLS,
    spec=SPEC.at("CreateChatCompletionRequest.max_completion_tokens", "type: integer, nullable: true"),
    remedy="Have the client leave out members without a value (exclude_none).",
)
def null_means_absent(x: Exchange) -> Findings:
    """A parameter that is null counts as one that is absent."""
    if not x.ok:
        yield Finding("refused", "A parameter that is null is refused", **refusal(x))


@area.must(
    "valid-values-are-accepted",
    sends=with_one(
        temperature=st.one_of(st.floats(0, 2), st.sampled_from([0, 1, 2, 0.1 + 0.2])),
        top_p=st.floats(0.05, 1),
        frequency_penalty=st.floats(-2, 2),
        presence_penalty=st.floats(-2, 2),
        seed=st.integers(-(2**63), 2**63 - 1),
        stop=st.lists(st.sampled_from(["\n", "\n\nUser:", "世界", "😀", '"', "\\", "</s>"]), min_size=1, max_size=4),
    ),
    examples=12,
    spec=SPEC.at("CreateChatCompletionRequest.frequency_penalty", "type: number, default: 0, minimum: -2, maximum: 2"),
)
def valid_values_are_accepted(x: Exchange) -> Findings:
    """Any value within a parameter's documented range is answered, or the parameter is refused by name."""
    yield from served(x)


HINTS: dict[str, Any] = {
    "user": "conformance",
    "store": False,
    "metadata": {"purpose": "conformance"},
    "service_tier": "auto",
    "prompt_cache_key": "conformance",
    "safety_identifier": "conformance",
    "verbosity": "medium",
    "reasoning_effort": "low",
    "modalities": ["text"],
    "prediction": {"type": "content", "content": "Hello from the tiny model."},
}
"""What a client may send along to any server: it asks for nothing that would show in the answer."""


@area.should(
    "hints-are-taken-or-refused",
    sends=st.sampled_from([HELLO.asking(**{name: value}) for name, value in HINTS.items()]),
    examples=10,
    spec=REPORTS.at(
        "litellm",
        "A parameter that the provider does not know came back as a 500, and was retried instead of being left out.",
        "https://github.com/BerriAI/litellm/issues/3923",
    ),
)
def hints_are_taken_or_refused(x: Exchange) -> Findings:
    """A documented parameter that is only a hint is taken, or refused by its name."""
    yield from served(x)


EXTREMES: dict[str, list[Any]] = {
    "seed": [2**63, -(2**63) - 1, 2**64, 10**30, 1.5],
    "max_completion_tokens": [2**31, 2**63, 10**30, 0.5, True],
    "temperature": [1e308, -0.0, 5e-324, 2.0000001, True, 10**30],
    "top_p": [0, 5e-324, 1.0000001, -1e308],
    "stop": ["", [], [""], ["\u0000"], ["x" * 5000], ["a", "b", "c", "d", "e"], [None]],
    "frequency_penalty": [1e308, -1e308, 2.0000001],
    "logit_bias": [{}, {"-1": 0}, {"99999999": 1}, {"abc": 1}, {"1": 1000}, {"1": 0.5}, {"1": None}],
    "top_logprobs": [10**30, -1, 0.5, True],
}


@area.should(
    "extreme-values-are-no-server-error",
    sends=either(
        st.sampled_from([HELLO.asking(**{name: value}) for name, values in EXTREMES.items() for value in values])
    ),
    examples=16,
    spec=OPENAI_PYTHON.at("retries", "an answer of 500 or above is sent again twice, a 400 is raised at once"),
    remedy="Check the ranges in the client; retries only repeat this fault.",
)
def extreme_values_are_no_server_error(x: Exchange) -> Findings:
    """A parameter at or beyond the edge of its range is answered or refused, never a server error."""
    if x.crashed:
        yield Finding(
            "server-error",
            "A value at the edge of its range causes a server error",
            expected="2xx or 4xx",
            found=x.status,
        )


@area.must(
    "max-completion-tokens-is-accepted",
    sends=CAPPED,
    spec=SPEC.at(
        "CreateChatCompletionRequest.max_tokens",
        "This value is now deprecated in favor of `max_completion_tokens`, and is not compatible with "
        "[o-series models](/docs/guides/reasoning).",
    ),
    remedy="Rename the member to max_tokens in the client (LangChain: extra_body).",
)
def max_completion_tokens_is_accepted(x: Exchange) -> Findings:
    """A request with `max_completion_tokens` is answered: it is the one cap that every current model takes."""
    if not x.ok:
        yield Finding("refused", "`max_completion_tokens` is refused", **refusal(x))


def _beyond(x: Exchange, cap: int) -> Iterator[Finding]:
    """A finding where more tokens came than the cap allows, by the server's count or ours: a number is one or more."""
    spent = x.usage["completion_tokens"]
    counted = len(re.findall(r"[0-9]+", x.choice.text))
    if not x.streamed and spent.type == "integer" and spent.value > cap:
        yield Finding(
            "too-many-tokens",
            "More tokens were generated than the cap allows",
            at=spent.pointer,
            expected=cap,
            found=spent,
        )
    elif counted > cap:
        yield Finding("text-too-long", "The text is longer than the cap allows", expected=cap, found=x.choice.text)


@area.must(
    "cap-is-kept",
    sends=either(st.integers(1, 32).map(lambda cap: COUNT.asking(max_completion_tokens=cap))),
    needs=ANSWER,
    examples=6,
    spec=CAP,
)
def cap_is_kept(x: Exchange) -> Findings:
    """No answer has more tokens than `max_completion_tokens`."""
    yield from _beyond(x, x.probe.wish["max_completion_tokens"])


@area.must(
    "old-cap-is-kept",
    sends=st.integers(1, 32).map(lambda cap: COUNT.asking(max_tokens=cap)),
    needs=ANSWER,
    examples=4,
    spec=SPEC.at(
        "CreateChatCompletionRequest.max_tokens",
        "The maximum number of [tokens](/tokenizer) that can be generated in the chat completion.",
    ),
)
def old_cap_is_kept(x: Exchange) -> Findings:
    """No answer has more tokens than `max_tokens`, the deprecated name of the cap."""
    yield from _beyond(x, x.probe.wish["max_tokens"])


@area.must("capped-ends-with-length", sends=CAPPED, needs=ANSWER, spec=LENGTH)
def capped_ends_with_length(x: Exchange) -> Findings:
    """An answer that the cap cut off has the `finish_reason` `length`."""
    spent, reason = x.usage["completion_tokens"].value, x.choice.finish_reason
    if any(_beyond(x, 5)):
        raise Unwitnessed("the cap was not kept")
    if reason == "length" or (x.choice.calls and reason == "tool_calls"):
        return
    if x.choice.text.rstrip().endswith("40") or (isinstance(spent, int) and spent < 5):
        raise Unwitnessed("the answer ended before the cap")
    if reason:
        yield Finding(
            "other-finish-reason",
            "The `finish_reason` of an answer that was cut off is not `length`",
            expected="length",
            found=reason,
        )


@area.should(
    "cap-cuts-the-same-text",
    sends=(GREEDY_COUNT, GREEDY_COUNT.asking(max_completion_tokens=16)),
    needs=ANSWER,
    spec=LENGTH,
)
def cap_cuts_the_same_text(whole: Exchange, cut: Exchange) -> Findings:
    """At temperature 0, a capped answer is the beginning of the one without the cap."""
    text = cut.choice.text.rstrip("\ufffd").strip()
    if not text:
        raise Unwitnessed("no text fits under the cap")
    if not whole.choice.text.strip().startswith(text):
        expected = whole.choice.text[: len(text)]
        yield Finding(
            "text-differs",
            "The capped answer is not the beginning of the whole one",
            expected=expected,
            found=text,
            on=cut.key,
        )


DISPUTED = {
    "max_completion_tokens 0": HELLO.asking(max_completion_tokens=0),
    "top_p 0": HELLO.asking(top_p=0),
    "five stops": HELLO.asking(stop=["v", "w", "x", "y", "z"]),
    "empty stop": HELLO.asking(stop=""),
    "frequency_penalty 4": HELLO.asking(frequency_penalty=4),
    "max_completion_tokens 100000000": HUGE_CAP,
    "both caps": COUNT.asking(max_tokens=20, max_completion_tokens=5),
}


@area.note("disputed-values", sends=st.sampled_from(list(DISPUTED.values())))
def disputed_values(x: Exchange) -> Findings:
    """What becomes of values on which servers differ: a cap of 0, five stop strings, two caps at once."""
    name = next(name for name, probe in DISPUTED.items() if probe.key == x.key)
    yield Observed("answered" if x.ok else x.status, name)
