"""The older interface, `POST /completions`: the shape of its answers. A server may well not have it.

What may be asked for is in `completion_requests`, and streams are in `completion_streams`.
"""

from __future__ import annotations

from conformance.checks.chat import LATEST, OLDEST
from conformance.core.check import OK, REPLY, check, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed, Unsupported, Unwitnessed
from conformance.core.requirement import MAY, MUST, NOTE, SHOULD, SPEC
from conformance.judging.refusal import message, named
from conformance.probes.completions import BARE, BOTH, LONG, OTHER, SHORT, TWO, TWO_OF_EACH, capped

RESPONSE = "CreateCompletionResponse"
REQUEST = "CreateCompletionRequest"
FINISHES = ("stop", "length", "content_filter")


def text(x: Exchange, index: int = 0) -> str:
    """The text of a choice, whole or put together from a stream; "" where there is none."""
    pieces = [
        choice["text"].value for value in x.bodies for choice in value["choices"] if choice["index"].value == index
    ]
    return "".join(piece for piece in pieces if isinstance(piece, str))


@check(
    "completions.requests-are-accepted",
    MUST,
    sends=each((BARE, BARE), (BARE, LONG), (BARE, BOTH)),
    needs=REPLY,
    requires="completions",
    spec=SPEC.at(
        f"{REQUEST}.prompt",
        "The prompt(s) to generate completions for, encoded as a string, array of strings, array of tokens, or array of "
        "token arrays.",
    ),
)
def requests_are_accepted(plain: Exchange, x: Exchange) -> Findings:
    """A prompt, and a list of prompts, are completed; or the server has no such route."""
    if plain.status == 501 or (plain.status is not None and 400 <= plain.status < 500):
        yield Unsupported(f"the server does not serve completions ({plain.status})")
    if feature := named(x):
        yield Unsupported(f"the server refuses `{feature}` ({x.status})")
    if not x.ok:
        found = {"status": x.status, "message": message(x)[:300]}
        yield Finding(
            "plain-prompt-not-answered-2xx",
            "a plain prompt is not answered 2xx",
            at="status",
            expected=200,
            found=found,
            on=x.key,
        )


@check(
    "completions.object-is-text-completion",
    MUST,
    sends=BARE,
    needs=OK,
    requires="completions",
    spec=SPEC.at(f"{RESPONSE}.object", 'The object type, which is always "text_completion"'),
)
def object_is_text_completion(x: Exchange) -> Findings:
    """The `object` of an answer is `text_completion`."""
    if x.json["object"].value != "text_completion":
        yield Finding(
            "object-another", "`object` is another", at="/object", expected="text_completion", found=x.json["object"]
        )


@check(
    "completions.head-is-complete",
    MUST,
    sends=BARE,
    needs=OK,
    requires="completions",
    spec=SPEC.at(RESPONSE, "required: [id, object, created, model, choices]"),
)
def head_is_complete(x: Exchange) -> Findings:
    """An answer has an id, the time in seconds, and the name of the model."""
    for name in ("id", "model"):
        if x.json[name].type != "string" or not x.json[name]:
            yield Finding(
                "text-missing", "a text is missing", at=x.json[name].pointer, expected="string", found=x.json[name]
            )
    created = x.json["created"]
    if created.type != "integer" or not OLDEST <= created.value < LATEST:
        yield Finding(
            "created-no-time-seconds",
            "`created` is no time in seconds",
            at="/created",
            expected="about 1.8e9",
            found=created,
        )


@check(
    "completions.choices-have-text",
    MUST,
    sends=each(BARE, BOTH),
    needs=OK,
    requires="completions",
    spec=SPEC.at(f"{RESPONSE}.choices", "required: [finish_reason, index, logprobs, text]; text: string"),
)
def choices_have_text(x: Exchange) -> Findings:
    """There are choices, and each has its text in `text`."""
    choices = x.json["choices"]
    if not isinstance(choices.value, list) or not choices:
        yield Finding("no-choices", "there are no choices", at="/choices", expected="array", found=choices.type)
    for choice in choices:
        if choice["text"].type != "string":
            said = "the text is in a message" if choice["message"].type == "object" else "a choice has no text"
            yield Finding("", said, at=choice["text"].pointer, expected="string", found=choice["text"])


@check(
    "completions.n-counts-for-each-prompt",
    MUST,
    sends=each(BARE, BOTH, TWO, TWO_OF_EACH),
    needs=OK,
    requires="completions",
    spec=SPEC.at(f"{REQUEST}.n", "How many completions to generate for each prompt."),
)
def n_counts_for_each_prompt(x: Exchange) -> Findings:
    """There are `n` choices for each prompt, numbered from 0."""
    prompt, choices = x.probe.wish["prompt"], x.json["choices"]
    wanted = (len(prompt) if isinstance(prompt, list) else 1) * x.probe.wish.get("n", 1)
    found = [choice["index"].value for choice in choices]
    if len(choices) != wanted:
        yield Finding(
            "another-number-choices",
            "there is another number of choices",
            at="/choices",
            expected=wanted,
            found=len(choices),
        )
    elif not all(type(index) is int for index in found) or sorted(found) != list(range(wanted)):
        yield Finding(
            "choices-not-numbered-from-0",
            "the choices are not numbered from 0",
            at="/choices",
            expected=list(range(wanted)),
            found=found,
        )


@check(
    "completions.prompts-keep-their-places",
    MUST,
    sends=(BOTH, LONG, OTHER),
    needs=OK,
    requires="completions",
    spec=SPEC.at(f"{RESPONSE}.choices", "The list of completion choices the model generated for the input prompt."),
    remedy="Send one prompt a request.",
)
def prompts_keep_their_places(both: Exchange, first: Exchange, second: Exchange) -> Findings:
    """Of several prompts, the first is answered by the first choice."""
    alone, together = [text(first), text(second)], [text(both, 0), text(both, 1)]
    if alone[0] == alone[1] or not all((*alone, *together)):
        yield Unwitnessed("both prompts are answered alike, or with nothing")
    elif together == alone[::-1]:
        yield Finding(
            "choices-those-other-prompts",
            "the choices are those of the other prompts",
            at="/choices",
            expected=alone,
            found=together,
        )


@check(
    "completions.finish-reason-is-known",
    MUST,
    sends=each(BARE, LONG),
    needs=OK,
    requires="completions",
    spec=SPEC.at(f"{RESPONSE}.choices.finish_reason", "enum: [stop, length, content_filter]"),
)
def finish_reason_is_known(x: Exchange) -> Findings:
    """The `finish_reason` is one of those that this interface has."""
    for choice in x.json["choices"]:
        reason = choice["finish_reason"]
        if reason.value not in FINISHES:
            yield Finding(
                "finish-reason-another",
                "the finish reason is another",
                at=reason.pointer,
                expected=list(FINISHES),
                found=reason,
            )


@check(
    "completions.cap-is-kept",
    MUST,
    sends=capped,
    needs=OK,
    requires="completions",
    examples=4,
    spec=SPEC.at(f"{REQUEST}.max_tokens", "that can be generated in the completion."),
)
def cap_is_kept(x: Exchange) -> Findings:
    """No more tokens are generated than `max_tokens` allows."""
    counted, cap = x.usage["completion_tokens"].value, x.probe.wish["max_tokens"]
    if isinstance(counted, int) and counted > cap:
        yield Finding(
            "more-tokens-generated",
            "more tokens are generated",
            at="/usage/completion_tokens",
            expected=cap,
            found=counted,
        )
    elif len(text(x).encode()) > 40 * cap:  # no tokenizer has longer words in it, in a count or a sentence
        yield Finding(
            "text-longer-than-so-many",
            "the text is longer than so many tokens",
            at="/choices/0/text",
            expected=cap,
            found=text(x)[:300],
        )


@check(
    "completions.cut-off-says-length",
    SHOULD,
    sends=(LONG, SHORT),
    needs=OK,
    requires="completions",
    spec=SPEC.at(
        f"{RESPONSE}.choices.finish_reason",
        "`length` if the maximum number of tokens specified in the request was reached",
    ),
)
def cut_off_says_length(long: Exchange, short: Exchange) -> Findings:
    """A text that the cap cuts off ends with `length`."""
    if not text(long).startswith(text(short)) or text(long) == text(short):
        yield Unwitnessed("the cap cuts nothing off")
    elif short.choice.finish_reason != "length":
        yield Finding(
            "text-cut-off-says-otherwise", "a text that was cut off says otherwise",
            at="/choices/0/finish_reason", expected="length", found=short.choice.finish_reason, on=short.key,
        )  # fmt: skip


@check(
    "completions.usage-adds-up",
    MUST,
    sends=each(LONG, BOTH, TWO),
    needs=OK,
    requires="completions",
    spec=SPEC.at("CompletionUsage.total_tokens", "Total number of tokens used in the request (prompt + completion)."),
)
def usage_adds_up(x: Exchange) -> Findings:
    """Where there is a `usage`, its counts are whole numbers, and the total is the sum."""
    usage = x.json["usage"]
    counts = [usage[name] for name in ("prompt_tokens", "completion_tokens", "total_tokens")]
    if usage.missing:
        yield Unwitnessed("there is no usage")
        return
    for count in counts:
        if count.type != "integer" or count.value < 0:
            yield Finding(
                "count-no-whole-number", "a count is no whole number", at=count.pointer, expected="integer", found=count
            )
    if all(count.type == "integer" for count in counts) and counts[0].value + counts[1].value != counts[2].value:
        yield Finding(
            "total-not-sum",
            "the total is not the sum",
            at="/usage",
            expected=counts[0].value + counts[1].value,
            found=counts[2],
        )


@check(
    "completions.logprobs-are-there",
    MAY,
    sends=BARE,
    needs=OK,
    requires="completions",
    spec=SPEC.at(f"{RESPONSE}.choices", "required: [finish_reason, index, logprobs, text]"),
)
def logprobs_are_there(x: Exchange) -> Findings:
    """A choice has the member `logprobs`, null where none are asked for."""
    for choice in x.json["choices"]:
        if choice["logprobs"].absent:
            yield Finding(
                "required-member-absent", "a required member is absent", at=choice["logprobs"].pointer, expected=None
            )


@check("completions.without-a-cap", NOTE, sends=BARE, needs=OK, requires="completions")
def without_a_cap(x: Exchange) -> Findings:
    """How many tokens are generated where no cap is asked for: OpenAI stops at 16."""
    yield Observed(x.usage["completion_tokens"], "tokens")
    yield Observed(x.choice.finish_reason, "finish_reason")
