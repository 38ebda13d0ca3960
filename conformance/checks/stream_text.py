"""The text of a stream: the same as that of the whole answer, complete, and without what had to be held back."""

from __future__ import annotations

from conformance.checks.stream import STREAM
from conformance.checks.stream_events import choices, chunks
from conformance.checks.stream_framing import carriers, is_done, unreadable
from conformance.checks.stream_order import NO_STREAM, addition, by_index, ended
from conformance.core.check import Area, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed, Unsupported, Unwitnessed
from conformance.core.requirement import JSON, REPORTS, SPEC
from conformance.probes.chat import COUNT_STREAMED, GREEDY, HELLO, STREAMED
from conformance.probes.streams import (
    CAPPED,
    CAPPED_USAGE,
    GREEDY_COUNT,
    GREEDY_COUNT_STREAMED,
    GREEDY_STREAMED,
    GREEDY_USAGE,
    LOGPROBS,
    LOGPROBS_STREAMED,
    UNICODE,
    UNICODE_STREAMED,
    foreign,
    noise,
    stops,
)

area = Area("stream", requires="chat.stream")

OTHER_TEXT = "the two answers are not of the same text"
REPLACEMENT = "\ufffd"
"""What decoders put in the place of bytes that they cannot read."""
LONG = 100
"""Characters: no tokenizer makes a single token of so long a text."""


def malformed(x: Exchange) -> Findings:
    """The faults of a stream as a whole: unreadable events, several ids, a missing or second finish reason, no end."""
    if not carriers(x):
        return  # not a stream at all: that is one finding, of another check
    yield from unreadable(x)
    if not any(is_done(event) for event in (*x.events, x.stream.unfinished)):
        yield Finding("no-done", "The stream does not end with `[DONE]`", at=f"event {len(x.events) - 1}", on=x.key)
    ids = {chunk["id"].value for chunk in chunks(x) if chunk["id"].type == "string"}
    if len(ids) > 1:
        yield Finding("id-changes", "The `id` changes within a stream", found=sorted(ids)[:5], on=x.key)
    for parts in by_index(x).values():
        reasons = [place for place, choice in enumerate(parts) if ended(choice)]
        if len(reasons) != 1:
            yield Finding(
                "not-one-finish-reason",
                "A choice does not have exactly one finish reason",
                expected=1,
                found=len(reasons),
                on=x.key,
            )
        elif any(addition(choice) is not None for choice in parts[reasons[0] + 1 :]):
            yield Finding(
                "content-after-finish",
                "A message continues after its finish reason",
                at=parts[reasons[0]].pointer,
                on=x.key,
            )


@area.must("is-well-formed-whatever-it-says", sends=noise, examples=8, spec=STREAM)
def is_well_formed_whatever_it_says(x: Exchange) -> Findings:
    """Every stream has readable events with a single id, one finish reason per choice, and `[DONE]` at its end."""
    if not carriers(x):
        raise Unsupported(NO_STREAM)
    yield from malformed(x)


@area.must("brings-the-text", sends=each((HELLO, STREAMED)), spec=STREAM)
def brings_the_text(whole: Exchange, streamed: Exchange) -> Findings:
    """Where the whole answer has text, the deltas of the stream have text too."""
    choice = streamed.choice
    if not whole.choice.text:
        raise Unwitnessed("the whole answer has no text")
    if not choice.text and choice.finish_reason != "length" and not choice.calls and not choice.refusal:
        yield Finding(
            "no-text", "The stream has no text", expected=whole.choice.text[:200], found=choice.text, on=streamed.key
        )


@area.should(
    "text-is-the-same",
    sends=each(
        (GREEDY_COUNT, GREEDY_COUNT.again(), GREEDY_COUNT_STREAMED), (UNICODE, UNICODE.again(), UNICODE_STREAMED)
    ),
    spec=REPORTS.at(
        "ragflow",
        "the last delta brought the whole answer once more",
        "https://github.com/infiniflow/ragflow/pull/15443",
    ),
)
def text_is_the_same(whole: Exchange, again: Exchange, streamed: Exchange) -> Findings:
    """At temperature 0 the deltas of a stream add up to the text of the whole answer."""
    if whole.choice.content != again.choice.content:
        raise Unwitnessed("the same request does not have the same answer twice, even at temperature 0")
    if whole.choice.text != streamed.choice.text:
        yield Finding(
            "text-differs",
            "The streamed text differs from the whole answer",
            expected=whole.choice.text,
            found=streamed.choice.text,
            on=streamed.key,
        )


@area.must(
    "finish-is-the-same",
    sends=each((GREEDY, GREEDY_STREAMED), (CAPPED, CAPPED_USAGE)),
    spec=SPEC.at(
        "CreateChatCompletionStreamResponse.choices.finish_reason",
        "`length` if the maximum number of tokens specified in the request was reached",
    ),
)
def finish_is_the_same(whole: Exchange, streamed: Exchange) -> Findings:
    """A stream ends for the same reason as the whole answer of the same text."""
    if whole.choice.text != streamed.choice.text:
        raise Unwitnessed(OTHER_TEXT)
    expected, found = whole.choice.finish_reason, streamed.choice.finish_reason
    if expected and found and expected != found:
        yield Finding(
            "finish-reason-differs",
            "The finish reason of the stream differs from that of the whole answer",
            expected=expected,
            found=found,
            on=streamed.key,
        )


@area.should(
    "logprobs-are-the-same",
    sends=(LOGPROBS, LOGPROBS_STREAMED),
    requires=("chat.stream", "logprobs"),
    spec=SPEC.at(
        "CreateChatCompletionStreamResponse.choices.logprobs.content",
        "A list of message content tokens with log probability information.",
    ),
)
def logprobs_are_the_same(whole: Exchange, streamed: Exchange) -> Findings:
    """A stream has as many token log probabilities as the whole answer of the same text."""
    if not whole.choice.tokens:
        raise Unsupported("the whole answer has no log probabilities")
    if whole.choice.text != streamed.choice.text:
        raise Unwitnessed(OTHER_TEXT)
    # An entry with an empty token is the one that ends the text: some servers list it, others do not.
    expected, found = (sum(token.get("token") != "" for token in x.choice.tokens) for x in (whole, streamed))
    if expected != found:
        yield Finding(
            "logprobs-count-differs",
            "The stream and the whole answer have different numbers of log probabilities",
            at="logprobs",
            expected=expected,
            found=found,
            on=streamed.key,
        )


@area.should(
    "logprobs-spell-the-text",
    sends=LOGPROBS_STREAMED,
    requires=("chat.stream", "logprobs"),
    spec=REPORTS.at(
        "vLLM",
        "text was swallowed on its way into the deltas, and only the log probabilities showed it",
        "https://github.com/vllm-project/vllm/issues/49254",
    ),
)
def logprobs_spell_the_text(x: Exchange) -> Findings:
    """The tokens of the log probabilities spell the text of the deltas; an end token may follow them."""
    choice = x.choice
    if not choice.tokens:
        raise Unsupported("the stream has no log probabilities")
    if choice.reasoning or choice.calls:
        raise Unwitnessed("the tokens are not those of the text alone")
    pieces = [_bytes(token) for token in choice.tokens]
    if any(piece is None for piece in pieces):
        return
    spelled = [b"".join(piece for piece in part if piece is not None).strip() for part in (pieces, pieces[:-1])]
    if choice.text.encode(errors="replace").strip() not in spelled:
        yield Finding(
            "tokens-differ-from-text",
            "The tokens of the log probabilities do not spell the streamed text",
            expected=spelled[0],
            found=choice.text,
        )


def _bytes(token: dict[str, object]) -> bytes | None:
    """The bytes of a token; None where the entry is malformed, which is judged in `logprobs.py`."""
    raw, text = token.get("bytes"), token.get("token")
    if isinstance(raw, list) and all(isinstance(byte, int) and 0 <= byte < 256 for byte in raw):
        return bytes(raw)
    return text.encode(errors="replace") if isinstance(text, str) and raw is None else None


@area.must(
    "characters-stay-whole",
    sends=foreign,
    examples=5,
    spec=JSON.at(
        "8.1 Character Encoding",
        "JSON text exchanged between systems that are not part of a closed ecosystem MUST be encoded using UTF-8",
    ),
    remedy="ask for whole answers where the text may hold other alphabets or emoji",
)
def characters_stay_whole(whole: Exchange, streamed: Exchange) -> Findings:
    """A character of several bytes is never cut by the end of a delta."""
    if REPLACEMENT in whole.choice.text:
        raise Unwitnessed("the model itself writes bytes that are no character")
    for choice in choices(streamed):
        content = choice["delta"]["content"]
        if content.type != "string":
            continue
        if REPLACEMENT in content.value:
            yield Finding(
                "replacement-character",
                "A character is replaced by U+FFFD",
                at=content.pointer,
                found=content,
                on=streamed.key,
            )
        elif any(0xD800 <= ord(letter) < 0xE000 for letter in content.value):
            yield Finding(
                "split-surrogates",
                "A character is split into surrogates",
                at=content.pointer,
                found=ascii(content.value),
                on=streamed.key,
            )


@area.must(
    "stop-strings-never-leak",
    sends=stops,
    examples=5,
    requires=("chat.stream", "stop"),
    spec=SPEC.at("StopConfiguration", "The returned text will not contain the stop sequence."),
)
def stop_strings_never_leak(whole: Exchange, streamed: Exchange) -> Findings:
    """The text of a stream contains neither the stop string nor the beginning of the one that ended it."""
    stop = streamed.probe.wish["stop"]
    text = streamed.choice.text
    if stop in text:
        yield Finding(
            "stop-string-in-text",
            "The streamed text contains the stop string",
            expected=f"not {stop!r}",
            found=text,
            on=streamed.key,
        )
        return
    leaked = text.removeprefix(whole.choice.text)
    if text.startswith(whole.choice.text) and leaked and stop.startswith(leaked):
        yield Finding(
            "partial-stop-string",
            "The streamed text ends with the beginning of the stop string",
            expected=whole.choice.text,
            found=text,
            on=streamed.key,
        )


@area.should("long-answers-come-in-parts", sends=COUNT_STREAMED, spec=STREAM)
def long_answers_come_in_parts(x: Exchange) -> Findings:
    """A long answer comes in several deltas."""
    if not carriers(x):
        raise Unsupported(NO_STREAM)
    if len(x.choice.text) < LONG:
        raise Unwitnessed("the answer is not long")
    parts = [choice["delta"]["content"] for choice in choices(x) if choice["delta"]["content"]]
    yield Observed(len(parts), "deltas with text")
    if len(parts) < 2:
        yield Finding(
            "single-delta",
            "The whole text comes in a single delta",
            at=parts[0].pointer if parts else "",
            found=len(parts),
        )


@area.note("tokens-per-chunk", sends=each(GREEDY_USAGE, CAPPED_USAGE), requires=("chat.stream", "usage.stream"))
def tokens_per_chunk(x: Exchange) -> Findings:
    """The average number of tokens in a chunk is recorded."""
    with_text = sum(bool(chunk["choices"][0]["delta"]["content"]) for chunk in x.data)
    tokens = x.usage["completion_tokens"].value
    if not with_text or not isinstance(tokens, int):
        raise Unwitnessed("there is no text, or it is not counted")
    yield Observed(round(tokens / with_text, 1), "capped" if x.key == CAPPED_USAGE.key else "whole")
