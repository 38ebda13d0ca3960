"""Optional parameters by their effect: each is honoured, or refused by its name; it is not silently ignored.

The probes are such that the answer differs where the parameter works. What has a check elsewhere (stop strings, caps,
`n`, biases, tools, formats) is not asked again; what has no effect that shows is in `more_parameters`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from conformance.check import REPLY, check
from conformance.exchange import Exchange
from conformance.finding import Finding, Findings, Observed, Unsupported, Unwitnessed
from conformance.probes.chat import chat
from conformance.probes.parameters import (
    COLD,
    ECHO,
    FREQUENT,
    FUNCTION_NAMED,
    FUNCTION_NONE,
    FUNCTIONS,
    HOT,
    MODERATED,
    NARROW,
    PRESENT,
    PROSE,
    PROSE_PRESENT,
    SEARCHED,
    SEARCHED_ODDLY,
    SPOKEN,
    TIERED,
    TIERED_ODDLY,
    TOP,
)
from conformance.probes.tools import ASK
from conformance.reading.calls import CUT_SHORT
from conformance.refusal import message, named
from conformance.requirement import MAY, SHOULD, SPEC

REQUEST = "CreateChatCompletionRequest"
OPENING = 8
"""Words of an answer that are compared where nothing is left to chance: engines that batch drift apart later."""
REPEATED = 12
"""How often a word has to come before a penalty for it is sure to be felt."""
LONG = 100
"""Words of a text in which some choice is close enough for any penalty to turn it."""


def served(xs: Sequence[Exchange], *names: str) -> Findings:
    """What to say where a request is not answered: one of these parameters is refused by name, or something is wrong.

    Another parameter that the server will not take says nothing about these.
    """
    for x in xs:
        if x.ok:
            continue
        feature = named(x)
        if feature in names:
            yield Unsupported(f"the server refuses `{feature}` ({x.status})")
        elif feature:
            yield Unwitnessed(f"the server refuses `{feature}` ({x.status}), which this needs as well")
        else:
            found = {"status": x.status, "message": message(x)[:300]}
            yield Finding("a valid request is not answered", expected="2xx", found=found, on=x.key)


def answered(*xs: Exchange) -> bool:
    """Whether every request was answered."""
    return all(x.ok for x in xs)


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
    if not answered(*xs):
        return
    if not all(texts(xs)):
        yield Unwitnessed("an answer has no text")
    elif scattered(cold):
        yield Finding("at temperature 0 every answer is another", found=texts(cold))
    elif len(set(texts(xs))) == 1:
        yield Finding("at temperature 2 the answer is that of temperature 0", found=texts(hot), on=hot[0].key)


@check(
    "parameters.top-p-is-honoured-or-refused",
    SHOULD,
    sends=(*NARROW, *HOT),
    needs=REPLY,
    spec=SPEC.at(
        f"{REQUEST}.top_p", "So 0.1 means only the tokens comprising the top 10% probability mass are considered."
    ),
)
def top_p(*xs: Exchange) -> Findings:
    """`top_p` is honoured, or refused: a very small one leaves nothing to chance, at any temperature."""
    yield from served(xs, "top_p")
    narrow, free = xs[: len(NARROW)], xs[len(NARROW) :]
    if not answered(*xs):
        return
    if not all(texts(xs)) or not scattered(free):
        yield Unwitnessed("without top_p the answers do not differ enough either")
    elif scattered(narrow):
        yield Finding("with a very small top_p every answer is another", found=texts(narrow))


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
    if not answered(*xs):
        return
    if not all(hot) or set(hot) <= set(cold):
        yield Unwitnessed("nothing is left to chance")
    elif len(set(hot)) == 1:
        yield Finding("every seed gives the same answer", found=hot, on=xs[-1].key)


def steady(one: Exchange, again: Exchange) -> bool:
    """Whether the same request was answered in the same words."""
    return bool(one.choice.text.strip()) and one.choice.text == again.choice.text


@check(
    "parameters.frequency-penalty-is-honoured-or-refused",
    SHOULD,
    sends=(ECHO, ECHO.again(), FREQUENT),
    needs=REPLY,
    requires="penalties",
    spec=SPEC.at(
        f"{REQUEST}.frequency_penalty",
        "Positive values penalize new tokens based on their existing frequency in the text so far, decreasing the "
        "model's likelihood to repeat the same line verbatim.",
    ),
)
def frequency_penalty(free: Exchange, again: Exchange, penalised: Exchange) -> Findings:
    """`frequency_penalty` is honoured, or refused: a text that repeats one word becomes another."""
    yield from served((free, again, penalised), "frequency_penalty")
    if not answered(free, again, penalised):
        return
    if not steady(free, again) or max(Counter(free.choice.text.split()).values()) < REPEATED:
        yield Unwitnessed("without the penalty the model does not repeat itself steadily")
    elif penalised.choice.text == free.choice.text:
        yield Finding("the penalty changes nothing", found=penalised.choice.text, on=penalised.key)


@check(
    "parameters.presence-penalty-is-honoured-or-refused",
    SHOULD,
    sends=(ECHO, PRESENT, PROSE, PROSE.again(), PROSE_PRESENT),
    needs=REPLY,
    requires="penalties",
    spec=SPEC.at(
        f"{REQUEST}.presence_penalty",
        "Positive values penalize new tokens based on whether they appear in the text so far, increasing the model's "
        "likelihood to talk about new topics.",
    ),
)
def presence_penalty(*xs: Exchange) -> Findings:
    """`presence_penalty` is honoured, or refused: it changes a text that repeats one word, or at least a long one."""
    echo, present, free, again, penalised = xs
    yield from served(xs, "presence_penalty")
    if not answered(*xs) or (echo.choice.text and present.choice.text != echo.choice.text):
        return
    if not steady(free, again) or len(free.choice.text.split()) < LONG:
        yield Unwitnessed("without the penalty the text is not long and steady enough")
    elif penalised.choice.text == free.choice.text:
        yield Finding("the penalty changes nothing", found=penalised.choice.text[:300], on=penalised.key)


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
    if not x.ok:
        return
    if not entries:
        yield Unwitnessed("no log probabilities came")
    elif max(len(entry["top_logprobs"]) for entry in entries) < 2:
        yield Finding("no position has alternatives", at=entries[0]["top_logprobs"].pointer, expected=5)


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
    yield from served((x,), "functions")
    less, more = without.usage["prompt_tokens"], x.usage["prompt_tokens"]
    if not x.ok or x.json["choices"][0]["message"]["function_call"].type == "object" or x.choice.calls:
        return
    if less.type != "integer" or more.type != "integer":
        yield Unwitnessed("there is no call, and tokens are not counted")
    elif more.value <= less.value:
        at, expected = more.pointer, f"over {less.value}"
        yield Finding("functions are neither called nor counted", at=at, expected=expected, found=more, on=x.key)


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
    yield from served((forced, none), "function_call", "functions")
    call, unasked = (x.json["choices"][0]["message"]["function_call"] for x in (forced, none))
    if forced.ok and call.type != "object" and forced.choice.finish_reason not in CUT_SHORT:
        if forced.choice.calls:
            yield Finding("the call comes as a tool call", at=call.pointer, expected="object", found=call)
        else:
            yield Finding("a function was named, and there is no call", at=call.pointer, found=forced.choice.text[:200])
    if none.ok and unasked.type == "object":
        yield Finding("calls were forbidden, and there is one", at=unasked.pointer, found=unasked, on=none.key)


@check(
    "parameters.audio-is-honoured-or-refused",
    SHOULD,
    sends=SPOKEN,
    needs=REPLY,
    spec=SPEC.at(
        "ChatCompletionResponseMessage.audio",
        "If the audio output modality is requested, this object contains data about the audio response from the model.",
    ),
)
def audio(x: Exchange) -> Findings:
    """`modalities` and `audio` are honoured, or refused: where sound is asked for, sound comes."""
    yield from served((x,), "modalities", "audio")
    sound = x.json["choices"][0]["message"]["audio"]
    if x.ok and not sound["data"]:
        yield Finding("sound was asked for, and there is none", at=sound.pointer, expected="object", found=sound)


@check(
    "parameters.moderation-is-honoured-or-refused",
    SHOULD,
    sends=MODERATED,
    needs=REPLY,
    spec=SPEC.at(
        "CreateChatCompletionResponse.moderation",
        "Moderation results for the request input and generated output, if moderated completions were requested.",
    ),
    remedy="Do not rely on it: moderate in a request of its own.",
)
def moderation(x: Exchange) -> Findings:
    """`moderation` is honoured, or refused: where it is asked for, its result comes."""
    yield from served((x,), "moderation")
    result = x.json["moderation"]
    if x.ok and result.type != "object":
        yield Finding("moderation was asked for, and has no result", at=result.pointer, expected="object", found=result)


@check(
    "parameters.web-search-options-is-honoured-or-refused",
    SHOULD,
    sends=(SEARCHED, SEARCHED_ODDLY),
    needs=REPLY,
    spec=SPEC.at(
        f"{REQUEST}.web_search_options", "This tool searches the web for relevant results to use in a response."
    ),
    remedy="Search with a tool of your own.",
)
def web_search_options(x: Exchange, oddly: Exchange) -> Findings:
    """`web_search_options` are honoured, or refused: sources come, or at least unknown options are refused."""
    yield from served((x,), "web_search_options")
    sources = x.json["choices"][0]["message"]["annotations"]
    if not x.ok:
        return
    if not sources and oddly.ok:
        yield Finding("a search was asked for, and there is no source", at=sources.pointer, found=sources)
    yield Observed(len(sources), "sources")


@check(
    "parameters.service-tier-is-honoured-or-refused",
    MAY,
    sends=(TIERED, TIERED_ODDLY),
    needs=REPLY,
    spec=SPEC.at(
        "ServiceTier",
        "When the `service_tier` parameter is set, the response body will include the `service_tier` value based on "
        "the processing mode actually used to serve the request.",
    ),
)
def service_tier(x: Exchange, oddly: Exchange) -> Findings:
    """`service_tier` is honoured, or refused: the answer says which one served it, and there are no others."""
    yield from served((x,), "service_tier")
    tier = x.json["service_tier"]
    if x.ok and tier.type != "string":
        yield Finding("the answer does not say by which tier", at=tier.pointer, expected="a string", found=tier)
    elif x.ok and oddly.ok and oddly.json["service_tier"].type != "string":
        yield Finding("a tier that does not exist is accepted", expected="4xx", found=oddly.status, on=oddly.key)
