"""A small deterministic tokenizer: text becomes token ids, and token ids become the same bytes again.

The vocabulary is a formula, not a table. Ids 0-255 are single bytes, so that anything can be said, and a character
outside ASCII is several tokens, as it is for real models. Every other id is a run of two or three letters or digits,
or of one to three after a space. Nothing here knows what a model says.
"""

from __future__ import annotations

import re
import string
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import lru_cache

LONGEST = 4
"""The most bytes that one token stands for: a space and three letters."""

_PIECE = re.compile(r" ?[A-Za-z]{1,3}| ?[0-9]{1,3}|[\x00-\x7f]|[^\x00-\x7f]")
_FAMILIES = [
    (lead, alphabet, length)
    for length in (1, 2, 3)
    for lead in ("", " ")
    for alphabet in (string.ascii_lowercase + string.ascii_uppercase, string.digits)
    if lead or length > 1  # a single letter is its byte
]


def _starts() -> list[int]:
    starts = [256]
    for _, alphabet, length in _FAMILIES:
        starts.append(starts[-1] + len(alphabet) ** length)
    return starts


_STARTS = _starts()
_FIRST = {(lead, alphabet, length): _STARTS[row] for row, (lead, alphabet, length) in enumerate(_FAMILIES)}
VOCABULARY = _STARTS[-1]
"""How many token ids there are; the first is 0."""


@lru_cache(maxsize=65536)
def _ids(piece: str) -> tuple[int, ...]:
    run = piece.lstrip(" ") if len(piece) > 1 else ""
    if not run or (len(piece) == len(run) == 1):
        return tuple(piece.encode())
    alphabet = string.digits if run[0] in string.digits else string.ascii_lowercase + string.ascii_uppercase
    number = 0
    for letter in run:
        number = number * len(alphabet) + alphabet.index(letter)
    return (_FIRST[" " if piece[0] == " " else "", alphabet, len(run)] + number,)


def encode(text: str) -> list[int]:
    """The token ids of a text."""
    return [one for piece in _PIECE.findall(text) for one in _ids(piece)]


def count(text: str) -> int:
    """How many tokens a text is; the same as the length of `encode`, without the list."""
    return len(_PIECE.findall(text)) + len(text.encode()) - len(text)


@lru_cache(maxsize=65536)
def piece(token: int) -> bytes:
    """The bytes that a token stands for."""
    if token < 256:
        return bytes([token])
    row = bisect_right(_STARTS, token) - 1
    lead, alphabet, length = _FAMILIES[row]
    number, letters = token - _STARTS[row], ""
    for _ in range(length):
        number, digit = divmod(number, len(alphabet))
        letters = alphabet[digit] + letters
    return (lead + letters).encode()


def shown(token: int) -> str:
    """A token as `logprobs` names it: its text, or its bytes escaped where they are only a part of a character."""
    raw = piece(token)
    return raw.decode() if raw[0] < 128 else f"\\x{raw[0]:02x}"


def groups(tokens: Iterable[int]) -> list[tuple[str, list[int]]]:
    """The smallest runs of tokens that are whole characters, each with its text. An unfinished last one is left out."""
    found: list[tuple[str, list[int]]] = []
    raw: bytes = b""
    held: list[int] = []
    for token in tokens:
        raw, held = raw + piece(token), [*held, token]
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            continue
        found.append((text, held))
        raw, held = b"", []
    return found


def decode(tokens: Sequence[int]) -> str:
    """The text of tokens, without an unfinished character at the end."""
    return b"".join(map(piece, tokens)).decode(errors="ignore")
