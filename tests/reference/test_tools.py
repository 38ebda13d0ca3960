"""The reference server's tool calls and structured outputs, whole and streamed."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.probes.tools import CREATE_ORDER, GET_TIME, GET_WEATHER, PING, function
from conformance.reference.answer import Answer, Request
from conformance.reference.engine import DEFAULT_KEY, responder

RESPOND = responder()
TWO = [GET_WEATHER, GET_TIME]
PARIS = "What is the weather in Paris?"
SCHEMA = {
    "type": "object",
    "properties": {
        "zeta": {"type": "string", "enum": ["é", "b"]},
        "alpha": {"type": "array", "items": {"type": "integer"}, "minItems": 2},
        "next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]},
    },
    "required": ["zeta", "alpha", "next"],
    "additionalProperties": False,
}


def send(say: Any, **wishes: Any) -> Answer:
    """The answer to what the user says, or to these messages."""
    messages = say if isinstance(say, list) else [{"role": "user", "content": say}]
    body = json.dumps({"model": "reference", "messages": messages, **wishes}).encode()
    answer = RESPOND(Request("POST", "/v1/chat/completions", {"authorization": f"Bearer {DEFAULT_KEY}"}, body))
    assert answer.status == 200, answer.body
    return answer


def choice(say: Any, **wishes: Any) -> dict[str, Any]:
    """The first choice of a whole answer."""
    found: dict[str, Any] = send(say, **wishes).body["choices"][0]
    return found


def calls(say: Any, **wishes: Any) -> list[tuple[str, Any]]:
    """(name, arguments) of every call."""
    made = choice(say, **wishes)["message"].get("tool_calls", [])
    return [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in made]


def named(name: str) -> dict[str, Any]:
    """The `tool_choice` of one function."""
    return {"type": "function", "function": {"name": name}}


def test_a_call_has_openais_shape() -> None:
    """No content beside it, an id of its own, arguments as text, and the reason."""
    found = choice("Weather and time please", tools=TWO)
    message = found["message"]
    assert (message["content"], message["refusal"], found["finish_reason"]) == (None, None, "tool_calls")
    assert list(message) == ["role", "content", "tool_calls", "refusal", "annotations"]
    assert [list(call) for call in message["tool_calls"]] == [["id", "type", "function"]] * 2
    ids = [call["id"] for call in message["tool_calls"]]
    assert all(re.fullmatch(r"call_[0-9a-zA-Z]{24}", one) for one in ids)
    assert ids[0] != ids[1]


def test_a_call_needs_a_tool_and_leave() -> None:
    """No tool, another tool, or `none`: text. Required: a call, whatever is said."""
    for wishes in (
        {},
        {"tools": [PING]},
        {"tools": [GET_WEATHER], "tool_choice": "none"},
        {"tool_choice": "none"},
        {
            "tools": TWO,
            "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [GET_TIME]}},
        },
    ):
        found = choice(PARIS, **wishes)
        assert "tool_calls" not in found["message"]
        assert found["finish_reason"] == "stop"
        assert found["message"]["content"]
    assert choice(PARIS, tools=[GET_WEATHER], tool_choice="none")["message"]["content"].startswith("I cannot see")
    assert calls("Say hello", tools=TWO) == []
    assert calls("Say hello", tools=TWO, tool_choice="required") == [("get_weather", {"city": "Paris"})]
    allowed = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [GET_TIME]}}
    assert calls(PARIS, tools=TWO, tool_choice=allowed) == [("get_time", {"tz": "UTC"})]


def test_a_named_function_is_called_and_the_reason_is_stop() -> None:
    """As OpenAI has it; with the scripted arguments where there are some."""
    found = choice("Say hello", tools=[*TWO, PING], tool_choice=named("ping"))
    assert found["finish_reason"] == "stop"
    assert [call["function"] for call in found["message"]["tool_calls"]] == [{"name": "ping", "arguments": "{}"}]
    assert calls("Think aloud, then check Rome", tools=TWO, tool_choice=named("get_weather")) == [
        ("get_weather", {"city": "Rome"})
    ]


def test_one_at_a_time_where_that_is_asked() -> None:
    """Without parallel calls, the second follows the first result."""
    wishes = {"tools": [GET_WEATHER], "parallel_tool_calls": False}
    history: list[Any] = [{"role": "user", "content": "Weather in Paris and Rome?"}]
    for city in ("Paris", "Rome"):
        message = choice(history, **wishes)["message"]
        (call,) = message["tool_calls"]
        assert json.loads(call["function"]["arguments"]) == {"city": city}
        result = {"Paris": "21 degrees", "Rome": "25 degrees"}[city]
        history += [message, {"role": "tool", "tool_call_id": call["id"], "content": result}]
    assert choice(history, **wishes)["message"]["content"] == "Paris has 21 degrees and Rome has 25 degrees."


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=10), min_size=2, max_size=2), st.booleans())
def test_results_are_used(results: list[str], swapped: bool) -> None:
    """Whatever the tools return is in the answer, in the order of the calls, also when it comes in another order."""
    asked = {"role": "user", "content": "Weather in Paris and Rome?"}
    message = choice([asked], tools=[GET_WEATHER])["message"]
    returned = [
        {"role": "tool", "tool_call_id": call["id"], "content": result}
        for call, result in zip(message["tool_calls"], results, strict=True)
    ]
    found = choice([asked, message, *(returned[::-1] if swapped else returned)], tools=[GET_WEATHER])
    assert found["message"]["content"] == f"The tools returned: {results[0]}, {results[1]}."
    assert found["finish_reason"] == "stop"


@pytest.mark.parametrize(
    "parameters",
    [
        CREATE_ORDER["function"]["parameters"],
        {"type": "object", "properties": {"x": {"type": ["integer", "null"]}}, "required": ["x"]},
        {
            "type": "object",
            "properties": {"a": {"$ref": "#/$defs/a"}},
            "required": ["a"],
            "$defs": {"a": {"enum": ["x"]}},
        },
        {"type": "object", "properties": {"when": {"type": "string", "format": "date"}}, "required": ["when"]},
        {"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 2},
        SCHEMA,
    ],
    ids=lambda schema: json.dumps(schema)[:60],
)
@pytest.mark.parametrize("strict", [None, False])
def test_forced_arguments_are_valid(parameters: dict[str, Any], strict: bool | None) -> None:
    """Also where the script has others for a function of that name."""
    for name in ("anything", "get_weather"):
        tool = {"type": "function", "function": {"name": name, "parameters": parameters, "strict": strict}}
        for say in ("Say hello", PARIS):
            ((called, arguments),) = calls(say, tools=[tool], tool_choice="required")
            assert called == name
            jsonschema.validate(arguments, parameters)


def test_choices_call_separately() -> None:
    """Every choice has its calls, every call its id."""
    choices = send(PARIS, tools=[GET_WEATHER], n=3).body["choices"]
    assert len({call["id"] for one in choices for call in one["message"]["tool_calls"]}) == 3


@pytest.mark.parametrize("cap", range(1, 12))
def test_the_cap_cuts_calls(cap: int) -> None:
    """The arguments are the beginning of the whole ones, the reason `length`, the tokens the cap, streamed or not."""
    whole = json.dumps({"city": "Paris"}, separators=(",", ":"))
    body = send("Say hello", tools=[GET_WEATHER], tool_choice="required", max_completion_tokens=cap).body
    (call,) = body["choices"][0]["message"]["tool_calls"]
    assert whole.startswith(call["function"]["arguments"])
    assert (body["choices"][0]["finish_reason"], body["usage"]["completion_tokens"]) == ("length", cap)


def test_legacy_functions() -> None:
    """`functions` are answered with `function_call`, by choice or by order, and their results are used."""
    functions = [GET_WEATHER["function"]]
    found = choice(PARIS, functions=functions)
    assert found["finish_reason"] == "function_call"
    assert found["message"]["function_call"] == {"name": "get_weather", "arguments": '{"city":"Paris"}'}
    assert "tool_calls" not in found["message"]
    assert choice("Say hello", functions=functions, function_call={"name": "get_weather"})["finish_reason"] == "stop"
    assert choice(PARIS, functions=functions, function_call="none")["message"]["content"].startswith("I cannot")
    history = [
        {"role": "user", "content": PARIS},
        found["message"],
        {"role": "function", "name": "get_weather", "content": "21 degrees"},
    ]
    assert choice(history, functions=functions)["message"]["content"] == "It is 21 degrees in Paris."
    deltas = [
        part["function_call"]
        for part in send(PARIS, functions=functions, stream=True).messages
        if "function_call" in part
    ]
    assert deltas[0] == {"name": "get_weather", "arguments": ""}
    assert "".join(delta["arguments"] for delta in deltas) == '{"city":"Paris"}'


def test_custom_tools() -> None:
    """Called with text: free, or as a regular expression has it."""
    free = {"type": "custom", "custom": {"name": "say"}}
    grammar = {"type": "grammar", "grammar": {"syntax": "regex", "definition": "^[a-f]{4}-\\d+$"}}
    bound = {"type": "custom", "custom": {"name": "code", "format": grammar}}
    found = choice("Tell it hello", tools=[free, bound], tool_choice="required")
    (call,) = found["message"]["tool_calls"]
    assert call["custom"] == {"name": "say", "input": "Tell it hello"}
    assert found["finish_reason"] == "tool_calls"
    order = {"type": "custom", "custom": {"name": "code"}}
    (call,) = choice("x", tools=[free, bound], tool_choice=order)["message"]["tool_calls"]
    assert re.fullmatch(r"[a-f]{4}-\d+", call["custom"]["input"])
    deltas = [one["custom"] for one in send("x", tools=[free], tool_choice="required", stream=True).calls]
    assert "".join(delta["input"] for delta in deltas) == "x"


def form(schema: Any, **more: Any) -> dict[str, Any]:
    """A `response_format` with this schema."""
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, **more}}


@pytest.mark.parametrize("say", ["Say hello", "Say exactly: no JSON", "Count to forty", "Give me JSON"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_schema_is_kept_whatever_is_said(say: str, stream: bool) -> None:
    """The content is a valid instance and nothing else, its members in the order of the schema."""
    answer = send(say, response_format=form(SCHEMA, strict=True), stream=stream)
    text = "".join(part.get("content") or "" for part in answer.messages)
    value = json.loads(text)
    jsonschema.validate(value, SCHEMA)
    assert list(value) == ["zeta", "alpha", "next"]
    assert answer.choices[-1]["finish_reason"] == "stop"


def test_schemas_go_with_everything_else() -> None:
    """With several choices, tools, log probabilities; cut by the cap and by nothing else."""
    wishes = {"response_format": form(SCHEMA)}
    texts = [one["message"]["content"] for one in send("x", n=3, **wishes).body["choices"]]
    assert len(set(texts)) > 1
    for text in texts:
        jsonschema.validate(json.loads(text), SCHEMA)
    assert calls(PARIS, tools=[GET_WEATHER], **wishes) == [("get_weather", {"city": "Paris"})]
    jsonschema.validate(json.loads(choice("Say hello", tools=[GET_WEATHER], **wishes)["message"]["content"]), SCHEMA)
    cut = choice("x", max_tokens=4, **wishes)
    assert cut["finish_reason"] == "length"
    assert texts[0].startswith(cut["message"]["content"])
    entries = choice("x", logprobs=True, top_logprobs=20, **wishes)["logprobs"]["content"]
    assert "".join(entry["token"] for entry in entries if entry["token"].isascii()).startswith("{")
    assert choice("x", logit_bias={"300": 100}, frequency_penalty=2, **wishes)["message"]["content"] == texts[0]


def test_json_objects() -> None:
    """The scripted one, or one with the answer in it."""
    wishes = {"response_format": {"type": "json_object"}}
    assert choice("Give me JSON", **wishes)["message"]["content"] == '{"ok": true, "color": "red"}'
    assert json.loads(choice('Say exactly: "é', **wishes)["message"]["content"]) == {"answer": '"é'}


def test_many_tools_fit() -> None:
    """128 tools with descriptions leave room for an answer."""
    tools = [
        function(f"tool_{number}", "What it does, in a few words.", city={"type": "string"}) for number in range(128)
    ]
    assert calls("Say hello", tools=tools, tool_choice=named("tool_127")) == [("tool_127", {"city": "text"})]


def test_an_answer_is_valid_input() -> None:
    """What was received may be sent back as it is: text, calls, text beside calls."""
    for say, tools in (("Say hello", {}), ("Think aloud, then check Rome", {"tools": [GET_WEATHER]})):
        message = choice(say, **tools)["message"]
        history = [{"role": "user", "content": say}, message]
        for call in message.get("tool_calls", ()):
            history.append({"role": "tool", "tool_call_id": call["id"], "content": "25 degrees"})
        assert choice([*history, {"role": "user", "content": "Say hello"}], **tools)["finish_reason"] == "stop"
