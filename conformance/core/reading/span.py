"""Where the value of a JSON pointer lies in the bytes of a document, for whoever wants to point at it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()
DEEPEST = 200
"""Steps of a pointer that are followed."""


def span_of(body: bytes, pointer: str) -> tuple[int, int] | None:
    """The (start, end) of the value in bytes, end exclusive; None where it is not there, or the body is not JSON.

    A byte order mark counts as a byte of the body, not of the document.
    """
    before = 3 if body.startswith(b"\xef\xbb\xbf") else 0
    try:
        text = body[before:].decode()
        span = _follow(text, [_unescaped(step) for step in pointer.split("/")[1:]][:DEEPEST])
    except (ValueError, RecursionError):
        return None
    if span is None:
        return None
    start = before + len(text[: span[0]].encode())
    return start, start + len(text[span[0] : span[1]].encode())


def _unescaped(step: str) -> str:
    return step.replace("~1", "/").replace("~0", "~")


def _follow(text: str, steps: list[str]) -> tuple[int, int] | None:
    at = _skip(text, 0)
    for step in steps:
        inner = next((place for name, place in _members(text, at) if name == step), None)
        if inner is None:
            return None
        at = inner
    return at, _DECODER.raw_decode(text, at)[1]


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    assert match is not None  # it matches nothing, too
    return match.end()


def _members(text: str, at: int) -> Iterator[tuple[str, int]]:
    """The (name or index, place) of each value in the object or array at a place; of anything else, none."""
    opening = text[at : at + 1]
    if opening not in ("{", "["):
        return
    at, number = _skip(text, at + 1), 0
    while text[at : at + 1] not in ("}", "]", ""):
        name = str(number)
        if opening == "{":
            name, at = _DECODER.raw_decode(text, at)
            at = _skip(text, _skip(text, at) + 1)  # the colon
        yield name, at
        at, number = _skip(text, _DECODER.raw_decode(text, at)[1]), number + 1
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
