"""Tools that probes offer, and requests that offer them. The fixture model is trained on the same definitions."""

from __future__ import annotations

import json
from typing import Any

from conformance.core.probe import Probe
from conformance.probes.chat import assistant, chat, streamed, user


def function(name: str, description: str, **properties: Any) -> dict[str, Any]:
    """A function tool whose properties are all required, and no others allowed."""
    return {
        "type": "function",
        "function": {
            "name": name,
            "description": description,
            "parameters": {
                "type": "object",
                "properties": properties,
                "required": list(properties),
                "additionalProperties": False,
            },
        },
    }


GET_WEATHER = function("get_weather", "The weather in a city.", city={"type": "string", "enum": ["Paris", "Rome"]})
GET_TIME = function("get_time", "The time in a zone.", tz={"type": "string", "enum": ["UTC", "CET"]})
PING = function("ping", "Ask the server whether it is there.")
CREATE_ORDER = function(
    "create_order",
    "Create an order.",
    customer={
        "type": "object",
        "properties": {"name": {"type": "string"}, "vip": {"type": "boolean"}},
        "required": ["name", "vip"],
        "additionalProperties": False,
    },
    items={
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "sku": {"type": "string"},
                "qty": {"type": "integer"},
                "price": {"type": "number"},
            },
            "required": ["sku", "qty", "price"],
            "additionalProperties": False,
        },
    },
    note={"type": "string"},
    coupon={"type": ["string", "null"]},
)
TOOLS = {tool["function"]["name"]: tool for tool in (GET_WEATHER, GET_TIME, PING, CREATE_ORDER)}


def strict(tool: dict[str, Any]) -> dict[str, Any]:
    """The same tool with `strict: true`: its arguments follow its schema exactly."""
    return {**tool, "function": {**tool["function"], "strict": True}}


def choosing(name: str) -> dict[str, Any]:
    """The `tool_choice` that names a function."""
    return {"type": "function", "function": {"name": name}}


def call(id: str, name: str, arguments: Any) -> dict[str, Any]:  # noqa: A002
    """A call as it stands in the history. Arguments that are a string already are sent as they are."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return {"id": id, "type": "function", "function": {"name": name, "arguments": text}}


def result(id: str, content: Any) -> dict[str, Any]:  # noqa: A002
    """What a tool returned."""
    return {"role": "tool", "tool_call_id": id, "content": content}


ASK = "What is the weather in Paris?"
ASK_BOTH = "Weather in Paris and Rome?"

WEATHER = chat(ASK, tools=[GET_WEATHER])
"""The everyday case: one tool, one question that needs it, and the model is free to choose."""
WEATHER_STREAMED = streamed(WEATHER)
WEATHER_GREEDY = WEATHER.asking(temperature=0)
WEATHER_GREEDY_STREAMED = streamed(WEATHER_GREEDY)
UNNEEDED = chat(tools=[GET_WEATHER])
"""A tool that the question has no use for."""
BOTH = chat(ASK_BOTH, tools=[GET_WEATHER])
"""A question that needs two calls."""
BOTH_STREAMED = streamed(BOTH)
BOTH_GREEDY = BOTH.asking(temperature=0)
BOTH_GREEDY_STREAMED = streamed(BOTH_GREEDY)
ONE_AT_A_TIME = BOTH.asking(parallel_tool_calls=False)
PINGED = chat("Ping the server", tools=[PING])
"""A call without arguments."""
PINGED_STREAMED = streamed(PINGED)
OMITTED = PINGED.asking(tools=[{"type": "function", "function": {"name": "ping", "description": "Pings the server."}}])
"""A tool without a schema."""
ORDER = chat("Create the big order", tools=[CREATE_ORDER], temperature=0)
"""Arguments with everything in them: nesting, quotes, escapes, other alphabets, null."""
ORDER_STREAMED = streamed(ORDER)
BROKEN = chat("Call a tool with broken JSON", tools=[GET_WEATHER], temperature=0)
"""The fixture model breaks off within a call. What others do is no matter, as long as they do it in both modes."""
BROKEN_STREAMED = streamed(BROKEN)

REQUIRED = chat(tools=[GET_WEATHER, GET_TIME], tool_choice="required")
"""A call is demanded where the question has no use for one: the server's promise, not the model's wish."""
REQUIRED_STREAMED = streamed(REQUIRED)
REQUIRED_TWICE = REQUIRED.asking(n=2, temperature=1)
NAMED = chat(ASK, tools=[GET_WEATHER, GET_TIME], tool_choice=choosing("get_time"))
"""The question suggests one tool, and the request demands the other."""
NAMED_STREAMED = streamed(NAMED)
NONE = chat(ASK, tools=[GET_WEATHER], tool_choice="none")
"""The question suggests a tool, and the request forbids it."""
NONE_STREAMED = streamed(NONE)
ALLOWED = NAMED.asking(
    tool_choice={"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [choosing("get_time")]}}
)
"""Two tools are there, and one may be used."""
AUTO_SAID = WEATHER_GREEDY.asking(tool_choice="auto")
NULL_CHOICE = WEATHER.asking(tool_choice=None)
TOOLLESS = REQUIRED.asking(tools=...)
"""A call is demanded, and there is nothing to call."""
UNDEFINED = NAMED.asking(tool_choice=choosing("get_rain"))
"""A function is demanded that was not offered."""
NOTE_DOWN = {"type": "custom", "custom": {"name": "note_down", "description": "Keeps a note, in any words."}}
CUSTOM = chat(
    "Note down that the sea is blue", tools=[NOTE_DOWN], tool_choice={"type": "custom", "custom": {"name": "note_down"}}
)

CALLED = call("call_Zk3x9QwLr7TnB2vYc8Md", "get_weather", {"city": "Paris"})
CALLED_TOO = call("call_Hd5mPq1sXe4KjU6aGt0R", "get_weather", {"city": "Rome"})


def answered(*results: dict[str, Any], say: str = ASK, calls: tuple[Any, ...] = (CALLED,), **wishes: Any) -> Probe:
    """A conversation in which the tools were called and have returned: the model's turn again."""
    history = [user(say), assistant(None, tool_calls=list(calls)), *results]
    return chat(messages=history, **{"tools": [GET_WEATHER], **wishes})


RESULT = result(CALLED["id"], "21 degrees")
RESULTS = (RESULT, result(CALLED_TOO["id"], "25 degrees"))
ANSWERED = answered(RESULT)
"""The second turn of the everyday case."""
ANSWERED_IN_PARTS = answered(result(CALLED["id"], [{"type": "text", "text": "21 degrees"}]))
ANSWERED_AT_LENGTH = answered(
    result(CALLED["id"], "21 degrees, with " + "a light wind from the west, " * 10 + "no rain")
)
ANSWERED_WITH_NOTHING = (answered(result(CALLED["id"], "")), answered(result(CALLED["id"], "[]")))
ANSWERED_WITHOUT_ID = answered({"role": "tool", "content": "21 degrees"})
ANSWERED_WITHOUT_TOOLS = answered(RESULT, tools=...)
BOTH_ANSWERED = answered(*RESULTS, say=ASK_BOTH, calls=(CALLED, CALLED_TOO))
BOTH_ANSWERED_SWAPPED = answered(*reversed(RESULTS), say=ASK_BOTH, calls=(CALLED, CALLED_TOO))

EARLIER = chat(messages=[user("My name is Ada."), assistant("Hello Ada."), user("What is my name?")])
"""A conversation without tools."""
EARLIER_NULL = chat(
    messages=[user("My name is Ada."), assistant("Hello Ada.", tool_calls=None), user("What is my name?")]
)


GUARD_WORD = "SCHEMA_ENFORCED"
"""Only who is held to the schema says it: the question does not ask for it."""
SUBMIT = function("submit", "Submit a greeting.", guard={"type": "string", "const": GUARD_WORD})
GUARDED_CALL = chat("Say hello", tools=[SUBMIT], tool_choice="required")
GUARDED_CALL_NAMED = GUARDED_CALL.asking(tool_choice={"type": "function", "function": {"name": "submit"}})
