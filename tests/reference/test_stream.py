"""The reference server's streams: framed as OpenAI frames them, and the same answer as the whole one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.probes.tools import CREATE_ORDER, GET_TIME, GET_WEATHER, PING
from conformance.reference.answer import Answer, Request
from conformance.reference.engine import DEFAULT_KEY, Settings, responder

RESPOND = responder(Settings(clock=lambda: 1_800_000_000.0))
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
TWO = [GET_WEATHER, GET_TIME]


def send(say: str, **wishes: Any) -> Answer:
    """The answer to what the user says."""
    body = {"model": "reference", "messages": [{"role": "user", "content": say}], **wishes}
    answer = RESPOND(
        Request("POST", "/v1/chat/completions", {"authorization": f"Bearer {DEFAULT_KEY}"}, json.dumps(body).encode())
    )
    assert answer.status == 200, answer.body
    return answer


def joined(answer: Answer) -> list[dict[str, Any]]:
    """The choices of a stream put together as clients do it, every rule of framing asserted on the way."""
    assert answer.events is not None
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert [event.data for event in answer.events if not isinstance(event.data, dict)] == ["[DONE]"]
    assert answer.events[-1].data == "[DONE]"
    assert (
        len({(chunk["id"], chunk["created"], chunk["model"], chunk["system_fingerprint"]) for chunk in answer.chunks})
        == 1
    )
    assert {chunk["object"] for chunk in answer.chunks} == {"chat.completion.chunk"}
    found: dict[int, dict[str, Any]] = {}
    for chunk in answer.chunks:
        for choice in chunk["choices"]:
            assert list(choice) == ["index", "delta", "logprobs", "finish_reason"]
            _add(found, choice)
    assert all(one["finish_reason"] for one in found.values())
    return [found[index] for index in sorted(found)]


def _add(found: dict[int, dict[str, Any]], choice: dict[str, Any]) -> None:
    index, delta = choice["index"], choice["delta"]
    if index not in found:
        assert set(delta) == {"role", "content", "refusal"}
        assert (delta["role"], delta["refusal"]) == ("assistant", None)
        found[index] = {"content": delta["content"], "calls": [], "logprobs": [], "finish_reason": None}
        assert delta["content"] in (None, "")
        return
    one = found[index]
    assert one["finish_reason"] is None
    assert len(delta) == (0 if choice["finish_reason"] else 1)
    one["finish_reason"] = choice["finish_reason"]
    if choice["logprobs"]:
        one["logprobs"] += choice["logprobs"]["content"]
    if "content" in delta:
        assert delta["content"]
        assert not one["calls"]
        one["content"] += delta["content"]
    for call in delta.get("tool_calls", ()):
        if "id" in call:
            assert call["index"] == len(one["calls"])
            assert call["function"]["arguments"] == ""
            one["calls"].append(json.loads(json.dumps(call)))
        else:
            assert list(call) == ["index", "function"]
            assert list(call["function"]) == ["arguments"]
            assert call["function"]["arguments"]
            one["calls"][call["index"]]["function"]["arguments"] += call["function"]["arguments"]


def same(say: str, **wishes: Any) -> None:
    """The stream says what the whole answer says: contents, calls, reasons, log probabilities, usage."""
    whole = send(say, **wishes).body
    streamed = send(say, stream=True, stream_options={"include_usage": True}, **wishes)
    choices = joined(streamed)
    assert len(choices) == len(whole["choices"])
    for one, other in zip(choices, whole["choices"], strict=True):
        assert (one["content"], one["finish_reason"]) == (other["message"]["content"], other["finish_reason"])
        assert [call["function"] for call in one["calls"]] == [
            call["function"] for call in other["message"].get("tool_calls", ())
        ]
        assert one["logprobs"] == ((other["logprobs"] or {}).get("content") or [])
    last = streamed.chunks[-1]
    assert (last["choices"], last["usage"]) == ([], whole["usage"])
    assert all(chunk["usage"] is None for chunk in streamed.chunks[:-1])


@given(
    text,
    st.fixed_dictionaries(
        {},
        optional={
            "n": st.integers(1, 4),
            "stop": st.lists(st.text(min_size=1, max_size=2), min_size=1, max_size=4),
            "max_tokens": st.integers(1, 20),
            "logprobs": st.booleans(),
            "seed": st.integers(-5, 5),
            "temperature": st.sampled_from([0, 1, 2]),
            "tools": st.just(TWO),
            "tool_choice": st.just("none"),
            "response_format": st.just({"type": "json_object"}),
        },
    ),
)
def test_a_stream_is_the_whole_answer(say: str, wishes: dict[str, Any]) -> None:
    """Under all parameters together."""
    same(say, **wishes)


@pytest.mark.parametrize(
    ("say", "wishes"),
    [
        ("Write unicode", {"logprobs": True, "top_logprobs": 2}),
        ("Say nothing", {"logprobs": True}),
        ("Count to forty", {"n": 3}),
        ("Weather and time please", {"tools": TWO}),
        ("Weather and time please", {"tools": TWO, "n": 2}),
        ("Think aloud, then check Rome", {"tools": [GET_WEATHER], "logprobs": True}),
        ("Create the big order", {"tools": [CREATE_ORDER]}),
        ("Ping the server", {"tools": [PING]}),
        ("Say hello", {"tools": TWO, "tool_choice": "required"}),
        ("Say hello", {"tools": TWO, "tool_choice": {"type": "function", "function": {"name": "get_time"}}}),
        ("Say hello", {"tools": TWO, "tool_choice": "required", "max_tokens": 3}),
        ("Say hello", {"tools": TWO, "tool_choice": "required", "max_tokens": 1}),
        ("Think aloud, then check Rome", {"tools": [GET_WEATHER], "max_tokens": 2}),
    ],
)
def test_streamed_calls_are_the_whole_ones(say: str, wishes: dict[str, Any]) -> None:
    """Calls, text beside them, cuts."""
    same(say, **wishes)


def test_arguments_are_really_streamed() -> None:
    """In fragments of a few characters."""
    fragments = [
        call["function"]["arguments"] for call in send("Create the big order", tools=[CREATE_ORDER], stream=True).calls
    ]
    assert len(fragments) > 50
    assert max(map(len, fragments)) <= 4


def test_usage_only_where_it_is_asked_for() -> None:
    """Otherwise the word does not occur."""
    for options in ({}, {"stream_options": {"include_usage": False}}):
        assert all("usage" not in chunk for chunk in send("Say hello", stream=True, **options).chunks)


def test_obfuscation_unless_it_is_declined() -> None:
    """On by default, of various lengths."""
    padded = send("Count to forty", stream=True).chunks
    assert len({len(chunk["obfuscation"]) for chunk in padded}) > 3
    plain = send("Count to forty", stream=True, stream_options={"include_obfuscation": False}).chunks
    assert all("obfuscation" not in chunk for chunk in plain)


def test_choices_take_turns() -> None:
    """A client that shows two answers sees both grow."""
    order = [chunk["choices"][0]["index"] for chunk in send("Count to forty", n=2, stream=True).chunks]
    assert order[:6] == [0, 1, 0, 1, 0, 1]


def test_log_probabilities_come_with_their_text() -> None:
    """Each delta's bytes are those of its tokens; a character is never split."""
    for choice in send("Write unicode", stream=True, logprobs=True).choices:
        if choice["delta"].get("content"):
            raw = bytes(byte for entry in choice["logprobs"]["content"] for byte in entry["bytes"])
            assert raw.decode() == choice["delta"]["content"]
    assert all(choice["logprobs"] is None for choice in send("Write unicode", stream=True).choices)


def test_tokens_take_their_time() -> None:
    """A delay is put before what the model had to generate, and before nothing else."""
    slow = responder(Settings(token_delay=0.5, delay=2.0))
    body = {"model": "reference", "messages": [{"role": "user", "content": "Say exactly: a b c"}], "stream": True}
    answer = slow(
        Request("POST", "/v1/chat/completions", {"authorization": f"Bearer {DEFAULT_KEY}"}, json.dumps(body).encode())
    )
    assert [event.after for event in answer.events or ()] == [0, 0.5, 0.5, 0.5, 0, 0]
    assert answer.after == 2.0
