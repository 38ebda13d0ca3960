"""Small servers over raw sockets, each named for what it does wrong. Loopback only; gone when the block ends."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import EllipsisType

Behave = Callable[[socket.socket, bytes], None]

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def chunked(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def request_of(connection: socket.socket) -> bytes:
    """One whole request; b"" where the client went away."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    while len(body) < length:
        more = connection.recv(65536)
        if not more:
            return b""
        body += more
    return head + b"\r\n\r\n" + body


@contextmanager
def server(behave: Behave, *, keep_alive: bool = False, waits_for_http: bool = True) -> Iterator[str]:
    """The base URL of a server that treats each request so; or each connection, where it does not wait for HTTP."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)
    stopping = threading.Event()
    threads: list[threading.Thread] = []
    open_ones: list[socket.socket] = []

    def talk(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            heard = request_of if waits_for_http else lambda one: one.recv(65536)
            while not stopping.is_set() and (request := heard(connection)):
                behave(connection, request)
                if not keep_alive:
                    return

    def accept() -> None:
        while not stopping.is_set():
            with suppress(TimeoutError):
                connection, _ = listener.accept()
                connection.settimeout(60)
                open_ones.append(connection)
                thread = threading.Thread(target=talk, args=(connection,), daemon=True)
                threads.append(thread)
                thread.start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    finally:
        stopping.set()
        for one in open_ones:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        accepting.join(2)
        for thread in threads:
            thread.join(2)
        listener.close()


def sends(*pieces: bytes | float | EllipsisType) -> Behave:
    """Sends these bytes, waiting in between for the seconds given, or at `...` until the client has gone, and closes."""

    def behave(connection: socket.socket, request: bytes) -> None:
        for piece in pieces:
            if isinstance(piece, bytes):
                connection.sendall(piece)
            elif isinstance(piece, float):
                time.sleep(piece)
            else:
                connection.settimeout(None)
                connection.recv(1)

    return behave


def resets(connection: socket.socket, request: bytes) -> None:
    """Breaks the connection with a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    connection.close()


def json_reply(body: bytes, status: bytes = b"200 OK", headers: bytes = b"") -> bytes:
    """A whole answer."""
    return (
        b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n%s\r\n" % (status, len(body), headers)
    ) + body
