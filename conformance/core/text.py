"""Text that somebody else wrote, made fit to be shown: nothing invisible, nothing that moves a cursor, nothing endless.

It is not escaping for HTML or Markdown: those do that themselves, after this.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from conformance.core.reading.json import ABSENT, Value

_KEPT = frozenset("\n\t")
_LINES = dict.fromkeys(map(ord, _KEPT))

_STEP = re.compile(r"(?<=/)\d+(?=/|$)")
_EVENT = re.compile(r"^event \d+")


def legible(text: str, most: int = 0) -> str:
    """The text on one line, every control and format character shown as its escape (`\\x1b`, `\\u202e`).

    Cut to `most` characters, and marked so, where `most` is given.
    """
    if most and len(text) > most:
        text = text[: most - 1] + "…"
    return text if text.isprintable() else "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def legible_lines(text: str, most: int = 0) -> str:
    """The same for text of several lines: line breaks and tabs stay. What was left out is said in a last line."""
    left_out = len(text) - most if most else 0
    if left_out > 0:
        text = text[:most]
    if not text.translate(_LINES).isprintable():
        text = "".join(one if one in _KEPT or one.isprintable() else repr(one)[1:-1] for one in text)
    return f"{text}\n… {left_out:,} more characters" if left_out > 0 else text


def value_text(value: Any, most: int = 200) -> str:
    """A JSON value as one short, legible line."""
    return legible(shown(value, most))


def where(at: str | tuple[int, int]) -> str:
    """A place in an answer, for people."""
    if isinstance(at, tuple):
        return f"bytes {at[0]} to {at[1]}"
    return legible(at, 120)


def anywhere(at: str | tuple[int, int]) -> str:
    """A place with every index replaced by `*`: the same for the third chunk as for the seventh."""
    if isinstance(at, tuple):
        return "bytes"
    return _STEP.sub("*", _EVENT.sub("event *", at))


def number_of(count: int, one: str, many: str = "") -> str:
    """`1 request`, `2 requests`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def listed(words: Iterable[str], most: int = 0) -> str:
    """`a, b, c`; at most so many, and how many more."""
    every = list(words)
    kept = every[:most] if most else every
    more = len(every) - len(kept)
    return ", ".join(kept) + (f" and {more} more" if more else "")


def shown(value: Any, most: int = 200) -> str:
    """A value as a short line of text for people: JSON, cut in the middle of nowhere but marked so."""
    if isinstance(value, Value):
        value = value.value
    if value is ABSENT:
        return "absent"
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = repr(value)
    text = text if len(text) <= most else text[: most - 1] + "…"
    # What cannot be seen, or steers a terminal, is spelled out: the text may be a server's.
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text)
