"""Timing and concurrency: streams that stall, clients that hang up, reused connections, concurrent requests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import quantiles

from conformance.checks.stream_order import NO_STREAM
from conformance.checks.stream_text import malformed
from conformance.core.check import ANSWER, ANYTHING, OK, Area, each
from conformance.core.exchange import Exchange, How
from conformance.core.finding import Finding, Findings, Observed, Unwitnessed
from conformance.core.probe import Chain, Probe
from conformance.core.requirement import HTTP, REPORTS, SPEC
from conformance.probes.chat import COUNT, COUNT_STREAMED, HELLO, STREAMED, chat
from conformance.probes.invalid import HOT
from conformance.probes.malformed import BROKEN
from conformance.probes.streams import GREEDY_COUNT, crowds, echoes

area = Area("timing", needs=ANYTHING)

NOTHING_TO_LEAVE = "there was no answer to hang up on"
PONG = chat("Say exactly: pong")
BURST = 0.01
"""Seconds within which a hundred tokens cannot have been generated one by one."""
PATIENCE = 1.0
"""Seconds to the first byte that prove that the server took time to generate."""
IDLE = 8.0
"""Seconds between two turns of an agent; servers with uvicorn's default of 5 close the connection before."""
MANY = 10
"""Events that a stream needs to show its pace."""


def after(nth: int, line: str = "", pause: float = 0.0) -> Probe:
    """A plain request that follows something else."""
    return replace(PONG, nth=nth, line=line, pause=pause)


def failure(x: Exchange) -> str | None:
    """How a request failed; None where it was answered, or put off (429, 503 and the like)."""
    if x.put_off or x.ok:
        return None
    return f"answered {x.status}" if x.complete and x.status else str(x.ending)


@area.should(
    "streams-do-not-stall",
    sends=each(STREAMED, COUNT_STREAMED),
    requires="chat.stream",
    spec=REPORTS.at(
        "DeepSeek",
        "a stream stopped half-way with the connection open, and agents waited for ever",
        "https://github.com/deepseek-ai/DeepSeek-V3/issues/1608",
    ),
    remedy="set a read time-out: the official client then raises APITimeoutError in the loop, without a retry "
    "(its own is ten minutes)",
)
def streams_do_not_stall(x: Exchange) -> Findings:
    """A stream that has begun goes on to its end without stalling."""
    if x.ending.how is How.TIMED_OUT and x.chunks and x.ending.phase not in ("linger", "total"):
        yield Finding("stalls", "The stream stalls", found=str(x.ending))


@area.must(
    "answers-are-whole",
    sends=each(HELLO, STREAMED, COUNT_STREAMED),
    spec=HTTP.at(
        "RFC 9112, 8 Handling Incomplete Messages",
        "A client that receives an incomplete response message, which can occur when a connection is closed "
        "prematurely or when decoding a supposedly chunked transfer coding fails, MUST record the message as "
        "incomplete.",
        "https://www.rfc-editor.org/rfc/rfc9112#section-8",
    ),
    remedy="the official client raises APIConnectionError; within a stream it does not retry: ask again, or go on from there",
)
def answers_are_whole(x: Exchange) -> Findings:
    """An answer that has begun arrives complete: the connection is not closed within the body."""
    if x.ending.how is How.CUT and x.status is not None:
        yield Finding("cut-off", "The connection breaks in the middle of the answer", found=str(x.ending))


@area.should(
    "streams-are-not-held-back",
    sends=COUNT_STREAMED,
    requires="chat.stream",
    spec=SPEC.at(
        "CreateChatCompletionRequest.stream",
        "the model response data will be streamed to the client as it is generated",
    ),
    remedy="switch off response buffering in the proxy (nginx: proxy_buffering off; X-Accel-Buffering: no)",
    needs=ANSWER,
)
def streams_are_not_held_back(x: Exchange) -> Findings:
    """The events of a long answer arrive as they are generated, not all at once after a wait."""
    times = [x.at_byte(event.span[1] - 1) for event in x.events]
    if len(times) < MANY or x.header("content-encoding"):
        raise Unwitnessed("the stream is too short, or compressed, to show its pace")
    if times[0] >= PATIENCE and times[-1] - times[0] <= BURST:
        yield Finding(
            "arrives-at-once",
            "All events arrive at once after a wait",
            expected=f"over {BURST} s",
            found=times[-1] - times[0],
        )


@area.note("pace", sends=COUNT_STREAMED, requires="chat.stream", needs=ANSWER)
def pace(x: Exchange) -> Findings:
    """The pace of a stream is recorded: seconds to the first event and between events."""
    times = [x.at_byte(event.span[1] - 1) for event in x.events]
    if not times:
        raise Unwitnessed(NO_STREAM)
    gaps = sorted(later - earlier for earlier, later in pairwise(times))
    yield Observed(round(times[0], 3), "first event")
    if len(gaps) > 1:
        cuts = quantiles(gaps, n=20)
        for name, value in (("median gap", cuts[9]), ("95 % gap", cuts[18]), ("longest gap", gaps[-1])):
            yield Observed(round(value, 4), name)


@area.should(
    "hang-ups-do-no-harm",
    sends=each(
        COUNT_STREAMED.until(events=3).then(lambda _: after(1)), COUNT.until(seconds=0.05).then(lambda _: after(2))
    ),
    spec=REPORTS.at(
        "SGLang",
        "a client that went away spoiled the request after it",
        "https://github.com/sgl-project/sglang/pull/36552",
    ),
)
def hang_ups_do_no_harm(left: Exchange, following: Exchange) -> Findings:
    """After a client hangs up in the middle of an answer, the next request is answered."""
    if not left.complete:
        raise Unwitnessed(NOTHING_TO_LEAVE)
    if why := failure(following):
        yield Finding(
            "next-request-fails", "The request after a hang-up fails", expected="2xx", found=why, on=following.key
        )


@area.should(
    "many-hang-ups-do-no-harm",
    sends=COUNT_STREAMED.until(events=1).then(
        lambda *_: COUNT_STREAMED.until(events=2),
        lambda *_: COUNT_STREAMED.until(events=4),
        lambda *_: COUNT_STREAMED.until(events=8),
        lambda *_: after(3),
    ),
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
        raise Unwitnessed(NOTHING_TO_LEAVE)
    if why := failure(following):
        yield Finding(
            "next-request-fails",
            "The request after several hang-ups fails",
            expected="2xx",
            found=why,
            on=following.key,
        )


def answered(first: Exchange, _: Exchange) -> None:
    """Raises Unwitnessed where the first request on a connection was not answered."""
    if not first.ok:
        raise Unwitnessed("the first request on the connection was not answered")


def refused(first: Exchange, _: Exchange) -> None:
    """Raises Unwitnessed where the first request on a connection was not refused."""
    if not first.complete or first.status is None or first.put_off or first.status >= 500:
        raise Unwitnessed("the first request on the connection was not refused")


def second_answer_arrives(_: Exchange, second: Exchange) -> Findings:
    """A finding where the second answer on a connection does not arrive."""
    if why := failure(second):
        yield Finding(
            "second-request-fails",
            "The second request on the connection fails",
            expected="2xx",
            found=why,
            on=second.key,
        )
    elif second.ok and not second.streamed and second.not_json:
        yield Finding(
            "second-answer-not-json",
            "The second answer on the connection is not JSON",
            found=second.text[:200],
            on=second.key,
        )


def on_one_line(first: Probe, line: str, nth: int, pause: float = 0.0) -> Chain:
    """A request, and a plain one after it on the same connection."""
    return replace(first, line=line).then(lambda _: after(nth, line, pause))


PERSISTENCE = HTTP.at(
    "RFC 9112, 9.3 Persistence",
    'HTTP/1.1 defaults to the use of "persistent connections", allowing multiple requests and responses to be '
    "carried over a single connection.",
    "https://www.rfc-editor.org/rfc/rfc9112#section-9.3",
)
CONNECTIONS = (
    area.should(
        "a-connection-outlives-a-stream",
        title="After a stream, the same connection carries another request, or is closed properly.",
        sends=on_one_line(STREAMED, "stream", 4),
        given=answered,
        requires="chat.stream",
        spec=PERSISTENCE,
    )(second_answer_arrives),
    area.should(
        "a-connection-outlives-a-pause",
        title="After eight idle seconds, the same connection carries another request, or is closed properly.",
        sends=on_one_line(HELLO, "pause", 5, IDLE),
        given=answered,
        waits=IDLE,
        spec=REPORTS.at(
            "KServe",
            "the server closed idle connections after 5 s: resets and 502s between two turns of an agent",
            "https://github.com/kserve/kserve/issues/5446",
        ),
        remedy="raise the server's keep-alive time above that of its clients (uvicorn: --timeout-keep-alive 75)",
    )(second_answer_arrives),
    area.should(
        "a-connection-outlives-an-error",
        title="After a refused request, the same connection carries another one, or is closed properly.",
        sends=each(on_one_line(HOT, "refused", 6), on_one_line(BROKEN, "broken", 7)),
        given=refused,
        spec=PERSISTENCE,
        remedy="answer errors with Connection: close, or read the request's body to its end before the next",
    )(second_answer_arrives),
)


@area.should(
    "bursts-are-served-or-put-off",
    sends=tuple(after(100 + nth) for nth in range(12)),
    spec=REPORTS.at(
        "vLLM",
        "a full queue answered 500, which clients take for a fault and not for a reason to wait",
        "https://github.com/vllm-project/vllm/issues/41250",
    ),
    remedy="let the gateway in front answer 429 or 503 with Retry-After",
)
def bursts_are_served_or_put_off(*exchanges: Exchange) -> Findings:
    """A dozen concurrent requests are answered, or put off until later."""
    for x in exchanges:
        why = f"answered {x.status}" if x.status in (408, 504) else failure(x)
        if why:
            yield Finding(
                "request-fails", "A request of a burst fails instead of being answered or put off", found=why, on=x.key
            )


def last_word(x: Exchange) -> str:
    """The word that a request ends with: it belongs in its own answer only."""
    prompt: str = x.probe.wish["messages"][0]["content"]
    return prompt.rpartition(" ")[2]


def mixed(exchanges: Sequence[Exchange]) -> Iterator[tuple[Exchange, str, list[str]]]:
    """Each answer that contains words of the others' requests: the answer, its own word, and those words."""
    words = [last_word(x) for x in exchanges]
    for x, own in zip(exchanges, words, strict=True):
        if strangers := [word for word in words if word != own and word in x.choice.text]:
            yield x, own, strangers


@area.must(
    "answers-do-not-mix",
    sends=echoes,
    examples=2,
    spec=REPORTS.at(
        "mlx-lm", "answers to other people's prompts came back", "https://github.com/ml-explore/mlx-lm/issues/965"
    ),
    needs=ANSWER,
)
def answers_do_not_mix(*exchanges: Exchange) -> Findings:
    """Each of several concurrent requests gets its own answer."""
    if not any(last_word(x) in x.choice.text for x in exchanges):
        raise Unwitnessed("the model repeats none of the words")
    for x, own, strangers in mixed(exchanges):
        yield Finding(
            "words-mixed", "An answer contains a word of another request", expected=own, found=strangers, on=x.key
        )


@area.should(
    "answers-are-not-cut-short",
    sends=(GREEDY_COUNT, GREEDY_COUNT.again(), GREEDY_COUNT.again(2)),
    spec=REPORTS.at(
        "llama.cpp",
        "requests side by side shared one context, and got less of it",
        "https://github.com/ggml-org/llama.cpp/issues/10072",
    ),
    needs=ANSWER,
)
def answers_are_not_cut_short(*exchanges: Exchange) -> Findings:
    """Concurrent requests do not cut each other's answers short."""
    texts = [x.choice.text for x in exchanges]
    longest = max(texts, key=len)
    for x, text in zip(exchanges, texts, strict=True):
        if text != longest and longest.startswith(text):
            yield Finding(
                "cut-short",
                "An answer is only the beginning of another answer to the same request",
                expected=longest,
                found=text,
                on=x.key,
            )


@area.must(
    "streams-do-not-mix",
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
    """Concurrent streams, one of them abandoned, are all well formed, and none contains a word of another."""
    for x in exchanges:
        if x.probe.leave is None:
            yield from malformed(x)
    for x, own, strangers in mixed(exchanges):
        yield Finding(
            "words-mixed", "A stream contains a word of another request", expected=own, found=strangers, on=x.key
        )
