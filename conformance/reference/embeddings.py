"""Embeddings of the reference server: vectors that are made up, but such that the same text always has the same one.

A vector is the sum of one direction for each token, of length 1. Texts that share words are therefore alike, no matter in
which order the words stand. `dimensions` leaves the rest of the vector away and makes what is left as long as it was.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from functools import lru_cache
from math import hypot
from typing import Any

from conformance.reference.tokens import VOCABULARY, encode
from conformance.reference.validation import no_model
from conformance.reference.wrong import Wrong, array, integer, missing, mistyped, one_of, string, unknown

DIMENSIONS = 64
"""Numbers in a vector, unless fewer are asked for."""
MOST_INPUTS = 2048
_MEMBERS = ("model", "input", "encoding_format", "dimensions", "user")


def embeddings(body: dict[str, Any], models: tuple[str, ...], window: int) -> dict[str, Any]:
    """The answer to a request for embeddings. Raises Wrong."""
    raw = {name: value for name, value in body.items() if value is not None}
    for member in raw:
        if member not in _MEMBERS:
            raise unknown(member)
    for member in ("model", "input"):
        if member not in raw:
            raise missing(member)
    model = string(raw["model"], "model", fewest=1)
    form = one_of(raw.get("encoding_format", "float"), "encoding_format", ("float", "base64"))
    size = integer(raw.get("dimensions", DIMENSIONS), "dimensions", 1, DIMENSIONS)
    string(raw.get("user", ""), "user")
    inputs = _inputs(raw["input"], window)
    if model not in models:
        raise no_model(model)
    spent = sum(map(len, inputs))
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": _written(vector(tuple(tokens), size), form)}
            for index, tokens in enumerate(inputs)
        ],
        "model": model,
        "usage": {"prompt_tokens": spent, "total_tokens": spent},
    }


def tokens_of(value: Any, path: str) -> list[int]:
    """Token ids that a client sent in the place of a text."""
    return [
        integer(one, f"{path}[{index}]", 0, VOCABULARY - 1) for index, one in enumerate(array(value, path, fewest=1))
    ]


def several(value: Any, path: str, most: int | None = None) -> list[list[int]]:
    """The token lists of a text, of several texts, of tokens, or of several lists of tokens. Raises Wrong."""
    if isinstance(value, str):
        return [encode(value)]
    if not isinstance(value, list):
        raise mistyped(path, "one of a string or array", value)
    given = array(value, path, fewest=1, most=most)
    if isinstance(given[0], int):
        return [tokens_of(given, path)]
    found = []
    for index, one in enumerate(given):
        here = f"{path}[{index}]"
        found.append(tokens_of(one, here) if isinstance(one, list) else encode(string(one, here)))
    return found


def _inputs(value: Any, window: int) -> list[list[int]]:
    inputs = several(value, "input", MOST_INPUTS)
    for index, tokens in enumerate(inputs):
        path = f"input[{index}]" if isinstance(value, list) and not isinstance(value[0], int) else "input"
        if not tokens:
            raise Wrong(f"Invalid '{path}': input cannot be an empty string.", param="input", code="empty_string")
        if len(tokens) > window:
            raise Wrong(
                f"This model's maximum context length is {window} tokens, however you requested {len(tokens)} tokens.",
                param="input",
                code="context_length_exceeded",
            )
    return inputs


@lru_cache(maxsize=4096)
def _direction(token: int) -> tuple[float, ...]:
    """Where a token points to: numbers from -1 to 1."""
    raw = hashlib.shake_128(b"%d" % token).digest(2 * DIMENSIONS)
    return tuple(number / 32768 for number in struct.unpack(f"<{DIMENSIONS}h", raw))


@lru_cache(maxsize=1024)
def vector(tokens: tuple[int, ...], size: int) -> tuple[float, ...]:
    """The first `size` numbers of the vector of these tokens, as single floats, of length 1."""
    total = [sum(numbers) for numbers in zip(*map(_direction, tokens), strict=True)][:size]
    length = hypot(*total) or 1.0
    scaled = [number / length for number in total]
    return struct.unpack(f"<{size}f", struct.pack(f"<{size}f", *scaled))


def _written(numbers: tuple[float, ...], form: str) -> list[float] | str:
    if form == "float":
        return list(numbers)
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()
