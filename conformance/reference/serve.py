"""The reference server on a real socket: in a thread for a test run, or in the foreground for a person."""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import uvicorn

from conformance.reference.app import App, Message, Receive, Send, app
from conformance.reference.engine import Settings, responder
from conformance.reference.fault import Fault, faults, with_faults
from conformance.reference.wrong import listed

_KEEP_ALIVE = 75
"""Seconds that an idle connection stays open: longer than clients keep theirs."""
_GRACE = 0.5
"""Seconds that connections get to end by themselves when the server stops."""


class Application(Protocol):
    """An ASGI application that can be told to give up all waiting."""

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None: ...

    def close(self) -> None: ...

    async def aclose(self) -> None: ...


def planted(ids: Iterable[str]) -> list[Fault]:
    """The faults with these ids. Raises LookupError, naming close ones, for an id that there is not."""
    found: list[Fault] = []
    for one in ids:
        known = faults()
        if one not in known:
            close = difflib.get_close_matches(one, known, 3)
            raise LookupError(f"there is no fault '{one}'" + (f"; did you mean {listed(close)}?" if close else ""))
        found.append(known[one])
    return found


@contextlib.contextmanager
def serving(settings: Settings | None = None, faults: Iterable[str] = (), port: int = 0) -> Iterator[str]:
    """The server on loopback, in a thread of its own; gives its base URL. Port 0: the system chooses one."""
    with hosting(_application(settings, faults), port) as origin:
        yield f"{origin}/v1"


@contextlib.contextmanager
def hosting(application: Application, port: int = 0) -> Iterator[str]:
    """An application on loopback, in a thread of its own; gives scheme, host and port."""
    listening = _listen("127.0.0.1", port)
    running = _Running(application, listening)
    thread = threading.Thread(target=running.run, name="reference server", daemon=True)
    thread.start()
    running.ready.wait()
    try:
        if running.failure is not None:
            raise RuntimeError("the reference server did not start") from running.failure
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        running.stop()
        thread.join()


def main(
    host: str = "127.0.0.1",
    port: int = 8000,
    settings: Settings | None = None,
    faults: Iterable[str] = (),
    ready: Callable[[str], None] = lambda url: None,
) -> None:
    """Serve in the foreground until Ctrl-C or SIGTERM. `ready` is told the base URL once it answers. Raises OSError
    where the port is taken."""
    foreground(_application(settings, faults), host, port, lambda origin: ready(f"{origin}/v1"))


def foreground(application: Application, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Serve an application until Ctrl-C or SIGTERM; `ready` is told scheme, host and port. Raises OSError."""
    listening = _listen(host, port)
    number = listening.getsockname()[1]
    shown = f"[{host}]" if ":" in host else host
    running = _Running(application, listening, lambda: ready(f"http://{shown}:{number}"))
    with contextlib.suppress(KeyboardInterrupt):
        running.run()
    if running.failure is not None and not isinstance(running.failure, KeyboardInterrupt):
        raise running.failure


def _application(settings: Settings | None, ids: Iterable[str]) -> App:
    chosen = settings or Settings()
    return app(with_faults(responder(chosen), planted(ids)), body_limit=chosen.body_limit)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio turns Nagle's algorithm off only where it is.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(1024)
    except OSError:
        listening.close()
        raise
    return listening


class _Running:
    """A server with its loop. `stop` may be called from any thread."""

    def __init__(
        self, application: Application, listening: socket.socket, announce: Callable[[], None] = lambda: None
    ) -> None:
        self.application, self.listening, self.announce = application, listening, announce
        self.ready = threading.Event()
        self.failure: BaseException | None = None
        self.server = uvicorn.Server(
            uvicorn.Config(
                application,
                http="h11",
                ws="none",
                loop="asyncio",
                lifespan="off",
                log_config=None,
                log_level="critical",
                access_log=False,
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE,
            )
        )

    def run(self) -> None:
        """Serve until told to stop."""
        try:
            asyncio.run(self._serve())
        except BaseException as failure:
            self.failure = failure
        finally:
            self.listening.close()
            self.ready.set()

    def stop(self) -> None:
        """Ask the server to stop."""
        self.server.should_exit = True

    async def _serve(self) -> None:
        serving = asyncio.create_task(self.server.serve(sockets=[self.listening]))
        while not self.server.started and not serving.done():
            await asyncio.sleep(0.001)
        if self.server.started:
            self.ready.set()
            self.announce()
        while not self.server.should_exit and not serving.done():
            await asyncio.sleep(0.02)
        self.application.close()
        await asyncio.wait([serving], timeout=_GRACE)
        self.server.force_exit = True
        for connection in list(self.server.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()
        await serving
        await self.application.aclose()
