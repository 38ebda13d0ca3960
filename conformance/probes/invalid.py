"""Requests with one member that is wrong: missing, of the wrong type, or out of its range.

Each differs from a good request by that one member, so that a refusal can be asked to name it (`culprit`).
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from conformance.core.probe import MODEL, Probe
from conformance.probes.chat import HELLO, chat, get, streamed
from conformance.probes.malformed import BROKEN

NO_MESSAGES = HELLO.asking(messages=...)
MESSAGES_TEXT = HELLO.asking(messages="Say hello")
WIZARD = chat(messages=[{"role": "wizard", "content": "Say hello"}])
UNKNOWN_MODEL = chat(model="no-such-model-7c1e")
HOT = chat(temperature="hot")
NO_CHOICE = chat(n=0)
NEGATIVE_CAP = chat(max_completion_tokens=-5)
NOWHERE = get("nowhere")
"""A path that the API does not have."""

IN_MEMBERS = (NO_MESSAGES, MESSAGES_TEXT, WIZARD, HOT, NO_CHOICE, NEGATIVE_CAP)
"""Well-formed requests of which one member is wrong, whatever the model."""
INVALID = (BROKEN, *IN_MEMBERS, UNKNOWN_MODEL)
"""What every check of the error object reads: the commonest ways to be wrong, once each."""
INVALID_STREAMED = tuple(streamed(probe) for probe in (NO_MESSAGES, HOT, NO_CHOICE, UNKNOWN_MODEL))

HUGE_CAP = chat(max_completion_tokens=100_000_000)
"""More tokens than any window has. Some servers refuse it, some give what they can."""

WRONG_TYPES: dict[str, tuple[Any, ...]] = {
    "temperature": ("hot", [1], {"value": 1}),
    "top_p": ("most", [1]),
    "n": ("two", [2]),
    "max_completion_tokens": ("many", [5], {"value": 5}),
    "max_tokens": ("many", [5]),
    "stop": (5, {"sequence": "x"}),
    "frequency_penalty": ("a bit", [1]),
    "presence_penalty": ("a bit", [1]),
    "seed": ("lucky", [42]),
    "logit_bias": ("strong", 5),
    "logprobs": ("many", [1]),
    "response_format": ("json", ["json_object"]),
}
"""Values that no reading of the type allows: no text that looks like a number, nothing empty that passes for absent."""

NO_LISTS = ("Say hello", 42, True, {"role": "user", "content": "Say hello"}, ["Say hello"], [42], [None], [["hello"]])
"""What is no list of messages."""


def either(probes: SearchStrategy[Probe]) -> SearchStrategy[Probe]:
    """The same requests, whole or streamed."""
    return st.tuples(probes, st.booleans()).map(lambda drawn: streamed(drawn[0]) if drawn[1] else drawn[0])


def asking(member: str, value: Any) -> Probe:
    """The plainest request with one member set to this value."""
    return HELLO.asking(**{member: value})


def one_wrong(**values: SearchStrategy[Any]) -> SearchStrategy[Probe]:
    """Requests, whole or streamed, in which one of these members is drawn."""
    wrong = [st.tuples(st.just(name), strategy) for name, strategy in values.items()]
    return either(st.one_of(*wrong).map(lambda drawn: asking(*drawn)))


wrong_types = st.one_of(
    either(st.sampled_from([asking(name, value) for name, values in WRONG_TYPES.items() for value in values])),
    st.sampled_from([asking("stream", value) for value in ("perhaps", [1])]),
)
wrong_messages = either(st.sampled_from([asking("messages", value) for value in NO_LISTS]))


def beyond(low: float, high: float, far: float = 50) -> SearchStrategy[float]:
    """Numbers with two decimals outside of low..high, by a hundredth at least."""
    above, below = st.floats(high + 0.01, high + far), st.floats(low - far, low - 0.01)
    return st.one_of(above, below).map(lambda number: round(number, 2))


def culprit(probe: Probe) -> str:
    """The member that is wrong in a request made here; "" where it is not a member."""
    wish = probe.wish
    if not isinstance(wish, dict):
        return ""
    others: list[str] = [name for name in wish if name not in ("model", "messages", "stream", "logprobs")]
    if others:
        return others[0]
    if wish.get("stream", True) is not True:
        return "stream"
    if wish.get("logprobs", True) is not True:
        return "logprobs"
    return "messages" if wish.get("model") == MODEL else "model"
