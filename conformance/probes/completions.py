"""Requests to the older interface: a prompt, and what may be asked of the text that follows it."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from conformance.core.exchange import Exchange
from conformance.core.probe import MODEL, Chain, Probe, encode
from conformance.probes.chat import streamed

PATH = "completions"


def complete(prompt: Any, /, **wishes: Any) -> Probe:
    """A request for what follows a prompt."""
    return Probe(PATH, encode({"model": MODEL, "prompt": prompt, **wishes}))


COUNT = "Count to forty: 1 2 3 4 5 6 7 8"
SEA = "The sea is wide and blue, and"
BARE = complete(COUNT)
LONG = complete(COUNT, temperature=0, max_tokens=24)
"""An answer of some length, with nothing left to chance: what others are compared with."""
LONG_STREAMED = streamed(LONG)
SHORT = LONG.asking(max_tokens=3)
OTHER = complete(SEA, temperature=0, max_tokens=24)
BOTH = complete([COUNT, SEA], temperature=0, max_tokens=24)
TWO = complete(COUNT, temperature=1, n=2, max_tokens=8)
TWO_OF_EACH = complete([COUNT, SEA], temperature=1, n=2, max_tokens=8)
USAGE = streamed(LONG, include_usage=True)

TOKENS = complete([72, 101, 108, 108, 111], max_tokens=4)
TOKEN_LISTS = complete([[72, 101], [108, 108, 111]], max_tokens=4)
"""Ids that every vocabulary has."""

ECHO = LONG.asking(echo=True)
SUFFIX = LONG.asking(suffix=" and that is the end of the list of numbers.")
LIKELY = LONG.asking(logprobs=2)
MANY_LIKELY = LONG.asking(logprobs=6)
BEST_OF_FEWER = complete(COUNT, temperature=1, n=3, best_of=2, max_tokens=4)
"""More answers than are made to choose from: it cannot be."""

capped: SearchStrategy[Probe] = st.integers(1, 12).map(lambda cap: LONG.asking(max_tokens=cap))


def _stop_within(long: Exchange) -> Probe | str:
    """The same request, with a stop string from the middle of the answer."""
    text = long.json["choices"][0]["text"].value
    words = text.split() if isinstance(text, str) else []
    if len(words) < 3:
        return "the answer is too short to be stopped within"
    return LONG.asking(stop=[words[len(words) // 2]])


STOPPED: Chain = LONG.then(_stop_within)

NO_PROMPT = BARE.asking(prompt=...)
UNKNOWN_MODEL = BARE.asking(model="no-such-model-7c1e")
BROKEN = Probe(PATH, b'{"model": "' + MODEL.encode() + b'", "prompt": "Count')
WRONG = (
    complete(42),
    complete({"text": COUNT}),
    BARE.asking(n=0),
    BARE.asking(temperature="hot"),
    BARE.asking(max_tokens="many"),
    BARE.asking(max_tokens=-5),
)
"""Requests with one member that is wrong."""
REFUSED = (BROKEN, *WRONG, *map(streamed, WRONG))
wrong: SearchStrategy[tuple[Probe, Probe]] = st.sampled_from([(BARE, one) for one in REFUSED])
"""Requests to be refused, whole and streamed, each beside the plainest."""
