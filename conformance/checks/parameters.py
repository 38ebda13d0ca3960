"""Optional parameters by their effect: each is honoured, or refused by its name; it is not silently ignored.

The probes are such that the answer differs where the parameter works. What has a check elsewhere (stop strings, caps,
`n`, biases, tools, formats) is not asked again. What only some servers do is in `more_services`, and what has no effect
that shows in `more_parameters`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from conformance.core.check import REPLY, check
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Unsupported, Unwitnessed
from conformance.core.reading.calls import CUT_SHORT
from conformance.core.requirement import SHOULD, SPEC
from conformance.judging.refusal import message, named
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
OPENING = 8
"""Words of an answer that are compared where nothing is left to chance: engines that batch drift apart later."""
ENOUGH = 8
"""Words of an answer which no model is so sure of that a temperature of 2 would leave every one as it is."""
REPEATED = 12
"""How often a word has to come before a penalty for it is sure to be felt."""
LONG = 100
"""Words of a text in which some choice is close enough for any penalty to turn it."""


def served(xs: Sequence[Exchange], *names: str) -> Findings:
    """What to say where a request is not answered: one of these parameters is refused by its name, or nothing is known.

    Another parameter that the server will not take says nothing about these, nor does an answer that cannot be read.
    """
    for x in xs:
        feature = "" if x.ok else named(x)
        if feature in names:
            yield Unsupported(f"the server refuses `{feature}` ({x.status})")
        elif not x.ok:
            yield Unwitnessed(f"answered {x.status}" + (f", for the sake of `{feature}`" if feature else ""))
        elif not x.streamed and x.json["choices"][0]["message"].type != "object":
            yield Unwitnessed("the answer cannot be read")


def only(x: Exchange, *names: str) -> Findings:
    """The same for a plain request with nothing but these parameters: where they are not named, something is wrong.

    A refusal that is no error object is for other checks.
    """
    refused = x.status is not None and (x.status >= 500 or (x.status >= 400 and x.error.type == "object"))
    if refused and named(x) not in names:
        found = {"status": x.status, "message": message(x)[:300]}
        yield Finding(
            "documented-parameter-neither-taken-nor",
            "a documented parameter is neither taken nor refused by its name",
            found=found,
            on=x.key,
        )
    else:
        yield from served((x,), *names)
        if x.streamed and not x.probe.streamed:
            yield Unwitnessed("the answer is a stream")


def texts(xs: Sequence[Exchange]) -> list[str]:
    """The answers, without the blanks around them."""
    return [x.choice.text.strip() for x in xs]


def scattered(xs: Sequence[Exchange]) -> bool:
    """Whether no two answers begin with the same words: they were left to chance."""
    return len({tuple(text.split()[:OPENING]) for text in texts(xs)}) == len(xs)


@check(
    "parameters.temperature-is-honoured-or-refused",
    SHOULD,
    sends=(*COLD, *HOT),
    needs=REPLY,
    spec=SPEC.at(
        f"{REQUEST}.temperature",
        "Higher values like 0.8 will make the output more random, while lower values like 0.2 will make it more "
        "focused and deterministic.",
    ),
    remedy="Set the temperature where the server reads it (its own defaults, or an extra parameter).",
)
def temperature(*xs: Exchange) -> Findings:
    """`temperature` is honoured, or refused: 0 leaves nothing to chance, 2 leaves much."""
    yield from served(xs, "temperature")
    cold, hot = xs[: len(COLD)], xs[len(COLD) :]
    if not all(texts(xs)):
        yield Unwitnessed("an answer has no text")
    elif scattered(cold):
        yield Finding(
            "temperature-0-every-answer-another", "at temperature 0 every answer is another", found=texts(cold)
        )
    elif len(set(texts(xs))) == 1 and len(texts(xs)[0].split()) < ENOUGH:
        yield Unwitnessed("the answer is so short that the model may be sure of it")
    elif len(set(texts(xs))) == 1:
        yield Finding(
            "temperature-2-answer-temperature-0",
            "at temperature 2 the answer is that of temperature 0",
            found=texts(hot),
            on=hot[0].key,
        )


@check(
    "parameters.top-p-is-honoured-or-refused",
    SHOULD,
    sends=narrow,
    needs=REPLY,
    examples=1,
    spec=SPEC.at(
        f"{REQUEST}.top_p", "So 0.1 means only the tokens comprising the top 10% probability mass are considered."
    ),
)
def top_p(*xs: Exchange) -> Findings:
    """`top_p` is honoured, or refused: a very small one leaves nothing to chance, at any temperature."""
    yield from served(xs, "top_p")
    bound, free = xs[: len(HOT)], xs[len(HOT) :]
    if not all(texts(xs)) or not scattered(free):
        yield Unwitnessed("without top_p the answers do not differ enough either")
    elif scattered(bound):
        yield Finding("very-small-top-p-every", "with a very small top_p every answer is another", found=texts(bound))


@check(
    "parameters.seed-is-honoured-or-refused",
    SHOULD,
    sends=(*COLD, *HOT),
    needs=REPLY,
    requires="seed",
    spec=SPEC.at(
        f"{REQUEST}.seed",
        "our system will make a best effort to sample deterministically, such that repeated requests with the same "
        "`seed` and parameters should return the same result.",
    ),
    remedy="Do not send a seed where answers have to differ.",
)
def seed(*xs: Exchange) -> Findings:
    """`seed` is honoured, or refused: other seeds give other answers, where anything is left to chance."""
    yield from served(xs, "seed")
    cold, hot = texts(xs[: len(COLD)]), texts(xs[len(COLD) :])
    if not all(hot) or set(hot) <= set(cold):
        yield Unwitnessed("nothing is left to chance")
    elif len(set(hot)) == 1:
        yield Finding("every-seed-gives-same-answer", "every seed gives the same answer", found=hot, on=xs[-1].key)


@check(
    "parameters.frequency-penalty-is-honoured-or-refused",
    SHOULD,
    sends=frequent,
    needs=REPLY,
    examples=1,
    requires="penalties",
    spec=SPEC.at(
        f"{REQUEST}.frequency_penalty",
        "Positive values penalize new tokens based on their existing frequency in the text so far, decreasing the "
        "model's likelihood to repeat the same line verbatim.",
    ),
)
def frequency_penalty(free: Exchange, penalised: Exchange) -> Findings:
    """`frequency_penalty` is honoured, or refused: a text that repeats one word becomes another."""
    yield from served((free, penalised), "frequency_penalty")
    if max(Counter(free.choice.text.split()).values(), default=0) < REPEATED:
        yield Unwitnessed("without the penalty the model does not repeat itself")
    elif penalised.choice.text == free.choice.text:
        yield Finding(
            "penalty-changes-nothing", "the penalty changes nothing", found=penalised.choice.text, on=penalised.key
        )


@check(
    "parameters.presence-penalty-is-honoured-or-refused",
    SHOULD,
    sends=present,
    needs=REPLY,
    examples=1,
    requires="penalties",
    spec=SPEC.at(
        f"{REQUEST}.presence_penalty",
        "Positive values penalize new tokens based on whether they appear in the text so far, increasing the model's "
        "likelihood to talk about new topics.",
    ),
)
def presence_penalty(echo: Exchange, other: Exchange, free: Exchange, penalised: Exchange) -> Findings:
    """`presence_penalty` is honoured, or refused: it changes a text that repeats one word, or at least a long one."""
    yield from served((echo, other, free, penalised), "presence_penalty")
    if echo.choice.text != other.choice.text:
        return
    if len(free.choice.text.split()) < LONG:
        yield Unwitnessed("without the penalty the text is not long enough")
    elif penalised.choice.text == free.choice.text:
        yield Finding(
            "penalty-changes-nothing",
            "the penalty changes nothing",
            found=penalised.choice.text[:300],
            on=penalised.key,
        )


@check(
    "parameters.top-logprobs-is-honoured-or-refused",
    SHOULD,
    sends=TOP,
    needs=REPLY,
    requires="logprobs",
    spec=SPEC.at(
        f"{REQUEST}.top_logprobs",
        "An integer between 0 and 20 specifying the maximum number of most likely tokens to return at each token "
        "position",
    ),
)
def top_logprobs(x: Exchange) -> Findings:
    """`top_logprobs` is honoured, or refused: alternatives come, at one position at least."""
    yield from served((x,), "top_logprobs", "logprobs")
    entries = [entry for value in x.bodies for choice in value["choices"] for entry in choice["logprobs"]["content"]]
    if not entries:
        yield Unwitnessed("no log probabilities came")
    elif max(len(entry["top_logprobs"]) for entry in entries) < 2:
        yield Finding(
            "no-position-alternatives",
            "no position has alternatives",
            at=entries[0]["top_logprobs"].pointer,
            expected=5,
        )


@check(
    "parameters.functions-is-honoured-or-refused",
    SHOULD,
    sends=(chat(ASK), FUNCTIONS),
    needs=REPLY,
    spec=SPEC.at(f"{REQUEST}.functions", "A list of functions the model may generate JSON inputs for."),
    remedy="Send `tools` instead: `functions` is deprecated.",
)
def functions(without: Exchange, x: Exchange) -> Findings:
    """`functions` are honoured, or refused: one is called, or they are counted in the prompt at least."""
    yield from only(x, "functions")
    less, more = without.usage["prompt_tokens"], x.usage["prompt_tokens"]
    if not x.ok or x.json["choices"][0]["message"]["function_call"].type == "object" or x.choice.calls:
        return
    if less.type != "integer" or more.type != "integer":
        yield Unwitnessed("there is no call, and tokens are not counted")
    elif more.value <= less.value:
        at, expected = more.pointer, f"over {less.value}"
        yield Finding(
            "functions-neither-called-nor-counted",
            "functions are neither called nor counted",
            at=at,
            expected=expected,
            found=more,
            on=x.key,
        )


@check(
    "parameters.function-call-is-honoured-or-refused",
    SHOULD,
    sends=(FUNCTION_NAMED, FUNCTION_NONE),
    needs=REPLY,
    spec=SPEC.at(
        "ChatCompletionFunctionCallOption",
        'Specifying a particular function via `{"name": "my_function"}` forces the model to call that function.',
    ),
    remedy="Send `tool_choice` instead: `function_call` is deprecated.",
)
def function_call(forced: Exchange, none: Exchange) -> Findings:
    """`function_call` is honoured, or refused: the function that is named is called, and none where none may be."""
    yield from only(forced, "function_call", "functions")
    yield from served((none,), "function_call", "functions")
    call, unasked = (x.json["choices"][0]["message"]["function_call"] for x in (forced, none))
    if forced.ok and call.type != "object" and forced.choice.finish_reason not in CUT_SHORT:
        if forced.choice.calls:
            yield Finding(
                "call-comes-tool-call", "the call comes as a tool call", at=call.pointer, expected="object", found=call
            )
        else:
            yield Finding(
                "function-named-no-call",
                "a function was named, and there is no call",
                at=call.pointer,
                found=forced.choice.text[:200],
            )
    if none.ok and unasked.type == "object":
        yield Finding(
            "calls-forbidden-one",
            "calls were forbidden, and there is one",
            at=unasked.pointer,
            found=unasked,
            on=none.key,
        )
