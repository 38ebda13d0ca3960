"""Texts that are hard on whatever lies between two JSON parsers: characters beyond ASCII, and backslashes."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from conformance.core.probe import Probe
from conformance.probes.chat import chat

PIECES = (
    "naïve",
    "\u00e9",  # one code point,
    "e\u0301",  # and the same letter as two
    "a\u0300\u0316\u0322\u0323",
    "世界",
    "𠀋",  # beyond the basic plane, as emoji are
    "😀",
    "👩\u200d👩\u200d👧",
    "👍🏽",
    "🇫🇷",
    "\u0928\u092e\u0938\u094d\u0924\u0947",
    "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35",
    "\u202bשלום\u202c",
    "مرحبا\u200f",
    "\u1112\u1161\u11ab",
    "𝕬𝖇",
    "ﬁ",
    "\u2028",
    "\u2029",
    "\ufeff",
    "\ufffd",
    "\u00a0",
    "\u00ad",
    "\\u0041",  # a backslash, a u and digits: no escape
    '\\"',
    "</s>\t\n",
    "'",
)
"""Written as escapes where an editor would hide them. All are assigned characters, or U+FFFD itself."""

texts: SearchStrategy[str] = st.lists(st.sampled_from(PIECES), min_size=2, max_size=8).map(" ".join)
prompts: SearchStrategy[Probe] = texts.map(lambda text: chat(f"Say exactly: {text}"))

CONTROLS = chat("Say hello \x00\x01\x08\x1b\x7f\x85")
"""Characters that JSON has to escape (but the last two) and that no terminal wants."""
UNICODE = chat("Write unicode")
"""An answer beyond ASCII."""
LONG = chat("hello " * 300 + "Say hello")
"""A question of some 2,000 characters, about 300 to 600 tokens: inside every window."""
