"""The transport: every way in which an exchange ends is told apart, within its time, and nothing secret is kept."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from conformance.core.address import WRONG, Address
from conformance.core.exchange import Exchange, How
from conformance.core.probe import MODEL, Probe
from conformance.probes.chat import HELLO, STREAMED, get, raw
from conformance.targets.target import Limits, Timeout
from conformance.transport.http import BROKEN_OFF, Http
from tests.kit.servers import HEAD, STREAM_HEAD, chunked, json_reply, resets, sends, server

PATIENT = Timeout(connect=60, first_byte=60, idle=60, total=60, linger=60)
"""Times that no exchange here takes, also on a busy machine."""
LIMITS = Limits(timeout=PATIENT, body=100_000, at_once=4)
EVENT = b"data: {}\n\n"


def ask(base_url: str, probe: Probe = HELLO, limits: Limits = LIMITS, **more: Any) -> Exchange:
    """One exchange, and nothing left open."""

    async def once() -> Exchange:
        http = Http("t", Address(base_url, more.pop("model", "m"), **more), limits)
        try:
            return await http.carry(probe)
        finally:
            await http.aclose()

    return asyncio.run(once())


@pytest.mark.parametrize(
    ("behave", "how", "phase"),
    [
        pytest.param(sends(json_reply(b"{}")), How.DONE, "", id="answers"),
        pytest.param(sends(...), How.TIMED_OUT, "first byte", id="never_answers"),
        pytest.param(sends(HEAD + b"content-length: 9\r\n\r\n{", ...), How.TIMED_OUT, "idle", id="stalls"),
        pytest.param(
            sends(STREAM_HEAD, *[x for _ in range(9) for x in (chunked(EVENT), 0.1)], ...),
            How.TIMED_OUT,
            "total",
            id="drips",
        ),
        pytest.param(
            sends(STREAM_HEAD, chunked(b"data: [DONE]\n\n"), ...), How.TIMED_OUT, "linger", id="does_not_close"
        ),
        pytest.param(sends(HEAD + b"content-length: 9\r\n\r\n{"), How.CUT, "body", id="closes_within_the_body"),
        pytest.param(sends(STREAM_HEAD, chunked(EVENT)), How.CUT, "body", id="closes_within_the_stream"),
        pytest.param(resets, How.CUT, "first byte", id="resets"),
        pytest.param(sends(b"HTTP/1.1 2"), How.CUT, "first byte", id="truncated_head"),
        pytest.param(sends(b"SSH-2.0-OpenSSH\r\n"), How.CUT, "first byte", id="speaks_no_http"),
        pytest.param(
            sends(HEAD + b"content-length: 1\r\ncontent-length: 2\r\n\r\n{}"), How.CUT, "first byte", id="two_lengths"
        ),
        pytest.param(sends(STREAM_HEAD, chunked(b"x" * 200_000)), How.TOO_LARGE, "body", id="endless"),
        pytest.param(sends(HEAD, b"x: " + b"y" * 300_000, b"\r\n\r\n"), How.CUT, "first byte", id="endless_headers"),
    ],
)
def test_endings_are_told_apart(behave: Callable[[socket.socket, bytes], None], how: How, phase: str) -> None:
    """A server that misbehaves in a phase is an exchange that ended in that phase, within the deadline."""
    quick = {phase.replace(" ", "_"): 0.3, "connect": 1} if how is How.TIMED_OUT else {}  # for a first byte both count
    with server(behave) as base_url:
        x = ask(base_url, limits=LIMITS.model_copy(update={"timeout": PATIENT.model_copy(update=quick)}))
    assert (x.ending.how, x.ending.phase) == (how, phase), x.ending
    assert x.ended < PATIENT.total


def test_nobody_listens() -> None:
    """A refused connection is unreachable, and says so."""
    x = ask("http://127.0.0.1:9/v1")
    assert (x.ending.how, x.ending.phase) == (How.UNREACHABLE, "connect")
    assert "refused" in x.ending.detail.lower() or "111" in x.ending.detail


def test_no_such_host() -> None:
    """A name that does not resolve is unreachable."""
    assert ask("http://no-such-host.invalid/v1").ending.how is How.UNREACHABLE


def test_tls_where_there_is_none() -> None:
    """A TLS failure is named as one."""
    with server(sends(b"HTTP/1.1 400 Bad Request\r\n\r\n"), waits_for_http=False) as base_url:
        x = ask(base_url.replace("http:", "https:"))
    assert (x.ending.how, x.ending.phase) == (How.UNREACHABLE, "tls"), x.ending


def test_what_had_arrived_is_kept() -> None:
    """A cut stream keeps its status, its headers and every byte before the cut, with times in order."""
    with server(sends(STREAM_HEAD, chunked(EVENT), 0.05, chunked(EVENT))) as base_url:
        x = ask(base_url, STREAMED)
    assert x.status == 200
    assert x.raw == EVENT * 2
    assert x.header("content-type") == "text/event-stream"
    times = [chunk.at for chunk in x.chunks]
    assert times == sorted(times)
    assert times[-1] - times[0] > 0.03


def test_of_what_did_not_come_whole_a_bounded_part_is_kept() -> None:
    """Megabytes that went on until the time was over: the first of them are kept as they came, and the ending says so."""
    events = chunked(EVENT * 20_000)
    limits = Limits(timeout=PATIENT.model_copy(update={"idle": 1}), body=16 * 2**20)

    def stalls(connection: socket.socket, request: bytes) -> None:
        connection.sendall(STREAM_HEAD + events + events)
        connection.recv(1)  # until the client has had enough

    with server(stalls) as base_url:
        x = ask(base_url, STREAMED, limits)
    assert (x.ending.how, x.ending.phase) == (How.TIMED_OUT, "idle")
    assert x.raw == (EVENT * 40_000)[:BROKEN_OFF]
    assert (
        x.ending.detail
        == f"nothing more in 1 s; of the {len(EVENT) * 40_000} bytes that came, the first {BROKEN_OFF} are kept"
    )


def test_the_client_hangs_up_when_the_probe_says_so() -> None:
    """After so many events, or so many seconds, the exchange is over, and complete as far as anybody wanted it."""
    with server(sends(STREAM_HEAD, *[x for _ in range(10) for x in (chunked(EVENT), 0.02)], 0.3)) as base_url:
        few = ask(base_url, STREAMED.until(events=3))
        short = ask(base_url, STREAMED.until(seconds=0.1))
    assert few.ending.how is How.LEFT
    assert len(few.events) == 3
    assert short.ending.how is How.LEFT
    assert short.complete


def heard(probe: Probe, **more: Any) -> bytes:
    """The request as the server got it."""
    requests: list[bytes] = []

    def behave(connection: socket.socket, request: bytes) -> None:
        requests.append(request)
        connection.sendall(json_reply(b"{}"))

    with server(behave) as base_url:
        ask(base_url, probe, **more)
    return requests[0]


def test_the_model_is_put_in() -> None:
    """MODEL is replaced in the body, also of a malformed one, and in a path; any name is quoted rightly."""
    assert b'{"model":"my/\\"model\\""' in heard(HELLO, model='my/"model"')
    assert b'{"model":"m", broken' in heard(raw(b'{"model":"$MODEL", broken'))
    assert heard(get(f"models/{MODEL}"), model="org/name").startswith(b"GET /v1/models/org%2Fname HTTP/1.1")


def test_credentials_go_where_the_probe_wants_them() -> None:
    """The target's key, none, or a wrong one; nothing else of ours is sent."""
    key = {"credential": lambda: "the-key"}
    assert b"authorization: Bearer the-key\r\n" in heard(HELLO, **key)
    assert b"authorization" not in heard(Probe(HELLO.path, HELLO.body, auth="none"), **key).lower()
    wrong = heard(Probe(HELLO.path, HELLO.body, auth="wrong"), **key)
    assert WRONG.encode() in wrong
    assert b"the-key" not in wrong


def test_a_redirect_is_an_answer() -> None:
    """The key is not carried to another place."""
    seen: list[bytes] = []

    def elsewhere(connection: socket.socket, request: bytes) -> None:
        seen.append(request)
        connection.sendall(json_reply(b"{}"))

    with server(elsewhere) as other:
        head = f"HTTP/1.1 307 Temporary Redirect\r\nlocation: {other}/chat/completions\r\ncontent-length: 0\r\n\r\n"
        with server(sends(head.encode())) as base_url:
            x = ask(base_url, credential=lambda: "the-key")
    assert x.status == 307
    assert not seen


def test_no_secret_stays_in_the_exchange() -> None:
    """What is recorded holds the probe, which has no key, and the answer."""
    with server(sends(json_reply(b"{}"))) as base_url:
        x = ask(base_url, credential=lambda: "canary-key-4711", headers=lambda: {"x-canary": "canary-2"})
    assert "canary" not in repr(x)


@pytest.mark.asyncio
async def test_a_line_keeps_its_connection() -> None:
    """Probes that name the same line go over one connection, one after the other."""
    ports: list[int] = []
    lock = threading.Lock()

    def behave(connection: socket.socket, request: bytes) -> None:
        with lock:
            ports.append(connection.getpeername()[1])
        connection.sendall(json_reply(b"{}"))

    with server(behave, keep_alive=True) as base_url:
        http = Http("t", Address(base_url, "m"), LIMITS)
        one = Probe(HELLO.path, HELLO.body, line="own")
        await http.carry(one)
        await http.carry(one.again())
        await http.aclose()
    assert len(ports) == 2
    assert len(set(ports)) == 1


@pytest.mark.asyncio
async def test_a_connection_that_was_closed_meanwhile_is_not_held_against_the_server() -> None:
    """What breaks an old connection before any answer is sent again over a new one, once, and the exchange says so."""
    asked: list[int] = []

    def behave(connection: socket.socket, request: bytes) -> None:
        asked.append(connection.getpeername()[1])
        if len(asked) in (2, 3):
            resets(connection, request)
        else:
            connection.sendall(json_reply(b"{}"))

    with server(behave, keep_alive=True) as base_url:
        http = Http("t", Address(base_url, "m"), LIMITS)
        first = await http.carry(HELLO)
        broken = await http.carry(HELLO.again())
        again = await http.carry(HELLO.again(2))
        await http.aclose()
    assert (first.status, first.resent) == (200, 0)
    assert (broken.ending.how, broken.resent) == (How.CUT, 1), "it broke on the new connection, too"
    assert (again.status, again.resent) == (200, 0)
    assert len(asked) == 4
