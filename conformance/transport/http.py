"""Carries probes over HTTP: puts host, model and credentials in, brings back bytes with their times.

The only place where a secret meets a request. Nothing is retried, no redirect is followed, and every phase has its deadline.
A server's answer never raises: whatever goes wrong is how the exchange ended.
"""

from __future__ import annotations

import logging
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http.cookiejar import CookieJar, DefaultCookiePolicy
from urllib.parse import urlsplit

import anyio
import httpx2

from conformance.core.address import WRONG, Address, with_query
from conformance.core.aws.names import elsewhere
from conformance.core.exchange import LARGEST, Chunk, Ending, Exchange, How, swollen
from conformance.core.probe import Probe
from conformance.core.reading.sse import Progress
from conformance.core.version import __version__
from conformance.targets.target import Limits

for _talkative in ("httpx2", "httpcore2", "httpx", "httpcore"):
    # Their debug log has the headers of answers in it, where a server may repeat a key.
    logging.getLogger(_talkative).setLevel(logging.WARNING)

AGENT = f"openai-conformance/{__version__}"
USUAL = (
    ("connection", "keep-alive"),
    ("user-agent", AGENT),
    ("accept", "*/*"),
    ("accept-encoding", "gzip, deflate"),
)
"""Headers of every request that does not say otherwise."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")
MOST_LINES = 400_000
"""Lines of an answer, at most: no answer has so many, and each costs far more memory than its bytes."""
TOGETHER = 0.0005
"""Seconds within which what arrives counts as one read: a body in chunks of a byte is not to be a million of them."""
KEPT = 64 * 1024
"""Bytes that are kept of an answer that is too large: enough to see what it is."""
BROKEN_OFF = 256 * 1024
"""Bytes that are kept of an answer that did not come whole: a thousand events of it, as they were. What went on and on until its
time was over is no better evidence for being long, and a run must not grow with it."""
SLACK = 0.02
"""How much longer than said, in proportion, silence within an answer may last before it is given up."""


def _why(problem: BaseException) -> str:
    """What a network error was, in one line, from the innermost cause that says something."""
    said, one = "", problem
    for _ in range(6):
        said = str(one).strip() or said
        inner = one.__cause__ or one.__context__
        if inner is None:
            break
        one = inner
    line = " ".join((said or type(problem).__name__).split())
    return line[:300]


def _unreachable(problem: BaseException) -> str:
    """Which kind of no connection: name, refusal, TLS."""
    one: BaseException | None = problem
    for _ in range(8):
        if one is None:
            break
        if isinstance(one, ssl.SSLError):
            return "tls"
        one = one.__cause__ or one.__context__
    text = str(problem)
    return "tls" if "SSL" in text or "certificate" in text.lower() else "connect"


class Http:
    """A client of one target. Use it within one event loop, and `aclose` it."""

    def __init__(self, name: str, address: Address, limits: Limits) -> None:
        self.name = name
        self.address = address
        self.limits = limits
        self._is_local = (urlsplit(address.base_url).hostname or "") in LOOPBACK
        self._tls = httpx2.create_ssl_context()  # reading the certificates is slow: once for all
        self._client = self._new(limits.at_once)
        self._lines: dict[str, httpx2.AsyncClient] = {}
        self._pooled = False  # whether there may be connections of earlier requests
        self._urls: dict[str, httpx2.URL] = {}

    def _new(self, connections: int) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            verify=self._tls,
            http2=self.limits.http2,
            follow_redirects=False,
            limits=httpx2.Limits(
                max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=60
            ),
            trust_env=not self._is_local,  # a proxy for the world is not one for this machine
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # no request depends on an answer before it
        )

    def _request(self, probe: Probe) -> httpx2.Request:
        """The request on the wire. Built by hand from the probe, not by a client, so that only what it says is sent."""
        named = {name.lower() for name, _ in probe.headers}
        if self.limits.http2:
            named.add("connection")  # means nothing in HTTP/2, and is usual in HTTP/1.1
        headers = [header for header in USUAL if header[0] not in named] + list(probe.headers)
        if self.address.headers is not None:
            headers += [(name, value) for name, value in self.address.headers().items() if name.lower() not in named]
        carriage = self.address.carriage
        if probe.auth == "wrong":
            headers.append((carriage.header, carriage.value(WRONG)))
        elif probe.auth in self.address.forged:
            headers.append((carriage.header, carriage.value(self.address.forged[probe.auth]())))
        elif (
            probe.auth == "key"
            and self.address.credential is not None
            and named.isdisjoint(("authorization", carriage.header))
        ):
            headers.append((carriage.header, carriage.value(self.address.credential())))
        path, body = probe.filled(self.address.model)
        base = elsewhere(self.address.base_url, probe.place) if probe.place else self.address.base_url
        url = with_query(f"{base}/{path}", self.address.query)
        if url not in self._urls:  # few, and slow to read
            self._urls[url] = httpx2.URL(url)
        phases = {"connect": self.limits.timeout.connect, "read": None, "write": None, "pool": None}
        return httpx2.Request(
            probe.method, self._urls[url], headers=headers, content=body, extensions={"timeout": phases}
        )

    def _lacking(self, probe: Probe) -> str:
        """What the target has not that a probe needs; "" where nothing is missing."""
        if probe.auth not in ("key", "none", "wrong") and probe.auth not in self.address.forged:
            return f"the target has no credentials of the kind `{probe.auth}`"
        if probe.place and elsewhere(self.address.base_url, probe.place) is None:
            return f"the target has no place of the kind `{probe.place}`"
        return ""

    async def carry(self, probe: Probe) -> Exchange:
        """Send a probe, without its pause, and bring back what happened.

        Sent again only where a connection of an earlier request broke before it brought a byte of an answer: servers may close
        those at any time, and no client can know. It goes over a new one then, and the exchange says so. Probes that name a
        line are about just that, and are sent once.
        """
        if lacking := self._lacking(probe):
            ending = Ending(How.ABSENT, "request", lacking)
            return Exchange(probe, self.name, time.time(), ending=ending, model=self.address.model)
        if probe.line:
            if probe.line not in self._lines:
                self._lines[probe.line] = self._new(1)
            return await self._carry(self._lines[probe.line], probe)
        pooled = self._pooled
        x = await self._carry(self._client, probe)
        self._pooled = self._pooled or x.status is not None
        if not (pooled and x.status is None and x.ending.how is How.CUT):
            return x
        fresh = self._new(1)
        try:
            return replace(await self._carry(fresh, probe), resent=1)
        finally:
            await fresh.aclose()

    async def _carry(self, client: httpx2.AsyncClient, probe: Probe) -> Exchange:
        """Send a probe once."""
        begun, wall = time.perf_counter(), time.time()
        got = _Got()
        try:
            request = self._request(probe)
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, TypeError) as problem:
            ending = Ending(How.UNREACHABLE, "request", _why(problem))
            return Exchange(probe, self.name, wall, ending=ending, model=self.address.model)
        try:
            ending = await self._talk(client, request, probe, begun, got)
        except (httpx2.ConnectTimeout, httpx2.PoolTimeout):
            ending = Ending(How.TIMED_OUT, "connect", f"no connection in {self.limits.timeout.connect:g} s")
        except (httpx2.ConnectError, httpx2.ProxyError, httpx2.UnsupportedProtocol) as problem:
            ending = Ending(How.UNREACHABLE, _unreachable(problem), _why(problem))
        except (httpx2.HTTPError, httpx2.StreamError, OSError, ValueError) as problem:
            ending = Ending(How.CUT, "body" if got.status is not None else "first byte", _why(problem))
        ended = time.perf_counter() - begun
        x = Exchange(
            probe,
            self.name,
            wall,
            got.status,
            got.headers,
            ending=ending,
            answered=got.answered,
            ended=ended,
            http=got.http,
            model=self.address.model,
        )
        most = got.size if x.complete else KEPT if ending.how is How.TOO_LARGE else BROKEN_OFF
        if got.size > most and ending.how is not How.TOO_LARGE:
            said = f"{ending.detail}; of the {got.size} bytes that came, the first {most} are kept"
            ending = replace(ending, detail=said)
        x = replace(x, chunks=got.chunks(most), ending=ending)
        if x.packed and swollen(x.raw):
            return replace(x, ending=Ending(How.TOO_LARGE, "body", f"more than {LARGEST} bytes when decompressed"))
        return x

    async def _talk(
        self, client: httpx2.AsyncClient, request: httpx2.Request, probe: Probe, begun: float, got: _Got
    ) -> Ending:
        """Send and read under deadlines. What arrived is in `got`, also when this raises."""
        wait, leave = self.limits.timeout, probe.leave
        start = anyio.current_time()
        left = start + leave.seconds if leave and leave.seconds is not None else float("inf")
        over = start + wait.total
        phase, patience = "first byte", wait.connect + wait.first_byte

        def deadline(seconds: float) -> float:
            return min(anyio.current_time() + seconds, over, left)

        with anyio.CancelScope(deadline=deadline(patience)) as scope:
            response = await client.send(request, stream=True)
            try:
                got.answer(response, time.perf_counter() - begun)
                phase, patience = "idle", wait.idle
                progress, fresh = Progress(), 0.0
                scope.deadline = deadline(patience)
                async for data in response.aiter_raw():
                    at = time.perf_counter() - begun
                    got.take(at, data)
                    progress.hear(data)
                    if got.size > self.limits.body or progress.lines > MOST_LINES:
                        many = f"{MOST_LINES} lines" if progress.lines > MOST_LINES else f"{self.limits.body} bytes"
                        return Ending(How.TOO_LARGE, "body", f"more than {many}")
                    if leave and leave.events is not None and progress.events >= leave.events:
                        return Ending(How.LEFT, "body", f"after {progress.events} events")
                    if progress.done and phase != "linger":
                        phase, patience, fresh = "linger", wait.linger, 0.0
                    if at >= fresh:  # moving a deadline costs more than reading a chunk
                        scope.deadline = deadline(patience * (1 + SLACK))
                        fresh = at + patience * SLACK
                return Ending()
            finally:
                if not response.is_closed:  # it is where it was read to its end
                    with anyio.CancelScope(shield=True), suppress(Exception):
                        await response.aclose()
        now = anyio.current_time()
        if now >= left:
            return Ending(How.LEFT, phase, f"after {now - start:.1f} s")
        if now >= over:
            return Ending(How.TIMED_OUT, "total", f"not complete in {wait.total:g} s")
        said = {"first byte": "no answer", "idle": "nothing more", "linger": "the body did not end"}[phase]
        return Ending(How.TIMED_OUT, phase, f"{said} in {patience:g} s")

    async def aclose(self) -> None:
        """Close every connection."""
        for client in (self._client, *self._lines.values()):
            with suppress(Exception):
                await client.aclose()


@dataclass
class _Got:
    """What has arrived of an answer so far."""

    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    answered: float | None = None
    http: str = "HTTP/1.1"
    size: int = 0
    _reads: list[tuple[float, bytearray]] = field(default_factory=list)

    def answer(self, response: httpx2.Response, at: float) -> None:
        self.status = response.status_code
        self.http = response.http_version
        self.headers = tuple(
            (name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in response.headers.raw
        )
        self.answered = at

    def take(self, at: float, data: bytes) -> None:
        """Keep what a read gave; together with the one before where they came at the same time."""
        self.size += len(data)
        if self._reads and at - self._reads[-1][0] < TOGETHER:
            self._reads[-1][1].extend(data)
        else:
            self._reads.append((at, bytearray(data)))

    def chunks(self, most: int) -> tuple[Chunk, ...]:
        """What has been read, `most` bytes of it at most."""
        kept, left = [], most
        for at, data in self._reads:
            if left > 0:
                kept.append(Chunk(at, bytes(data[:left])))
                left -= len(data)
        return tuple(kept)
