"""Load: many clients that hang up at once, answers that take minutes, streams that do not end."""

from __future__ import annotations

from conformance.checks.timing import after, failure
from conformance.core.check import ANSWER, ANYTHING, Area, each
from conformance.core.exchange import Exchange, How
from conformance.core.finding import Finding, Findings, Observed, Unwitnessed
from conformance.core.probe import Chain, Probe
from conformance.core.requirement import OPENAI_PYTHON, REPORTS
from conformance.probes.streams import ABANDONED, CAPPED_USAGE, GREEDY_COUNT, MINUTES, MINUTES_STREAMED

area = Area("timing", needs=ANYTHING)

CLIENTS = 4
"""How many hang up at the same time: as many as small servers have slots, and fewer than targets take at once."""
HELD = 10.0
"""Seconds from which a wait is blamed on an abandoned request: less could be due to the network."""
TIMES = 10
"""How many times the usual time it has to take, too: where every answer is slow, a slow one proves nothing."""
MINUTE = 60.0
"""Seconds after which load balancers and gateways give up by default."""
HALF = 30.0
"""Seconds from which an answer that breaks off was cut by a time-out."""
GAVE_UP = (408, 502, 503, 504, 520, 522, 524)
"""Statuses of a gateway whose wait for the server timed out."""
CAP = 5
"""Tokens that `CAPPED_USAGE` allows."""


def leaving(client: int) -> Chain:
    """A client that hangs up on a long stream and then sends two more requests, one after the other."""
    left = ABANDONED.again(client).until(events=2)
    return left.then(lambda *_: after(310 + client), lambda *_: after(330 + client))


STORM: tuple[Probe | Chain, ...] = (after(100), *(leaving(client) for client in range(CLIENTS)))
"""A request for comparison, and clients that hang up at the same time."""


def trios(exchanges: tuple[Exchange, ...]) -> list[tuple[Exchange, Exchange, Exchange]]:
    """The exchanges of each client: the abandoned stream and the two requests after it."""
    return list(zip(exchanges[::3], exchanges[1::3], exchanges[2::3], strict=True))


def streams_abandoned(_: Exchange, *exchanges: Exchange) -> None:
    """Raises Unwitnessed where a client had no stream to hang up on."""
    if not all(left.complete and left.ok for left, _, _ in trios(exchanges)):
        raise Unwitnessed("there were no streams to hang up on")


@area.should(
    "storms-of-hang-ups-do-no-harm",
    sends=STORM,
    given=streams_abandoned,
    requires="chat.stream",
    spec=REPORTS.at(
        "SGLang",
        "after clients hung up in the middle of their streams, the scheduler ended",
        "https://github.com/sgl-project/sglang/pull/36552",
    ),
)
def storms_of_hang_ups_do_no_harm(alone: Exchange, *exchanges: Exchange) -> Findings:
    """After several clients hang up at the same time, further requests are answered."""
    for x in (x for _, *following in trios(exchanges) for x in following):
        if why := failure(x):
            yield Finding(
                "next-request-fails", "A request after many hang-ups fails", expected="2xx", found=why, on=x.key
            )


@area.should(
    "hang-ups-free-what-they-took",
    sends=STORM,
    given=streams_abandoned,
    requires="chat.stream",
    spec=REPORTS.at(
        "llama.cpp",
        "answers were generated to their end for clients that had gone, and held their slots until then",
        "https://github.com/ggml-org/llama.cpp/issues/24496",
    ),
    remedy="cap answers (max_completion_tokens), so that an abandoned one holds its place no longer than that",
)
def hang_ups_free_what_they_took(alone: Exchange, *exchanges: Exchange) -> Findings:
    """A request after hang-ups does not wait for answers that nobody reads any more.

    Seen from outside: of the requests sent right after the hang-ups, even the quickest took ten seconds and ten times as long as
    the same request before and later.
    """
    found = trios(exchanges)
    if not alone.ok or not all(x.ok for _, *following in found for x in following):
        raise Unwitnessed("the requests after the hang-ups were not all answered")
    usual = max(alone.ended, *(later.ended for _, _, later in found))
    quickest = min((following for _, following, _ in found), key=lambda x: x.ended)
    if quickest.ended >= max(HELD, TIMES * usual):
        yield Finding(
            "waits-for-abandoned",
            "Requests wait for answers that nobody reads any more",
            expected=f"{usual:.1f} s",
            found=round(quickest.ended, 1),
            on=quickest.key,
        )


@area.note(
    "equal-answers-side-by-side", sends=(GREEDY_COUNT, GREEDY_COUNT.again(), GREEDY_COUNT.again(2)), needs=ANSWER
)
def equal_answers_side_by_side(*exchanges: Exchange) -> Findings:
    """Whether equal concurrent requests at temperature 0 get equal answers is recorded."""
    yield Observed(len({x.choice.text for x in exchanges}) == 1, "the same answer")


@area.should(
    "capped-streams-end",
    sends=CAPPED_USAGE,
    requires=("chat.stream", "usage.stream"),
    spec=OPENAI_PYTHON.at(
        "timeouts", "the read timeout starts anew with every byte: an endless stream never times out"
    ),
    remedy="bound the whole stream in the client, by its time and by its size: the official client raises nothing",
)
def capped_streams_end(x: Exchange) -> Findings:
    """A stream that is limited to five tokens ends."""
    if x.complete or x.status != 200 or (x.ending.how is not How.TOO_LARGE and x.ending.phase != "total"):
        return
    pieces = sum(bool(chunk["choices"][0]["delta"]["content"]) for chunk in x.data)
    if pieces > 10 * CAP:
        yield Finding(
            "does-not-end",
            "The stream goes on far beyond its token limit",
            expected=f"{CAP} tokens",
            found=f"{pieces} pieces of text",
        )


@area.should(
    "answers-of-minutes-arrive",
    sends=each(MINUTES_STREAMED, MINUTES),
    waits=MINUTE,
    requires="chat.stream",
    spec=REPORTS.at(
        "LiteLLM behind a load balancer",
        "whatever took more than 60 seconds was a 504, however long the client and the server were ready to wait",
        "https://github.com/BerriAI/litellm/issues/7518",
    ),
    remedy="raise the idle and total time-outs of every proxy on the way (ALB, nginx: 60 s), and ask for streams",
)
def answers_of_minutes_arrive(x: Exchange) -> Findings:
    """An answer that takes more than a minute arrives whole, streamed or not.

    It costs thousands of tokens, so only the profile `full` asks for it. `limits.timeout` has to allow more than a minute.
    """
    late = x.ended >= HALF
    error = next((chunk["error"] for chunk in x.data if chunk["error"]), None)
    if late and x.ending.how is How.CUT:
        yield Finding(
            "cut-off",
            "The connection breaks in the middle of a long answer",
            found=f"{x.ending}, after {x.ended:.0f} s",
        )
    elif late and x.status in GAVE_UP:
        yield Finding(
            "given-up",
            "A gateway gives up waiting for a long answer",
            expected=200,
            found=f"{x.status} after {x.ended:.0f} s",
        )
    elif late and x.status == 200 and x.streamed and error:
        yield Finding("error-in-stream", "The stream contains an error", at=error.pointer, found=error)
    elif x.ending.how is How.TIMED_OUT:
        raise Unwitnessed(f"our own patience ended first ({x.ending}): raise limits.timeout")
    elif not x.ok:
        raise Unwitnessed(f"there was no long answer: {failure(x) or x.status}")
    elif x.ended < MINUTE:
        raise Unwitnessed(f"the answer took {x.ended:.0f} s only: the model is too fast or its answer too short")
