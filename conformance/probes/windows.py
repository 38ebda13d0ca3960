"""Requests with more tokens than fit into the window of the model, where the server says how many do."""

from __future__ import annotations

from collections.abc import Callable

from conformance.core.exchange import Exchange
from conformance.core.probe import MODEL, Chain, Probe
from conformance.probes.chat import get

WINDOWS = ("max_model_len", "context_length", "context_window", "max_context_length", "max_input_tokens")
"""Where servers say how many tokens fit: no part of OpenAI's API."""
UNKNOWN = 12_000
"""Numbers that are sent where the window is not known: too many for small servers, no great expense at large ones."""


def overlong(make: Callable[[str], Probe], most: int) -> Chain:
    """A look at the model, and a request with a text that is longer than its window; none where that has over `most` tokens."""

    def ask(card: Exchange) -> Probe | str:
        known = [card.json[name].value for name in WINDOWS] + [card.json["meta"]["n_ctx"].value]
        window = next((one for one in known if isinstance(one, int) and one > 1), UNKNOWN)
        if window > most:
            return f"a window of {window} tokens is too large to be filled"
        return make(numbers(window + 100))

    return get(f"models/{MODEL}").then(ask)


def numbers(many: int) -> str:
    """A text of so many numbers: each is a token at least, for any tokenizer."""
    return " ".join(map(str, range(many)))
