"""The reference server as an ASGI application: answers become bytes, with their pauses, and end as they say.

Waiting is given up as soon as the client goes, or the server closes. The same server with faults planted in it lies
under `/fault/<id>[+<id>...]/v1`.
"""

from __future__ import annotations

import asyncio
import difflib
import logging
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from conformance.reference.answer import Answer, Request, Respond
from conformance.reference.engine import BODY_LIMIT
from conformance.reference.fault import faults, with_faults
from conformance.reference.wrong import Wrong, clipped, listed

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_BREATH = 32
"""After so many events without a pause, other requests get a turn."""
_AGAIN = 0.002
"""Seconds between the pieces of a stream that never ends: it is to be endless, not to keep a processor busy."""
_DRAINED = 4
"""A body over the limit is still read, and thrown away, up to so many times the limit: a client that is cut off while
it sends cannot read why."""
_log = logging.getLogger(__name__)


class App:
    """The application. `active` counts the requests that it is answering."""

    def __init__(self, respond: Respond, body_limit: int) -> None:
        self.active = 0
        self._servers: dict[tuple[str, ...], tuple[Respond, dict[str, Any]]] = {(): (respond, {})}
        self._body_limit = body_limit
        self._closing = asyncio.Event()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        self.active += 1
        try:
            body = await self._body(receive)
            if body is not None:
                await self._send(self._answer(scope, body), scope["method"] == "HEAD", receive, send)
        finally:
            self.active -= 1

    def close(self) -> None:
        """Give up all waiting. To be called in the application's own loop."""
        self._closing.set()

    async def aclose(self) -> None:
        """Let go of what is still open: here, nothing."""

    async def _body(self, receive: Receive) -> bytes | None:
        """The request's body, one byte over the limit where it is larger; None where the client has gone."""
        pieces: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            piece = message.get("body", b"")
            if size <= self._body_limit:
                pieces.append(piece)
            size += len(piece)
            if not message.get("more_body", False) or size > _DRAINED * self._body_limit:
                return b"".join(pieces)[: self._body_limit + 1]

    def _answer(self, scope: Message, body: bytes) -> Answer:
        headers = headers_of(scope)
        try:
            path, (respond, memory) = self._server(scope["path"])
            request = Request(scope["method"], path, headers, self._decoded(headers, body), memory)
            return respond(request)
        except Wrong as wrong:
            return wrong.answer()
        except Exception:
            _log.exception("The reference server failed")
            error = {"message": "The reference server failed.", "type": "server_error", "param": None, "code": None}
            return Answer(500, {}, {"error": error})

    def _server(self, path: str) -> tuple[str, tuple[Respond, dict[str, Any]]]:
        """The path below the server that it names, and that server with its memory."""
        if not path.startswith("/fault/"):
            return path, self._servers[()]
        names, _, rest = path.removeprefix("/fault/").partition("/")
        ids = tuple(names.split("+"))
        if ids not in self._servers:
            planted = [_fault(one) for one in ids]
            self._servers[ids] = with_faults(self._servers[()][0], planted), {}
        return f"/{rest}", self._servers[ids]

    def _decoded(self, headers: dict[str, str], body: bytes) -> bytes:
        """The body without its content coding."""
        coding = headers.get("content-encoding", "identity").strip().lower()
        if coding == "identity":
            return body
        if coding not in ("gzip", "deflate"):
            raise Wrong(f"Unsupported content encoding: '{clipped(coding)}'.", code="unsupported_encoding", status=415)
        try:
            return zlib.decompressobj(wbits=47 if coding == "gzip" else 15).decompress(body, self._body_limit + 1)
        except zlib.error:
            raise Wrong(f"The body of your request is no {coding} data.") from None

    async def _send(self, answer: Answer, head: bool, receive: Receive, send: Send) -> None:
        """Send an answer as it asks to be sent."""
        pieces = list(answer.pieces())
        waits = answer.after > 0 or answer.ending in ("hang", "repeat") or any(after > 0 for after, _ in pieces)
        leaving = asyncio.create_task(gone(receive, self._closing)) if waits else None
        try:
            if leaving is not None and await _over(leaving, answer.after):
                return
            await send(_start(answer, None if head else sum(len(piece) for _, piece in pieces)))
            last = len(pieces) - 1 if answer.ending == "close" else len(pieces)
            for number, (after, piece) in enumerate(pieces):
                if after > 0 and leaving is not None:
                    if await _over(leaving, after):
                        return
                elif number % _BREATH == _BREATH - 1:
                    await asyncio.sleep(0)
                await send({"type": "http.response.body", "body": piece, "more_body": number != last})
            if answer.ending == "close" and not pieces:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            if answer.ending == "hang" and leaving is not None:
                await leaving
            while answer.ending == "repeat" and leaving is not None and pieces and not await _over(leaving, _AGAIN):
                await send({"type": "http.response.body", "body": pieces[-1][1], "more_body": True})
        finally:
            if leaving is not None:
                leaving.cancel()


def headers_of(scope: Message) -> dict[str, str]:
    """The headers of a request, names in lower case; several of a name joined by commas."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


async def gone(receive: Receive, closing: asyncio.Event) -> None:
    """Ends when the client has gone, or the server closes."""

    async def left() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    ends = [asyncio.create_task(left()), asyncio.create_task(closing.wait())]
    try:
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for end in ends:
            end.cancel()


def _start(answer: Answer, length: int | None) -> Message:
    """The status and the headers. A body that is to end properly has its length declared; a stream has none."""
    headers = {name.lower(): str(value) for name, value in answer.headers.items()}
    if answer.events is None and answer.ending == "close" and length is not None:
        headers.setdefault("content-length", str(length))
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    return {"type": "http.response.start", "status": answer.status, "headers": encoded}


async def _over(gone: asyncio.Task[None], seconds: float) -> bool:
    """Wait, and tell whether there is nobody left to wait for."""
    if seconds > 0:
        await asyncio.wait([gone], timeout=seconds)
    return gone.done()


def _fault(name: str) -> Any:
    known = faults()
    if name in known:
        return known[name]
    close = difflib.get_close_matches(name, known, 3)
    hint = f" Did you mean {listed(close)}?" if close else ""
    raise Wrong(f"There is no fault '{clipped(name)}'.{hint}", code="unknown_fault", status=404)


def app(respond: Respond, *, body_limit: int = BODY_LIMIT) -> App:
    """The ASGI application that serves these answers."""
    return App(respond, body_limit)
