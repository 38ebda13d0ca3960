"""The curl line of a probe: what a shell makes of it is what the transport would have sent."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from conformance.core import curl
from conformance.core.guard import Guard
from conformance.core.probe import Probe
from conformance.probes.chat import HELLO, STREAMED, chat, get, raw

URL = "http://127.0.0.1:8000/v1"
SHELLS = [shell for shell in ("bash", "zsh") if shutil.which(shell)]
SHOW = 'curl() { printf "%s\\0" "$@"; [[ "$*" == *"@-"* ]] && cat; return 0; }\nKEY=secret\n'
"""A stand-in that shows its arguments, and its input where it is asked to read that."""


def words(line: str, shell: str = "bash") -> list[bytes]:
    """The arguments that the shell gives to curl, and last what it gives as input."""
    script = (SHOW + line + "\n").encode(errors="surrogatepass")
    done = subprocess.run([shell, "/dev/stdin"], input=script, capture_output=True, timeout=30, check=True)
    assert done.stderr == b""
    return done.stdout.split(b"\0")


def option(args: list[bytes], *names: str) -> list[bytes]:
    """The values of an option."""
    wanted = {name.encode() for name in names}
    return [args[place + 1] for place, arg in enumerate(args) if arg in wanted]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_chat_request_is_sent_as_it_is(shell: str) -> None:
    """A shell gives curl the address, the headers with the key filled in, and the body with the model's name in it."""
    args = words(curl.command(chat('It\'s $HOME; `id` "!" \\'), URL, "my/model"), shell)
    assert f"{URL}/chat/completions".encode() in args
    assert option(args, "-H") == [b"content-type: application/json", b"authorization: Bearer secret"]
    body = json.loads(option(args, "--data-binary")[0])
    assert body == {"model": "my/model", "messages": [{"role": "user", "content": 'It\'s $HOME; `id` "!" \\'}]}


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.binary(min_size=1, max_size=60))
@example(b"@/etc/passwd")
@example(b"a\0b\\n'\"")
@example(b"\xff\xfe{}\x1b[31m'\n\r\t\\")
@example("\u202eabc\u2028".encode())
@example(b"\x01f\x7f0")
def test_any_body_survives_the_shell(body: bytes) -> None:
    """Whatever the bytes of a body are, curl is given exactly these."""
    line = curl.command(raw(body), URL, "")
    assert "\n" not in line
    assert line.isprintable()
    args = words(line)
    if b"\0" in body:
        end = args.index(b"@-") + 1
        assert b"\0".join(args[end:]) == body
    else:
        assert option(args, "--data-binary", "--data-raw") == [body]


def test_credentials_are_as_the_probe_says() -> None:
    """The key is a variable; without credentials there is no header; wrong ones are visible, and nobody's."""
    assert '"authorization: Bearer $KEY"' in curl.command(HELLO, URL, "m")
    none = Probe(HELLO.path, HELLO.body, auth="none")
    assert "authorization" not in curl.command(none, URL, "m")
    wrong = curl.command(Probe(HELLO.path, HELLO.body, auth="wrong"), URL, "m")
    assert f"authorization: Bearer {curl.WRONG}" in wrong
    assert not Guard().spans(wrong.encode())
    own = HELLO.with_headers(authorization="Basic abc")
    assert "$KEY" not in curl.command(own, URL, "m")


def test_curl_adds_nothing_of_its_own() -> None:
    """No form's content type, no globbing, no tidied path, no header taken out for being empty."""
    bare = words(curl.command(raw(b"{}", content_type=None), URL, ""))
    assert b"content-type:" in option(bare, "-H")
    assert " -g " in curl.command(get("models/[x]"), URL, "")
    assert "--path-as-is" in curl.command(get("../models"), URL, "")
    assert "'x-empty;'" in curl.command(HELLO.with_headers(x_empty=""), URL, "")


def test_the_mode_of_a_request_is_kept() -> None:
    """Streams are not buffered; other methods, and clients that hang up, are as the probe has them."""
    assert " -N " in curl.command(STREAMED, URL, "m")
    assert " -N " not in curl.command(HELLO, URL, "m")
    assert "-X" not in curl.command(get("models"), URL, "m")
    assert "-X DELETE" in curl.command(Probe("models/x", None, "DELETE", ()), URL, "m")
    assert "-X GET" in curl.command(Probe("models", b"{}", "GET"), URL, "m")
    assert " -I " in curl.command(Probe("models", None, "HEAD", ()), URL, "m")
    assert curl.command(STREAMED.until(events=3), URL, "m").endswith("| head -n 6")
    assert "--max-time 0.5" in curl.command(STREAMED.until(seconds=0.5), URL, "m")


def test_the_model_goes_where_the_transport_puts_it() -> None:
    """In a path the name is escaped, in a body it is a JSON string; without a name, nothing is replaced."""
    assert "/models/org%2Fname" in curl.command(get("models/$MODEL"), URL, "org/name")
    assert curl.filled(HELLO, 'a"b')[1] == (HELLO.body or b"").replace(b'"$MODEL"', b'"a\\"b"')
    assert curl.filled(HELLO, "") == (HELLO.path, HELLO.body)


def test_a_long_body_is_a_note() -> None:
    """A body that nobody would read is a file, and the line says of which request."""
    probe = chat("x" * (curl.LONGEST + 1))
    line = curl.command(probe, URL, "m")
    assert len(line) < 400
    assert "--data-binary @body" in line
    assert line.endswith(f"bytes of the request {probe.key}")


def test_hostile_names_stay_words() -> None:
    """A model's name or an address that attacks the shell or the terminal is text to both."""
    evil = "'; touch /tmp/pwned; \x1b[31m\u202e$(id)`id`\ud800\n"
    line = curl.command(get("models/$MODEL"), f"http://127.0.0.1/{evil}", evil)
    assert line.isprintable()
    args = words(line)
    assert sum(arg.startswith(b"http") for arg in args) == 1
    assert b"touch" not in args
