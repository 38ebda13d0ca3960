"""Log probabilities of tokens: made up, but such as a model's are. The chosen token is the likeliest."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any

from conformance.reference.tokens import VOCABULARY, piece, shown


def entries(tokens: Iterable[int], start: int, top: int) -> list[dict[str, Any]]:
    """One entry for each token; `start` is the place of the first in the answer, `top` how many likely ones to list."""
    return [_entry(token, position, top) for position, token in enumerate(tokens, start)]


def _entry(token: int, position: int, top: int) -> dict[str, Any]:
    seed = zlib.crc32(b"%d %d" % (token, position))
    # The chosen token has nine tenths of the probability or more, but never 95 hundredths: the others share the rest.
    chosen = _item(token, -0.0513 - (seed % 1000) / 20_000)
    others: list[dict[str, Any]] = []
    seen = {token}
    candidate = seed
    while len(others) < top - 1:
        candidate = (candidate * 1103515245 + 12345) % 2**31
        other = candidate % VOCABULARY
        if other not in seen:
            seen.add(other)
            others.append(_item(other, -4.0 - 0.5 * len(others) - (seed % 100) / 1000))
    return {**chosen, "top_logprobs": [chosen, *others] if top else []}


def _item(token: int, logprob: float) -> dict[str, Any]:
    return {"token": shown(token), "logprob": logprob, "bytes": list(piece(token))}
