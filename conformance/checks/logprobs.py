"""Log probabilities of the output tokens: that they come when asked for, in OpenAI's shape, and fit the text.

Requests for them that have to be refused are in `invalid`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from hypothesis import strategies as st

from conformance.core.check import OK, REPLY, Area, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Unsupported, Unwitnessed
from conformance.core.reading.json import Value
from conformance.core.requirement import JSON, REPORTS, SPEC
from conformance.judging.refusal import message, named
from conformance.probes.chat import GREEDY, HELLO, STREAMED, chat, streamed
from conformance.probes.invalid import either
from conformance.probes.streams import LOGPROBS
from conformance.probes.structured import GUARD, by_schema
from conformance.probes.tools import GET_WEATHER

area = Area("logprobs", requires="logprobs")

TOP = GREEDY.asking(logprobs=True, top_logprobs=5)
TOP_STREAMED = streamed(TOP)
BY_SCHEMA = by_schema(GUARD, logprobs=True, top_logprobs=20)
WITH_TOOLS = streamed(chat(tools=[GET_WEATHER], logprobs=True), include_usage=True)

ASKED = SPEC.at(
    "CreateChatCompletionRequest.logprobs",
    "If true, returns the log probabilities of each output token returned in the `content` of `message`.",
)
ENTRY = SPEC.at("ChatCompletionTokenLogprob", "required: [token, logprob, bytes, top_logprobs]")
HOLDER = SPEC.at("CreateChatCompletionResponse.choices.logprobs", "required: [content, refusal]")
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


def _candidates(x: Exchange) -> Iterator[Value]:
    """Every entry, each followed by its alternatives."""
    for entry in _entries(x):
        yield from (entry, *entry["top_logprobs"])


def _bytes(raw: Value) -> bytes | None:
    """The bytes that a list of integers stands for; None where it is no such list."""
    if raw.type == "array" and all(isinstance(byte.value, int) and 0 <= byte.value < 256 for byte in raw):
        return bytes(raw.value)
    return None


@area.must(
    "requests-are-accepted",
    sends=each(LOGPROBS, TOP, TOP_STREAMED, BY_SCHEMA, WITH_TOOLS),
    needs=REPLY,
    spec=ASKED,
    remedy="Do not ask for log probabilities together with a schema or tools.",
)
def requests_are_accepted(x: Exchange) -> Findings:
    """A request for log probabilities is answered or refused by name, also with a schema, with tools, in a stream."""
    if feature := named(x, ("logprobs",)):
        raise Unsupported(f"the server refuses `{feature}` ({x.status})")
    if not x.ok:
        found = {"status": x.status, "message": message(x)}
        yield Finding("not-answered", "A valid request is not answered", expected="2xx", found=found)


@area.must(
    "top-is-optional",
    sends=(LOGPROBS, TOP),
    needs=REPLY,
    spec=SPEC.at("CreateChatCompletionRequest", "required: [model, messages]"),
    remedy="Send top_logprobs: 0 along with logprobs.",
)
def top_is_optional(alone: Exchange, top: Exchange) -> Findings:
    """`logprobs: true` is enough: `top_logprobs` may be left out."""
    if not top.ok:
        raise Unsupported(f"log probabilities are refused ({top.status})")
    if not alone.ok:
        found = {"status": alone.status, "message": message(alone)}
        yield Finding("refused", "`logprobs` without `top_logprobs` is refused", expected="2xx", found=found)


@area.must("come-when-asked", sends=each(LOGPROBS, TOP_STREAMED), spec=ASKED)
def come_when_asked(x: Exchange) -> Findings:
    """`logprobs: true` is not silently ignored."""
    if not x.choice.text:
        raise Unwitnessed("the answer has no text")
    if all(holder.missing for holder in _holders(x)):
        yield Finding("no-logprobs", "The answer has no `logprobs`", at="logprobs", expected="object", found=None)


@area.must(
    "is-an-object",
    sends=each(LOGPROBS, TOP_STREAMED),
    spec=HOLDER,
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
                "not-an-object",
                "`logprobs` is not an object",
                at=holder.pointer,
                expected="object or null",
                found=holder,
            )
        elif content.type not in ("array", "null"):
            yield Finding(
                "content-not-list",
                "The `content` of `logprobs` is not a list",
                at=content.pointer,
                expected="array",
                found=holder,
            )
        for entry in content:
            if entry.type != "object":
                yield Finding(
                    "entry-not-object", "An entry is not an object", at=entry.pointer, expected="object", found=entry
                )


@area.must("entries-are-whole", sends=each(LOGPROBS, TOP, TOP_STREAMED), spec=ENTRY)
def entries_are_whole(x: Exchange) -> Findings:
    """Each entry has its `token`, its `logprob` and its list of `top_logprobs`."""
    for entry in _entries(x):
        top = entry["top_logprobs"]
        for candidate in (entry, *top):
            token, logprob = candidate["token"], candidate["logprob"]
            if token.type != "string":
                yield Finding(
                    "token-not-string",
                    "The `token` of an entry is not a string",
                    at=token.pointer,
                    expected="string",
                    found=token,
                )
            if logprob.type not in ("integer", "number"):
                yield Finding(
                    "logprob-not-number",
                    "The `logprob` of an entry is not a number",
                    at=logprob.pointer,
                    expected="number",
                    found=logprob,
                )
        if top.type != "array":
            yield Finding(
                "top-logprobs-not-list",
                "The `top_logprobs` of an entry are not a list",
                at=top.pointer,
                expected="array",
                found=top,
            )


@area.should(
    "bytes-spell-the-token",
    sends=each(LOGPROBS, TOP, TOP_STREAMED),
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
        spelled = _bytes(raw)
        if spelled is None:
            yield Finding("not-bytes", "`bytes` is neither null nor a list of bytes", at=raw.pointer, found=raw)
        elif isinstance(token, str) and token.isascii() and token.isalnum() and spelled.strip() != token.encode():
            yield Finding(
                "bytes-differ",
                "The bytes do not spell the token",
                at=raw.pointer,
                expected=token,
                found=spelled,
            )


@area.must(
    "are-numbers-of-json",
    sends=each(LOGPROBS, TOP, BY_SCHEMA),
    needs=OK,
    spec=JSON.at(
        "6",
        "Numeric values that cannot be represented in the grammar below (such as Infinity and NaN) are not permitted.",
    ),
)
def are_numbers_of_json(x: Exchange) -> Findings:
    """No log probability is NaN or infinite: the body is JSON."""
    found = re.search(rb"[:\[,]\s*(-?Infinity|NaN)\b", x.body) if x.not_json else None
    if found:
        yield Finding(
            "nan-or-infinity",
            "A number is NaN or infinite, which JSON does not have",
            at=found.span(1),
            expected="-9999.0",
            found=found[1],
        )


@area.must(
    "are-not-positive",
    sends=each(LOGPROBS, TOP, TOP_STREAMED),
    spec=SPEC.at("ChatCompletionTokenLogprob.logprob", "The log probability of this token"),
)
def are_not_positive(x: Exchange) -> Findings:
    """A log probability is 0 at most."""
    for candidate in _candidates(x):
        logprob = candidate["logprob"]
        if isinstance(logprob.value, (int, float)) and logprob.value > 0.001:
            yield Finding(
                "positive",
                "A log probability is above 0",
                at=logprob.pointer,
                expected="0 or less",
                found=logprob.value,
            )


def _spelled(x: Exchange) -> bytes:
    """What the tokens spell together."""
    spelled = b""
    for entry in _entries(x):
        raw, token = _bytes(entry["bytes"]), entry["token"].value
        if raw is not None:
            spelled += raw
        elif isinstance(token, str):
            spelled += token.encode(errors="replace")
    return spelled


@area.should("tokens-spell-the-text", sends=each(LOGPROBS, TOP), spec=ASKED)
def tokens_spell_the_text(x: Exchange) -> Findings:
    """The tokens together spell the text. More may come: reasoning before it, an end token after it."""
    spelled, text = _spelled(x), x.choice.text.strip()
    if not spelled or not text:
        raise Unwitnessed("no log probabilities came")
    if text.encode(errors="replace") not in spelled:
        yield Finding("text-differs", "The tokens do not spell the text", expected=text, found=spelled)


@area.must(
    "top-is-bounded",
    sends=either(st.integers(0, 20).map(lambda top: GREEDY.asking(logprobs=True, top_logprobs=top))),
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
                "too-many-alternatives",
                "More alternatives come than were asked for",
                at=top.pointer,
                expected=most,
                found=len(top),
            )


@area.should("top-is-sorted", sends=each(TOP, TOP_STREAMED), spec=ENTRY)
def top_is_sorted(x: Exchange) -> Findings:
    """The likeliest alternative comes first, and at temperature 0 the chosen token is the likeliest."""
    for entry in _entries(x):
        top = [alternative["logprob"].value for alternative in entry["top_logprobs"]]
        if not top or not all(isinstance(logprob, (int, float)) for logprob in top):
            continue
        own = entry["logprob"].value
        if any(after > before + NEAR for before, after in pairwise(top)):
            yield Finding(
                "not-sorted",
                "The alternatives are not sorted by probability",
                at=entry["top_logprobs"].pointer,
                found=top,
            )
        elif isinstance(own, (int, float)) and own < top[0] - NEAR:
            yield Finding(
                "chosen-not-likeliest",
                "The chosen token is not the likeliest",
                at=entry["logprob"].pointer,
                expected=top[0],
                found=own,
            )


@area.should(
    "absent-unless-asked",
    sends=each(HELLO, STREAMED),
    requires=(),
    spec=SPEC.at("CreateChatCompletionRequest.logprobs", "type: boolean, default: false"),
)
def absent_unless_asked(x: Exchange) -> Findings:
    """Without `logprobs: true`, `logprobs` is null or absent."""
    for holder in _holders(x):
        if holder["content"].value:
            yield Finding(
                "unasked",
                "Log probabilities come without being asked for",
                at=holder.pointer,
                expected=None,
                found="logprobs",
            )
            return


@area.should(
    "cover-every-token",
    sends=WITH_TOOLS,
    requires=("logprobs", "tools", "chat.stream", "usage.stream"),
    spec=ASKED,
)
def cover_every_token(x: Exchange) -> Findings:
    """A streamed answer has an entry for each generated token, also where tools are offered and none is called."""
    entries = sum(1 for _ in _entries(x))
    spent, thought = x.usage["completion_tokens"].value, x.usage["completion_tokens_details"]["reasoning_tokens"].value
    if not entries or x.choice.calls or x.choice.reasoning or thought or not isinstance(spent, int):
        raise Unwitnessed("no text with log probabilities and usage came")
    if entries < spent - 1:  # some servers count the end token, which has no entry
        yield Finding(
            "entries-missing",
            "Tokens have no log probabilities",
            at="logprobs",
            expected=spent,
            found=entries,
        )


@area.may(
    "top-p-leaves-them-alone",
    sends=(TOP, TOP.asking(top_p=0.5)),
    spec=REPORTS.at(
        "text-generation-inference",
        "With top_p the only entry had the log probability 0: confidence could not be computed.",
        "https://github.com/huggingface/text-generation-inference/issues/2108",
    ),
)
def top_p_leaves_them_alone(free: Exchange, narrow: Exchange) -> Findings:
    """Log probabilities are those of the model, before `top_p` takes tokens away."""
    for wide, cut in zip(_entries(free), _entries(narrow), strict=False):
        before, after = wide["logprob"].value, cut["logprob"].value
        if wide["token"].value != cut["token"].value or not all(isinstance(n, (int, float)) for n in (before, after)):
            return
        if before < -0.01 and (after > -0.0001 or abs(after - before) > 0.5):
            yield Finding(
                "logprob-changes",
                "`top_p` changes the log probability",
                at=cut.pointer,
                expected=before,
                found=after,
                on=narrow.key,
            )
            return


@area.may("has-refusal", sends=LOGPROBS, spec=HOLDER)
def has_refusal(x: Exchange) -> Findings:
    """`logprobs` has the member `refusal`, null where nothing was refused."""
    for holder in _holders(x):
        if holder.type == "object" and holder["content"].type == "array" and "refusal" not in holder:
            yield Finding("no-refusal", "`logprobs` has no `refusal`", at=holder["refusal"].pointer, expected=None)
