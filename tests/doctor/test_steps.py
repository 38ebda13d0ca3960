"""The doctor: every step between a target and a run is told apart, with what to do; nothing secret is shown, no more is spent."""

from __future__ import annotations

import contextlib
import io
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import formatdate, parsedate_to_datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from conformance.analysis.history import enter, past
from conformance.cli.doctor import _table
from conformance.cli.main import main
from conformance.core.guard import guard_of
from conformance.core.mistake import Mistake
from conformance.doctor import bill, network
from conformance.doctor.amazon import Fleet
from conformance.doctor.examine import examine
from conformance.doctor.lines import Line, Sheet, State
from conformance.evidence.record import Footer
from conformance.evidence.run import read as read_run
from conformance.reference.engine import DEFAULT_KEY
from conformance.reference.serve import serving
from conformance.report.book import Book
from conformance.runner.opening import opened
from conformance.targets import read
from tests.kit.servers import HEAD, resets, sends, server

CANARY = "canary-key-0123456789"
QUICK = "limits: {timeout: {connect: 1s, first_byte: 1s, total: 2s}}"


def target_of(here: Path, stanza: str) -> Any:
    """The target with this stanza, without its secrets."""
    file = here / "targets.yaml"
    file.write_text(f"targets: {{it: {{{stanza}}}}}", encoding="utf-8")
    return read(file).by_name["it"]


def seen(here: Path, stanza: str, environ: Mapping[str, str] | None = None, *, free: bool = False) -> dict[str, Line]:
    """The lines about a target, by topic."""
    sheet = examine(target_of(here, stanza), environ or {}, here / "reports", free=free)
    return {line.topic: line for line in sheet.lines}


def states(lines: Mapping[str, Line]) -> dict[str, str]:
    """Only the states."""
    return {topic: line.state.value for topic, line in lines.items()}


def chat(body: Any, status: int = 200, *headers: str, models: Any = None) -> Callable[[socket.socket, bytes], None]:
    """A server that has one answer to every chat, and one list of models."""

    def answer(connection: socket.socket, request: bytes) -> None:
        get = request.startswith(b"GET")
        said = json.dumps(models if get and models is not None else body).encode()
        code = 404 if get and models is None else 200 if get else status
        head = [f"HTTP/1.1 {code} X", "content-type: application/json", f"content-length: {len(said)}", *headers]
        connection.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + said)

    return answer


COMPLETION = {
    "id": "1", "object": "chat.completion", "created": 1, "model": "m", "system_fingerprint": "fp_1",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hi"}}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11},
}  # fmt: skip
MODELS = {"object": "list", "data": [{"id": "m", "object": "model", "created": 1, "owned_by": "x"}]}


def test_a_sound_target_is_all_right(tmp_path: Path) -> None:
    """The reference server passes every step; the request that a model answers is one, and is told with its tokens."""
    with serving() as base_url:
        stanza = f"kind: openai, base_url: '{base_url}', key: '${{MY_KEY}}', price: {{input: 1, output: 2}}"
        lines = seen(tmp_path, stanza, {"MY_KEY": DEFAULT_KEY})
    assert set(states(lines).values()) == {"ok"}
    assert "MY_KEY" in lines["secrets"].said
    assert "accepted (200), sent as authorization" in lines["key"].said
    assert "`reference`, the first that is listed" in lines["model"].said
    assert "tokens in and" in lines["answer"].said
    assert "fp_reference" in lines["version"].said
    assert "at most" in lines["a run"].said
    assert DEFAULT_KEY not in str(lines)


def test_free_asks_no_model(tmp_path: Path) -> None:
    """With --free nothing is posted at all."""
    heard = []

    def hears(connection: socket.socket, request: bytes) -> None:
        heard.append(request.partition(b" ")[0])
        chat(COMPLETION, models=MODELS)(connection, request)

    with server(hears) as base_url:
        lines = seen(tmp_path, f"kind: openai, base_url: '{base_url}'", free=True)
    assert set(heard) == {b"GET"}
    assert lines["answer"].state is State.SKIPPED
    assert lines["model"].said.startswith("`m`")


def test_a_variable_that_is_not_set_is_a_line(tmp_path: Path) -> None:
    """Nothing is asked then; what to type is said; what a run would cost is told all the same."""
    lines = seen(tmp_path, "kind: openrouter, model: m")
    assert states(lines) == {"stanza": "ok", "secrets": "failed", "endpoint": "skipped", "a run": "ok"}
    assert lines["secrets"].todo == "export OPENROUTER_API_KEY=..."
    assert lines["secrets"].blocks


WAYS = {
    "name": ("http://no..host/v1", "name", "has no address", "base_url"),
    "port": ("http://127.0.0.1:1/v1", "connection", "takes no connection: Connection refused", "is the server running"),
}


@pytest.mark.parametrize("sin", WAYS)
def test_a_host_that_is_not_there_is_told_step_by_step(sin: str, tmp_path: Path) -> None:
    """A name without an address and a port without a server are different lines, each with what to do."""
    url, topic, said, todo = WAYS[sin]
    lines = seen(tmp_path, f"kind: openai, base_url: '{url}', model: m, {QUICK}")
    assert lines[topic].state is State.FAILED
    assert said in lines[topic].said
    assert todo in lines[topic].todo
    assert lines["request"].state is State.SKIPPED
    assert "HTTP" not in lines


def test_http_where_tls_is_asked_for(tmp_path: Path) -> None:
    """A server that speaks no TLS is told so, and which scheme to try."""
    with server(sends(HEAD + b"\r\n"), waits_for_http=False) as base_url:
        lines = seen(tmp_path, f"kind: openai, base_url: '{base_url.replace('http', 'https')}', model: m, {QUICK}")
    assert lines["TLS"].state is State.FAILED
    assert "http://" in lines["TLS"].todo


def test_a_server_that_hangs_up(tmp_path: Path) -> None:
    """A connection without an answer is no HTTP."""
    with server(resets) as base_url:
        lines = seen(tmp_path, f"kind: openai, base_url: '{base_url}', model: m, {QUICK}")
    assert lines["connection"].state is State.OK
    assert lines["HTTP"].state is State.FAILED
    assert "without an HTTP answer" in lines["HTTP"].said


def test_a_key_that_is_refused(tmp_path: Path) -> None:
    """The refusal is quoted, the variable named, and the key in neither, not even where the server repeats it."""
    body = {
        "error": {"message": f"Incorrect API key provided: {CANARY}", "type": "x", "param": None, "code": "invalid"}
    }
    with server(chat(body, 401, models=MODELS)) as base_url:
        stanza = f"kind: openai, base_url: '{base_url}', model: m, key: '${{MY_KEY}}'"
        lines = seen(tmp_path, stanza, {"MY_KEY": CANARY})
    assert lines["key"].state is State.FAILED
    assert "the key in ${MY_KEY} is refused (401)" in lines["key"].said
    assert CANARY not in str(lines)


def test_a_model_that_is_not_listed(tmp_path: Path) -> None:
    """It may be served all the same, so it is a warning, with the likeliest one meant."""
    with server(chat(COMPLETION, models={"object": "list", "data": [{"id": "llama-3"}]})) as base_url:
        lines = seen(tmp_path, f"kind: openai, base_url: '{base_url}', model: lama-3")
    assert lines["model"].state is State.WARNING
    assert lines["model"].todo == "did you mean `llama-3`?"


def test_a_request_that_is_refused(tmp_path: Path) -> None:
    """A refusal of the plainest request is a line of its own, with what the server said."""
    body = {"error": {"message": "Deployment not found", "type": "x", "param": None, "code": "404"}}
    with server(chat(body, 404, models=MODELS)) as base_url:
        lines = seen(tmp_path, f"kind: azure, base_url: '{base_url}', model: m")
    assert lines["answer"].state is State.FAILED
    assert "Deployment not found" in lines["answer"].said


@pytest.mark.parametrize(
    ("ahead", "signed", "state"),
    [(2, True, "ok"), (100, False, "warning"), (100, True, "warning"), (600, False, "warning"), (-600, True, "failed")],
)
def test_a_clock_that_is_wrong(ahead: float, signed: bool, state: str) -> None:
    """Seconds are nothing, minutes a warning; beyond five of them signatures are refused."""
    now, sheet = time.time(), Sheet("it")
    network.clock(sheet, formatdate(now - ahead, usegmt=True), now, parsedate_to_datetime, signed=signed)
    assert sheet.lines[0].state == state
    for bad in (None, "yesterday"):
        sheet = Sheet("it")
        network.clock(sheet, bad, now, parsedate_to_datetime, signed=signed)
        assert sheet.lines[0].state is State.SKIPPED


@pytest.mark.parametrize(
    ("kind", "path", "member"),
    [
        ("vllm", "/version", "version"),
        ("llama.cpp", "/props", "build_info"),
        ("sglang", "/get_server_info", "version"),
        ("litellm", "/health/readiness", "litellm_version"),
    ],
)
def test_the_version_is_where_the_kind_has_it(kind: str, path: str, member: str, tmp_path: Path) -> None:
    """Engines tell their version beside the API, not below /v1: the doctor says it, and so do a run's summary and the history."""

    def engine(connection: socket.socket, request: bytes) -> None:
        asked = request.split()[1].decode()
        chat(COMPLETION, models={member: "0.32.0"} if asked == path else MODELS)(connection, request)

    with server(engine) as base_url:
        stanza = f"kind: {kind}, base_url: '{base_url}'"
        assert seen(tmp_path, stanza)["version"].said.startswith(f"{kind} 0.32.0")
        target = target_of(tmp_path, stanza)
        with opened(target, tmp_path, lambda line: None) as trial:
            trial.end(0, 0.0)
    run = read_run(trial.directory)
    assert (run.engine, run.header.model) == (f"{kind} 0.32.0", "m")
    enter(tmp_path, run)
    assert past(tmp_path, target.name).entries[0].engine.startswith(f"{kind} 0.32.0")
    Book.of([trial.directory]).text(Console(file=(text := io.StringIO())))
    assert f"it: {kind} 0.32.0" in text.getvalue()


def test_waivers_are_looked_at(tmp_path: Path) -> None:
    """One of a check that does not exist fails, as a run would; one that is over is a warning."""
    waiver = "because: x, owner: y"
    sheet = examine(
        target_of(
            tmp_path,
            f"kind: reference, waives: {{no.such-check: {{{waiver}}}, stream.ends-with-done: {{{waiver}, until: 2020-01-01}}}}",
        ),
        {},
        tmp_path / "reports",
    )
    told = [(line.state.value, line.said, line.todo) for line in sheet.lines if line.topic == "waivers"]
    assert [one[0] for one in told] == ["failed", "warning"]
    assert "no.such-check" in told[0][1]
    assert "over: stream.ends-with-done" in told[1][1]


def test_an_engine_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is launched needs its engine first, the one that a run would start; one that is there is not started for a look."""
    monkeypatch.setenv("OPENAI_CONFORMANCE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    lines = seen(tmp_path, "kind: vllm, launch: {model: m, python: /nonexistent/python}")
    assert lines["engine"].state is State.FAILED
    lines = seen(tmp_path, "kind: vllm, launch: {model: m, python: /bin/sh}")
    assert lines["engine"].state is State.OK
    assert "started when a run begins" in lines["endpoint"].said
    engine = seen(tmp_path, "kind: portkey, launch: {engine: portkey-streaming}, upstream: reference")["engine"]
    assert engine.state is State.FAILED
    assert "conformance servers install portkey-streaming" in engine.todo


def billed(here: Path, price: str, fleet: Fleet | None = None, last: Footer | None = None, **facts: Any) -> Sheet:
    """The bill of a target with this price."""
    sheet = Sheet("it", facts=facts)
    target = target_of(here, f"kind: openai, base_url: 'https://h.example/v1', model: m, price: {price}")
    bill.told(sheet, target, last, fleet)
    return sheet


def test_the_bill_of_tokens(tmp_path: Path) -> None:
    """Where tokens have a price, a run costs so much at most; an hour is not spoken of."""
    sheet = billed(tmp_path, "{input: 1, output: 2}")
    facts = sheet.facts
    assert facts["cost_of_a_run"] == pytest.approx((facts["tokens_in"] + 2 * facts["tokens_out"]) / 1e6, abs=1e-4)
    assert [line.topic for line in sheet.lines] == ["a run"]


def test_the_bill_of_an_hour(tmp_path: Path) -> None:
    """Two machines of 1.50 are 3.00 an hour, asked or not; a run of ten minutes is half of that; tokens need no price."""
    last = Footer(seconds=600, requests=700, tokens={"prompt": 90_000, "completion": 30_000})
    sheet = billed(tmp_path, "{hour: 1.5}", Fleet(2), last)
    lines = {line.topic: line for line in sheet.lines}
    assert lines["an hour"].said.startswith("2 × 1.50 = 3.00")
    assert sheet.facts["cost_of_a_run"] == pytest.approx(0.5)
    assert lines["break-even"].state is State.SKIPPED


@pytest.mark.parametrize(
    ("seconds", "dearer"), [(600, "the machine costs more"), (0.06, "tokens one by one cost more")]
)
def test_where_an_hour_meets_its_tokens(seconds: float, dearer: str, tmp_path: Path) -> None:
    """3.60 an hour at 1 and 3 a million, three quarters of them in: 1.50 a million, so 667 tokens a second pay for it."""
    last = Footer(seconds=seconds, requests=700, tokens={"prompt": 90_000, "completion": 30_000})
    sheet = billed(tmp_path, "{hour: 3.6, input: 1, output: 3}", Fleet(1), last)
    line = next(line for line in sheet.lines if line.topic == "break-even")
    assert sheet.facts["break_even_tokens_a_second"] == pytest.approx(666.7)
    assert sheet.facts["seen_tokens_a_second"] == pytest.approx(120_000 / seconds, rel=1e-3)
    assert dearer in line.said
    assert "75% of them in" in line.said


def test_the_command_and_its_exit_codes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """0 where a run can begin, 6 where it could not, 4 where the command makes no sense; JSON for programs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    (tmp_path / "targets.yaml").write_text(
        "targets: {away: {kind: openai, base_url: 'http://127.0.0.1:1/v1', model: m}}"
    )
    assert main(["doctor", "reference", "--json"]) == 0
    (sheet,) = json.loads(capsys.readouterr().out)
    assert sheet["target"] == "reference"
    assert {line["state"] for line in sheet["lines"]} == {"ok"}
    assert sheet["facts"]["requests"] > 100
    assert main(["doctor", "away", "reference"]) == 6
    said = capsys.readouterr().out
    assert "a run could not begin" in said
    assert "`pytest --target reference` can begin" in said
    assert all(len(line) <= 80 for line in said.splitlines())
    assert main(["doctor", "awy"]) == 4
    assert "did you mean `away`?" in capsys.readouterr().err
    assert main(["doctor", "replay:x"]) == 4
    assert main(["doctor", "x", "--targets", "nowhere.yaml"]) == 4


def test_a_line_is_legible_and_holds_no_secret() -> None:
    """What a server says is shown as text, cut, and without what the guard knows; the table fits 80 columns."""
    from rich.console import Console

    sheet = Sheet("it", guard_of([CANARY]))
    sheet.fail("a topic", f"\x1b[31m{CANARY} \u202e" + "long " * 200, "do [bold]something[/bold]")
    line = sheet.lines[0]
    assert CANARY not in line.said
    assert "\x1b" not in line.said
    assert len(line.said) <= 600
    screen = Console(width=80, record=True, force_terminal=False)
    screen.print(_table(sheet))
    text = screen.export_text()
    assert "[bold]something[/bold]" in text
    assert all(len(one) <= 80 for one in text.splitlines())


@pytest.fixture
def certified(tmp_path: Path) -> Callable[[int], tuple[Path, Path]]:
    """Makes a certificate for this machine that ends in so many days: its file, and that of its key."""
    pytest.importorskip("cryptography")
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    def make(days: int) -> tuple[Path, Path]:
        key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=days, hours=1))
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=True)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        files = tmp_path / "certificate.pem", tmp_path / "key.pem"
        files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
        files[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return files

    return make


@pytest.mark.parametrize(
    ("days", "trusted", "state", "said"),
    [
        (400, True, "ok", "the certificate is valid until"),
        (5, True, "warning", "the certificate ends in 5 days"),
        (400, False, "failed", "the certificate of 127.0.0.1 is not accepted"),
    ],
)
def test_a_certificate_is_looked_at(
    days: int,
    trusted: bool,
    state: str,
    said: str,
    certified: Callable[[int], tuple[Path, Path]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that is trusted and lasts is all right; one that ends soon is a warning; one that nobody vouches for fails."""
    certificate, key = certified(days)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)

        def serve() -> None:
            connection, _ = listener.accept()
            connection.settimeout(10)
            with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as one:
                one.recv(1)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        sheet = Sheet("it")
        reached = network.reached(sheet, f"https://127.0.0.1:{listener.getsockname()[1]}/v1", 10)
        thread.join(10)
    line = next(line for line in sheet.lines if line.topic == "TLS")
    assert line.state == state
    assert said in line.said
    assert reached is (state != "failed")


def test_a_proxy_is_the_first_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the environment names a proxy, a run goes through it; to this machine it does not."""
    for name in (
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "ALL_PROXY",
        "all_proxy",
    ):
        monkeypatch.delenv(name, raising=False)
    assert network.way("https://h.example/v1") == network.Way("h.example", 443, secure=True)
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:3128")
    assert network.way("https://h.example/v1") == network.Way("127.0.0.1", 3128, secure=False, proxy=True)
    assert network.way("https://127.0.0.1:8443/v1") == network.Way("127.0.0.1", 8443, secure=True)
    monkeypatch.setenv("no_proxy", "h.example")
    assert network.way("https://h.example/v1").proxy is False
    sheet = Sheet("it")
    monkeypatch.delenv("no_proxy")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    assert not network.reached(sheet, "https://h.example/v1", 1)
    assert "the proxy of the environment 127.0.0.1:1 takes no connection" in sheet.lines[-1].said


def test_where_the_hour_is_paid_for_tokens_cost_nothing(tmp_path: Path) -> None:
    """Beside an hour, the prices of tokens are others': no run costs so much, and no limit of money can be kept."""
    price = target_of(
        tmp_path, "kind: openai, base_url: 'https://h.example/v1', price: {hour: 1, input: 1, output: 2}"
    ).price
    assert price.of(1_000_000, 1_000_000) is None
    with pytest.raises(Mistake, match="needs a price for both ways"):
        target_of(
            tmp_path, "kind: openai, base_url: 'https://h/v1', price: {hour: 1, input: 1, output: 2}, limits: {cost: 3}"
        )


def test_the_list_of_targets_knows_what_has_no_address_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is found by the AWS configuration is not said to be unreachable: the doctor is the one to ask."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "targets.yaml").write_text("targets: {rock: {kind: bedrock, region: us-west-2, model: m}}")
    assert main(["targets", "rock"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "rock bedrock, where the AWS configuration says" in said
    assert "`conformance doctor rock` looks where it is" in said
