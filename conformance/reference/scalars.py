"""Strings and numbers that keep what a JSON Schema says about them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from conformance.reference.patterns import finds, matching

WORDS = ("text", "blue", "river", "seven", "north", "amber", "cloud", "stone")
LONGEST = 20_000
"""No string or array is made longer than this: it would not fit into an answer."""

FORMATS = {
    "date-time": "2026-01-{day:02}T03:04:05Z",
    "time": "03:04:{day:02}Z",
    "date": "2026-01-{day:02}",
    "duration": "P{day}D",
    "email": "name{day}@example.com",
    "hostname": "host{day}.example.com",
    "ipv4": "192.0.2.{day}",
    "ipv6": "2001:db8::{day}",
    "uuid": "00000000-0000-4000-8000-0000000000{day:02}",
    "uri": "https://example.com/{day}",
    "uri-reference": "/{day}",
    "iri": "https://example.com/{day}",
    "iri-reference": "/{day}",
    "idn-email": "name{day}@example.com",
    "idn-hostname": "host{day}.example.com",
    "json-pointer": "/{day}",
    "relative-json-pointer": "{day}",
    "regex": "a{{{day}}}",
    "uri-template": "https://example.com/{{id}}/{day}",
}
"""What a string of each format looks like; `day` runs from 1 to 28."""

STRICT_FORMATS = ("date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid")
"""The formats that OpenAI's structured outputs know."""


def strings(schema: dict[str, Any], seed: int) -> Iterator[str]:
    """Strings that are likely to fit, the likeliest first."""
    low, high = int(schema.get("minLength", 0)), int(schema.get("maxLength", LONGEST))
    if low > min(high, LONGEST):
        return
    if (form := FORMATS.get(schema.get("format", ""))) is not None:
        yield form.format(day=seed % 28 + 1)
    if "pattern" in schema:
        yield from _patterned(schema["pattern"], low, high, seed)
    else:
        word = WORDS[seed % len(WORDS)]
        if seed >= len(WORDS):
            word += str(seed)
        filled = (word + " " + word * (low // len(word) + 1))[:low] if len(word) < low else word
        yield filled if len(filled) <= high else filled[-high:] if high else ""


def _patterned(pattern: str, low: int, high: int, seed: int) -> Iterator[str]:
    """Strings in which the pattern is found, of the right length: lengthened by repetition, or padded."""
    for extra in range(max(low, 3) + 1):
        try:
            text = matching(pattern, extra=min(extra, 4000), seed=seed)
        except (ValueError, re.error, OverflowError):
            return
        for padded in (text, text + "a" * (low - len(text)), "a" * (low - len(text)) + text):
            if low <= len(padded) <= high and finds(pattern, padded):
                yield padded
                break


def integers(schema: dict[str, Any], seed: int) -> Iterator[int]:
    """Integers that are likely to fit, the likeliest first."""
    low, high = _bounds(schema)
    step = Fraction(str(schema.get("multipleOf", 1)))
    step *= step.denominator  # the least multiple of the step that is an integer
    first = math.ceil(low / step) if low is not None else None
    last = math.floor(high / step) if high is not None else None
    for number in _between(first, last, seed):
        yield int(number * step)


def numbers(schema: dict[str, Any], seed: int) -> Iterator[int | float]:
    """Numbers that are likely to fit, the likeliest first."""
    low, high = _bounds(schema)
    if "multipleOf" in schema:
        step = Fraction(str(schema["multipleOf"]))
        first = math.ceil(low / step) if low is not None else None
        last = math.floor(high / step) if high is not None else None
        for number in _between(first, last, seed):
            yield _plain(number * step)
        return
    if (low is None or low <= seed + 1) and (high is None or high >= seed + 2):
        yield seed + 1.5
    yield from integers(schema, seed)
    if low is not None and high is not None and low <= high:
        yield _plain(low + (high - low) / (2 + seed))
    for bound in (low, high):
        if bound is not None:
            yield _plain(bound)


def _plain(number: Fraction) -> int | float:
    return int(number) if number.denominator == 1 else float(number)


def _between(first: int | None, last: int | None, seed: int) -> Iterator[int]:
    """Some integers from first to last, beginning near 1."""
    if first is not None and last is not None and first > last:
        return
    start = 1 if first is None or first <= 1 else first
    if last is not None and start > last:
        start = last if first is None else first
    for away in range(12):
        for number in (start + seed + away, start + away, start - away):
            if (first is None or number >= first) and (last is None or number <= last):
                yield number


def _bounds(schema: dict[str, Any]) -> tuple[Fraction | None, Fraction | None]:
    """The least and the greatest number allowed. An exclusive one moves to the next integer, or by a hair."""
    low = [(Fraction(str(schema[word])), word) for word in ("minimum", "exclusiveMinimum") if word in schema]
    high = [(Fraction(str(schema[word])), word) for word in ("maximum", "exclusiveMaximum") if word in schema]
    room = min(high)[0] - max(low)[0] if low and high else Fraction(1)
    hair = min(Fraction(1, 1000), room / 4)
    whole = schema.get("type") == "integer"

    def inside(bound: Fraction, up: int) -> Fraction:
        if not whole:
            return bound + up * hair
        return Fraction(math.floor(bound) + 1 if up > 0 else math.ceil(bound) - 1)

    least = [bound if word == "minimum" else inside(bound, 1) for bound, word in low]
    most = [bound if word == "maximum" else inside(bound, -1) for bound, word in high]
    return max(least, default=None), min(most, default=None)
