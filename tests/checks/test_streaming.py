"""Checks of streams: where they stay silent, and that the official client breaks where a check says that it does."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx2
import openai
import pytest

from conformance.core.exchange import Chunk, Ending, Exchange, How
from conformance.core.finding import Kind
from conformance.core.probe import Probe
from conformance.probes.chat import STREAMED
from conformance.probes.streams import CAPPED, CAPPED_USAGE, FOREIGN, INVALID, UNICODE_STREAMED
from conformance.reference.answer import Respond
from conformance.reference.engine import DEFAULT_KEY, responder
from conformance.reference.fault import faults
from conformance.transport.memory import asking, request_of
from tests.kit.judging import judged

EVENTS = (("content-type", "text/event-stream"),)


def stream(*chunks: Any, probe: Probe = STREAMED, end: bytes = b"data: [DONE]\n\n") -> Exchange:
    """A stream of these chunks, as an exchange."""
    body = b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks) + end
    return Exchange(probe, "test", 0.0, 200, EVENTS, (Chunk(0.1, body),), ended=0.2)


def chunk(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    """A chunk of one choice."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


def holds(name: str, *exchanges: Exchange) -> bool:
    """Whether a check finds nothing."""
    return judged(name, *exchanges).kind is Kind.HOLDS


# --- fairness


def test_a_capped_thinker_is_not_at_fault() -> None:
    """A stream cut off before any text, as a thinking model's is, is well formed and lacks nothing."""
    x = stream(chunk(role="assistant", content=""), chunk(reasoning_content="Hm"), chunk("length"))
    for name in (
        "stream.is-well-formed-whatever-it-says",
        "stream.every-choice-ends",
        "stream.nothing-follows-the-finish",
    ):
        assert holds(name, x)


def test_what_adds_nothing_may_follow_the_finish() -> None:
    """Empty and null deltas after the finish reason lose nobody anything; a call there is lost."""
    first, last = chunk(role="assistant", content="Hi"), chunk("stop")
    name = "stream.nothing-follows-the-finish"
    assert holds(name, stream(first, last, chunk(content=""), chunk(content=None, tool_calls=[])))
    assert not holds(name, stream(first, last, chunk(tool_calls=[{"index": 0, "function": {"arguments": "{"}}])))


def test_spare_lines_are_harmless_without_ids() -> None:
    """Spare blank lines and comments break the official client only after an id, and not at the end of the stream."""
    name = "stream.ids-precede-no-empty-block"
    plain = json.dumps(chunk(content="Hi")).encode()
    cases = {
        b"data: " + plain + b"\n\n\n: ping\n\n": True,
        b"id: 1\ndata: " + plain + b"\n\n": True,
        b"id: 1\ndata: " + plain + b"\n\n\n": False,
        b"id: 1\ndata: " + plain + b"\n\n: ping\n\n": False,
        b"id:\ndata: " + plain + b"\n\n: ping\n\n": True,
    }
    for body, fine in cases.items():
        x = replace(stream(chunk()), chunks=(Chunk(0.1, body + b"data: [DONE]\n\n\n\n"),))
        assert holds(name, x) is fine, body


def test_an_unfinished_done_is_one_fault() -> None:
    """A `[DONE]` without its blank line lacks the line; that it is there counts."""
    x = stream(chunk("stop", content="Hi"), end=b"data: [DONE]\n")
    assert holds("stream.ends-with-done", x)
    assert not holds("stream.last-event-is-finished", x)


def test_another_text_says_nothing_about_the_finish() -> None:
    """Two answers of different text may end for different reasons."""
    body = json.dumps({"choices": [{"index": 0, "message": {"content": "1 2"}, "finish_reason": "length"}]}).encode()
    whole = Exchange(CAPPED, "test", 0.0, 200, (("content-type", "application/json"),), (Chunk(0.1, body),), ended=0.2)
    other = stream(chunk("stop", content="1"), probe=CAPPED_USAGE)
    assert judged("stream.finish-is-the-same", whole, other).kind is Kind.UNWITNESSED


def test_only_a_wait_and_a_burst_are_buffering() -> None:
    """A fast stream, a slow one, and one that begins late are not held back; one that comes late and at once is."""
    name = "timing.streams-are-not-held-back"
    events = [b"data: " + json.dumps(chunk(content=str(number))).encode() + b"\n\n" for number in range(30)]

    def timed(first: float, gap: float) -> Exchange:
        chunks = tuple(Chunk(first + gap * number, event) for number, event in enumerate(events))
        return replace(stream(chunk()), chunks=chunks)

    assert holds(name, timed(0.01, 0.0))
    assert holds(name, timed(0.1, 0.2))
    assert holds(name, timed(5.0, 0.0005))
    assert not holds(name, timed(5.0, 0.0))


def test_patience_is_no_harm() -> None:
    """A server that asks for patience after a hang-up is not broken by it; one that is silent or fails is."""
    name = "timing.hang-ups-do-no-harm"
    left = replace(stream(chunk(content="1")), ending=Ending(How.LEFT))
    busy = replace(stream(), status=429)
    assert holds(name, left, busy)
    assert not holds(name, left, replace(busy, status=500))
    assert not holds(name, left, replace(busy, status=None, ending=Ending(How.TIMED_OUT, "first byte")))


def test_the_reference_refuses_what_is_called_invalid() -> None:
    """Every request that the suite calls invalid is refused by the reference server; every foreign text is repeated."""
    ask = asking(responder(), DEFAULT_KEY, "reference")
    assert [ask(probe).status for probe in INVALID] == [400] * len(INVALID)
    assert all(text == text.strip() for text in FOREIGN)


# --- what the official client makes of the same bytes


def read(respond: Respond, probe: Probe = STREAMED) -> list[Any]:
    """The chunks that the official client gets from a server."""

    def handle(request: httpx2.Request) -> httpx2.Response:
        answer = respond(request_of(probe, DEFAULT_KEY, "reference"))
        return httpx2.Response(
            answer.status, headers=answer.headers, content=b"".join(data for _, data in answer.pieces())
        )

    transport = httpx2.MockTransport(handle)
    with (
        httpx2.Client(transport=transport) as http,
        openai.OpenAI(api_key="k", base_url="http://reference.test/v1", http_client=http, max_retries=0) as client,
    ):
        return list(client.chat.completions.create(model="reference", messages=[], stream=True))


def raises(respond: Respond) -> bool:
    """Whether the official client fails on the stream."""
    try:
        read(respond)
    except (json.JSONDecodeError, UnicodeDecodeError):
        return True
    return False


def loses(respond: Respond) -> bool:
    """Whether the official client gets fewer chunks than there are, without a word."""
    return len(read(respond)) < len(read(responder()))


BREAKS: dict[str, Callable[[Respond], bool]] = {
    "byte-order-mark": loses,
    "stream-of-json-lines": loses,
    "sse-comment-as-data": raises,
    "sse-empty-data-heartbeat": raises,
    "gateway-done-comma-joined": raises,
    "events-without-blank-line": raises,
    "event-without-data": raises,
    "retry-without-data": raises,
    "ids-and-spare-blank-lines": raises,
}


@pytest.mark.parametrize("name", BREAKS)
def test_the_official_client_breaks(name: str) -> None:
    """Where a MUST rests on the official client, that client fails on the planted fault, or loses chunks."""
    assert BREAKS[name](faults()[name](responder()))


def test_the_official_client_drops_an_unfinished_event() -> None:
    """A last chunk without its blank line is lost without a word."""
    respond = faults()["last-event-unfinished"](faults()["done-missing"](responder()))
    assert len(read(respond)) == len(read(responder())) - 1


def test_the_official_client_fails_on_latin_1() -> None:
    """A stream that is not UTF-8 ends in a UnicodeDecodeError."""
    with pytest.raises(UnicodeDecodeError):
        read(faults()["stream-in-latin-1"](responder()), UNICODE_STREAMED)


LEGAL = (
    "random-noise-comment-in-stream",
    "sse-ping-events",
    "sse-data-no-space",
    "llamacpp-two-events-one-read",
    "lines-end-crlf",
    "data-in-several-lines",
    "role-and-content-together",
    "members-left-out",
    "deltas-with-nulls",
    "finish-chunk-has-content",
)


@pytest.mark.parametrize("name", LEGAL)
def test_the_official_client_reads_legal_variants(name: str) -> None:
    """What is planted as a legal variant of a stream is read by the official client as the original is."""
    variant = faults()[name]
    assert variant.legal
    spoken, original = (
        "".join(one.choices[0].delta.content or "" for one in read(respond) if one.choices)
        for respond in (variant(responder()), responder())
    )
    assert spoken == original
