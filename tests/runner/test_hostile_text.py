"""What a server writes is shown to people and kept in files: nothing is to obey it, and no key is to be in it."""

from __future__ import annotations

import base64
import json
import re
import socket
import xml.etree.ElementTree as ET
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from conformance.evidence.run import RUN
from conformance.reference.answer import Answer, Event, Request, Respond
from conformance.reference.engine import DEFAULT_KEY
from conformance.reference.faults.variants import everywhere
from conformance.report.book import Book
from conformance.runner.kill_matrix import still
from tests.kit.servers import Behave, json_reply, sends, server
from tests.kit.whole_runs import heard, run, whole
from tests.runner.test_hostile import SLOWER, after_hello, checks, limits, lived, unfit

EVIL = (
    "\x1b[31m\x1b]0;owned\x07\x1b]8;;file:///etc/passwd\x07link\x9b2J\u202eabc\u2066\u200b\ufeff\u2028\x00\x7f\r\n\x08"
    "<script>alert(1)</script><img src=x onerror=alert(1)> [bold red]rich[/] [link=file:///x]y[/link] | `code` *b*\n# h"
)
"""Escape codes of 7 and 8 bits, text that runs backwards or is not there, markup of every kind, half a pair."""
LOUD = "\x1b[31m\x9b2J <blink>x</blink> [red]x[/] \xa0|"
"""As much of it as a header can carry."""

Poison = Callable[[Request, Respond], Answer]


def every_string(request: Request, respond: Respond) -> Answer:
    """Every string that a client shows begins so, and every object has a member of that name."""
    answer = respond(request)
    shown = {"content", "message", "name", "id", "model", "arguments", "owned_by", "type", "param", "code", "token"}

    def poison(value: dict[str, Any]) -> dict[str, Any]:
        mixed = {key: EVIL + one if key in shown and isinstance(one, str) else one for key, one in value.items()}
        return {**mixed, EVIL: EVIL}

    answer.body = everywhere(answer.body, poison)
    for event in answer.events or ():
        event.data = everywhere(event.data, poison)
    return ascii_only(answer)


def every_value(request: Request, respond: Respond) -> Answer:
    """Every value is that, whatever its type was."""
    answer = respond(request)

    def poison(value: dict[str, Any]) -> dict[str, Any]:
        return {key: one if isinstance(one, (dict, list)) else EVIL for key, one in value.items()}

    answer.body = everywhere(answer.body, poison)
    for event in answer.events or ():
        event.data = everywhere(event.data, poison)
    return ascii_only(answer)


def every_byte(request: Request, respond: Respond) -> Answer:
    """It comes raw, where JSON, events, comments and the names of events are expected."""
    raw = (EVIL + "\ud800").encode(errors="surrogatepass")
    answer = respond(request)
    if answer.events is not None:
        flat = raw.replace(b"\r", b"").replace(b"\n", b"")
        answer.events = [Event(b"event: %b\nid: %b\n: %b\n%b: x\ndata: %b\n\n" % (flat, flat, flat, flat, flat))] * 3
    else:
        answer.body = raw
    return answer


def every_header(request: Request, respond: Respond) -> Answer:
    """Headers have it, also those that say what the body is."""
    answer = respond(request)
    for name in (
        "content-type",
        "x-request-id",
        "retry-after",
        "location",
        "content-encoding",
        "openai-version",
        "date",
    ):
        answer.headers[name] = LOUD
    answer.headers["x-\x7f~!#$%&'*+-.^_`|"] = LOUD
    return ascii_only(answer)


def every_refusal(request: Request, respond: Respond) -> Answer:
    """All but the plainest request is refused, in such words."""
    if request.wish.get("messages") == [{"role": "user", "content": "Say hello"}] and len(request.wish) == 2:
        return respond(request)
    words = f"{EVIL} {' '.join(request.wish)}"
    return ascii_only(Answer(400, {"content-type": "application/json"}, {"error": {"message": words, "type": EVIL}}))


def ascii_only(answer: Answer) -> Answer:
    """The same with JSON in escapes, so that nothing is lost on the way."""
    for event in answer.events or ():
        event.data = json.dumps(event.data) if isinstance(event.data, dict) else event.data
    if isinstance(answer.body, dict):
        answer.body = json.dumps(answer.body).encode()
    return answer


POISONS: tuple[Poison, ...] = (every_string, every_value, every_byte, every_header, every_refusal)


def pouring(poison: Poison) -> Behave:
    """The reference server, poisoned."""
    respond = still()

    def behave(connection: socket.socket, data: bytes) -> None:
        answer = poison(heard(data), respond)
        connection.sendall(whole(answer))

    return behave


class Elements(HTMLParser):
    """The elements of a page, with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def assert_harmless(page: str) -> None:
    """The report's own scripts are all there is: no handler, no image, no link to a file."""
    elements = Elements(page).found
    links = [attributes.get("href") or "" for _, attributes in elements]
    assert "<script>alert(1)" not in page
    assert not [one for one in elements if one[0] in ("img", "iframe", "object", "blink")]
    assert not [name for _, attributes in elements for name in attributes if name.startswith("on")]
    assert not [link for link in links if link.startswith(("file:", "javascript:"))]


AREAS = [f"conformance/{name}" for name in ("chat", "stream_framing", "stream_order", "models", "tools")]
LIMITED = "{retry_after: 0s, timeout: {connect: 5s, first_byte: 5s, idle: 5s, total: 5s, linger: 0s}}"


@pytest.fixture
def shown(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Callable[[Poison], str]:
    """What a terminal shows of a run against the poisoned server, as talkative as can be."""

    def run_it(poison: Poison) -> str:
        monkeypatch.setenv("MY_KEY", DEFAULT_KEY)
        with server(pouring(poison)) as base_url:
            stanza = (
                f"{{kind: openai, base_url: '{base_url}', model: reference, key: '${{MY_KEY}}', limits: {LIMITED}}}"
            )
            pytester.makefile(".yaml", targets=f"targets:\n  it: {stanza}\n")
            result = pytester.runpytest("--target", "it", "-vv", "-rA", "--tb=long", "--junitxml=it.xml", *AREAS)
        return result.stdout.str() + result.stderr.str()

    return run_it


@pytest.mark.parametrize("poison", POISONS, ids=lambda one: one.__name__)
def test_nobody_obeys_what_a_server_writes(
    poison: Poison, shown: Callable[[Poison], str], pytester: pytest.Pytester
) -> None:
    """Terminal, JUnit, HTML and Markdown show what was sent as text, with every control character spelled out."""
    text = shown(poison)
    assert "our bug" not in text
    assert "Traceback" not in text
    assert not unfit(text), unfit(text)
    ET.parse(pytester.path / "it.xml")
    (directory,) = (pytester.path / "reports" / "it").iterdir()
    if not (directory / RUN).exists():
        assert text.count("could not test it") == 1
        return
    assert (directory / RUN).read_bytes().isascii()
    book = Book.of([directory])
    for page in (book.html(), book.markdown()):
        assert not unfit(page), unfit(page)
    assert_harmless(book.html())
    assert "<script>alert" not in re.sub(r"(`+).*?\1", "", book.markdown(), flags=re.DOTALL)  # within code it is text


@pytest.mark.parametrize("poison", [every_string, every_value, every_refusal], ids=lambda one: one.__name__)
def test_a_terminal_hides_nothing(poison: Poison, shown: Callable[[Poison], str]) -> None:
    """Controls of 8 bits, text that runs backwards and text that is not seen are spelled out, too."""
    assert not unfit(shown(poison))


@pytest.mark.parametrize("status", [b"401 Unauthorized", b"404 Not Found", b"302 Found", b"503 Busy", b"200 OK"])
def test_a_dead_target_is_one_legible_line(status: bytes, tmp_path: Path) -> None:
    """What it said is quoted in one line that no terminal obeys."""
    loud = LOUD.encode("latin-1")
    reply = json_reply(EVIL.encode() * 99, status, b"retry-after: 0\r\nlocation: " + loud * 99 + b"\r\n")
    with server(sends(reply)) as base_url:
        outcomes, dead = run(base_url, tmp_path, checks(), limits(SLOWER[-1]))
    assert not outcomes
    assert dead
    assert not unfit(dead)
    assert "\n" not in dead
    assert len(dead) <= 3000


KEY = DEFAULT_KEY.encode()
ESCAPED = "".join(f"\\u{ord(letter):04x}" for letter in DEFAULT_KEY).encode()
ECHOES: dict[str, bytes] = {
    "in a header": b"x-echo: " + KEY + b"\r\n",
    "in the name of a header": KEY + b": yes\r\n",
    "in the place of the type": b"content-type: " + KEY + b"\r\n",
    "in base64": b"x-echo: " + base64.b64encode(KEY) + b"\r\n",
}


@pytest.mark.parametrize("where", ECHOES)
def test_no_echo_of_the_key_is_kept(where: str, tmp_path: Path) -> None:
    """A server that sends the key back, plain, escaped or encoded, in text or among bytes, gets it into no file."""
    body = (
        b'{"choices": [{"index": 0, "message": {"role": "%b", "content": "%b"}}], "%b": 1, "object": "%b", "id": "%b"}'
    )
    told = body % (ESCAPED, KEY, ESCAPED, ESCAPED, base64.b64encode(KEY))

    def behave(connection: socket.socket, data: bytes) -> None:
        among_bytes = b"\xff" if heard(data).wish.get("tools") else b""
        connection.sendall(json_reply(told + among_bytes, headers=ECHOES[where]))

    outcomes = lived(behave, tmp_path)
    found = [repr((outcome.findings, outcome.observed, outcome.reason)) for outcome in outcomes.values()]
    assert not [one for one in found if DEFAULT_KEY in one]
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) == 2
    assert not [path for path in written if KEY in path.read_bytes()]


def test_what_cannot_be_masked_is_withheld(tmp_path: Path) -> None:
    """Bytes that spell a key in the form in which the recording keeps bytes cost the answer, not the run."""
    hidden = base64.b64decode("AKIA" + "ABCDEFGH01234567" + "////")
    outcomes = lived(after_hello(sends(json_reply(hidden))), tmp_path)
    assert any("withheld" in outcome.reason for outcome in outcomes.values())
