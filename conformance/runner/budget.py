"""What a request spends: tokens at most, before it is sent; as the answer says, after it; by guess where it says nothing."""

from __future__ import annotations

import re
from contextlib import suppress

from conformance.core.exchange import Exchange
from conformance.core.probe import Probe
from conformance.core.reading.json import ABSENT, NotJSON, Value, parse

UNCAPPED = 500
"""Tokens counted for an answer that nothing caps."""
MEANT = 10_000
"""The largest cap that an answer is expected to come near: what is above it is there to be refused."""
MANY = 4
"""Choices that are counted at most: more are only asked for in order to be refused."""
BYTES_A_TOKEN = 3
"""Of a request body. English has four, JSON and other scripts fewer."""
USAGE = re.compile(rb'"usage"\s*:\s*(\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\})')
"""A member `usage` with an object, in which there may be others."""


def prompted(probe: Probe) -> int:
    """Tokens of a request, about."""
    return len(probe.body or b"") // BYTES_A_TOKEN


def capped(probe: Probe) -> int:
    """Tokens of an answer, at most."""
    wish = probe.wish if isinstance(probe.wish, dict) else {}
    if probe.method != "POST" or not isinstance(probe.wish, dict):
        return 0
    caps: list[int] = [
        wish[name] for name in ("max_completion_tokens", "max_tokens") if isinstance(wish.get(name), int)
    ]
    many = wish.get("n") if isinstance(wish.get("n"), int) else 1
    most = min((cap for cap in caps if 0 <= cap <= MEANT), default=UNCAPPED)
    return most * max(1, min(int(many or 1), MANY))


def spent(x: Exchange) -> Value:
    """The last `usage` object of a 200, found without reading the rest: whoever sends is not held up by whoever reads."""
    body = x.body if x.status == 200 else b""
    at = body.rfind(b'"usage"')
    while at >= 0:
        if found := USAGE.match(body, at):
            with suppress(NotJSON):
                return Value(parse(found[1]))
        at = body.rfind(b'"usage"', 0, at)
    return Value(ABSENT)


def guessed(x: Exchange) -> tuple[int, int]:
    """Tokens in and out of an answer that says nothing of them: of a stream, one an event; of one that broke off, all of it."""
    if x.status != 200 or x.probe.method != "POST":
        return 0, 0
    return prompted(x.probe), x.raw.count(b"data:") if x.streamed else len(x.raw) // BYTES_A_TOKEN
