"""What a stream says: the same as the whole answer, all of it, and nothing that was to be held back."""

from __future__ import annotations

from conformance.checks.stream_events import choices, chunks
from conformance.checks.stream_framing import carriers, is_done, unreadable
from conformance.checks.stream_order import NO_STREAM, by_index, ended, said
from conformance.checks.streaming import STREAM
from conformance.core.check import check, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed, Unsupported, Unwitnessed
from conformance.core.requirement import JSON, MUST, REPORTS, SHOULD, SPEC
from conformance.probes.chat import COUNT_STREAMED, GREEDY, HELLO, STREAMED
from conformance.probes.streams import (
    CAPPED,
    CAPPED_USAGE,
    GREEDY_COUNT,
    GREEDY_COUNT_STREAMED,
    GREEDY_STREAMED,
    LOGPROBS,
    LOGPROBS_STREAMED,
    UNICODE,
    UNICODE_STREAMED,
    foreign,
    noise,
    stops,
)

REPLACEMENT = "\ufffd"
"""What decoders put in the place of bytes that they cannot read."""
LONG = 100
"""Characters of an answer that no tokenizer makes a single token of."""


def malformed(x: Exchange) -> Findings:
    """What is wrong with a stream as a whole: each event is readable, all have one id, one finish, and then the end."""
    events = carriers(x)
    if not events:
        return  # not a stream at all: that is one finding, and another check's
    for number, event in events:
        if not is_done(event) and (why := unreadable(event)):
            yield Finding("", why, at=f"event {number}", found=event.data[:200], on=x.key)
    if not any(is_done(event) for event in (*x.events, x.stream.unfinished)):
        yield Finding(
            "stream-does-not-end-done", "the stream does not end with [DONE]", at=f"event {len(x.events) - 1}", on=x.key
        )
    heads = {chunk["id"].value for chunk in chunks(x) if chunk["id"].type == "string"}
    if len(heads) > 1:
        yield Finding(
            "chunks-not-all-same-id", "the chunks have not all the same id", found=sorted(heads)[:5], on=x.key
        )
    for parts in by_index(x).values():
        reasons = [place for place, choice in enumerate(parts) if ended(choice)]
        if len(reasons) != 1:
            yield Finding(
                "choice-does-not-end-just", "a choice does not end just once", expected=1, found=len(reasons), on=x.key
            )
        elif any(said(choice) is not None for choice in parts[reasons[0] + 1 :]):
            yield Finding(
                "message-goes-after-finish-reason",
                "a message goes on after its finish reason",
                at=parts[reasons[0]].pointer,
                on=x.key,
            )


@check(
    "stream.is-well-formed-whatever-it-says",
    MUST,
    sends=noise,
    examples=8,
    requires="chat.stream",
    spec=STREAM,
)
def is_well_formed_whatever_it_says(x: Exchange) -> Findings:
    """Every stream is readable events of one id, with one finish reason, and `[DONE]` at its end."""
    if not carriers(x):
        yield Unsupported(NO_STREAM)
    yield from malformed(x)


@check(
    "stream.brings-the-text",
    MUST,
    sends=each((HELLO, STREAMED)),
    requires="chat.stream",
    spec=STREAM,
)
def brings_the_text(whole: Exchange, streamed: Exchange) -> Findings:
    """Where the whole answer has text, the deltas of the stream hold text too."""
    first, second = whole.choice, streamed.choice
    if not first.text:
        yield Unwitnessed("the whole answer has no text")
    elif not second.text and second.finish_reason != "length" and not second.calls and not second.refusal:
        yield Finding(
            "stream-holds-no-text",
            "the stream holds no text",
            expected=first.text[:200],
            found=second.text,
            on=streamed.key,
        )


@check(
    "stream.text-is-the-same",
    SHOULD,
    sends=each(
        (GREEDY_COUNT, GREEDY_COUNT.again(), GREEDY_COUNT_STREAMED),
        (UNICODE, UNICODE.again(), UNICODE_STREAMED),
    ),
    requires="chat.stream",
    spec=REPORTS.at(
        "ragflow",
        "the last delta brought the whole answer once more",
        "https://github.com/infiniflow/ragflow/pull/15443",
    ),
)
def text_is_the_same(whole: Exchange, again: Exchange, streamed: Exchange) -> Findings:
    """At temperature 0 the deltas of a stream add up to the text of the whole answer."""
    if whole.choice.content != again.choice.content:
        yield Unwitnessed("the same request does not have the same answer twice, even at temperature 0")
    elif whole.choice.text != streamed.choice.text:
        yield Finding(
            "streamed-text-another",
            "the streamed text is another",
            expected=whole.choice.text,
            found=streamed.choice.text,
            on=streamed.key,
        )


@check(
    "stream.finish-is-the-same",
    MUST,
    sends=each((GREEDY, GREEDY_STREAMED), (CAPPED, CAPPED_USAGE)),
    requires="chat.stream",
    spec=SPEC.at(
        "CreateChatCompletionStreamResponse.choices.finish_reason",
        "`length` if the maximum number of tokens specified in the request was reached",
    ),
)
def finish_is_the_same(whole: Exchange, streamed: Exchange) -> Findings:
    """A stream ends for the same reason as the whole answer of the same text."""
    one, other = whole.choice, streamed.choice
    if one.text != other.text:
        yield Unwitnessed("the two answers are not of the same text")
    elif one.finish_reason and other.finish_reason and one.finish_reason != other.finish_reason:
        yield Finding(
            "finish-reason-another",
            "the finish reason is another",
            expected=one.finish_reason,
            found=other.finish_reason,
            on=streamed.key,
        )


@check(
    "stream.logprobs-are-the-same",
    SHOULD,
    sends=(LOGPROBS, LOGPROBS_STREAMED),
    requires=("chat.stream", "logprobs"),
    spec=SPEC.at(
        "CreateChatCompletionStreamResponse.choices.logprobs.content",
        "A list of message content tokens with log probability information.",
    ),
)
def logprobs_are_the_same(whole: Exchange, streamed: Exchange) -> Findings:
    """A stream has as many token log probabilities as the whole answer of the same text."""
    one, other = whole.choice, streamed.choice
    # An entry that spells nothing is the token that ends the text: some servers tell it, and some do not.
    counts = [sum(token.get("token") != "" for token in choice.tokens) for choice in (one, other)]
    if not one.tokens:
        yield Unsupported("the whole answer has no log probabilities")
    elif one.text != other.text:
        yield Unwitnessed("the two answers are not of the same text")
    elif counts[0] != counts[1]:
        yield Finding(
            "stream-another-number-log-probabilities",
            "the stream has another number of log probabilities",
            at="logprobs",
            expected=counts[0],
            found=counts[1],
            on=streamed.key,
        )


@check(
    "stream.logprobs-spell-the-text",
    SHOULD,
    sends=LOGPROBS_STREAMED,
    requires=("chat.stream", "logprobs"),
    spec=REPORTS.at(
        "vLLM",
        "text was swallowed on its way into the deltas, and only the log probabilities showed it",
        "https://github.com/vllm-project/vllm/issues/49254",
    ),
)
def logprobs_spell_the_text(x: Exchange) -> Findings:
    """The tokens of the log probabilities spell the text of the deltas; one that ends the answer may come on top."""
    choice = x.choice
    if not choice.tokens:
        yield Unsupported("the stream has no log probabilities")
        return
    if choice.reasoning or choice.calls:
        yield Unwitnessed("the tokens are not those of the text alone")
        return
    pieces = [_bytes(token) for token in choice.tokens]
    if any(piece is None for piece in pieces):
        return
    spelled = [b"".join(piece for piece in part if piece is not None).strip() for part in (pieces, pieces[:-1])]
    if choice.text.encode(errors="replace").strip() not in spelled:
        yield Finding(
            "tokens-spell-another-text", "the tokens spell another text", expected=spelled[0], found=choice.text
        )


def _bytes(token: dict[str, object]) -> bytes | None:
    """The bytes of a token; None where what is there cannot be told: the shape of an entry is judged elsewhere."""
    raw, text = token.get("bytes"), token.get("token")
    if isinstance(raw, list) and all(isinstance(one, int) and 0 <= one < 256 for one in raw):
        return bytes(raw)
    return text.encode(errors="replace") if isinstance(text, str) and raw is None else None


def broken_characters(x: Exchange) -> Findings:
    """Deltas that end within a character."""
    for choice in choices(x):
        content = choice["delta"]["content"]
        if isinstance(content.value, str):
            if REPLACEMENT in content.value:
                yield Finding(
                    "character-replaced-u-fffd",
                    "a character is replaced by U+FFFD",
                    at=content.pointer,
                    found=content,
                    on=x.key,
                )
            elif any(0xD800 <= ord(letter) < 0xE000 for letter in content.value):
                yield Finding(
                    "character-cut-into-surrogates",
                    "a character is cut into surrogates",
                    at=content.pointer,
                    found=ascii(content.value),
                    on=x.key,
                )


@check(
    "stream.characters-stay-whole",
    MUST,
    sends=foreign,
    examples=5,
    requires="chat.stream",
    spec=JSON.at(
        "8.1 Character Encoding",
        "JSON text exchanged between systems that are not part of a closed ecosystem MUST be encoded using UTF-8",
    ),
    remedy="ask for whole answers where the text may hold other alphabets or emoji",
)
def characters_stay_whole(whole: Exchange, streamed: Exchange) -> Findings:
    """A character of several bytes is never cut by the end of a delta."""
    if REPLACEMENT in whole.choice.text:
        yield Unwitnessed("the model itself writes bytes that are no character")
    else:
        yield from broken_characters(streamed)


@check(
    "stream.stop-strings-never-leak",
    MUST,
    sends=stops,
    examples=5,
    requires=("chat.stream", "stop"),
    spec=SPEC.at("StopConfiguration", "The returned text will not contain the stop sequence."),
)
def stop_strings_never_leak(whole: Exchange, streamed: Exchange) -> Findings:
    """No delta, and no two of them together, hold a stop string or the beginning of the one that stopped."""
    stop = streamed.probe.wish["stop"]
    text = streamed.choice.text
    if stop in text:
        yield Finding(
            "streamed-text-holds-stop-string",
            "the streamed text holds the stop string",
            expected=f"not {stop!r}",
            found=text,
            on=streamed.key,
        )
        return
    leaked = text.removeprefix(whole.choice.text)
    if text.startswith(whole.choice.text) and leaked and stop.startswith(leaked):
        yield Finding(
            "streamed-text-holds-part-stop",
            "the streamed text holds a part of the stop string",
            expected=whole.choice.text,
            found=text,
            on=streamed.key,
        )


@check(
    "stream.long-answers-come-in-parts",
    SHOULD,
    sends=COUNT_STREAMED,
    requires="chat.stream",
    spec=STREAM,
)
def long_answers_come_in_parts(x: Exchange) -> Findings:
    """A long answer comes in several deltas."""
    parts = [choice["delta"]["content"] for choice in choices(x) if choice["delta"]["content"]]
    yield Observed(len(parts), "deltas with text")
    if not carriers(x):
        yield Unsupported(NO_STREAM)
    elif len(x.choice.text) < LONG:
        yield Unwitnessed("the answer is not long")
    elif len(parts) < 2:
        yield Finding(
            "whole-answer-comes-one-delta",
            "the whole answer comes in one delta",
            at=parts[0].pointer if parts else "",
            found=len(parts),
        )
