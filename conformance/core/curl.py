"""A probe as a curl command that somebody can paste into a shell (bash or zsh) and see the same answer.

The secret is `$KEY`, for the reader's shell to fill in. It is what a transport sends, but for the headers that every
client adds.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from conformance.core.address import BEARER, WRONG, Carriage, filled, url
from conformance.core.aws.names import elsewhere
from conformance.core.probe import Probe

LONGEST = 4000
"""Characters of a body beyond which it is not written out: nobody reads it, and terminals choke on it."""


_SAFE = re.compile(r"[A-Za-z0-9_@%+:,./-]+")
_IN_URLS = "".join(chr(one) for one in range(33, 127))
_GLOBS = re.compile(r"[\[\]{}]")
_DOTS = re.compile(r"/\.\.?(/|$)")


def quoted(text: str | bytes) -> str:
    """One word for bash and zsh. What is not text, or cannot be seen, is written as `\\xNN`."""
    raw = text if isinstance(text, bytes) else text.encode(errors="surrogatepass")
    try:
        plain = raw.decode()
    except UnicodeDecodeError:
        return _escaped(raw)
    if not plain.isprintable():
        return _escaped(raw)
    return plain if _SAFE.fullmatch(plain) else "'" + plain.replace("'", "'\\''") + "'"


def _escaped(raw: bytes) -> str:
    """`$'...'`, in which any byte but NUL can be written."""
    names = {0x0A: "\\n", 0x0D: "\\r", 0x09: "\\t", 0x27: "\\'", 0x5C: "\\\\"}
    return "$'" + "".join(names.get(one) or (chr(one) if 32 <= one < 127 else f"\\x{one:02x}") for one in raw) + "'"


def _headers(probe: Probe, carriage: Carriage) -> list[str]:
    words = []
    named = {name.lower() for name, _ in probe.headers}
    for name, value in probe.headers:
        # A header without a value is written with a semicolon: with a colon, curl takes the header out.
        words += ["-H", quoted(f"{name}: {value}" if value else f"{name};")]
    if probe.body is not None and "content-type" not in named:
        words += ["-H", "content-type:"]  # else curl says that it is a form
    if probe.auth not in ("none", "wrong") and named.isdisjoint(("authorization", carriage.header)):
        words += ["-H", f'"{carriage.header}: {carriage.value("$KEY")}"']
    elif probe.auth == "wrong":
        words += ["-H", quoted(f"{carriage.header}: {carriage.value(WRONG)}")]
    return words


def _method(probe: Probe) -> list[str]:
    if probe.method == "HEAD":
        return ["-I"]
    usual = "GET" if probe.body is None else "POST"
    return [] if probe.method == usual else ["-X", quoted(probe.method)]


def command(probe: Probe, base_url: str, model: str, carriage: Carriage = BEARER, query: str = "") -> str:
    """One line that sends the probe. A body longer than LONGEST is a file, which a note at the end describes.

    `carriage` is how the key of the target travels.
    """
    path, body = filled(probe, model)
    base = elsewhere(base_url, probe.place) or base_url if probe.place else base_url
    address = quote(url(base, path, query), safe=_IN_URLS, errors="replace")
    leaves_after = probe.leave.events if probe.leave else None
    words = ["curl", "-sS", "-i"] if leaves_after is None else ["curl", "-sS"]
    if probe.streamed:
        words.append("-N")
    if _GLOBS.search(address):
        words.append("-g")
    if _DOTS.search(address):
        words.append("--path-as-is")
    if probe.leave and probe.leave.seconds is not None:
        words += ["--max-time", f"{probe.leave.seconds:g}"]
    words += [*_method(probe), quoted(address), *_headers(probe, carriage)]
    before, note = "", ""
    if body is not None and len(body) > LONGEST:
        words += ["--data-binary", "@body"]
        note = f"  # body: the {len(body):,} bytes of the request {probe.key}"
    elif body is not None and b"\0" in body:
        # No word of a command can hold a NUL.
        before = "printf '%b' " + quoted("".join(f"\\0{one:03o}" for one in body)) + " | "
        words += ["--data-binary", "@-"]
    elif body is not None:
        words += ["--data-raw" if body.startswith(b"@") else "--data-binary", quoted(body)]
    if probe.auth not in ("key", "none", "wrong"):
        note += f"  # $KEY: `conformance token TARGET --forged {probe.auth}`"
    # An event is a line and a blank one; `head` hangs up after so many, which is why the headers are not shown then.
    after = "" if leaves_after is None else f" | head -n {2 * leaves_after}"
    return before + " ".join(words) + after + note
