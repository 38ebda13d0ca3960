"""The way to a host, step by step: its name, a connection, TLS. Nothing is sent over it but what TLS needs."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TookTooLong
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from conformance.core.text import number_of
from conformance.doctor.lines import Sheet
from conformance.transport.http import LOOPBACK

SOON = 14
"""Days before the end of a certificate that are worth a warning."""


@dataclass(frozen=True)
class Way:
    """Where a request has to get to first: the host itself, or a proxy that the environment names."""

    host: str
    port: int
    secure: bool
    proxy: bool = False


def way(base_url: str) -> Way:
    """The first step to a base URL."""
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    proxy = None if host in LOOPBACK or proxy_bypass(host) else getproxies().get(parts.scheme)
    if proxy:
        one = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        return Way(one.hostname or "", one.port or 80, secure=False, proxy=True)
    return Way(host, port, parts.scheme == "https")


def reached(sheet: Sheet, base_url: str, patience: float) -> bool:
    """Whether there is a way to the host of a base URL; writes a line for each step of it."""
    first = way(base_url)
    what = "the proxy of the environment " if first.proxy else ""
    addresses = _resolved(sheet, first, what, patience)
    if not addresses:
        return False
    started = time.perf_counter()
    try:
        connection = socket.create_connection((first.host, first.port), timeout=patience)
    except OSError as problem:
        sheet.fail(
            "connection",
            f"{what}{first.host}:{first.port} takes no connection: {_why(problem)}",
            "is the server running, the port right, and nothing (firewall, VPN) in between?",
        )
        return False
    with closing(connection):
        sheet.ok("connection", f"{what}{first.host}:{first.port} in {_ms(started)}")
        if first.proxy:
            sheet.skip("TLS", f"the proxy at {first.host} carries it", "unset HTTPS_PROXY to go without")
            return True
        if not first.secure:
            if first.host not in LOOPBACK:
                sheet.warn(
                    "TLS", "none: keys and answers travel in the clear", "use https:// where the key is worth something"
                )
            return True
        return _secured(sheet, connection, first.host)


def _resolved(sheet: Sheet, first: Way, what: str, patience: float) -> list[str]:
    """The addresses of the host; [] where there are none, which is told."""
    started = time.perf_counter()

    def look() -> list[str]:
        found = socket.getaddrinfo(first.host, first.port, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(one[4][0]) for one in found))

    todo = "check base_url, and whether this machine has a name server that knows it (VPN?)"
    pool = ThreadPoolExecutor(1, thread_name_prefix="name of a host")
    try:
        found = pool.submit(look).result(timeout=patience)
    except TookTooLong:
        sheet.fail("name", f"no name server answered for {first.host} in {patience:g} s", todo)
        return []
    except (OSError, UnicodeError) as problem:
        sheet.fail("name", f"{what}{first.host} has no address: {_why(problem)}", todo)
        return []
    finally:
        pool.shutdown(wait=False)
    more = f" and {number_of(len(found) - 1, 'more', 'more')}" if len(found) > 1 else ""
    sheet.ok("name", f"{what}{first.host} is {found[0]}{more}, in {_ms(started)}")
    return found


def _secured(sheet: Sheet, connection: socket.socket, host: str) -> bool:
    started = time.perf_counter()
    try:
        with ssl.create_default_context().wrap_socket(connection, server_hostname=host) as tls:
            version, certificate = tls.version(), tls.getpeercert() or {}
    except ssl.SSLCertVerificationError as problem:
        sheet.fail(
            "TLS",
            f"the certificate of {host} is not accepted: {problem.verify_message}",
            "a certificate of one's own goes into SSL_CERT_FILE; is base_url the right host?",
        )
        return False
    except OSError as problem:
        sheet.fail("TLS", f"{host} speaks no TLS: {_why(problem)}", "should base_url begin with http://?")
        return False
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
    left = (ends - datetime.now(UTC)).days
    if left < SOON:
        sheet.warn("TLS", f"{version}; the certificate ends in {number_of(left, 'day')}", "renew it before runs fail")
    else:
        sheet.ok("TLS", f"{version} in {_ms(started)}; the certificate is valid until {ends:%Y-%m-%d}")
    return True


def clock(sheet: Sheet, date: str | None, here: float, parse: Callable[[str], datetime], *, signed: bool) -> None:
    """How far this machine's clock is from the server's, to judge by the `Date` of an answer that came at `here`."""
    if not date:
        sheet.skip("clock", "the answer has no Date")
        return
    try:
        there = parse(date).timestamp()
    except (TypeError, ValueError):
        sheet.skip("clock", f"the Date of the answer cannot be read: {date[:60]}")
        return
    ahead = here - there
    sheet.facts["clock_seconds_ahead"] = round(ahead, 1)
    words = f"{abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} the server's"
    if abs(ahead) < 30:
        sheet.ok("clock", f"within {max(1, round(abs(ahead)))} s of the server's")
    elif signed and abs(ahead) > 240:
        sheet.fail("clock", f"{words}: signatures are refused beyond 5 minutes", "set this machine's clock (NTP)")
    else:
        sheet.warn("clock", words, "set this machine's clock (NTP): times of a run, and tokens, depend on it")


def _why(problem: BaseException) -> str:
    return str(getattr(problem, "strerror", "") or problem or type(problem).__name__)


def _ms(since: float) -> str:
    return f"{(time.perf_counter() - since) * 1000:.0f} ms"
