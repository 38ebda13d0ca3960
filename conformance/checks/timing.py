"""Time and other requests: streams that end, clients that hang up, connections used again, requests side by side."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from statistics import quantiles

from conformance.checks.stream_order import NO_STREAM
from conformance.checks.stream_text import malformed
from conformance.core.check import ANYTHING, OK, check, each
from conformance.core.exchange import Exchange, How
from conformance.core.finding import Finding, Findings, Observed, Unwitnessed
from conformance.core.probe import Probe
from conformance.core.requirement import HTTP, MUST, NOTE, REPORTS, SHOULD, SPEC
from conformance.probes.chat import COUNT, COUNT_STREAMED, HELLO, STREAMED, chat
from conformance.probes.streams import GREEDY_COUNT, crowds, echoes

PONG = chat("Say exactly: pong")
BURST = 0.01
"""Seconds within which a hundred tokens cannot have been generated one by one."""
PATIENCE = 1.0
"""Seconds before the first byte that show that the server was at work, not just fast."""
IDLE = 8.0
"""Seconds between two turns of an agent; servers with uvicorn's default of 5 close the connection before."""
MANY = 10
"""Deltas from which on a stream shows its pace."""


def after(nth: int, line: str = "", pause: float = 0.0) -> Probe:
    """A plain request that follows something else."""
    return replace(PONG, nth=nth, line=line, pause=pause)


def unwell(x: Exchange) -> str:
    """Why an answer is none; "" where it is, and where it only asks for patience."""
    if x.put_off or x.ok:
        return ""
    return f"answered {x.status}" if x.complete and x.status else str(x.ending)


@check(
    "timing.streams-do-not-stall",
    SHOULD,
    sends=each(STREAMED, COUNT_STREAMED),
    needs=ANYTHING,
    requires="chat.stream",
    spec=REPORTS.at(
        "DeepSeek",
        "a stream stopped half-way with the connection open, and agents waited for ever",
        "https://github.com/deepseek-ai/DeepSeek-V3/issues/1608",
    ),
    remedy="set a read time-out: the official client then raises APITimeoutError in the loop, and asks no second time "
    "(its own is ten minutes)",
)
def streams_do_not_stall(x: Exchange) -> Findings:
    """A stream that began goes on, and ends."""
    if x.ending.how is How.TIMED_OUT and x.chunks and x.ending.phase not in ("linger", "total"):
        yield Finding("stream-stalls", "the stream stalls", found=str(x.ending))


@check(
    "timing.answers-are-whole",
    MUST,
    sends=each(HELLO, STREAMED, COUNT_STREAMED),
    needs=ANYTHING,
    spec=HTTP.at(
        "RFC 9112, 8 Handling Incomplete Messages",
        "A client that receives an incomplete response message, which can occur when a connection is closed "
        "prematurely or when decoding a supposedly chunked transfer coding fails, MUST record the message as "
        "incomplete.",
        "https://www.rfc-editor.org/rfc/rfc9112#section-8",
    ),
    remedy="the official client raises APIConnectionError; within a stream it asks no second time: ask again, or go on from there",
)
def answers_are_whole(x: Exchange) -> Findings:
    """An answer that began arrives to its end: the connection is not closed within the body."""
    if x.ending.how is How.CUT and x.status is not None:
        yield Finding("connection-breaks-within-answer", "the connection breaks within the answer", found=str(x.ending))


@check(
    "timing.streams-are-not-held-back",
    SHOULD,
    sends=COUNT_STREAMED,
    requires="chat.stream",
    spec=SPEC.at(
        "CreateChatCompletionRequest.stream",
        "the model response data will be streamed to the client as it is generated",
    ),
    remedy="switch off response buffering in the proxy (nginx: proxy_buffering off; X-Accel-Buffering: no)",
)
def streams_are_not_held_back(x: Exchange) -> Findings:
    """The events of a long answer arrive as they are made, not all at once after a wait."""
    times = [x.at_byte(event.span[1] - 1) for event in x.events]
    if len(times) < MANY or x.header("content-encoding"):
        yield Unwitnessed("the stream is too short, or compressed, to show its pace")
    elif times[0] >= PATIENCE and times[-1] - times[0] <= BURST:
        yield Finding(
            "all-events-arrive-once-after",
            "all events arrive at once after a wait",
            expected=f"over {BURST} s",
            found=times[-1] - times[0],
        )


@check("timing.pace", NOTE, sends=COUNT_STREAMED, requires="chat.stream")
def pace(x: Exchange) -> Findings:
    """How fast a stream is: seconds to the first event, between two, and at most."""
    times = [x.at_byte(event.span[1] - 1) for event in x.events]
    if not times:
        yield Unwitnessed(NO_STREAM)
        return
    gaps = sorted(later - earlier for earlier, later in pairwise(times))
    yield Observed(round(times[0], 3), "first event")
    if len(gaps) > 1:
        cuts = quantiles(gaps, n=20)
        for name, value in (("median gap", cuts[9]), ("95 % gap", cuts[18]), ("longest gap", gaps[-1])):
            yield Observed(round(value, 4), name)


HANG_UPS = each(
    COUNT_STREAMED.until(events=3).then(lambda _: after(1)),
    COUNT.until(seconds=0.05).then(lambda _: after(2)),
)


@check(
    "timing.hang-ups-do-no-harm",
    SHOULD,
    sends=HANG_UPS,
    needs=ANYTHING,
    spec=REPORTS.at(
        "SGLang",
        "a client that went away spoiled the request after it",
        "https://github.com/sgl-project/sglang/pull/36552",
    ),
)
def hang_ups_do_no_harm(left: Exchange, following: Exchange) -> Findings:
    """After a client hung up within an answer, the next request is answered."""
    if not left.complete:
        yield Unwitnessed("there was no answer to hang up on")
    elif why := unwell(following):
        yield Finding(
            "request-after-hang-up-fails",
            "the request after a hang-up fails",
            expected="2xx",
            found=why,
            on=following.key,
        )


@check(
    "timing.many-hang-ups-do-no-harm",
    SHOULD,
    sends=COUNT_STREAMED.until(events=1).then(
        lambda *_: COUNT_STREAMED.until(events=2),
        lambda *_: COUNT_STREAMED.until(events=4),
        lambda *_: COUNT_STREAMED.until(events=8),
        lambda *_: after(3),
    ),
    needs=ANYTHING,
    requires="chat.stream",
    spec=REPORTS.at(
        "llama.cpp",
        "requests that clients gave up on kept their places until the context was full",
        "https://github.com/ggml-org/llama.cpp/issues/24496",
    ),
)
def many_hang_ups_do_no_harm(*exchanges: Exchange) -> Findings:
    """After several hang-ups in a row, the next request is answered."""
    *left, following = exchanges
    if not all(x.complete for x in left):
        yield Unwitnessed("there was no answer to hang up on")
    elif why := unwell(following):
        yield Finding(
            "request-after-several-hang-ups",
            "the request after several hang-ups fails",
            expected="2xx",
            found=why,
            on=following.key,
        )


def followed(first: Exchange, second: Exchange) -> Findings:
    """A finding where the second answer on a connection does not arrive."""
    if not first.ok:
        yield Unwitnessed("the first request on the connection was not answered")
    elif why := unwell(second):
        yield Finding(
            "second-request-connection-fails",
            "the second request on the connection fails",
            expected="2xx",
            found=why,
            on=second.key,
        )
    elif second.ok and not second.streamed and second.not_json:
        yield Finding("second-answer-not-json", "the second answer is not JSON", found=second.text[:200], on=second.key)


@check(
    "timing.a-connection-outlives-a-stream",
    SHOULD,
    sends=replace(STREAMED, line="stream").then(lambda _: after(4, "stream")),
    needs=ANYTHING,
    requires="chat.stream",
    spec=HTTP.at(
        "RFC 9112, 9.3 Persistence",
        'HTTP/1.1 defaults to the use of "persistent connections", allowing multiple requests and responses to be '
        "carried over a single connection.",
        "https://www.rfc-editor.org/rfc/rfc9112#section-9.3",
    ),
)
def a_connection_outlives_a_stream(first: Exchange, second: Exchange) -> Findings:
    """After a stream, the same connection carries another request, or is closed properly."""
    yield from followed(first, second)


@check(
    "timing.a-connection-outlives-a-pause",
    SHOULD,
    sends=replace(HELLO, line="pause").then(lambda _: after(5, "pause", IDLE)),
    waits=IDLE,
    needs=ANYTHING,
    spec=REPORTS.at(
        "KServe",
        "the server closed idle connections after 5 s: resets and 502s between two turns of an agent",
        "https://github.com/kserve/kserve/issues/5446",
    ),
    remedy="raise the server's keep-alive time above that of its clients (uvicorn: --timeout-keep-alive 75)",
)
def a_connection_outlives_a_pause(first: Exchange, second: Exchange) -> Findings:
    """After eight idle seconds, the same connection carries another request, or is closed properly."""
    yield from followed(first, second)


@check(
    "timing.bursts-are-served-or-put-off",
    SHOULD,
    sends=tuple(after(100 + nth) for nth in range(12)),
    needs=ANYTHING,
    spec=REPORTS.at(
        "vLLM",
        "a full queue answered 500, which clients take for a fault and not for a reason to wait",
        "https://github.com/vllm-project/vllm/issues/41250",
    ),
    remedy="let the gateway in front answer 429 or 503 with Retry-After",
)
def bursts_are_served_or_put_off(*exchanges: Exchange) -> Findings:
    """A dozen requests at the same time are answered, or told to come back later."""
    for x in exchanges:
        if why := unwell(x) or (f"answered {x.status}" if x.status in (408, 504) else ""):
            yield Finding(
                "request-burst-neither-served-nor",
                "a request of a burst is neither served nor put off",
                found=why,
                on=x.key,
            )


def last_word(x: Exchange) -> str:
    """The word that a request ends with: it belongs in its own answer only."""
    said: str = x.probe.wish["messages"][0]["content"]
    return said.rpartition(" ")[2]


@check(
    "timing.answers-do-not-mix",
    MUST,
    sends=echoes,
    examples=2,
    spec=REPORTS.at(
        "mlx-lm", "answers to other people's prompts came back", "https://github.com/ml-explore/mlx-lm/issues/965"
    ),
)
def answers_do_not_mix(*exchanges: Exchange) -> Findings:
    """Of several requests at the same time, each gets its own answer."""
    words = [last_word(x) for x in exchanges]
    for x, own in zip(exchanges, words, strict=True):
        strangers = [word for word in words if word != own and word in x.choice.text]
        if strangers:
            yield Finding(
                "answer-holds-word-another-request",
                "an answer holds a word of another request",
                expected=own,
                found=strangers,
                on=x.key,
            )
    if not any(own in x.choice.text for x, own in zip(exchanges, words, strict=True)):
        yield Unwitnessed("the model repeats none of the words")


@check(
    "timing.answers-are-not-cut-short",
    SHOULD,
    sends=(GREEDY_COUNT, GREEDY_COUNT.again(), GREEDY_COUNT.again(2)),
    spec=REPORTS.at(
        "llama.cpp",
        "requests side by side shared one context, and got less of it",
        "https://github.com/ggml-org/llama.cpp/issues/10072",
    ),
)
def answers_are_not_cut_short(*exchanges: Exchange) -> Findings:
    """Requests at the same time do not cut each other's answers short."""
    texts = [x.choice.text for x in exchanges]
    longest = max(texts, key=len)
    for x, text in zip(exchanges, texts, strict=True):
        if text != longest and longest.startswith(text):
            yield Finding(
                "answer-only-beginning-another",
                "an answer is only the beginning of another",
                expected=longest,
                found=text,
                on=x.key,
            )


@check(
    "timing.streams-do-not-mix",
    MUST,
    sends=crowds,
    examples=2,
    needs=OK,
    requires="chat.stream",
    spec=REPORTS.at(
        "Bifrost",
        "events of a stream that was given up came out in others",
        "https://github.com/maximhq/bifrost/issues/6143",
    ),
)
def streams_do_not_mix(*exchanges: Exchange) -> Findings:
    """Streams at the same time, one of them given up, are each well formed and hold no word of another."""
    words = [last_word(x) for x in exchanges]
    for x, own in zip(exchanges, words, strict=True):
        if x.probe.leave is None:
            yield from malformed(x)
        if strangers := [word for word in words if word != own and word in x.choice.text]:
            yield Finding(
                "stream-holds-word-another-request",
                "a stream holds a word of another request",
                expected=own,
                found=strangers,
                on=x.key,
            )
