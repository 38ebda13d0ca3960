"""Conversations worth sending: instructions, earlier turns, contents in parts, and messages that break the contract."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from conformance.core.probe import Probe
from conformance.probes.chat import assistant, chat, user
from conformance.probes.tools import GET_WEATHER

BANANA = "Always answer with the word BANANA."


def part(text: str) -> dict[str, Any]:
    """A part of a content: text."""
    return {"type": "text", "text": text}


def said(role: str, content: Any, **more: Any) -> dict[str, Any]:
    """A message of any role."""
    return {"role": role, "content": content, **more}


def talk(*messages: Any, **wishes: Any) -> Probe:
    """A request with exactly these messages."""
    return chat(messages=messages, **wishes)


SOMETHING = chat("Say something")
INSTRUCTED = chat("Say something", system=BANANA)
WHO = chat("What is my name?")
ADA = (user("My name is Ada."), assistant("Hello Ada."))
"""Two turns in which the user gives a name."""
REMEMBERED = talk(*ADA, user("What is my name?"))
DEVELOPER = talk(said("developer", BANANA), user("Say something"))

PARTS = chat([part("Say hello")])
"""`HELLO` with its content in a part."""
SYSTEM_PARTS = talk(said("system", [part(BANANA)]), user("Say something"))
NAMED = talk(user("Say hello") | {"name": "Ada"})
TWICE = talk(user("My name is Ada."), user("What is my name?"))
NOTHING = chat("")
NULLS = talk(ADA[0], assistant("Hello Ada.", refusal=None, audio=None, function_call=None), user("What is my name?"))
REFUSED = talk(ADA[0], assistant([{"type": "refusal", "refusal": "No."}]), user("What is my name?"))
THOUGHT = talk(ADA[0], assistant("Hello Ada.", reasoning_content="A greeting is due."), user("What is my name?"))
UNANSWERED = talk(user("Count to forty"), assistant("1 2 3"))
"""A conversation that ends with what the assistant said: continued, answered or refused, as a server likes."""

CALL = {
    "id": "abcdef123",  # nine letters and digits, the strictest form that any server is known to ask for
    "type": "function",
    "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'},
}


def called(**message: Any) -> Probe:
    """A conversation in which a tool was called and has answered; `message` has the content next to the call."""
    return talk(
        user("What is the weather in Paris?"),
        {"role": "assistant", **message, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": CALL["id"], "content": "21 degrees"},
        tools=[GET_WEATHER],
    )


CALLED_NULL = called(content=None)
CALLED_ABSENT = called()
CALLED_EMPTY = called(content="")

WIZARD = talk(said("wizard", "Say hello"))
ROLELESS = talk({"content": "Say hello"})
CONTENTLESS = talk({"role": "user"})
STRANGE_PART = chat([part("Say hello"), {"type": "hologram", "hologram": {"url": "data:,"}}])

mistyped: SearchStrategy[Probe] = st.one_of(
    st.integers(-3, 2**40),
    st.floats(-1e6, 1e6, allow_nan=False).map(lambda number: round(number, 2) + 0.5),
    st.booleans(),
    st.dictionaries(st.sampled_from(("text", "content", "a")), st.sampled_from(("x", "y")), min_size=1, max_size=2),
    st.lists(st.integers(0, 9), min_size=1, max_size=3),
).map(lambda content: talk(user(content)))
"""A user message whose content is neither a string nor parts."""


def _turns(says: Sequence[str]) -> Probe:
    messages = [said("user" if index % 2 == 0 else "assistant", text) for index, text in enumerate(says)]
    if len(messages) % 2 == 0:
        messages.append(user("Say hello"))
    return talk(*messages)


sayings = st.sampled_from(
    ("My name is Ada.", "Hello Ada.", "Say something", "Something.", "Say hello", "Count to forty")
)

histories: SearchStrategy[Probe] = st.lists(sayings, min_size=5, max_size=9).map(_turns)
"""Conversations of some length, in the plainest form: user and assistant by turns."""

LONG = "Say hello" + ", and hello again" * 24
WHOLE = chat(LONG)


def _cut(places: Sequence[int]) -> Probe:
    edges = [0, *sorted(len(LONG) * percent // 100 for percent in places), len(LONG)]
    return chat([part(LONG[start:end]) for start, end in pairwise(edges)])


cuts: SearchStrategy[Probe] = st.one_of(
    st.tuples(st.integers(25, 75)), st.tuples(st.integers(25, 38), st.integers(63, 75))
).map(_cut)
"""`WHOLE` in two or three parts, none of them shorter than a quarter of it."""
