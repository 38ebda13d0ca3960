"""Requests in which several things are asked for at once, valid ones and wrong ones: drawn to see where two servers part."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from conformance.core.probe import Probe
from conformance.probes.chat import assistant, chat, user
from conformance.probes.structured import form
from conformance.probes.tools import GET_TIME, GET_WEATHER, choosing

SMALL_SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "string"}},
    "required": ["answer"],
    "additionalProperties": False,
}
MEMBERS: dict[str, Any] = {
    "temperature": st.sampled_from((0, 0.7, 2, -1, 3, "hot", None)),
    "top_p": st.sampled_from((0.1, 1, 0, 1.5, "all", None)),
    "n": st.sampled_from((1, 2, 0, -1, "two", None)),
    "seed": st.sampled_from((7, -7, 2**63, 1.5, "lucky", None)),
    "stop": st.sampled_from(("<stop>", ["<a>", "<b>"], ["a", "b", "c", "d", "e"], [], "", 7, None)),
    "max_completion_tokens": st.sampled_from((1, 8, 0, -1, 10**9, "many", None)),
    "max_tokens": st.sampled_from((1, 8, 0, -1, None)),
    "presence_penalty": st.sampled_from((0.5, -2, 3, "much", None)),
    "frequency_penalty": st.sampled_from((0.5, 2, -3, None)),
    "logprobs": st.sampled_from((True, False, "yes", None)),
    "top_logprobs": st.sampled_from((0, 2, 21, -1, None)),
    "logit_bias": st.sampled_from(({}, {"5": 1}, {"5": 200}, {"word": 1}, [], None)),
    "stream": st.sampled_from((True, True, True, False, "true", None)),
    "stream_options": st.sampled_from(({"include_usage": True}, {"include_usage": "yes"}, {}, None)),
    "tools": st.sampled_from(([GET_WEATHER], [GET_WEATHER, GET_TIME], [], [{}], None)),
    "tool_choice": st.sampled_from(
        ("auto", "none", "required", "any", choosing("get_weather"), choosing("get_rain"), None)
    ),
    "parallel_tool_calls": st.sampled_from((True, False, "no", None)),
    "response_format": st.sampled_from(
        (
            {"type": "text"},
            {"type": "json_object"},
            form(SMALL_SCHEMA),
            {"type": "xml"},
            {"type": "json_schema"},
            "json",
            None,
        )
    ),
    "user": st.sampled_from(("somebody", 7, None)),
    "metadata": st.sampled_from(({"team": "blue"}, {"team": 7}, "blue", None)),
    "service_tier": st.sampled_from(("auto", "flex", "first", None)),
    "reasoning_effort": st.sampled_from(("low", "none", "endless", None)),
    "x_unheard_of": st.sampled_from((True, None)),
}
"""Members of a request, each with values that are right, wrong, at the edge, and null."""
TALKS = st.sampled_from(
    (
        [user("Say hello")],
        [{"role": "system", "content": "Be brief."}, user("Say hello")],
        [{"role": "developer", "content": "Be brief."}, user("Say hello")],
        [user([{"type": "text", "text": "Say hello"}])],
        [user("Say hello"), assistant("Hello!"), user("Say hello")],
        [user("Say hello"), user("Say hello")],
        [assistant("Hello!")],
        [user("")],
        [user(None)],
        [{"role": "wizard", "content": "Say hello"}],
        [{"content": "Say hello"}],
        [{"role": "user"}],
        [],
    )
)
"""Conversations, from the plainest on; the last are none."""
MOST = 3
"""Members beyond model and messages: with more, most requests would be wrong in several ways at once."""


def _made(talk: list[Any], members: dict[str, Any]) -> Probe:
    return chat(messages=talk, **members)


mixed = st.builds(
    _made,
    TALKS,
    st.lists(st.sampled_from(sorted(MEMBERS)), max_size=MOST, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: MEMBERS[name] for name in sorted(names)})
    ),
)
"""Any of these conversations with some of these members."""
