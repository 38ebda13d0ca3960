"""Requests with one optional parameter, made so that the answer differs where the parameter works.

What is drawn by chance needs a prompt that leaves room for it and seeds that make it visible; what punishes repetition
needs a text that repeats itself, or one that is long.
"""

from __future__ import annotations

import re
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from conformance.core.probe import Probe
from conformance.probes.chat import GREEDY, HELLO, chat, streamed
from conformance.probes.tools import ASK, GET_WEATHER

SEEDS = (1, 2, 3)
LAMP = "Make up a sentence about a lamp"
"""A question with many answers, in no script."""


def drawn(**wishes: Any) -> tuple[Probe, ...]:
    """The same question with each of the seeds. Capped, because some models never end at a high temperature."""
    return tuple(chat(LAMP, **wishes, seed=seed, max_completion_tokens=24) for seed in SEEDS)


COLD = drawn(temperature=0)
HOT = drawn(temperature=2)
narrow: SearchStrategy[tuple[Probe, ...]] = st.sampled_from((0.001, 0.0005, 0.0001)).map(
    lambda top_p: (*drawn(temperature=2, top_p=top_p), *HOT)
)
"""All the chance that there is, and none of it: only the likeliest token is left to choose from; then without that."""

ECHO = chat("Say exactly:" + " ha" * 24, temperature=0, max_completion_tokens=64)
"""A text that does nothing but repeat a word."""
PROSE = chat("Tell me about the sea, in three paragraphs", temperature=0, max_completion_tokens=300)
"""A long text: among so many words there are close calls, and any push decides some of them otherwise."""
penalties = st.sampled_from((2, 1.9, 1.8))
frequent = penalties.map(lambda penalty: (ECHO, ECHO.asking(frequency_penalty=penalty)))
present = penalties.map(
    lambda penalty: (ECHO, ECHO.asking(presence_penalty=penalty), PROSE, PROSE.asking(presence_penalty=penalty))
)
"""Texts without a penalty, each beside the same with one."""

TOP = GREEDY.asking(logprobs=True, top_logprobs=5)

FUNCTION = GET_WEATHER["function"]
FUNCTIONS = chat(ASK, functions=[FUNCTION])
FUNCTION_NAMED = HELLO.asking(functions=[FUNCTION], function_call={"name": "get_weather"})
"""A call is demanded where the question has no use for one."""
FUNCTION_NAMED_STREAMED = streamed(FUNCTION_NAMED)
FUNCTION_NONE = FUNCTIONS.asking(function_call="none")
FUNCTIONS_AND_TOOLS = FUNCTIONS.asking(tools=[GET_WEATHER])

spoken = st.sampled_from(("wav", "mp3")).map(
    lambda form: HELLO.asking(modalities=["text", "audio"], audio={"voice": "alloy", "format": form})
)
MODERATED = HELLO.asking(moderation={"model": "omni-moderation-latest"})
NONSENSE = "conformance-nonsense"
"""A value that no enumeration has."""
SEARCHED = chat("What is new in the world today?")
searched = st.sampled_from(("low", "medium")).map(
    lambda size: (
        SEARCHED.asking(web_search_options={"search_context_size": size}),
        SEARCHED.asking(web_search_options={"search_context_size": NONSENSE}),
    )
)
"""A question that cannot be answered without a search, and the same with an option that does not exist."""

CHOICES: dict[str, tuple[Any, ...]] = {
    "reasoning_effort": ("none", "minimal", "low", "medium", "high", "xhigh", "max"),
    "verbosity": ("low", "medium", "high"),
    "prompt_cache_retention": ("in_memory", "24h"),
    "modalities": (["text"],),
    "service_tier": ("auto", "default"),
}
"""Parameters with a few known values, and those."""


def of_choice(name: str) -> SearchStrategy[tuple[Probe, Probe]]:
    """A request with one of the known values, beside one with a value that does not exist."""
    known = CHOICES[name]
    odd = [NONSENSE] if isinstance(known[0], list) else NONSENSE
    return st.sampled_from([(HELLO.asking(**{name: value}), HELLO.asking(**{name: odd})) for value in known])


PUZZLE = "How many of the numbers from 1 to 30 have a 7 in them or are multiples of 7?"
_levels: dict[str, tuple[Probe, Probe]] = {
    "reasoning_effort": (chat(PUZZLE, reasoning_effort="low"), chat(PUZZLE, reasoning_effort="high")),
    "verbosity": (chat("Tell me about the sea", verbosity="low"), chat("Tell me about the sea", verbosity="high")),
}
levels = st.sampled_from(tuple(_levels.values()))
"""The same question at a low and at a high level."""

HINTS: dict[str, Any] = {
    "user": "conformance",
    "safety_identifier": "conformance",
    "prompt_cache_key": "conformance",
    "prompt_cache_options": {"mode": "implicit"},
    "metadata": {"purpose": "conformance"},
    "prediction": {"type": "content", "content": "Hello from the tiny model."},
}
"""What helps a server and does not show in an answer, or hardly."""
hints = st.sampled_from([HELLO.asking(**{name: value}) for name, value in HINTS.items()])

IDENTITY = re.compile(r"[A-Za-z0-9_-]{1,200}")
"""Ids that may become part of a path: what a server sends is not trusted with more."""
PURPOSE = {"purpose": "conformance"}
TO_STORE = HELLO.asking(store=True, metadata=PURPOSE)
"""An answer that is to be kept, with something to find it by."""

EXTENSIONS: dict[str, tuple[tuple[Probe, ...], tuple[Probe, ...]]] = {
    "top_k": (HOT[:2], tuple(probe.asking(top_k=1) for probe in HOT[:2])),
    "min_p": (HOT[:2], tuple(probe.asking(min_p=1.0) for probe in HOT[:2])),
    "repetition_penalty": ((ECHO,), (ECHO.asking(repetition_penalty=1.9),)),
    "min_tokens": ((HELLO,), (HELLO.asking(min_tokens=48),)),
    "structured_outputs": ((HELLO,), (HELLO.asking(structured_outputs={"choice": ["ENFORCED"]}),)),
    "guided_choice": ((HELLO,), (HELLO.asking(guided_choice=["ENFORCED"]),)),
}
"""Parameters that OpenAI does not have and several servers do: requests without, and the same with it."""
extensions = st.sampled_from([(*without, *with_) for without, with_ in EXTENSIONS.values()])
