"""What the official client makes of it: each way in which a server is slow, breaks off or has no time, and what is raised.

The checks tell these results in their sources and remedies; here the real client is seen to do so, in both of its forms.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx2
import openai
import pytest

from conformance.checks.catalogue import catalogue
from conformance.reference.engine import DEFAULT_KEY
from conformance.reference.serve import serving
from conformance.runner.kill_matrix import still
from tests.kit.servers import STREAM_HEAD, Behave, chunked, server
from tests.kit.whole_runs import heard, parts_of

LATE = openai.APITimeoutError
LOST = openai.APIConnectionError
SHORT = (0.5, 4.0, 30.0)
"""Seconds of read time-outs that are to run out: longer ones where a machine is so busy that what should come before does not."""
LONG = 60.0
"""Seconds of one that is not, also on a busy machine."""
WHOLE = " ".join(map(str, range(1, 41)))
"""What the model answers to `Count to forty`."""


@dataclass(frozen=True)
class Case:
    """What a server does, and what becomes of a request to it."""

    fault: str
    raises: type[Exception] | None = None
    """Exactly this; None: nothing at all."""
    tries: int = 1
    """Requests that the client makes of one, where it may ask a second time."""
    gets: Callable[[str], bool] = field(default=lambda text: text == "")
    """What of the text the program had by then."""
    stream: bool = True
    says: str = "Count to forty"
    timeouts: tuple[float, ...] = (LONG,)
    told: str = ""
    """The check that tells of it."""


def a_part(text: str) -> bool:
    """Some of the text, from its beginning."""
    return 0 < len(text) < len(WHOLE) and WHOLE.startswith(text)


def all_of_it(text: str) -> bool:
    """All of the text."""
    return text == WHOLE


CASES = {
    "a slow first token": Case("first-byte-late", LATE, 2, timeouts=SHORT),
    "a slow whole answer": Case("first-byte-late", LATE, 2, stream=False, timeouts=SHORT),
    "a stalled stream": Case(
        "stream-stalls-midway-open", LATE, gets=a_part, timeouts=SHORT, told="timing.streams-do-not-stall"
    ),
    "a stream cut between events": Case("stream-cut", LOST, gets=a_part, told="timing.answers-are-whole"),
    "a stream cut within an event": Case("stream-cut-within-event", LOST, gets=a_part, told="timing.answers-are-whole"),
    "a stream that ends between events": Case(
        "stream-truncated-clean-eof", gets=a_part, told="stream.every-choice-ends"
    ),
    "a stream that ends within an event": Case("stream-ends-within-event", gets=a_part, told="stream.ends-with-done"),
    "a stream without [DONE]": Case("done-missing", gets=all_of_it),
    "an error in the stream": Case("midstream-error-without-done", openai.APIError, gets=a_part),
    "an error in the stream, in other words": Case(
        "timeout-in-stream-as-detail", gets=a_part, told="stream.every-choice-ends"
    ),
    "408 in text": Case("request-timeout-text", openai.APIStatusError, 2, told="errors.timeouts-are-told"),
    "408 in text, whole": Case(
        "request-timeout-text", openai.APIStatusError, 2, stream=False, told="errors.timeouts-are-told"
    ),
    "504 with a page": Case("gateway-timeout-page", openai.InternalServerError, 2, told="errors.timeouts-are-told"),
    "429 that does not say when": Case(
        "retry-after-missing-429",
        openai.RateLimitError,
        2,
        stream=False,
        says="Say hello",
        told="errors.busy-says-when",
    ),
    "429 that says when": Case("put-off-at-first", tries=2, gets=all_of_it),
    "503 that says when": Case("unavailable-at-first", tries=2, gets=all_of_it),
    "a body that lacks its end": Case("answer-cut", LOST, 2, stream=False, told="timing.answers-are-whole"),
}


@pytest.fixture(scope="module")
def reference() -> Iterator[str]:
    """The reference server with every fault beneath it, without the `/v1`."""
    with serving() as base_url:
        yield base_url.removesuffix("/v1")


@dataclass
class Told:
    """What came of a request."""

    tries: int = 0
    text: str = ""
    raised: Exception | None = None
    seconds: float = 0.0
    finish: str | None = None


Ask = Callable[..., Told]


def wish(says: str, stream: bool, **more: Any) -> dict[str, Any]:
    """The arguments of `create`."""
    streamed = {"stream": True} if stream else {}
    return {"model": "reference", "messages": [{"role": "user", "content": says}], **streamed, **more}


def blocking(base_url: str, timeout: float, enough: int = 10**6, **asked: Any) -> Told:
    """Ask with `OpenAI`, which may try a second time; no more than so many chunks are read."""
    told = Told()

    def count(request: httpx2.Request) -> None:
        told.tries += 1

    begun = time.monotonic()
    with (
        openai.DefaultHttpxClient(event_hooks={"request": [count]}, timeout=timeout) as http,
        openai.OpenAI(
            base_url=base_url, api_key=DEFAULT_KEY, timeout=timeout, max_retries=1, http_client=http
        ) as client,
    ):
        try:
            answer: Any = client.chat.completions.create(**asked)
            for number, part in enumerate(answer if asked.get("stream") else ()):
                take(told, part)
                if number >= enough:
                    break
            if not asked.get("stream"):
                told.text = answer.choices[0].message.content
        except Exception as problem:
            told.raised = problem
    told.seconds = time.monotonic() - begun
    return told


def awaiting(base_url: str, timeout: float, enough: int = 10**6, **asked: Any) -> Told:
    """The same with `AsyncOpenAI`."""
    told = Told()

    async def count(request: httpx2.Request) -> None:
        told.tries += 1

    async def ask() -> None:
        async with (
            openai.DefaultAsyncHttpxClient(event_hooks={"request": [count]}, timeout=timeout) as http,
            openai.AsyncOpenAI(
                base_url=base_url, api_key=DEFAULT_KEY, timeout=timeout, max_retries=1, http_client=http
            ) as client,
        ):
            try:
                answer: Any = await client.chat.completions.create(**asked)
                if not asked.get("stream"):
                    told.text = answer.choices[0].message.content
                    return
                number = 0
                async for part in answer:
                    take(told, part)
                    number += 1
                    if number >= enough:
                        await answer.close()
                        break
            except Exception as problem:
                told.raised = problem

    begun = time.monotonic()
    asyncio.run(ask())
    told.seconds = time.monotonic() - begun
    return told


def take(told: Told, part: Any) -> None:
    """Read a chunk as programs do."""
    for choice in part.choices or ():
        told.text += choice.delta.content or ""
        told.finish = choice.finish_reason or told.finish


BOTH = pytest.mark.parametrize("ask", [blocking, awaiting], ids=["sync", "async"])


@pytest.fixture(scope="module")
def found(reference: str) -> dict[tuple[str, Ask], Told]:
    """What came of every case. They wait more than they work, so they are asked side by side."""

    def made(wanted: tuple[str, Ask]) -> Told:
        name, ask = wanted
        case = CASES[name]
        # Servers that put a request off know it when it comes again: each client has a request of its own there.
        own = {"user": f"{name}, {ask.__name__}"} if case.tries == 2 and case.raises is None else {}
        for timeout in case.timeouts:
            told = ask(f"{reference}/fault/{case.fault}/v1", timeout, **wish(case.says, case.stream, **own))
            if told.tries == case.tries and case.gets(told.text):
                break
        return told

    wanted = [(name, ask) for name in CASES for ask in (blocking, awaiting)]
    with ThreadPoolExecutor(8) as pool:
        return dict(zip(wanted, pool.map(made, wanted), strict=True))


@BOTH
@pytest.mark.parametrize("name", CASES)
def test_what_the_client_raises(name: str, ask: Ask, found: dict[tuple[str, Ask], Told]) -> None:
    """The exception, how often it asked, and what of the answer was there by then: the program may see no more of it."""
    case, told = CASES[name], found[name, ask]
    assert type(told.raised) is (case.raises or type(None)), repr(told.raised)
    assert told.tries == case.tries
    assert case.gets(told.text), told.text


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.told])
def test_the_checks_tell_it(name: str) -> None:
    """The check that finds the fault says what the official client does with it: what it raises, or that it raises nothing."""
    check = catalogue()[CASES[name].told]
    raises = CASES[name].raises
    said = f"{check.spec} {check.remedy}"
    assert (raises.__name__ if raises else "raises nothing") in said


@BOTH
def test_what_is_lost_in_silence_lacks_its_finish_reason(
    ask: Ask, reference: str, found: dict[tuple[str, Ask], Told]
) -> None:
    """Where nothing is raised although text is lost, one sign is left: no chunk had a finish reason."""
    silent = [name for name, case in CASES.items() if case.raises is None and case.gets is a_part]
    assert len(silent) >= 3
    assert {(found[name, ask].raised, found[name, ask].finish) for name in silent} == {(None, None)}
    whole = ask(f"{reference}/v1", LONG, **wish("Count to forty", True))
    assert (whole.text, whole.finish) == (WHOLE, "stop")


@BOTH
def test_a_stream_that_never_ends_never_times_out(ask: Ask, reference: str) -> None:
    """Every byte is a new beginning for the read time-out: whoever does not count reads for ever."""
    told = ask(f"{reference}/fault/stream-never-ends/v1", LONG, 400, **wish("Count to forty", True))
    assert told.raised is None
    assert len(told.text) > 5 * len(WHOLE)
    assert told.finish is None
    assert "raises nothing" in catalogue()["timing.capped-streams-end"].remedy


def drips(pause: float) -> Behave:
    """The reference server, whose answers come one byte at a time, with a pause between two."""
    respond = still()

    def behave(connection: socket.socket, data: bytes) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(STREAM_HEAD)
        for byte in b"".join(parts_of(respond(heard(data)))):
            connection.sendall(chunked(bytes([byte])))
            time.sleep(pause)
        connection.sendall(b"0\r\n\r\n")

    return behave


@BOTH
def test_a_drip_of_single_bytes_never_times_out(ask: Ask) -> None:
    """An answer that takes several times the time-out raises nothing, as long as there is a byte now and then."""
    with server(drips(0.002)) as base_url:
        told = ask(base_url, 1.0, **wish("Say exactly: pong", True))
    assert (told.raised, told.tries, told.text) == (None, 1, "pong")
    assert told.seconds > 1.5
