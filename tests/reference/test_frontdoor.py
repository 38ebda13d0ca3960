"""SageMaker's front door, emulated: who comes in, and that what comes out is what the container said, as it said it."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest

from conformance.checks.catalogue import catalogue
from conformance.core.address import Address
from conformance.core.aws.names import route
from conformance.core.aws.tokens import BEDROCK, SAGEMAKER, sign, tampered
from conformance.core.exchange import How
from conformance.core.finding import Kind
from conformance.judging.judge import Evidence, judge
from conformance.probes.chat import HELLO, STREAMED
from conformance.reference import sagemaker_door as frontdoor
from conformance.reference import sagemaker_proxy as forward
from conformance.reference.answer import Request
from conformance.reference.engine import DEFAULT_KEY, responder
from conformance.reference.sagemaker_door import Door, Owner, fronted, owner, somebody
from conformance.reference.sagemaker_proxy import Container, Forward
from conformance.reference.serve import hosting, serving
from conformance.targets.target import Limits, Timeout
from conformance.transport.http import Http
from conformance.transport.memory import exchange_of
from tests.kit.servers import STREAM_HEAD, chunked, json_reply, sends, server

NOW = 1_800_000_000.0
OWNER = Owner("ASIADOORDOORDOORDOOR", "door-secret", "door-session")
DOOR = Door(OWNER, component="part", clock=lambda: NOW)
URL = "/endpoints/local/openai/v1/chat/completions"
BODY = b'{"model":"reference","messages":[{"role":"user","content":"Say hello"}]}'


def token(region: str = "us-east-1", life: int = 900, at: float = NOW, secret: str = "door-secret", **more: Any) -> str:
    """A token for the door, or one that has something wrong with it."""
    access, session = more.get("access", OWNER.access), more.get("session", OWNER.session)
    return sign(more.get("scheme", SAGEMAKER), access, secret, session, region, life, at)


def asked(authorization: str | None, path: str = URL, door: Door = DOOR, method: str = "POST", **headers: str) -> Any:
    """The answer to a request with these credentials: status and body."""
    given = {"content-type": "application/json", **headers}
    if authorization is not None:
        given["authorization"] = authorization
    answer = fronted(responder(), door)(Request(method, path, given, BODY))
    return answer.status, json.loads(b"".join(piece for _, piece in answer.pieces()) or b"null")


@pytest.mark.parametrize(
    "path",
    [URL, "/endpoints/local/inference-components/part/openai/v1/chat/completions"],
    ids=["endpoint", "component"],
)
def test_a_valid_token_opens_both_urls(path: str) -> None:
    """The endpoint's and the component's; behind them is the same server."""
    status, body = asked(f"Bearer {token()}", path)
    assert (status, body["object"]) == (200, "chat.completion")


REFUSED = {
    "no token": None,
    "another scheme": "AWS4-HMAC-SHA256 Credential=x",
    "rubbish": "Bearer rubbish",
    "no prefix": f"Bearer {token().removeprefix('sagemaker-api-key-')}",
    "tampered": f"Bearer {tampered(token())}",
    "expired": f"Bearer {token(life=1, at=NOW - 2)}",
    "expired to the second": f"Bearer {token(life=900, at=NOW - 900)}",
    "of tomorrow": f"Bearer {token(at=NOW + 86400)}",
    "another region": f"Bearer {token(region='us-west-2')}",
    "another secret": f"Bearer {token(secret='other')}",
    "another key": f"Bearer {token(access='ASIAOTHEROTHEROTHER1')}",
    "another session": f"Bearer {token(session='other')}",
    "bedrock's": f"Bearer {token(scheme=BEDROCK)}",
}


@pytest.mark.parametrize("name", REFUSED)
def test_every_other_token_is_refused(name: str) -> None:
    """With 403, an error object, and nothing of the token in it."""
    status, body = asked(REFUSED[name])
    assert status == 403
    assert isinstance(body["error"]["message"], str)
    assert "api-key" not in json.dumps(body)


def test_a_token_is_valid_until_its_last_second() -> None:
    """And a little before it begins: clocks differ."""
    assert asked(f"Bearer {token(life=900, at=NOW - 899)}")[0] == 200
    assert asked(f"Bearer {token(at=NOW + 200)}")[0] == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/endpoints/other/openai/v1/chat/completions", 400),
        ("/endpoints/local/inference-components/other/openai/v1/chat/completions", 400),
        ("/endpoints/local/openai/v1/models", 404),
        ("/v1/chat/completions", 404),
        ("/endpoints/local/invocations", 404),
    ],
)
def test_what_is_not_there(path: str, status: int) -> None:
    """An unknown endpoint is a 400, as it has been measured; the container is not reached past the door."""
    found, body = asked(f"Bearer {token()}", path)
    assert found == status
    if "/other/openai" in path and "components" not in path:
        account = OWNER.account
        said = f"Endpoint other of account {account} not found."
        assert body == {"error": {"message": said, "type": "invalid_request_error", "code": "validation_error"}}


def test_the_header_of_the_older_api_is_refused() -> None:
    """The component goes into the path, and only there."""
    assert asked(f"Bearer {token()}", **{"x-amzn-sagemaker-inference-component": "part"})[0] == 400


def test_an_endpoint_at_zero_says_so_and_is_not_judged() -> None:
    """400, as it has been measured; what is a client's mistake in form is no violation, but a target to be woken."""
    asleep = Door(OWNER, asleep=True, clock=lambda: NOW)
    answer = fronted(responder(), asleep)(Request("POST", URL, {"authorization": f"Bearer {token()}"}, BODY))
    assert answer.status == 400
    x = exchange_of(HELLO, answer)
    assert x.asleep
    outcome = judge(catalogue()["chat.object-is-chat-completion"], [Evidence((x,))])
    assert outcome.kind is Kind.ERRORED
    assert "scaled to zero" in outcome.reason


@pytest.mark.parametrize(("style", "status"), [("documented", 400), ("measured", 400), ("424", 424)])
def test_errors_of_the_container_come_out_in_three_styles(style: Any, status: int) -> None:
    """As documented, as measured (the object within a message, account and logs beside it), as the older API has it."""
    door = Door(OWNER, style=style, clock=lambda: NOW)
    answer = door.wrapped(400, b'{"error":{"message":"bad \\"x\\"","param":"x"}}')
    body = json.loads(b"".join(piece for _, piece in answer.pieces()))
    assert answer.status == status
    if style == "documented":
        assert body["error"]["param"] == "x"
    elif style == "measured":
        assert set(body["error"]) == {"message", "type", "code"}
        assert 'Received client error (400) from primary with message "{"error"' in body["error"]["message"]
        assert (body["error"]["type"], body["error"]["code"]) == ("server_error", "model_error")
    else:
        assert (body["ErrorCode"], body["OriginalStatusCode"]) == ("CLIENT_ERROR_FROM_MODEL", 400)
        assert json.loads(body["OriginalMessage"])["error"]["param"] == "x"


def test_credentials_are_of_the_environment_or_new() -> None:
    """Nobody's real ones are asked for, and no two runs have the same."""
    assert owner({"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s"}) == Owner("a", "s")
    assert owner({}).access != somebody().access


# --- on a socket


@contextmanager
def door_before(url: str, key: str | None = None, door: Door | None = None) -> Iterator[Address]:
    """The address of a door on a socket, before a container."""
    own = door or Door(somebody())
    with hosting(Forward(own, Container(url, (lambda: key) if key else None))) as origin:
        mine = own.owner

        def fresh() -> str:
            return sign(SAGEMAKER, mine.access, mine.secret, mine.session, own.region, 900, time.time())

        yield Address(route(origin, own.endpoint), "reference", fresh)


PATIENT = Limits(timeout=Timeout(connect=10, first_byte=20, idle=20, total=60, linger=5), at_once=8)


def exchanges(address: Address, *probes: Any) -> list[Any]:
    """What comes back, asked at the same time."""

    async def all_of_them() -> list[Any]:
        http = Http("t", address, PATIENT)
        try:
            return list(await asyncio.gather(*(http.carry(probe) for probe in probes)))
        finally:
            await http.aclose()

    return asyncio.run(all_of_them())


def test_the_whole_path_on_sockets() -> None:
    """Client, door, container: whole and streamed answers come through, and the container never sees the token."""
    with serving() as url, door_before(url, DEFAULT_KEY) as address:
        whole, stream = exchanges(address, HELLO, STREAMED)
    assert (whole.status, whole.json["object"].value) == (200, "chat.completion")
    assert (stream.status, stream.streamed, stream.events[-1].data) == (200, True, "[DONE]")
    assert whole.header("x-amzn-requestid")
    assert whole.header("x-request-id") is None  # the container's own headers stay inside


def test_the_token_stays_at_the_door() -> None:
    """What the container gets is the request without its credentials, at its own path, byte for byte."""
    heard: list[bytes] = []

    def listens(connection: socket.socket, request: bytes) -> None:
        heard.append(request)
        json_reply_to(connection)

    def json_reply_to(connection: socket.socket) -> None:
        connection.sendall(json_reply(b'{"object":"chat.completion"}'))

    with server(listens) as url, door_before(url) as address:
        exchanges(address, HELLO)
    (request,) = heard
    assert request.startswith(b"POST /v1/chat/completions HTTP/1.1")
    assert b"authorization" not in request.lower()
    assert b"api-key" not in request
    assert request.endswith(HELLO.filled("reference")[1] or b"")


def test_a_stream_comes_as_it_is_made() -> None:
    """The first piece is passed on before the second one exists."""
    go = threading.Event()

    def two_pieces(connection: socket.socket, request: bytes) -> None:
        connection.sendall(STREAM_HEAD + chunked(b"data: 1\n\n"))
        go.wait(20)
        connection.sendall(chunked(b"data: [DONE]\n\n") + b"0\r\n\r\n")

    with server(two_pieces) as url, door_before(url) as address:
        assert address.credential is not None
        headers = {"authorization": f"Bearer {address.credential()}"}
        with (
            httpx2.Client(trust_env=False, timeout=30) as client,
            client.stream("POST", f"{address.base_url}/chat/completions", content=BODY, headers=headers) as response,
        ):
            pieces = response.iter_raw()
            assert next(pieces) == b"data: 1\n\n"
            go.set()
            assert b"".join(pieces) == b"data: [DONE]\n\n"


def test_a_container_that_breaks_off_is_cut_not_ended() -> None:
    """A client must not take half a stream for a whole one."""
    with server(sends(STREAM_HEAD, chunked(b"data: 1\n\n"))) as url, door_before(url) as address:
        (x,) = exchanges(address, STREAMED)
    assert (x.status, x.ending.how) == (200, How.CUT)
    assert x.body == b"data: 1\n\n"


def test_a_client_that_leaves_frees_the_container() -> None:
    """The door hangs up on the container as soon as nobody listens."""
    left = threading.Event()

    def endless(connection: socket.socket, request: bytes) -> None:
        connection.sendall(STREAM_HEAD)
        try:
            for _ in range(4000):
                connection.sendall(chunked(b"data: x\n\n"))
                time.sleep(0.01)
        except OSError:
            left.set()

    with server(endless) as url, door_before(url) as address:
        (x,) = exchanges(address, STREAMED.until(events=2))
        assert x.ending.how is How.LEFT
        assert left.wait(30)


def test_a_slow_reader_slows_the_container_down() -> None:
    """What the client does not read is not piled up within the door."""
    sent = [0]

    def firehose(connection: socket.socket, request: bytes) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        connection.sendall(STREAM_HEAD)
        piece = chunked(b"data: " + b"x" * 65536 + b"\n\n")
        connection.settimeout(1.0)
        try:
            for _ in range(2000):
                connection.sendall(piece)
                sent[0] += 65536
        except OSError:  # nobody took it for a second
            return

    with server(firehose) as url, door_before(url) as address:
        assert address.credential is not None
        headers = {"authorization": f"Bearer {address.credential()}"}
        with (
            httpx2.Client(trust_env=False, timeout=30) as client,
            client.stream("POST", f"{address.base_url}/chat/completions", content=BODY, headers=headers) as response,
        ):
            next(response.iter_raw())
            before = -1
            while sent[0] != before:  # until it has stopped
                before = sent[0]
                time.sleep(0.5)
    assert sent[0] < 100 * 2**20


def test_a_container_that_is_gone_or_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are errors of the container, in the door's words."""
    monkeypatch.setattr(forward, "WHOLE", 0.3)
    with server(sends(...)) as url, door_before(url) as address:
        (late,) = exchanges(address, HELLO)
    assert late.status == 500
    assert "timed out" in late.text
    with door_before("http://127.0.0.1:9/v1") as address:
        (gone,) = exchanges(address, HELLO)
    assert gone.status == 502


def test_ping_tells_how_the_container_is() -> None:
    """As an endpoint is in service once its container answers."""
    with serving() as url, door_before(url) as address:
        origin = address.base_url.partition("/endpoints")[0]
        assert httpx2.get(f"{origin}/ping", trust_env=False, timeout=30).status_code == 200
    with door_before("http://127.0.0.1:9/v1") as address:
        origin = address.base_url.partition("/endpoints")[0]
        assert httpx2.get(f"{origin}/ping", trust_env=False, timeout=30).status_code == 503


def test_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request over the limit does not reach the container."""
    for module in (forward, frontdoor):
        monkeypatch.setattr(module, "LARGEST", 50)
    with server(sends(json_reply(b"{}"))) as url, door_before(url) as address:
        (x,) = exchanges(address, HELLO)
    assert x.status == 413
