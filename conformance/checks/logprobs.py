"""Log probabilities of the output tokens: that they come when asked for, in OpenAI's shape, and fit the text.

Requests for them that have to be refused are in `invalid`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from hypothesis import strategies as st

from conformance.core.check import OK, REPLY, check, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Unsupported, Unwitnessed
from conformance.core.reading.json import Value
from conformance.core.requirement import JSON, MAY, MUST, REPORTS, SHOULD, SPEC
from conformance.judging.refusal import message, named
from conformance.probes.chat import GREEDY, HELLO, STREAMED, chat, streamed
from conformance.probes.invalid import either
from conformance.probes.streams import LOGPROBS
from conformance.probes.structured import GUARD, by_schema
from conformance.probes.tools import GET_WEATHER

TOP = GREEDY.asking(logprobs=True, top_logprobs=5)
TOP_STREAMED = streamed(TOP)
BY_SCHEMA = by_schema(GUARD, logprobs=True, top_logprobs=20)
WITH_TOOLS = streamed(chat(tools=[GET_WEATHER], logprobs=True), include_usage=True)

ASKED = SPEC.at(
    "CreateChatCompletionRequest.logprobs",
    "If true, returns the log probabilities of each output token returned in the `content` of `message`.",
)
ENTRY = SPEC.at("ChatCompletionTokenLogprob", "required: [token, logprob, bytes, top_logprobs]")
NO_ENTRIES = Unwitnessed("no log probabilities came")
NEAR = 0.05  # engines compute in half precision, and in other batches


def _holders(x: Exchange) -> Iterator[Value]:
    """The `logprobs` member of every choice of the answer, or of its chunks."""
    for value in x.bodies:
        for choice in value["choices"]:
            yield choice["logprobs"]


def _entries(x: Exchange) -> Iterator[Value]:
    """Every entry of `logprobs.content` that is an object."""
    for holder in _holders(x):
        for entry in holder["content"]:
            if entry.type == "object":
                yield entry


@check(
    "logprobs.requests-are-accepted",
    MUST,
    sends=each(LOGPROBS, TOP, TOP_STREAMED, BY_SCHEMA, WITH_TOOLS),
    needs=REPLY,
    requires="logprobs",
    spec=ASKED,
    remedy="Do not ask for log probabilities together with a schema or tools.",
)
def requests_are_accepted(x: Exchange) -> Findings:
    """A request for log probabilities is answered or refused by name, also with a schema, with tools, in a stream."""
    feature = named(x, ("logprobs",))
    if x.ok:
        return
    if feature:
        yield Unsupported(f"the server refuses `{feature}` ({x.status})")
    else:
        found = {"status": x.status, "message": message(x)}
        yield Finding("valid-request-not-answered", "a valid request is not answered", expected="2xx", found=found)


@check(
    "logprobs.top-is-optional",
    MUST,
    sends=(LOGPROBS, TOP),
    needs=REPLY,
    requires="logprobs",
    spec=SPEC.at("CreateChatCompletionRequest", "required: [model, messages]"),
    remedy="Send top_logprobs: 0 along with logprobs.",
)
def top_is_optional(alone: Exchange, top: Exchange) -> Findings:
    """`logprobs: true` is enough: `top_logprobs` may be left out."""
    if not top.ok:
        yield Unsupported(f"log probabilities are refused ({top.status})")
    elif not alone.ok:
        found = {"status": alone.status, "message": message(alone)}
        yield Finding(
            "logprobs-without-top-logprobs-refused",
            "logprobs without top_logprobs is refused",
            expected="2xx",
            found=found,
        )


@check("logprobs.come-when-asked", MUST, sends=each(LOGPROBS, TOP_STREAMED), requires="logprobs", spec=ASKED)
def come_when_asked(x: Exchange) -> Findings:
    """`logprobs: true` is not silently ignored."""
    if not x.choice.text:
        yield Unwitnessed("the answer has no text")
    elif all(holder.missing for holder in _holders(x)):
        yield Finding("answer-no-logprobs", "the answer has no logprobs", at="logprobs", expected="object", found=None)


@check(
    "logprobs.is-an-object",
    MUST,
    sends=each(LOGPROBS, TOP_STREAMED),
    requires="logprobs",
    spec=SPEC.at("CreateChatCompletionResponse.choices.logprobs", "required: [content, refusal]"),
    remedy="SageMaker LMI: read the first element of the list.",
)
def is_an_object(x: Exchange) -> Findings:
    """`logprobs` is null, or an object whose `content` is null or a list of objects."""
    for holder in _holders(x):
        content = holder["content"]
        if holder.missing:
            continue
        if holder.type != "object":
            yield Finding(
                "logprobs-no-object",
                "logprobs is no object",
                at=holder.pointer,
                expected="object or null",
                found=holder,
            )
        elif content.type not in ("array", "null"):
            yield Finding(
                "logprobs-no-list-content",
                "logprobs has no list `content`",
                at=content.pointer,
                expected="array",
                found=holder,
            )
        for entry in content:
            if entry.type != "object":
                yield Finding(
                    "entry-no-object", "an entry is no object", at=entry.pointer, expected="object", found=entry
                )


@check("logprobs.entries-are-whole", MUST, sends=each(LOGPROBS, TOP, TOP_STREAMED), requires="logprobs", spec=ENTRY)
def entries_are_whole(x: Exchange) -> Findings:
    """Each entry has its `token`, its `logprob` and its list of `top_logprobs`."""
    for entry in _entries(x):
        for one in (entry, *entry["top_logprobs"]):
            if one["token"].type != "string":
                yield Finding(
                    "entry-no-token",
                    "an entry has no token",
                    at=one["token"].pointer,
                    expected="string",
                    found=one["token"],
                )
            if one["logprob"].type not in ("integer", "number"):
                yield Finding(
                    "entry-no-logprob",
                    "an entry has no logprob",
                    at=one["logprob"].pointer,
                    expected="number",
                    found=one["logprob"],
                )
        top = entry["top_logprobs"]
        if top.type != "array":
            yield Finding(
                "entry-no-list-top-logprobs",
                "an entry has no list of top_logprobs",
                at=top.pointer,
                expected="array",
                found=top,
            )


@check(
    "logprobs.bytes-spell-the-token",
    SHOULD,
    sends=each(LOGPROBS, TOP, TOP_STREAMED),
    requires="logprobs",
    spec=SPEC.at(
        "ChatCompletionTokenLogprob.bytes",
        "A list of integers representing the UTF-8 bytes representation of the token.",
    ),
)
def bytes_spell_the_token(x: Exchange) -> Findings:
    """`bytes` is null, or the bytes of the token."""
    for entry in _entries(x):
        raw, token = entry["bytes"], entry["token"].value
        if raw.value is None:
            continue
        if raw.type != "array" or not all(isinstance(one.value, int) and 0 <= one.value < 256 for one in raw):
            yield Finding(
                "bytes-neither-null-nor-list", "bytes is neither null nor a list of bytes", at=raw.pointer, found=raw
            )
        elif (
            isinstance(token, str)
            and token.isascii()
            and token.isalnum()
            and bytes(raw.value).strip() != token.encode()
        ):
            yield Finding(
                "bytes-spell-another-token",
                "the bytes spell another token",
                at=raw.pointer,
                expected=token,
                found=bytes(raw.value),
            )


@check(
    "logprobs.are-numbers-of-json",
    MUST,
    sends=each(LOGPROBS, TOP, BY_SCHEMA),
    needs=OK,
    requires="logprobs",
    spec=JSON.at(
        "6",
        "Numeric values that cannot be represented in the grammar below (such as Infinity and NaN) are not permitted.",
    ),
)
def are_numbers_of_json(x: Exchange) -> Findings:
    """No log probability is NaN or infinite: the body is JSON."""
    if not x.not_json:
        return
    found = re.search(rb"[:\[,]\s*(-?Infinity|NaN)\b", x.body)
    if found:
        yield Finding(
            "number-none-json", "a number is none of JSON's", at=found.span(1), expected="-9999.0", found=found[1]
        )


@check(
    "logprobs.are-not-positive",
    MUST,
    sends=each(LOGPROBS, TOP, TOP_STREAMED),
    requires="logprobs",
    spec=SPEC.at("ChatCompletionTokenLogprob.logprob", "The log probability of this token"),
)
def are_not_positive(x: Exchange) -> Findings:
    """A log probability is 0 at most."""
    for entry in _entries(x):
        for one in (entry, *entry["top_logprobs"]):
            value = one["logprob"].value
            if isinstance(value, (int, float)) and value > 0.001:
                yield Finding(
                    "log-probability-above-0",
                    "a log probability is above 0",
                    at=one["logprob"].pointer,
                    expected="0 or less",
                    found=value,
                )


def _joined(x: Exchange) -> bytes:
    """What the tokens spell together."""
    spelled = b""
    for entry in _entries(x):
        raw, token = entry["bytes"].value, entry["token"].value
        if isinstance(raw, list) and all(isinstance(one, int) and 0 <= one < 256 for one in raw):
            spelled += bytes(raw)
        elif isinstance(token, str):
            spelled += token.encode(errors="replace")
    return spelled


@check("logprobs.tokens-spell-the-text", SHOULD, sends=each(LOGPROBS, TOP), requires="logprobs", spec=ASKED)
def tokens_spell_the_text(x: Exchange) -> Findings:
    """The tokens together are the text of the answer. More may come: thoughts before it, an end after it."""
    spelled, text = _joined(x), x.choice.text.strip()
    if not spelled or not text:
        yield NO_ENTRIES
    elif text.encode(errors="replace") not in spelled:
        yield Finding("tokens-do-not-spell-text", "the tokens do not spell the text", expected=text, found=spelled)


@check(
    "logprobs.top-is-bounded",
    MUST,
    sends=either(st.integers(0, 20).map(lambda top: GREEDY.asking(logprobs=True, top_logprobs=top))),
    requires="logprobs",
    examples=6,
    spec=SPEC.at(
        "CreateChatCompletionRequest.top_logprobs",
        "An integer between 0 and 20 specifying the maximum number of most likely tokens to return at each token "
        "position",
    ),
)
def top_is_bounded(x: Exchange) -> Findings:
    """No more alternatives come than `top_logprobs` asks for. Fewer may come."""
    most = x.probe.wish["top_logprobs"]
    for entry in _entries(x):
        top = entry["top_logprobs"]
        if len(top) > most:
            yield Finding(
                "more-alternatives-come-than-asked",
                "more alternatives come than were asked for",
                at=top.pointer,
                expected=most,
                found=len(top),
            )


@check("logprobs.top-is-sorted", SHOULD, sends=each(TOP, TOP_STREAMED), requires="logprobs", spec=ENTRY)
def top_is_sorted(x: Exchange) -> Findings:
    """The alternatives come with the likeliest first, and at temperature 0 the chosen token is the likeliest."""
    for entry in _entries(x):
        top = [one["logprob"].value for one in entry["top_logprobs"]]
        if not top or not all(isinstance(one, (int, float)) for one in top):
            continue
        own = entry["logprob"].value
        if any(after > before + NEAR for before, after in pairwise(top)):
            yield Finding(
                "alternatives-not-sorted",
                "the alternatives are not sorted",
                at=entry["top_logprobs"].pointer,
                found=top,
            )
        elif isinstance(own, (int, float)) and own < top[0] - NEAR:
            yield Finding(
                "chosen-token-not-likeliest",
                "the chosen token is not the likeliest",
                at=entry["logprob"].pointer,
                expected=top[0],
                found=own,
            )


@check(
    "logprobs.absent-unless-asked",
    SHOULD,
    sends=each(HELLO, STREAMED),
    spec=SPEC.at("CreateChatCompletionRequest.logprobs", "type: boolean, default: false"),
)
def absent_unless_asked(x: Exchange) -> Findings:
    """Without `logprobs: true`, `logprobs` is null or absent."""
    for holder in _holders(x):
        if holder["content"].value:
            yield Finding(
                "log-probabilities-come-unasked",
                "log probabilities come unasked",
                at=holder.pointer,
                expected=None,
                found="logprobs",
            )
            return


@check(
    "logprobs.cover-every-token",
    SHOULD,
    sends=WITH_TOOLS,
    requires=("logprobs", "tools", "chat.stream", "usage.stream"),
    spec=ASKED,
)
def cover_every_token(x: Exchange) -> Findings:
    """A streamed answer has an entry for each generated token, also where tools are offered and none is called."""
    entries = sum(1 for _ in _entries(x))
    spent, thought = x.usage["completion_tokens"].value, x.usage["completion_tokens_details"]["reasoning_tokens"].value
    if not entries or x.choice.calls or x.choice.reasoning or thought or not isinstance(spent, int):
        yield Unwitnessed("no text with log probabilities and usage came")
    elif entries < spent - 1:  # the end of the text is a token for some, and has no entry
        yield Finding(
            "tokens-no-log-probabilities",
            "tokens have no log probabilities",
            at="logprobs",
            expected=spent,
            found=entries,
        )


@check(
    "logprobs.top-p-leaves-them-alone",
    MAY,
    sends=(TOP, TOP.asking(top_p=0.5)),
    requires="logprobs",
    spec=REPORTS.at(
        "text-generation-inference",
        "With top_p the only entry had the log probability 0: confidence could not be computed.",
        "https://github.com/huggingface/text-generation-inference/issues/2108",
    ),
)
def top_p_leaves_them_alone(free: Exchange, narrow: Exchange) -> Findings:
    """Log probabilities are those of the model, before `top_p` takes tokens away."""
    for one, other in zip(_entries(free), _entries(narrow), strict=False):
        before, after = one["logprob"].value, other["logprob"].value
        if one["token"].value != other["token"].value or not all(isinstance(n, (int, float)) for n in (before, after)):
            return
        if before < -0.01 and (after > -0.0001 or abs(after - before) > 0.5):
            yield Finding(
                "top-p-changes-log-probability",
                "top_p changes the log probability",
                at=other.pointer,
                expected=before,
                found=after,
                on=narrow.key,
            )
            return


@check(
    "logprobs.has-refusal",
    MAY,
    sends=LOGPROBS,
    requires="logprobs",
    spec=SPEC.at("CreateChatCompletionResponse.choices.logprobs", "required: [content, refusal]"),
)
def has_refusal(x: Exchange) -> Findings:
    """`logprobs` has the member `refusal`, null where nothing was refused."""
    for holder in _holders(x):
        if holder.type == "object" and holder["content"].type == "array" and "refusal" not in holder:
            yield Finding("logprobs-no-refusal", "logprobs has no refusal", at=holder["refusal"].pointer, expected=None)
