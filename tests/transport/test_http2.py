"""HTTP/2, where a target asks for it: over TLS, as servers offer it, with a certificate that the machine is told to trust."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.evidence.exchanges import EXCHANGES, Recording
from conformance.judging.judge import judge
from conformance.reference.app import app
from conformance.runner import opening
from conformance.runner.kill_matrix import client, gather, still
from conformance.targets.target import Limits, Timeout
from conformance.transport.engines.launch import free_port
from tests.kit.whole_runs import run, sample

hypercorn_asyncio = pytest.importorskip("hypercorn.asyncio")
hypercorn = pytest.importorskip("hypercorn.config")
trustme = pytest.importorskip("trustme")
pytest.importorskip("h2")

PATIENT = Timeout(connect=10, first_byte=30, idle=30, total=60, linger=1)


@pytest.fixture(params=[["h2"], ["http/1.1"]], ids=["h2", "http/1.1 only"])
def served(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, list[str]]]:
    """The reference server behind TLS, and which protocols it offers."""
    authority, files = trustme.CA(), tmp_path / "tls"
    files.mkdir()
    authority.cert_pem.write_to_path(str(files / "ca.pem"))
    certificate = authority.issue_cert("localhost")
    certificate.private_key_and_cert_chain_pem.write_to_path(str(files / "server.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(files / "ca.pem"))
    config, port = hypercorn.Config(), free_port()
    config.bind, config.alpn_protocols = [f"127.0.0.1:{port}"], request.param
    config.certfile = config.keyfile = str(files / "server.pem")
    config.graceful_timeout, config.loglevel = 0.5, "critical"
    ready, stop = threading.Event(), threading.Event()

    async def until_stopped() -> None:
        ready.set()
        while not stop.is_set():
            await asyncio.sleep(0.05)

    def serve() -> None:
        asyncio.run(hypercorn_asyncio.serve(app(still()), config, shutdown_trigger=until_stopped))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    ready.wait(20)
    yield f"https://localhost:{port}/v1", request.param
    stop.set()
    thread.join(10)


def test_a_run_over_http2_has_the_same_outcomes(served: tuple[str, list[str]], tmp_path: Path) -> None:
    """Nothing is found that would not be over HTTP/1.1, and each exchange says which of them it went over.

    A server that offers HTTP/1.1 only is spoken to so.
    """
    base_url, offered = served
    limits = Limits(http2=True, at_once=4, timeout=PATIENT)
    outcomes, dead = run(base_url, tmp_path, sample(), limits)
    assert not dead
    plain = {check.id: judge(check, gather(check, client(still()))).kind for check in sample()}
    assert {name: outcome.kind for name, outcome in outcomes.items()} == plain, outcomes
    (directory,) = (tmp_path / "it").iterdir()
    assert (directory / EXCHANGES).exists()
    recording = Recording(directory)
    assert {recording[key].http for key in recording} == {"HTTP/2" if "h2" in offered else "HTTP/1.1"}


def test_a_certificate_that_nobody_vouches_for_is_one_line(
    served: tuple[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TLS is verified on this machine, too."""
    monkeypatch.delenv("SSL_CERT_FILE")
    outcomes, dead = run(served[0], tmp_path, sample(), Limits(http2=True, timeout=PATIENT))
    assert not outcomes
    assert "no secure connection to localhost" in dead


def test_the_extra_is_named_where_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the library, it is one line that says what to install."""
    monkeypatch.setattr(opening, "find_spec", lambda name: None)
    outcomes, dead = run("https://localhost:9/v1", tmp_path, sample(), Limits(http2=True))
    assert not outcomes
    assert dead == "it: limits.http2 needs an extra that is not installed: pip install 'openai-conformance[http2]'"
