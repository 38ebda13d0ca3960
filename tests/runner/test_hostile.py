"""Hostile and broken servers against whole runs: a run ends within its limits, its outcomes are fair, and nothing leaks.

Fair means: without evidence, errored; a broken requirement, violated; never a crash, and never a bug of ours.
"""

from __future__ import annotations

import gzip
import json
import shutil
import socket
import time
import unicodedata
from collections.abc import Iterable
from contextlib import suppress
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from conformance.checks.catalogue import catalogue
from conformance.core.check import Check, Needs
from conformance.core.finding import Kind, Outcome
from conformance.evidence.exchanges import EXCHANGES
from conformance.evidence.run import RUN
from conformance.probes.chat import COUNT_STREAMED, HELLO, STREAMED
from conformance.probes.streams import USAGE
from conformance.probes.tools import WEATHER, WEATHER_STREAMED
from conformance.reference.engine import DEFAULT_KEY
from conformance.report.book import Book
from conformance.runner.kill_matrix import still
from conformance.targets.target import Limits, Timeout
from tests.kit.servers import HEAD, STREAM_HEAD, Behave, chunked, json_reply, resets, sends, server
from tests.kit.whole_runs import LIST, heard, run, sample, whole

LIMITS = Limits(
    timeout=Timeout(connect=0.5, first_byte=0.2, idle=0.2, total=0.5, linger=0.2),
    body=300_000,
    at_once=8,
    retry_after=0.1,
)
SLOWER = (1, 8, 64)
"""How many times these limits are tried where a machine is so busy that a sound answer comes too late for them."""
SECONDS = 120.0
"""A bound for a run under these limits, of seven requests of half a second and the judging, on a busy machine."""


def checks() -> tuple[Check, ...]:
    """Checks of every kind that read a few requests only."""
    return sample((HELLO, STREAMED, COUNT_STREAMED, USAGE, WEATHER, WEATHER_STREAMED, LIST))


def after_hello(sin: Behave) -> Behave:
    """Answers the plainest request, which opens the run, as it should; treats all others so."""
    respond, (_, hello) = still(), HELLO.filled("reference")

    def behave(connection: socket.socket, data: bytes) -> None:
        request = heard(data)
        if request.body == hello:
            connection.sendall(whole(respond(request)))
        else:
            sin(connection, data)

    return behave


def limits(times: int) -> Limits:
    """The limits, with so many times the time."""
    waits = {name: value * times for name, value in LIMITS.timeout.model_dump().items()}
    return LIMITS.model_copy(update={"timeout": Timeout(**waits)})


def lived(behave: Behave, directory: Path, chosen: Iterable[Check] = ()) -> dict[str, Outcome]:
    """The outcomes of a run whose target could be tested, under the tightest limits for which it could."""
    for times in SLOWER:
        with server(behave) as base_url:
            began = time.monotonic()
            outcomes, dead = run(base_url, directory, tuple(chosen) or checks(), limits(times))
            assert time.monotonic() - began < SECONDS * times
        if not dead:
            break
        shutil.rmtree(directory / "it")
    assert not dead
    assert_sound(directory, outcomes)
    return outcomes


def refuse_constant(text: str) -> None:
    raise AssertionError(f"{text} is not JSON")


def unfit(text: str) -> set[str]:
    """Characters that no terminal, editor or browser should get: they move cursors, hide text or turn it round."""
    return {one for one in text if unicodedata.category(one) in ("Cc", "Cf", "Cs", "Zl", "Zp") and one not in "\n\t"}


def assert_sound(directory: Path, outcomes: dict[str, Outcome]) -> None:
    """What holds of every run: no bug of ours, files of JSON in ASCII, reports that can be read, and no key anywhere."""
    assert not [outcome.reason for outcome in outcomes.values() if "our bug" in outcome.reason]
    (run_directory,) = (directory / "it").iterdir()
    exchanges = (run_directory / EXCHANGES).read_bytes()
    assert DEFAULT_KEY.encode() not in exchanges
    for line in exchanges.splitlines():
        json.loads(line, parse_constant=refuse_constant)
    if not outcomes:
        return
    written = (run_directory / RUN).read_text(encoding="ascii").splitlines()
    values = [json.loads(line, parse_constant=refuse_constant) for line in written]
    assert [value["type"] for value in values] == ["begin", *["outcome"] * len(outcomes), "end"]
    book, out = Book.of([run_directory]), StringIO()
    book.text(Console(file=out, force_terminal=False, width=120))
    for text in (out.getvalue(), book.markdown(), book.html()):
        assert DEFAULT_KEY not in text
        assert not unfit(text)


def keeps_sending(first: bytes, piece: bytes, pause: float = 0.0) -> Behave:
    """Sends something, and then something else for ever."""

    def behave(connection: socket.socket, request: bytes) -> None:
        with suppress(OSError):
            connection.sendall(first)
            while True:
                connection.sendall(piece)
                time.sleep(pause)

    return behave


def then_resets(*pieces: bytes) -> Behave:
    """Sends these, and breaks the connection with a reset."""
    send = sends(*pieces)

    def behave(connection: socket.socket, request: bytes) -> None:
        send(connection, request)
        resets(connection, request)

    return behave


EVENT = (
    b'data: {"id":"x","object":"chat.completion.chunk","created":1,"model":"m",'
    b'"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
)
CHUNK = chunked(EVENT)
DEEP = b"[" * 100_000 + b"]" * 100_000
BOMB = gzip.compress(b"\0" * 50_000_000)
PACKED = b"content-encoding: gzip\r\n"
WORDLESS = b'{"choices": [{"index": 0, "message": {"role": "assistant", "content": "\xff\xfe\xc3("}}]}'
HUGE = b'{"usage": {"prompt_tokens": %b, "total_tokens": 1e999}, "created": -1e999}' % (b"9" * 5000)
BOTH = b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
UPGRADE = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n\x81\x05hello"

BROKEN: dict[str, Behave] = {
    "resets_at_once": resets,
    "resets_within_the_status_line": then_resets(b"HTTP/1.1 2"),
    "resets_within_the_headers": then_resets(HEAD + b"x: "),
    "resets_after_the_headers": then_resets(HEAD + b"content-length: 90\r\n\r\n"),
    "resets_within_the_body": then_resets(HEAD + b"content-length: 90\r\n\r\n{"),
    "resets_within_a_chunk_size": then_resets(STREAM_HEAD + CHUNK + b"7"),
    "resets_within_an_event": then_resets(STREAM_HEAD + CHUNK + chunked(b'data: {"id"')),
    "resets_after_done": then_resets(STREAM_HEAD + CHUNK + chunked(b"data: [DONE]\n\n")),
    "closes_without_a_word": sends(b""),
    "truncates_the_headers": sends(HEAD + b"x: y"),
    "declares_too_much": sends(HEAD + b"content-length: 9000\r\n\r\n{}"),
    "declares_two_lengths": sends(HEAD + b"content-length: 1\r\ncontent-length: 2\r\n\r\n{}"),
    "declares_a_negative_length": sends(HEAD + b"content-length: -1\r\n\r\n{}"),
    "declares_a_huge_length": sends(HEAD + b"content-length: " + b"9" * 60 + b"\r\n\r\n{}"),
    "has_wrong_chunk_sizes": sends(STREAM_HEAD + b"zz\r\nabc\r\n"),
    "has_huge_chunk_sizes": sends(STREAM_HEAD + b"f" * 400 + b"\r\nabc\r\n"),
    "never_answers": sends(...),
    "never_ends_a_body": keeps_sending(HEAD + b"transfer-encoding: chunked\r\n\r\n", chunked(b"[" * 50_000)),
    "never_ends_a_stream": keeps_sending(STREAM_HEAD, CHUNK * 100),
    "never_ends_headers": keeps_sending(HEAD, b"x-more: yes, please\r\n" * 99),
    "never_ends_a_header": keeps_sending(HEAD + b"x: ", b"y" * 9999),
    "never_ends_a_line": keeps_sending(STREAM_HEAD + chunked(b"data: "), chunked(b"y" * 9999)),
    "never_ends_comments": keeps_sending(STREAM_HEAD, chunked(b":\n" * 9999)),
    "never_ends_blank_lines": keeps_sending(STREAM_HEAD, chunked(b"\n" * 9999)),
    "never_ends_interim_answers": keeps_sending(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 99),
    "never_ends_hints": keeps_sending(b"", b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" * 99, 0.001),
    "drips_a_body": keeps_sending(HEAD + b"transfer-encoding: chunked\r\n\r\n", chunked(b" "), 0.1),
    "drips_headers": keeps_sending(HEAD, b"x", 0.1),
    "drips_comments": keeps_sending(STREAM_HEAD, chunked(b": ping\n\n"), 0.1),
    "stalls_in_a_stream": sends(STREAM_HEAD + CHUNK, ...),
    "speaks_no_http": sends(b"SSH-2.0-OpenSSH_9.9\r\n"),
    "sends_bytes": sends(bytes(range(256)) * 99),
    "switches_protocols": sends(UPGRADE),
    "is_a_gzip_bomb": sends(json_reply(BOMB, headers=PACKED)),
}  # fmt: skip
"""What a server does to every request but the first so that no answer arrives whole."""

ODD: dict[str, Behave] = {
    "declares_too_little": sends(HEAD + b'content-length: 5\r\n\r\n{"choices": []}'),
    "declares_length_and_chunks": sends(HEAD + BOTH),
    "is_invalid_utf8": sends(json_reply(WORDLESS)),
    "streams_invalid_utf8": sends(STREAM_HEAD + chunked(EVENT.replace(b'"a"', b'"\xff\xc3("')) + b"0\r\n\r\n"),
    "is_utf16": sends(json_reply('{"choices": []}'.encode("utf-16"))),
    "is_full_of_nul": sends(json_reply(b"\0" * 5000)),
    "nests_deeply": sends(json_reply(DEEP)),
    "streams_deep_nesting": sends(STREAM_HEAD + chunked(b"data: " + DEEP + b"\n\n") + b"0\r\n\r\n"),
    "has_huge_numbers": sends(json_reply(HUGE)),
    "is_nan": sends(json_reply(b'{"created": NaN, "id": Infinity}')),
    "is_a_broken_gzip": sends(json_reply(BOMB[:2000][::-1], headers=PACKED)),
    "is_a_cut_gzip": sends(json_reply(gzip.compress(b'{"choices": []}' * 99)[:-9], headers=PACKED)),
    "is_packed_unheard_of": sends(json_reply(b"{}", headers=b"content-encoding: zstd, br, " + b"gzip, " * 99 + b"\r\n")),
    "redirects_in_a_loop": sends(json_reply(b"", b"307 Temporary Redirect", b"location: /v1/chat/completions\r\n")),
    "redirects_to_a_file": sends(json_reply(b"", b"302 Found", b"location: file:///etc/passwd\r\n")),
    "has_no_type": sends(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"),
    "has_two_types": sends(json_reply(b"{}", headers=b"content-type: text/html\r\nretry-after: nan\r\n")),
    "answers_999": sends(json_reply(b"{}", b"999 What")),
    "answers_204": sends(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "asks_for_patience_for_ever": sends(json_reply(b"{}", b"429 Too Many Requests", b"retry-after: 0\r\n")),
    "asks_for_endless_patience": sends(json_reply(b"{}", b"503 Unavailable", b"retry-after: 1e999\r\n")),
    "asks_for_odd_patience": sends(json_reply(b"{}", b"429 Slow Down", b"retry-after: Fri, 99 Foo 9999 99:99:99\r\n")),
    "is_empty": sends(json_reply(b"")),
    "answers_null": sends(json_reply(b"null")),
    "answers_lists": sends(json_reply(b'[{"choices": [[], null, 1]}]')),
    "has_members_twice": sends(json_reply(b'{"choices": [], "choices": null, "choices": {"a": 1}}' + b" " * 9999)),
}  # fmt: skip
"""What it answers in the place of what it should."""


def survived(behave: Behave, directory: Path) -> dict[str, Outcome]:
    """The outcomes of those checks that read more than the one sound answer, of a run that is sound and in time."""
    outcomes = lived(after_hello(behave), directory)
    return {check.id: outcomes[check.id] for check in checks() if {probe.key for probe in check.probes} != {HELLO.key}}


@pytest.mark.parametrize("name", BROKEN)
def test_without_an_answer_nothing_holds(name: str, tmp_path: Path) -> None:
    """Where no answer arrives whole, there is no evidence: errored, but for checks of just that, and never green."""
    outcomes = survived(BROKEN[name], tmp_path)
    assert {outcome.kind for outcome in outcomes.values()} <= {Kind.ERRORED, Kind.VIOLATED}
    for check in checks():
        if check.id in outcomes and outcomes[check.id].kind is Kind.VIOLATED:
            assert check.needs is Needs.ANYTHING, (check.id, outcomes[check.id].findings)


@pytest.mark.parametrize("name", ODD)
def test_odd_answers_are_judged_fairly(name: str, tmp_path: Path) -> None:
    """Where an answer is not one, checks that need one are errored, and those of its kind say what is wrong."""
    outcomes = survived(ODD[name], tmp_path)
    for check in checks():
        if check.id in outcomes and check.needs is Needs.ANSWER:
            assert outcomes[check.id].kind is not Kind.HOLDS or name == "streams_invalid_utf8", check.id


@pytest.mark.parametrize("status", [b"301 Moved", b"302 Found", b"303 See Other", b"307 Temporary", b"308 Permanent"])
@pytest.mark.parametrize("scheme", ["http:", ""])
def test_no_redirect_gets_the_key(status: bytes, scheme: str, tmp_path: Path) -> None:
    """Nothing at all is sent to where a server points, by `Location`, `Refresh`, `Link` or `Alt-Svc`."""
    elsewhere: list[bytes] = []

    def listens(connection: socket.socket, data: bytes) -> None:
        elsewhere.append(data)

    with server(listens) as other:
        place = f"{scheme}{other.removeprefix('http:')}/chat/completions".encode()
        authority = other.split("/")[2].encode()
        pointers = b'location: %b\r\nrefresh: 0; url=%b\r\nlink: <%b>; rel=preload\r\nalt-svc: h2="%b"\r\n'
        reply = json_reply(b"{}", status, pointers % (place, place, place, authority))
        survived(sends(reply), tmp_path)
    assert elsewhere == []


def test_no_request_depends_on_an_answer_before_it(tmp_path: Path) -> None:
    """Cookies are not sent back: each request is what its probe says."""
    heads: list[bytes] = []

    def bakes(connection: socket.socket, data: bytes) -> None:
        heads.append(data.partition(b"\r\n\r\n")[0].lower())
        connection.sendall(json_reply(b"{}", headers=b"set-cookie: a=%b; path=/\r\n" % (b"b" * 3000) * 9))

    survived(bakes, tmp_path)
    assert len(heads) >= 5
    assert not [head for head in heads if b"\r\ncookie:" in head]


def test_a_body_for_head_spoils_nothing(tmp_path: Path) -> None:
    """A server that sends a body with its answer to HEAD: what comes after is read from its own beginning."""
    respond = still()

    def answers_with_body(connection: socket.socket, data: bytes) -> None:
        request = heard(data)
        answer = whole(respond(request))
        connection.sendall(answer + b'{"choices": "stray"}' * 99 if request.method == "HEAD" else answer)

    pieces = "http.requests-in-pieces-are-accepted"  # the small server knows requests with a length only
    chosen = [
        one for one in catalogue().values() if one.area in ("http", "models") and not one.drawn and one.id != pieces
    ]
    with server(answers_with_body, keep_alive=True) as base_url:
        outcomes, _ = run(base_url, tmp_path, chosen, limits(SLOWER[-1]).model_copy(update={"at_once": 1}))
    assert_sound(tmp_path, outcomes)
    assert {name for name, outcome in outcomes.items() if outcome.kind is Kind.VIOLATED} <= {
        "http.head-agrees-with-get"
    }
