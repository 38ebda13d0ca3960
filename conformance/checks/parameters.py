"""Optional parameters by their effect: each is honoured or refused by name, and not silently ignored.

The probes are such that the answer differs where the parameter works. What has a check elsewhere (stop strings, caps,
`n`, biases, tools, formats) is not asked again. What only some servers do is in `parameters_services.py`, and what has
no visible effect in `parameters_hints.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from conformance.core.check import REPLY, Area
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Unsupported, Unwitnessed
from conformance.core.reading.calls import CUT_SHORT
from conformance.core.requirement import SPEC
from conformance.judging.refusal import named, status_and_message
from conformance.probes.chat import chat
from conformance.probes.parameters import (
    COLD,
    FUNCTION_NAMED,
    FUNCTION_NONE,
    FUNCTIONS,
    HOT,
    TOP,
    frequent,
    narrow,
    present,
)
from conformance.probes.tools import ASK

REQUEST = "CreateChatCompletionRequest"
OPENING_WORDS = 8
"""How many words of answers at temperature 0 are compared: engines that batch requests drift apart later."""
SHORT_ANSWER = 8
"""Below so many words, a model may be so sure of its answer that even a temperature of 2 changes none of them."""
REPEATED = 12
"""How often a word has to come before a penalty for it is sure to be felt."""
LONG_TEXT = 100
"""So many words have some close call among them that any penalty decides otherwise."""

area = Area("parameters", needs=REPLY)


def need_answers(xs: Sequence[Exchange], *names: str) -> None:
    """Raises Unsupported where one of these parameters is refused by name, Unwitnessed where an answer is missing.

    A refusal of another parameter says nothing about these, nor does an answer that cannot be read.
    """
    for x in xs:
        feature = named(x)
        if feature in names:
            raise Unsupported(f"the server refuses `{feature}` ({x.status})")
        if not x.ok:
            raise Unwitnessed(f"answered {x.status}" + (f" because of `{feature}`" if feature else ""))
        if not x.streamed and x.json["choices"][0]["message"].type != "object":
            raise Unwitnessed("the answer cannot be read")


def accepted_or_refused(x: Exchange, *names: str) -> Findings:
    """A finding where a plain request with nothing but these parameters is refused, and not by their names.

    Raises as `need_answers` does otherwise. A refusal that is no error object is for other checks.
    """
    refused = x.status is not None and (x.status >= 500 or (x.status >= 400 and x.error.type == "object"))
    if refused and named(x) not in names:
        yield Finding(
            "neither-taken-nor-refused",
            "A documented parameter is neither honoured nor refused by name",
            found=status_and_message(x),
            on=x.key,
        )
        return
    need_answers((x,), *names)
    if x.streamed and not x.probe.streamed:
        raise Unwitnessed("the answer is a stream")


def texts(xs: Sequence[Exchange]) -> list[str]:
    """The answers, without the blanks around them."""
    return [x.choice.text.strip() for x in xs]


def all_differ(xs: Sequence[Exchange]) -> bool:
    """Whether no two answers begin with the same words: they were left to chance."""
    return len({tuple(text.split()[:OPENING_WORDS]) for text in texts(xs)}) == len(xs)


@area.should(
    "temperature-is-honoured-or-refused",
    sends=(*COLD, *HOT),
    spec=SPEC.at(
        f"{REQUEST}.temperature",
        "Higher values like 0.8 will make the output more random, while lower values like 0.2 will make it more "
        "focused and deterministic.",
    ),
    remedy="Set the temperature where the server reads it (its own defaults, or an extra parameter).",
)
def temperature(*xs: Exchange) -> Findings:
    """`temperature` is honoured or refused: at 0 answers repeat themselves, at 2 they vary."""
    need_answers(xs, "temperature")
    cold, hot = xs[: len(COLD)], xs[len(COLD) :]
    if not all(texts(xs)):
        raise Unwitnessed("an answer has no text")
    if all_differ(cold):
        yield Finding("cold-answers-differ", "At temperature 0 every answer is different", found=texts(cold))
    elif len(set(texts(xs))) == 1:
        if len(texts(xs)[0].split()) < SHORT_ANSWER:
            raise Unwitnessed("the answer is so short that the model may be sure of it")
        yield Finding(
            "hot-answers-same",
            "The answers at temperature 2 are the same as at temperature 0",
            found=texts(hot),
            on=hot[0].key,
        )


@area.should(
    "top-p-is-honoured-or-refused",
    sends=narrow,
    examples=1,
    spec=SPEC.at(
        f"{REQUEST}.top_p", "So 0.1 means only the tokens comprising the top 10% probability mass are considered."
    ),
)
def top_p(*xs: Exchange) -> Findings:
    """`top_p` is honoured or refused: with a very small one answers repeat themselves, at any temperature."""
    need_answers(xs, "top_p")
    bound, free = xs[: len(HOT)], xs[len(HOT) :]
    if not all(texts(xs)) or not all_differ(free):
        raise Unwitnessed("without top_p the answers do not differ enough either")
    if all_differ(bound):
        yield Finding("answers-differ", "With a very small `top_p` every answer is different", found=texts(bound))


@area.should(
    "seed-is-honoured-or-refused",
    sends=(*COLD, *HOT),
    requires="seed",
    spec=SPEC.at(
        f"{REQUEST}.seed",
        "our system will make a best effort to sample deterministically, such that repeated requests with the same "
        "`seed` and parameters should return the same result.",
    ),
    remedy="Do not send a seed where answers have to differ.",
)
def seed(*xs: Exchange) -> Findings:
    """`seed` is honoured or refused: different seeds give different answers, where anything is left to chance."""
    need_answers(xs, "seed")
    cold, hot = texts(xs[: len(COLD)]), texts(xs[len(COLD) :])
    if not all(hot) or set(hot) <= set(cold):
        raise Unwitnessed("nothing is left to chance")
    if len(set(hot)) == 1:
        yield Finding("answers-same", "Every seed gives the same answer", found=hot, on=xs[-1].key)


@area.should(
    "frequency-penalty-is-honoured-or-refused",
    sends=frequent,
    examples=1,
    requires="penalties",
    spec=SPEC.at(
        f"{REQUEST}.frequency_penalty",
        "Positive values penalize new tokens based on their existing frequency in the text so far, decreasing the "
        "model's likelihood to repeat the same line verbatim.",
    ),
)
def frequency_penalty(free: Exchange, penalised: Exchange) -> Findings:
    """`frequency_penalty` is honoured or refused: it changes a text that repeats one word."""
    need_answers((free, penalised), "frequency_penalty")
    if max(Counter(free.choice.text.split()).values(), default=0) < REPEATED:
        raise Unwitnessed("without the penalty the model does not repeat itself")
    if penalised.choice.text == free.choice.text:
        yield Finding("no-effect", "The penalty changes nothing", found=penalised.choice.text, on=penalised.key)


@area.should(
    "presence-penalty-is-honoured-or-refused",
    sends=present,
    examples=1,
    requires="penalties",
    spec=SPEC.at(
        f"{REQUEST}.presence_penalty",
        "Positive values penalize new tokens based on whether they appear in the text so far, increasing the model's "
        "likelihood to talk about new topics.",
    ),
)
def presence_penalty(echo: Exchange, other: Exchange, free: Exchange, penalised: Exchange) -> Findings:
    """`presence_penalty` is honoured or refused: it changes a text that repeats one word, or at least a long one."""
    need_answers((echo, other, free, penalised), "presence_penalty")
    if echo.choice.text != other.choice.text:
        return
    if len(free.choice.text.split()) < LONG_TEXT:
        raise Unwitnessed("without the penalty the text is not long enough")
    if penalised.choice.text == free.choice.text:
        yield Finding("no-effect", "The penalty changes nothing", found=penalised.choice.text[:300], on=penalised.key)


@area.should(
    "top-logprobs-is-honoured-or-refused",
    sends=TOP,
    requires="logprobs",
    spec=SPEC.at(
        f"{REQUEST}.top_logprobs",
        "An integer between 0 and 20 specifying the maximum number of most likely tokens to return at each token "
        "position",
    ),
)
def top_logprobs(x: Exchange) -> Findings:
    """`top_logprobs` is honoured or refused: at least one position has alternatives."""
    need_answers((x,), "top_logprobs", "logprobs")
    entries = [entry for value in x.bodies for choice in value["choices"] for entry in choice["logprobs"]["content"]]
    if not entries:
        raise Unwitnessed("no log probabilities came")
    if max(len(entry["top_logprobs"]) for entry in entries) < 2:
        yield Finding(
            "no-alternatives", "No position has alternatives", at=entries[0]["top_logprobs"].pointer, expected=5
        )


@area.should(
    "functions-is-honoured-or-refused",
    sends=(chat(ASK), FUNCTIONS),
    spec=SPEC.at(f"{REQUEST}.functions", "A list of functions the model may generate JSON inputs for."),
    remedy="Send `tools` instead: `functions` is deprecated.",
)
def functions(without: Exchange, x: Exchange) -> Findings:
    """`functions` are honoured or refused: one is called, or they are at least counted in the prompt."""
    yield from accepted_or_refused(x, "functions")
    less, more = without.usage["prompt_tokens"], x.usage["prompt_tokens"]
    if not x.ok or x.json["choices"][0]["message"]["function_call"].type == "object" or x.choice.calls:
        return
    if less.type != "integer" or more.type != "integer":
        raise Unwitnessed("there is no call, and tokens are not counted")
    if more.value <= less.value:
        yield Finding(
            "no-effect",
            "The functions are neither called nor counted in the prompt",
            at=more.pointer,
            expected=f"over {less.value}",
            found=more,
            on=x.key,
        )


@area.should(
    "function-call-is-honoured-or-refused",
    sends=(FUNCTION_NAMED, FUNCTION_NONE),
    spec=SPEC.at(
        "ChatCompletionFunctionCallOption",
        'Specifying a particular function via `{"name": "my_function"}` forces the model to call that function.',
    ),
    remedy="Send `tool_choice` instead: `function_call` is deprecated.",
)
def function_call(forced: Exchange, none: Exchange) -> Findings:
    """`function_call` is honoured or refused: a function that is named is called, and under `none` nothing is."""
    yield from accepted_or_refused(forced, "function_call", "functions")
    need_answers((none,), "function_call", "functions")
    call, unasked = (x.json["choices"][0]["message"]["function_call"] for x in (forced, none))
    if forced.ok and call.type != "object" and forced.choice.finish_reason not in CUT_SHORT:
        if forced.choice.calls:
            yield Finding("tool-call", "The call comes as a tool call", at=call.pointer, expected="object", found=call)
        else:
            yield Finding(
                "no-call", "A function was named, but there is no call", at=call.pointer, found=forced.choice.text[:200]
            )
    if none.ok and unasked.type == "object":
        yield Finding(
            "called", "Calls were forbidden, but there is one", at=unasked.pointer, found=unasked, on=none.key
        )
