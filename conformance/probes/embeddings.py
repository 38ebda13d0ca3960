"""Requests for embeddings: one text, several, tokens, and the two forms in which a vector travels."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from conformance.core.probe import MODEL, Probe, encode
from conformance.probes.unicode import texts
from conformance.probes.windows import overlong

PATH = "embeddings"


def embed(text: Any, /, **wishes: Any) -> Probe:
    """A request for the embedding of a text, or of what else may be in its place."""
    return Probe(PATH, encode({"model": MODEL, "input": text, **wishes}))


TEXTS = (
    "The sea is wide and blue, and it is never quite still.",
    "An invoice of 42 euros was paid twice.",
    "Green tea, please!",
)
"""Texts that no model takes for each other. Neither their length nor their first letter puts them in this order."""
ONE = embed(TEXTS[0])
SINGLE = tuple(map(embed, TEXTS))
SEVERAL = embed(list(TEXTS))
LISTED = embed([TEXTS[0]])
"""A list of one."""
AGAIN = ONE.again()
FLOATS = ONE.asking(encoding_format="float")
BASE64 = ONE.asking(encoding_format="base64")
OTHER_FORM = ONE.asking(encoding_format="conformance-nonsense")

sizes: SearchStrategy[tuple[Probe, Probe]] = st.sampled_from((16, 32)).map(
    lambda size: (ONE, ONE.asking(dimensions=size))
)
"""The same text with as many numbers as the model has, and with fewer."""
FEWER = ONE.asking(dimensions=16)
no_sizes: SearchStrategy[tuple[Probe, Probe]] = st.sampled_from((0, -8, "many")).map(
    lambda size: (FEWER, ONE.asking(dimensions=size))
)
"""Fewer numbers, beside as many as there cannot be."""

TOKENS = embed([72, 101, 108, 108, 111])
TOKEN_LISTS = embed([[72, 101], [108, 108, 111]])
"""Ids that every vocabulary has."""

NO_INPUT = ONE.asking(input=...)
EMPTY = embed("")
EMPTY_LIST = embed([])
EMPTY_AMONG = embed([TEXTS[0], ""])
NO_INPUTS = tuple(embed(value) for value in (42, True, {"text": "Say hello"}, [{"text": "Say hello"}], None))
"""What is neither text nor tokens."""
BROKEN = Probe(PATH, b'{"model": "' + MODEL.encode() + b'", "input": "Say hel')
UNKNOWN_MODEL = ONE.asking(model="no-such-model-7c1e")
WRONG = (NO_INPUT, EMPTY_LIST, BROKEN, *NO_INPUTS)
wrong: SearchStrategy[tuple[Probe, Probe]] = st.sampled_from([(ONE, one) for one in WRONG])
"""Requests that nobody can answer, each beside the plainest."""

unicode: SearchStrategy[Probe] = texts.map(embed)

TOO_LONG = overlong(embed, 40_000)
