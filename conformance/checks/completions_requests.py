"""What may be asked of the older interface: stop strings, the prompt again, a suffix, log probabilities, tokens; and refusals.

A parameter is honoured, refused by name, or silently ignored; the last is a violation.
"""

from __future__ import annotations

from conformance.checks.completions import PROMPTS, REQUEST, RESPONSE, text
from conformance.core.check import OK, REPLY, Area, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed, Unsupported, Unwitnessed
from conformance.core.reading.json import Value
from conformance.core.requirement import SPEC
from conformance.judging.refusal import honoured, model_refused, with_error_object, without
from conformance.probes.completions import (
    BARE,
    BEST_OF_FEWER,
    COUNT,
    ECHO,
    LIKELY,
    LONG,
    MANY_LIKELY,
    NO_PROMPT,
    REFUSED,
    STOPPED,
    SUFFIX,
    TOKEN_LISTS,
    TOKENS,
    UNKNOWN_MODEL,
    wrong,
)

LOGPROBS = SPEC.at(
    f"{RESPONSE}.choices.logprobs",
    "text_offset: array of integer; token_logprobs: array of number; tokens: array of string; top_logprobs: array of object",
)


def plain_is_served(plain: Exchange, *_: Exchange) -> None:
    """Raise Unsupported where the plainest request to the route is not answered."""
    without(plain, "completions")


area = Area("completions", needs=OK, requires="completions")
beside_plain = Area("completions", needs=REPLY, requires="completions", given=plain_is_served)


@area.must(
    "stop-ends-the-text",
    sends=STOPPED,
    spec=SPEC.at(
        "StopConfiguration",
        "Up to 4 sequences where the API will stop generating further tokens. "
        "The returned text will not contain the stop sequence.",
    ),
    remedy="Cut the text at the stop string in the client.",
)
def stop_ends_the_text(long: Exchange, x: Exchange) -> Findings:
    """The text ends before a stop string that it would have had."""
    (stop,) = x.probe.wish["stop"]
    if stop in text(x):
        yield Finding(
            "stop-in-text",
            "The text contains the stop string",
            at="/choices/0/text",
            expected=text(long).partition(stop)[0],
            found=text(x),
            on=x.key,
        )


@beside_plain.should(
    "echo-is-honoured-or-refused",
    sends=(BARE, ECHO),
    spec=SPEC.at(f"{REQUEST}.echo", "Echo back the prompt in addition to the completion"),
    remedy="Put the prompt before the text in the client.",
)
def echo_is_honoured_or_refused(plain: Exchange, x: Exchange) -> Findings:
    """`echo` is honoured, or refused: the text begins with the prompt."""
    yield from honoured(plain, x, "completions", "echo")
    if x.ok and COUNT not in text(x):
        yield Finding(
            "no-prompt",
            "The text does not contain the prompt",
            at="/choices/0/text",
            expected=COUNT,
            found=text(x)[:300],
            on=x.key,
        )


@beside_plain.should(
    "suffix-is-honoured-or-refused",
    sends=(LONG, SUFFIX),
    spec=SPEC.at(f"{REQUEST}.suffix", "The suffix that comes after a completion of inserted text."),
    remedy="Write the suffix into the prompt, in the form that the model was trained on.",
)
def suffix_is_honoured_or_refused(plain: Exchange, x: Exchange) -> Findings:
    """`suffix` is honoured, or refused: it is read, so it costs tokens or changes the text."""
    yield from honoured(plain, x, "completions", "suffix")
    without_it, with_it = (answer.usage["prompt_tokens"].value for answer in (plain, x))
    if not isinstance(without_it, int) or not isinstance(with_it, int):
        raise Unwitnessed("the tokens are not counted")
    if text(plain) == text(x) and with_it <= without_it:
        yield Finding(
            "changes-nothing",
            "The suffix changes neither the text nor the number of prompt tokens",
            expected=f"more than {without_it} tokens",
            found=with_it,
            on=x.key,
        )


@beside_plain.should(
    "best-of-is-honoured-or-refused",
    sends=(BARE, BEST_OF_FEWER),
    spec=SPEC.at(
        f"{REQUEST}.best_of",
        "When used with `n`, `best_of` controls the number of candidate completions and `n` specifies how many to return – "
        "`best_of` must be greater than `n`.",
    ),
    remedy="Ask for several choices, and choose in the client.",
)
def best_of_is_honoured_or_refused(_: Exchange, x: Exchange) -> Findings:
    """`best_of` is honoured, or refused: a request for fewer candidates than choices is refused."""
    if x.ok:
        yield Finding(
            "answered",
            "A request for more choices than candidates is answered",
            expected="4xx",
            found=len(x.json["choices"]),
            on=x.key,
        )
    elif x.crashed:
        yield Finding(
            "server-error",
            "A request for more choices than candidates is a server error",
            expected="4xx",
            found=x.status,
            on=x.key,
        )


@beside_plain.should(
    "logprobs-is-honoured-or-refused",
    sends=(BARE, LIKELY),
    spec=SPEC.at(
        f"{REQUEST}.logprobs",
        "Include the log probabilities on the `logprobs` most likely output tokens, as well the chosen tokens.",
    ),
)
def logprobs_is_honoured_or_refused(plain: Exchange, x: Exchange) -> Findings:
    """`logprobs` is honoured, or refused: where log probabilities are asked for, they come."""
    yield from honoured(plain, x, "completions", "logprobs")
    logprobs = x.json["choices"][0]["logprobs"]
    if x.ok and logprobs.type != "object":
        yield Finding(
            "no-logprobs",
            "Log probabilities were asked for, and did not come",
            at=logprobs.pointer,
            found=logprobs,
            on=x.key,
        )


@area.must("logprobs-are-arrays", sends=LIKELY, spec=LOGPROBS)
def logprobs_are_arrays(x: Exchange) -> Findings:
    """`logprobs` has parallel arrays: for each token one text, one number that is at most 0, and one offset."""
    logprobs = x.json["choices"][0]["logprobs"]
    if logprobs.type != "object":
        raise Unwitnessed("there are no log probabilities")
    arrays = {name: logprobs[name] for name in ("tokens", "token_logprobs", "text_offset")}
    lengths = {name: len(array) for name, array in arrays.items()}
    if any(array.type != "array" for array in arrays.values()):
        found = {name: array.type for name, array in arrays.items()}
        yield Finding("array-missing", "An array is missing", at=logprobs.pointer, expected=list(arrays), found=found)
    elif len(set(lengths.values())) > 1:
        yield Finding(
            "lengths-differ",
            "The arrays have different lengths",
            at=logprobs.pointer,
            expected="one length",
            found=lengths,
        )
    else:
        yield from _wrong_elements(**arrays)


def _wrong_elements(tokens: Value, token_logprobs: Value, text_offset: Value) -> Findings:
    for array, kind in ((tokens, "string"), (text_offset, "integer")):
        for element in array:
            if element.type != kind:
                yield Finding(
                    "wrong-type",
                    "A token is not a string, or an offset is not an integer",
                    at=element.pointer,
                    expected=kind,
                    found=element,
                )
    for logprob in token_logprobs:
        if logprob.type not in ("number", "integer") or logprob.value > 0:
            yield Finding(
                "not-a-log-probability",
                "A log probability is not a number, or is above 0",
                at=logprob.pointer,
                expected="0 or less",
                found=logprob,
            )


@area.should("tokens-make-the-text", sends=LIKELY, spec=LOGPROBS)
def tokens_make_the_text(x: Exchange) -> Findings:
    """The tokens of `logprobs` together are the text."""
    tokens = [token.value for token in x.json["choices"][0]["logprobs"]["tokens"]]
    if (
        not tokens
        or not all(isinstance(token, str) and token.isascii() for token in tokens)
        or "\\x" in "".join(tokens)
    ):
        raise Unwitnessed("there are no tokens, or some are not whole characters")
    if text(x) not in "".join(tokens):  # the token that ends the text may be listed and not be part of it
        yield Finding("text-differs", "The tokens together are not the text", expected=text(x), found="".join(tokens))


@beside_plain.should(
    "tokens-are-one-prompt",
    sends=each((BARE, TOKENS), (BARE, TOKEN_LISTS)),
    spec=PROMPTS,
    remedy="Send texts.",
)
def tokens_are_one_prompt(_: Exchange, x: Exchange) -> Findings:
    """An array of tokens is one prompt, and an array of such arrays one prompt each; or tokens are refused."""
    if x.crashed:
        yield Finding(
            "server-error", "A prompt of tokens is a server error", expected="2xx or 4xx", found=x.status, on=x.key
        )
        return
    if not x.ok:
        raise Unsupported(f"the server refuses tokens as prompt ({x.status})")
    prompt, choices = x.probe.wish["prompt"], x.json["choices"]
    prompts = len(prompt) if isinstance(prompt[0], list) else 1
    if len(choices) != prompts:
        yield Finding(
            "other-number",
            "Tokens are taken for another number of prompts",
            expected=prompts,
            found=len(choices),
            on=x.key,
        )


@beside_plain.must(
    "wrong-requests-are-refused",
    sends=wrong,
    examples=len(REFUSED),
    spec=SPEC.at(REQUEST, "required: [model, prompt]; n: minimum: 1; max_tokens: minimum: 0; temperature: number"),
)
def wrong_requests_are_refused(_: Exchange, x: Exchange) -> Findings:
    """A request with a member of a wrong type, or out of its range, is refused with a 4xx, also for a stream."""
    if x.crashed:
        yield Finding("server-error", "An invalid request is a server error", expected="4xx", found=x.status, on=x.key)
    elif x.ok and any(len(value["choices"]) for value in x.bodies):
        yield Finding(
            "answered",
            "An invalid request is answered as if it were valid",
            expected="4xx",
            found=x.status,
            on=x.key,
        )


@beside_plain.must(
    "refusals-have-an-error-object",
    sends=wrong,
    examples=len(REFUSED),
    spec=SPEC.at("ErrorResponse", "properties: {error: {$ref: '#/components/schemas/Error'}}, required: [error]"),
)
def refusals_have_an_error_object(plain: Exchange, x: Exchange) -> Findings:
    """A refusal is an object with an `error`, and that has a message."""
    yield from with_error_object(plain, x, "completions")


@beside_plain.should(
    "unknown-model-is-refused",
    sends=(BARE, UNKNOWN_MODEL),
    spec=SPEC.at(f"{REQUEST}.model", "ID of the model to use."),
)
def unknown_model_is_refused(plain: Exchange, x: Exchange) -> Findings:
    """A request for a model that does not exist is refused."""
    yield from model_refused(plain, x, "completions")


@beside_plain.note("disputed", sends=(BARE, NO_PROMPT, MANY_LIKELY))
def disputed(_: Exchange, promptless: Exchange, likely: Exchange) -> Findings:
    """What becomes of a request without a prompt, and of one for more log probabilities than OpenAI gives."""
    yield Observed("answered" if promptless.ok else promptless.status, "no prompt")
    yield Observed("answered" if likely.ok else likely.status, "logprobs 6")
