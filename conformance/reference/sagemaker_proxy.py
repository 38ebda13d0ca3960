"""SageMaker's emulated front door on a socket: what it lets in goes on to a container, byte for byte, and comes back as it arrives.

A stream is passed on piece by piece, no faster than the client reads; where either side breaks off, the other is told. What is
decided, and what is only guessed, is in `frontdoor`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import anyio
import httpx2

from conformance.reference.answer import Answer
from conformance.reference.app import Message, Receive, Send, gone, headers_of
from conformance.reference.engine import PING
from conformance.reference.sagemaker_door import CHAT, LARGEST, STREAMED, UNREAD, WHOLE, Door, Refused

LEFT_OUT = frozenset(
    {
        "authorization",
        "connection",
        "host",
        "keep-alive",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers of a request that are about the connection, or are the door's own business: a token never goes further."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Container:
    """What stands behind the door: where it listens, and what it wants to see, if anything."""

    base_url: str
    """Up to and with /v1."""
    key: Callable[[], str] | None = None

    @property
    def ping(self) -> str:
        """Where it says whether it is well."""
        return self.base_url.removesuffix("/v1") + PING


class Cut(Exception):
    """The container broke off within its answer."""


class Forward:
    """The door as an ASGI application. Use it within one event loop."""

    def __init__(self, door: Door, container: Container) -> None:
        self.door, self.container = door, container
        self.active = 0
        self._closing = asyncio.Event()
        self._client = httpx2.AsyncClient(
            timeout=httpx2.Timeout(None, connect=5.0),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=32, keepalive_expiry=20),
            trust_env=False,  # a container is on this machine or its network: no proxy stands between
            follow_redirects=False,
        )

    def close(self) -> None:
        """Give up all waiting. To be called in the application's own loop."""
        self._closing.set()

    async def aclose(self) -> None:
        """Let go of the connections to the container."""
        await self._client.aclose()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        self.active += 1
        try:
            if scope["path"] == PING:
                await _send(Answer(200 if await self.well() else 503, {"content-type": "application/json"}, {}), send)
                return
            await self._pass(scope, receive, send)
        except Cut:
            raise  # the connection is broken off, as the container's was
        except Exception:
            _log.exception("The front door failed")
            await _send(self.door.broken(), send)
        finally:
            self.active -= 1

    async def well(self) -> bool:
        """Whether the container answers its ping, as an endpoint's has to before it is in service."""
        with suppress(httpx2.HTTPError):
            return (await self._client.get(self.container.ping, timeout=5.0)).status_code == 200
        return False

    async def _pass(self, scope: Message, receive: Receive, send: Send) -> None:
        headers = headers_of(scope)
        body = await _body(receive)
        if body is None:
            return
        raw = scope.get("raw_path") or scope["path"].encode()
        try:
            self.door.admit(scope["method"], raw.partition(b"?")[0].decode("latin-1"), headers, len(body))
        except Refused as refusal:
            await _send(self.door.refused(refusal), send)
            return
        await self._carry(headers, body, receive, send)

    async def _carry(self, headers: dict[str, str], body: bytes, receive: Receive, send: Send) -> None:
        """Ask the container, and pass its answer on until either side ends."""
        wanted = [(name, value) for name, value in headers.items() if name not in LEFT_OUT]
        if self.container.key is not None:
            wanted.append(("authorization", f"Bearer {self.container.key()}"))
        request = self._client.build_request("POST", self.container.base_url + CHAT, headers=wanted, content=body)
        leaving = asyncio.create_task(gone(receive, self._closing))
        work = asyncio.create_task(self._answer(request, send))
        try:
            await asyncio.wait([leaving, work], return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                await work
        finally:
            for task in (leaving, work):
                task.cancel()
            await asyncio.gather(leaving, work, return_exceptions=True)  # the container's connection is closed by now

    async def _answer(self, request: httpx2.Request, send: Send) -> None:
        begun = anyio.current_time()
        try:
            with anyio.fail_after(WHOLE):
                response = await self._client.send(request, stream=True)
        except TimeoutError:
            await _send(self.door.late(), send)
            return
        except httpx2.HTTPError:
            await _send(self.door.broken(), send)
            return
        started = False
        try:
            if response.status_code >= 400:
                await _send(self.door.wrapped(response.status_code, await _some(response)), send)
                return
            streamed = response.headers.get("content-type", "").startswith("text/event-stream")
            passed = self.door.passed({name.lower(): value for name, value in response.headers.items()})
            passed |= {
                name: response.headers[name]
                for name in ("content-length", "content-encoding")
                if name in response.headers
            }
            await send({"type": "http.response.start", "status": response.status_code, "headers": _encoded(passed)})
            started = True
            over = begun + (STREAMED if streamed else WHOLE)
            with anyio.fail_after(over - anyio.current_time()):
                async for piece in response.aiter_raw():
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except (httpx2.HTTPError, TimeoutError) as problem:
            if started:
                raise Cut(type(problem).__name__) from None
            await _send(self.door.broken(), send)
        finally:
            await response.aclose()


async def _body(receive: Receive) -> bytes | None:
    """The request's body, a byte over the limit where it is larger; None where the client has gone."""
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        piece = message.get("body", b"")
        if size <= LARGEST:
            pieces.append(piece)
        size += len(piece)
        if not message.get("more_body", False):
            return b"".join(pieces)[: LARGEST + 1]


async def _some(response: httpx2.Response) -> bytes:
    """The body of an error, as far as the door reads it."""
    kept = bytearray()
    async for piece in response.aiter_bytes():
        kept += piece
        if len(kept) > UNREAD:
            break
    return bytes(kept)


def _encoded(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), str(value).encode("latin-1")) for name, value in headers.items()]


async def _send(answer: Answer, send: Send) -> None:
    """An answer of the door's own."""
    body = b"".join(piece for _, piece in answer.pieces())
    headers = {**answer.headers, "content-length": str(len(body))}
    await send({"type": "http.response.start", "status": answer.status, "headers": _encoded(headers)})
    await send({"type": "http.response.body", "body": body, "more_body": False})
