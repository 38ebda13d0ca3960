"""Strategies of probes: the same shapes as the fixed ones, with something in them drawn."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from conformance.core.probe import Probe
from conformance.probes.chat import chat

WORDS = (
    "hello",
    "weather",
    "forty",
    "order",
    "naïve",
    "世界",
    "😀",
    "ünïcode",
    "\u202bשלום\u202c",
    "\\",
    '"',
    "{}",
    "\t",
)

questions = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join)
"""Things to say that no script foresees: what comes back is noise, and must be well-formed noise."""


def chats(say: SearchStrategy[Any] | str = "Say hello", /, **wishes: Any) -> SearchStrategy[Probe]:
    """Chat requests of one shape. What is a strategy is drawn; everything else is as it stands."""
    parts = {name: wish if isinstance(wish, SearchStrategy) else st.just(wish) for name, wish in wishes.items()}
    saying = say if isinstance(say, SearchStrategy) else st.just(say)
    return st.tuples(saying, st.fixed_dictionaries(parts)).map(lambda drawn: chat(drawn[0], **drawn[1]))
