"""The older interface, `POST /completions`: the shape of its answers. A server may well not have it.

What may be asked for is in `completions_requests`, and streams are in `completions_streams`.
"""

from __future__ import annotations

from conformance.checks.chat import LATEST, OLDEST
from conformance.core.check import OK, REPLY, Area, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed, Unsupported, Unwitnessed
from conformance.core.requirement import SPEC
from conformance.judging.refusal import named, status_and_message
from conformance.probes.completions import BARE, BOTH, LONG, OTHER, SHORT, TWO, TWO_OF_EACH, capped

RESPONSE = "CreateCompletionResponse"
REQUEST = "CreateCompletionRequest"
FINISHES = ("stop", "length", "content_filter")
PROMPTS = SPEC.at(
    f"{REQUEST}.prompt",
    "The prompt(s) to generate completions for, encoded as a string, array of strings, array of tokens, or array of "
    "token arrays.",
)


def text(x: Exchange, index: int = 0) -> str:
    """The text of a choice, whole or put together from a stream; "" where there is none."""
    pieces = [
        choice["text"].value for value in x.bodies for choice in value["choices"] if choice["index"].value == index
    ]
    return "".join(piece for piece in pieces if isinstance(piece, str))


area = Area("completions", needs=OK, requires="completions")


@area.must("requests-are-accepted", sends=each((BARE, BARE), (BARE, LONG), (BARE, BOTH)), needs=REPLY, spec=PROMPTS)
def requests_are_accepted(plain: Exchange, x: Exchange) -> Findings:
    """A prompt, and a list of prompts, are completed; or the server has no such route."""
    if plain.status == 501 or (plain.status is not None and 400 <= plain.status < 500):
        raise Unsupported(f"the server does not serve completions ({plain.status})")
    if feature := named(x):
        raise Unsupported(f"the server refuses `{feature}` ({x.status})")
    if not x.ok:
        found = status_and_message(x)
        yield Finding("not-answered", "A prompt is not answered 2xx", at="status", expected=200, found=found, on=x.key)


@area.must(
    "object-is-text-completion",
    sends=BARE,
    spec=SPEC.at(f"{RESPONSE}.object", 'The object type, which is always "text_completion"'),
)
def object_is_text_completion(x: Exchange) -> Findings:
    """The `object` of an answer is `text_completion`."""
    kind = x.json["object"]
    if kind.value != "text_completion":
        yield Finding(
            "other-object", "`object` is not `text_completion`", at="/object", expected="text_completion", found=kind
        )


@area.must("head-is-complete", sends=BARE, spec=SPEC.at(RESPONSE, "required: [id, object, created, model, choices]"))
def head_is_complete(x: Exchange) -> Findings:
    """An answer has an id, the time in seconds, and the name of the model."""
    for name in ("id", "model"):
        if x.json[name].type != "string" or not x.json[name]:
            yield Finding(
                "not-a-string",
                "The `id` or the `model` is not a string, or is empty",
                at=x.json[name].pointer,
                expected="string",
                found=x.json[name],
            )
    created = x.json["created"]
    if created.type != "integer" or not OLDEST <= created.value < LATEST:
        yield Finding(
            "not-seconds",
            "`created` is not a time in seconds",
            at="/created",
            expected="about 1.8e9",
            found=created,
        )


@area.must(
    "choices-have-text",
    sends=each(BARE, BOTH),
    spec=SPEC.at(f"{RESPONSE}.choices", "required: [finish_reason, index, logprobs, text]; text: string"),
)
def choices_have_text(x: Exchange) -> Findings:
    """There are choices, and each has its text in `text`."""
    choices = x.json["choices"]
    if not isinstance(choices.value, list) or not choices:
        yield Finding("no-choices", "There are no choices", at="/choices", expected="array", found=choices.type)
    for choice in choices:
        at, found = choice["text"].pointer, choice["text"]
        if found.type != "string" and choice["message"].type == "object":
            yield Finding("text-in-message", "The text is in a `message`", at=at, expected="string", found=found)
        elif found.type != "string":
            yield Finding("no-text", "A choice has no `text`", at=at, expected="string", found=found)


@area.must(
    "n-counts-for-each-prompt",
    sends=each(BARE, BOTH, TWO, TWO_OF_EACH),
    spec=SPEC.at(f"{REQUEST}.n", "How many completions to generate for each prompt."),
)
def n_counts_for_each_prompt(x: Exchange) -> Findings:
    """There are `n` choices for each prompt, numbered from 0."""
    prompt, choices = x.probe.wish["prompt"], x.json["choices"]
    expected = (len(prompt) if isinstance(prompt, list) else 1) * x.probe.wish.get("n", 1)
    indices = [choice["index"].value for choice in choices]
    if len(choices) != expected:
        yield Finding(
            "other-number",
            "There are not `n` choices for each prompt",
            at="/choices",
            expected=expected,
            found=len(choices),
        )
    elif not all(type(index) is int for index in indices) or sorted(indices) != list(range(expected)):
        yield Finding(
            "misnumbered",
            "The choices are not numbered from 0",
            at="/choices",
            expected=list(range(expected)),
            found=indices,
        )


@area.must(
    "prompts-keep-their-places",
    sends=(BOTH, LONG, OTHER),
    spec=SPEC.at(f"{RESPONSE}.choices", "The list of completion choices the model generated for the input prompt."),
    remedy="Send one prompt a request.",
)
def prompts_keep_their_places(both: Exchange, first: Exchange, second: Exchange) -> Findings:
    """Of several prompts, the first is answered by the first choice."""
    alone, together = [text(first), text(second)], [text(both, 0), text(both, 1)]
    if alone[0] == alone[1] or not all((*alone, *together)):
        raise Unwitnessed("both prompts are answered alike, or with nothing")
    if together == alone[::-1]:
        yield Finding("swapped", "Each choice answers the other prompt", at="/choices", expected=alone, found=together)


@area.must(
    "finish-reason-is-known",
    sends=each(BARE, LONG),
    spec=SPEC.at(f"{RESPONSE}.choices.finish_reason", "enum: [stop, length, content_filter]"),
)
def finish_reason_is_known(x: Exchange) -> Findings:
    """The `finish_reason` is one of those that this interface has."""
    for choice in x.json["choices"]:
        reason = choice["finish_reason"]
        if reason.value not in FINISHES:
            yield Finding(
                "unknown-finish-reason",
                "The finish reason is not one that this interface has",
                at=reason.pointer,
                expected=list(FINISHES),
                found=reason,
            )


@area.must(
    "cap-is-kept",
    sends=capped,
    examples=4,
    spec=SPEC.at(f"{REQUEST}.max_tokens", "that can be generated in the completion."),
)
def cap_is_kept(x: Exchange) -> Findings:
    """No more tokens are generated than `max_tokens` allows."""
    counted, cap = x.usage["completion_tokens"].value, x.probe.wish["max_tokens"]
    if isinstance(counted, int) and counted > cap:
        yield Finding(
            "too-many-tokens",
            "More tokens are generated than `max_tokens` allows",
            at="/usage/completion_tokens",
            expected=cap,
            found=counted,
        )
    elif len(text(x).encode()) > 40 * cap:  # no tokenizer has longer words in it, in a count or a sentence
        yield Finding(
            "text-too-long",
            "The text is too long for `max_tokens` tokens",
            at="/choices/0/text",
            expected=cap,
            found=text(x)[:300],
        )


@area.should(
    "cut-off-says-length",
    sends=(LONG, SHORT),
    spec=SPEC.at(
        f"{RESPONSE}.choices.finish_reason",
        "`length` if the maximum number of tokens specified in the request was reached",
    ),
)
def cut_off_says_length(long: Exchange, short: Exchange) -> Findings:
    """A text that the cap cuts off ends with `length`."""
    if not text(long).startswith(text(short)) or text(long) == text(short):
        raise Unwitnessed("the cap cuts nothing off")
    if short.choice.finish_reason != "length":
        yield Finding(
            "not-length",
            "The finish reason of a text that was cut off is not `length`",
            at="/choices/0/finish_reason",
            expected="length",
            found=short.choice.finish_reason,
            on=short.key,
        )


@area.must(
    "usage-adds-up",
    sends=each(LONG, BOTH, TWO),
    spec=SPEC.at("CompletionUsage.total_tokens", "Total number of tokens used in the request (prompt + completion)."),
)
def usage_adds_up(x: Exchange) -> Findings:
    """Where there is a `usage`, its counts are whole numbers, and the total is the sum."""
    usage = x.json["usage"]
    if usage.missing:
        raise Unwitnessed("there is no usage")
    prompt, completion, total = counts = [
        usage[name] for name in ("prompt_tokens", "completion_tokens", "total_tokens")
    ]
    for count in counts:
        if count.type != "integer" or count.value < 0:
            yield Finding(
                "not-a-count",
                "A count is not a whole number, or is below 0",
                at=count.pointer,
                expected="integer",
                found=count,
            )
    if all(count.type == "integer" for count in counts) and prompt.value + completion.value != total.value:
        yield Finding(
            "not-the-sum",
            "The total is not the sum of the other two",
            at="/usage",
            expected=prompt.value + completion.value,
            found=total,
        )


@area.may(
    "logprobs-are-there",
    sends=BARE,
    spec=SPEC.at(f"{RESPONSE}.choices", "required: [finish_reason, index, logprobs, text]"),
)
def logprobs_are_there(x: Exchange) -> Findings:
    """A choice has the member `logprobs`, null where none are asked for."""
    for choice in x.json["choices"]:
        if choice["logprobs"].absent:
            yield Finding("no-logprobs", "A choice has no `logprobs`", at=choice["logprobs"].pointer, expected=None)


@area.note("without-a-cap", sends=BARE)
def without_a_cap(x: Exchange) -> Findings:
    """How many tokens are generated where no cap is asked for: OpenAI stops at 16."""
    yield Observed(x.usage["completion_tokens"], "tokens")
    yield Observed(x.choice.finish_reason, "finish_reason")
