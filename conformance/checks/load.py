"""Many clients, long answers, and servers without time: storms of hang-ups, answers of minutes, time-outs that are told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from conformance.checks.timing import after, followed, unwell
from conformance.core.check import ANYTHING, Each, check, each
from conformance.core.exchange import Exchange, How
from conformance.core.finding import Finding, Findings, Observed, Unwitnessed
from conformance.core.probe import Chain, Probe
from conformance.core.requirement import HTTP, NOTE, OPENAI_PYTHON, REPORTS, SHOULD
from conformance.probes.chat import COUNT, COUNT_STREAMED, HELLO
from conformance.probes.invalid import HOT
from conformance.probes.malformed import BROKEN
from conformance.probes.streams import ABANDONED, CAPPED_USAGE, GREEDY_COUNT, MINUTES, MINUTES_STREAMED

CLIENTS = 4
"""Who hang up at the same time: as many as small servers have slots, and fewer than targets take at once."""
HELD = 10.0
"""Seconds that a request waits at least where it waits for an abandoned one: less could be the network's doing."""
TIMES = 10
"""How many times as long as others it has to take, too: where every answer is slow, nothing is seen."""
MINUTE = 60.0
"""Seconds after which the load balancers and gateways of this world give up unless told otherwise."""
HALF = 30.0
"""Seconds from which on an answer that breaks was cut by somebody's patience."""
GAVE_UP = (408, 502, 503, 504, 520, 522, 524)
"""Statuses of somebody in front of the server who waited in vain."""
CAP = 5
"""Tokens that `CAPPED_USAGE` allows."""


def leaving(client: int) -> Chain:
    """A client that hangs up on a long stream, and what is asked after that: at once, and once more."""
    left = ABANDONED.again(client).until(events=2)
    return left.then(lambda *_: after(310 + client), lambda *_: after(330 + client))


STORM: tuple[Probe | Chain, ...] = (after(100), *(leaving(client) for client in range(CLIENTS)))
"""A request for comparison, and clients who hang up at the same time."""


def trios(exchanges: tuple[Exchange, ...]) -> list[tuple[Exchange, Exchange, Exchange]]:
    """What each client left, asked next, and asked then."""
    return list(zip(exchanges[::3], exchanges[1::3], exchanges[2::3], strict=True))


@check(
    "timing.storms-of-hang-ups-do-no-harm",
    SHOULD,
    sends=STORM,
    needs=ANYTHING,
    requires="chat.stream",
    spec=REPORTS.at(
        "SGLang",
        "after clients hung up in the middle of their streams, the scheduler ended",
        "https://github.com/sgl-project/sglang/pull/36552",
    ),
)
def storms_of_hang_ups_do_no_harm(alone: Exchange, *exchanges: Exchange) -> Findings:
    """After several clients hung up at the same time, requests are answered."""
    if not all(left.complete and left.ok for left, _, _ in trios(exchanges)):
        yield Unwitnessed("there were no streams to hang up on")
        return
    for _, *following in trios(exchanges):
        for x in following:
            if why := unwell(x):
                yield Finding(
                    "request-after-storm-hang-ups",
                    "a request after a storm of hang-ups fails",
                    expected="2xx",
                    found=why,
                    on=x.key,
                )


@check(
    "timing.hang-ups-free-what-they-took",
    SHOULD,
    sends=STORM,
    needs=ANYTHING,
    requires="chat.stream",
    spec=REPORTS.at(
        "llama.cpp",
        "answers were generated to their end for clients that had gone, and held their slots until then",
        "https://github.com/ggml-org/llama.cpp/issues/24496",
    ),
    remedy="cap answers (max_completion_tokens), so that an abandoned one holds its place no longer than that",
)
def hang_ups_free_what_they_took(alone: Exchange, *exchanges: Exchange) -> Findings:
    """A request after hang-ups waits for no answer that nobody reads any more.

    Seen from outside: of the requests sent right after the hang-ups, even the quickest took ten seconds and ten times as long as
    the same request before and later.
    """
    found = trios(exchanges)
    if not all(left.complete and left.ok for left, _, _ in found):
        yield Unwitnessed("there were no streams to hang up on")
        return
    if not alone.ok or not all(x.ok for _, *following in found for x in following):
        yield Unwitnessed("the requests after the hang-ups were not all answered")
        return
    usual = max(alone.ended, *(later.ended for _, _, later in found))
    quickest = min((following for _, following, _ in found), key=lambda x: x.ended)
    if quickest.ended >= max(HELD, TIMES * usual):
        seconds = round(quickest.ended, 1)
        yield Finding(
            "requests-wait-abandoned-ones",
            "requests wait for abandoned ones",
            expected=f"{usual:.1f} s",
            found=seconds,
            on=quickest.key,
        )


@check("timing.equal-answers-side-by-side", NOTE, sends=(GREEDY_COUNT, GREEDY_COUNT.again(), GREEDY_COUNT.again(2)))
def equal_answers_side_by_side(*exchanges: Exchange) -> Findings:
    """Whether equal requests at temperature 0, sent at the same time among others, get equal answers."""
    yield Observed(len({x.choice.text for x in exchanges}) == 1, "the same answer")


def on_one_line(refused: Probe, line: str, nth: int) -> Chain:
    """A request that is refused, and a good one on the same connection."""
    return replace(refused, line=line).then(lambda _: after(nth, line))


AFTER_ERRORS: Each = each(on_one_line(HOT, "refused", 6), on_one_line(BROKEN, "broken", 7))


@check(
    "timing.a-connection-outlives-an-error",
    SHOULD,
    sends=AFTER_ERRORS,
    needs=ANYTHING,
    spec=HTTP.at(
        "RFC 9112, 9.3 Persistence",
        'HTTP/1.1 defaults to the use of "persistent connections", allowing multiple requests and responses to be '
        "carried over a single connection.",
        "https://www.rfc-editor.org/rfc/rfc9112#section-9.3",
    ),
    remedy="answer errors with Connection: close, or read the request's body to its end before the next",
)
def a_connection_outlives_an_error(refused: Exchange, following: Exchange) -> Findings:
    """After a refused request, the same connection carries another one, or is closed properly."""
    if not refused.complete or refused.status is None or refused.put_off or refused.status >= 500:
        yield Unwitnessed("the first request on the connection was not refused")
    else:
        yield from followed(replace(refused, status=200), following)


@check(
    "timing.capped-streams-end",
    SHOULD,
    sends=CAPPED_USAGE,
    needs=ANYTHING,
    requires=("chat.stream", "usage.stream"),
    spec=OPENAI_PYTHON.at(
        "timeouts", "the read timeout starts anew with every byte: an endless stream never times out"
    ),
    remedy="bound the whole stream in the client, by its time and by its size: the official client raises nothing",
)
def capped_streams_end(x: Exchange) -> Findings:
    """A stream that may have five tokens does not go on and on."""
    if x.complete or x.status != 200 or (x.ending.how is not How.TOO_LARGE and x.ending.phase != "total"):
        return
    texts = sum(bool(chunk["choices"][0]["delta"]["content"]) for chunk in x.data)
    if texts > 10 * CAP:
        yield Finding(
            "capped-stream-does-not-end",
            "a capped stream does not end",
            expected=f"{CAP} tokens",
            found=f"{texts} pieces of text",
        )


def told(x: Exchange) -> Any:
    """The message of an error object; None where there is none."""
    message = x.error["message"].value
    return message if isinstance(message, str) and message else None


@check(
    "errors.timeouts-are-told",
    SHOULD,
    sends=each(HELLO, COUNT, COUNT_STREAMED),
    needs=ANYTHING,
    spec=OPENAI_PYTHON.at(
        "errors",
        "408 and 504 are sent again twice; then APIStatusError or InternalServerError, with no word but the status where the "
        "body is no error object",
    ),
    remedy="let the gateway answer its time-outs in JSON: {error: {message, type, param, code}}",
)
def timeouts_are_told(x: Exchange) -> Findings:
    """A time-out that the server or its gateway reports (408, 504) is an error object with a message."""
    if x.status not in (408, 504, 524):
        yield Unwitnessed("no request was given up by the server")
    elif told(x) is None:
        yield Finding(
            "time-out-no-error-object", "a time-out is no error object", expected="error.message", found=x.text[:300]
        )


@check(
    "timing.answers-of-minutes-arrive",
    SHOULD,
    sends=each(MINUTES_STREAMED, MINUTES),
    waits=MINUTE,
    needs=ANYTHING,
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

    Asked for in the profile `full` only: it is thousands of tokens. `limits.timeout` has to allow more than a minute.
    """
    if x.ending.how is How.CUT and x.ended >= HALF:
        yield Finding("long-answer-cut-off", "a long answer is cut off", found=f"{x.ending}, after {x.ended:.0f} s")
    elif x.status in GAVE_UP and x.ended >= HALF:
        yield Finding(
            "long-answer-given-up", "a long answer is given up", expected=200, found=f"{x.status} after {x.ended:.0f} s"
        )
    elif x.status == 200 and x.streamed and x.ended >= HALF and any(chunk["error"] for chunk in x.data):
        error = next(chunk["error"] for chunk in x.data if chunk["error"])
        yield Finding(
            "long-answer-breaks-off-error", "a long answer breaks off with an error", at=error.pointer, found=error
        )
    elif x.ending.how is How.TIMED_OUT:
        yield Unwitnessed(f"our own patience ended first ({x.ending}): raise limits.timeout")
    elif not x.ok:
        yield Unwitnessed(f"there was no long answer: {unwell(x) or x.status}")
    elif x.ended < MINUTE:
        yield Unwitnessed(f"the answer took {x.ended:.0f} s only: the model is too fast, or too brief")
