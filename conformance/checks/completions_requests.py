"""What may be asked of the older interface: stop strings, the prompt again, a suffix, log probabilities, tokens; and refusals.

A parameter is honoured, refused by name, or silently ignored; the last is a violation.
"""

from __future__ import annotations

from conformance.check import OK, REPLY, check, each
from conformance.checks.completions import REQUEST, RESPONSE, text
from conformance.exchange import Exchange
from conformance.finding import Finding, Findings, Observed, Unsupported, Unwitnessed
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
from conformance.refusal import honoured, model_refused, with_error_object, without
from conformance.requirement import MUST, NOTE, SHOULD, SPEC

LOGPROBS = SPEC.at(
    f"{RESPONSE}.choices.logprobs",
    "text_offset: array of integer; token_logprobs: array of number; tokens: array of string; top_logprobs: array of object",
)


@check(
    "completions.stop-ends-the-text",
    MUST,
    sends=STOPPED,
    needs=OK,
    requires="completions",
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
    wanted = text(long).partition(stop)[0]
    if stop in text(x):
        yield Finding(
            "text-stop-string",
            "the text has the stop string in it",
            at="/choices/0/text",
            expected=wanted,
            found=text(x),
            on=x.key,
        )


@check(
    "completions.echo-is-honoured-or-refused",
    SHOULD,
    sends=(BARE, ECHO),
    needs=REPLY,
    requires="completions",
    spec=SPEC.at(f"{REQUEST}.echo", "Echo back the prompt in addition to the completion"),
    remedy="Put the prompt before the text in the client.",
)
def echo_is_honoured_or_refused(plain: Exchange, x: Exchange) -> Findings:
    """`echo` is honoured, or refused: the text begins with the prompt."""
    yield from honoured(plain, x, "completions", "echo")
    if x.ok and COUNT not in text(x):
        yield Finding(
            "prompt-does-not-come-back",
            "the prompt does not come back",
            at="/choices/0/text",
            expected=COUNT,
            found=text(x)[:300],
            on=x.key,
        )


@check(
    "completions.suffix-is-honoured-or-refused",
    SHOULD,
    sends=(LONG, SUFFIX),
    needs=REPLY,
    requires="completions",
    spec=SPEC.at(f"{REQUEST}.suffix", "The suffix that comes after a completion of inserted text."),
    remedy="Write the suffix into the prompt, in the form that the model was trained on.",
)
def suffix_is_honoured_or_refused(plain: Exchange, x: Exchange) -> Findings:
    """`suffix` is honoured, or refused: it is read, so it costs tokens or changes the text."""
    yield from honoured(plain, x, "completions", "suffix")
    spent = [one.usage["prompt_tokens"].value for one in (plain, x)]
    if not all(isinstance(count, int) for count in spent):
        yield Unwitnessed("the tokens are not counted")
    elif text(plain) == text(x) and spent[1] <= spent[0]:
        yield Finding(
            "suffix-changes-nothing",
            "a suffix changes nothing",
            expected=f"more than {spent[0]} tokens",
            found=spent[1],
            on=x.key,
        )


@check(
    "completions.best-of-is-honoured-or-refused",
    SHOULD,
    sends=(BARE, BEST_OF_FEWER),
    needs=REPLY,
    requires="completions",
    spec=SPEC.at(
        f"{REQUEST}.best_of",
        "When used with `n`, `best_of` controls the number of candidate completions and `n` specifies how many to return – "
        "`best_of` must be greater than `n`.",
    ),
    remedy="Ask for several choices, and choose in the client.",
)
def best_of_is_honoured_or_refused(plain: Exchange, x: Exchange) -> Findings:
    """`best_of` is honoured, or refused: fewer candidates than answers are refused."""
    without(plain, "completions")
    if x.ok:
        yield Finding(
            "more-answers-than-candidates-given",
            "more answers than candidates are given",
            expected="4xx",
            found=len(x.json["choices"]),
            on=x.key,
        )
    elif x.status is not None and x.status >= 500:
        yield Finding(
            "neither-taken-nor-refused",
            "A documented parameter is neither honoured nor refused by name",
            expected="4xx",
            found=x.status,
            on=x.key,
        )


@check(
    "completions.logprobs-is-honoured-or-refused",
    SHOULD,
    sends=(BARE, LIKELY),
    needs=REPLY,
    requires="completions",
    spec=SPEC.at(
        f"{REQUEST}.logprobs",
        "Include the log probabilities on the `logprobs` most likely output tokens, as well the chosen tokens.",
    ),
)
def logprobs_is_honoured_or_refused(plain: Exchange, x: Exchange) -> Findings:
    """`logprobs` is honoured, or refused: where they are asked for, they come."""
    yield from honoured(plain, x, "completions", "logprobs")
    value = x.json["choices"][0]["logprobs"]
    if x.ok and value.type != "object":
        yield Finding(
            "log-probabilities-asked-did-not",
            "log probabilities were asked for, and did not come",
            at=value.pointer,
            found=value,
            on=x.key,
        )


@check(
    "completions.logprobs-are-arrays",
    MUST,
    sends=LIKELY,
    needs=OK,
    requires="completions",
    spec=LOGPROBS,
)
def logprobs_are_arrays(x: Exchange) -> Findings:
    """`logprobs` has arrays beside each other: one token, one number that is no more than 0, one offset each."""
    value = x.json["choices"][0]["logprobs"]
    if value.type != "object":
        yield Unwitnessed("there are no log probabilities")
        return
    arrays = {name: value[name] for name in ("tokens", "token_logprobs", "text_offset")}
    if any(array.type != "array" for array in arrays.values()):
        found = {name: array.type for name, array in arrays.items()}
        yield Finding("array-missing", "an array is missing", at=value.pointer, expected=list(arrays), found=found)
    elif len({len(array) for array in arrays.values()}) > 1:
        lengths = {name: len(array) for name, array in arrays.items()}
        yield Finding(
            "arrays-different-lengths",
            "the arrays have different lengths",
            at=value.pointer,
            expected="one length",
            found=lengths,
        )
    else:
        for kind, name in (("string", "tokens"), ("integer", "text_offset")):
            for one in arrays[name]:
                if one.type != kind:
                    yield Finding(
                        "element-another-type", "an element has another type", at=one.pointer, expected=kind, found=one
                    )
        for one in arrays["token_logprobs"]:
            if one.type not in ("number", "integer") or one.value > 0:
                yield Finding(
                    "log-probability-none", "a log probability is none", at=one.pointer, expected="0 or less", found=one
                )


@check(
    "completions.tokens-make-the-text",
    SHOULD,
    sends=LIKELY,
    needs=OK,
    requires="completions",
    spec=LOGPROBS,
)
def tokens_make_the_text(x: Exchange) -> Findings:
    """The tokens of `logprobs` together are the text."""
    tokens = [one.value for one in x.json["choices"][0]["logprobs"]["tokens"]]
    if not tokens or not all(isinstance(one, str) and one.isascii() for one in tokens) or "\\x" in "".join(tokens):
        yield Unwitnessed("there are no tokens, or such as are no characters")
    elif text(x) not in "".join(tokens):  # the token that ends the text may be listed and not be said
        yield Finding("tokens-another-text", "the tokens are another text", expected=text(x), found="".join(tokens))


@check(
    "completions.tokens-are-one-prompt",
    SHOULD,
    sends=each((BARE, TOKENS), (BARE, TOKEN_LISTS)),
    needs=REPLY,
    requires="completions",
    spec=SPEC.at(
        f"{REQUEST}.prompt",
        "The prompt(s) to generate completions for, encoded as a string, array of strings, array of tokens, or array of "
        "token arrays.",
    ),
    remedy="Send texts.",
)
def tokens_are_one_prompt(plain: Exchange, x: Exchange) -> Findings:
    """An array of tokens is one prompt, an array of such arrays is as many as it has; or tokens are refused."""
    without(plain, "completions")
    given = x.probe.wish["prompt"]
    wanted = len(given) if isinstance(given[0], list) else 1
    if x.status is not None and x.status >= 500:
        yield Finding(
            "tokens-server-error", "tokens are a server error", expected="2xx or 4xx", found=x.status, on=x.key
        )
    elif not x.ok:
        yield Unsupported(f"the server refuses tokens as prompt ({x.status})")
    elif len(x.json["choices"]) != wanted:
        found = len(x.json["choices"])
        yield Finding(
            "tokens-taken-another-number-prompts",
            "tokens are taken for another number of prompts",
            expected=wanted,
            found=found,
            on=x.key,
        )


@check(
    "completions.wrong-requests-are-refused",
    MUST,
    sends=wrong,
    needs=REPLY,
    requires="completions",
    examples=len(REFUSED),
    spec=SPEC.at(REQUEST, "required: [model, prompt]; n: minimum: 1; max_tokens: minimum: 0; temperature: number"),
)
def wrong_requests_are_refused(plain: Exchange, x: Exchange) -> Findings:
    """A request with a member of a wrong type, or out of its range, is refused with a 4xx, also for a stream."""
    without(plain, "completions")
    if x.status is not None and x.status >= 500:
        yield Finding(
            "invalid-request-server-error",
            "an invalid request is a server error",
            expected="4xx",
            found=x.status,
            on=x.key,
        )
    elif x.ok and any(len(value["choices"]) for value in x.bodies):
        yield Finding(
            "invalid-request-answered-if-valid",
            "an invalid request is answered as if it were valid",
            expected="4xx",
            found=x.status,
            on=x.key,
        )


@check(
    "completions.refusals-have-an-error-object",
    MUST,
    sends=wrong,
    needs=REPLY,
    requires="completions",
    examples=len(REFUSED),
    spec=SPEC.at("ErrorResponse", "properties: {error: {$ref: '#/components/schemas/Error'}}, required: [error]"),
)
def refusals_have_an_error_object(plain: Exchange, x: Exchange) -> Findings:
    """A refusal is an object with an `error`, and that has a message."""
    yield from with_error_object(plain, x, "completions")


@check(
    "completions.unknown-model-is-refused",
    SHOULD,
    sends=(BARE, UNKNOWN_MODEL),
    needs=REPLY,
    requires="completions",
    spec=SPEC.at(f"{REQUEST}.model", "ID of the model to use."),
)
def unknown_model_is_refused(plain: Exchange, x: Exchange) -> Findings:
    """A request for a model that does not exist is refused."""
    yield from model_refused(plain, x, "completions")


@check("completions.disputed", NOTE, sends=(BARE, NO_PROMPT, MANY_LIKELY), needs=REPLY, requires="completions")
def disputed(plain: Exchange, promptless: Exchange, likely: Exchange) -> Findings:
    """What becomes of a request without a prompt, and of one for more log probabilities than OpenAI gives."""
    without(plain, "completions")
    yield Observed("answered" if promptless.ok else promptless.status, "no prompt")
    yield Observed("answered" if likely.ok else likely.status, "logprobs 6")
