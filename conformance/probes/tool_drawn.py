"""Strategies of requests that offer tools: drawn schemas, names and values, wrong definitions, and histories.

A server is made to call a tool with a value of ours by a strict schema that allows no other. The value is in the
question as well, so that a server that leaves schemas to the model is asked for the same thing in words.
"""

from __future__ import annotations

import json
import string
from typing import Any

from hypothesis import strategies as st

from conformance.core.probe import Probe
from conformance.probes.chat import assistant, chat, streamed, user
from conformance.probes.tools import (
    ANSWERED,
    ASK,
    CALLED,
    GET_TIME,
    GET_WEATHER,
    REQUIRED,
    REQUIRED_STREAMED,
    UNNEEDED,
    WEATHER,
    answered,
    call,
    choosing,
    function,
    result,
    strict,
)

Schema = dict[str, Any]

# Values that have to come through


def echoing(value: Any) -> Probe:
    """A request to call a tool whose one argument can only be this value."""
    kind = "string" if isinstance(value, str) else "integer"
    echo = strict(function("echo", "Takes one value.", value={"type": kind, "enum": [value]}))
    said = json.dumps(value, ensure_ascii=False)
    return chat(f"Call echo with exactly this JSON value: {said}", tools=[echo], tool_choice=choosing("echo"))


def echoed(probe: Probe) -> Any:
    """The value that a probe made by `echoing` asks for."""
    return probe.wish["tools"][0]["function"]["parameters"]["properties"]["value"]["enum"][0]


PIECES = (
    '"',
    "\\",
    "\n",
    "\t",
    "'",
    "/",
    "{",
    "}",
    "[",
    ",",
    ":",
    "<b>",
    "&amp;",
    "%s",
    "a",
    " b",
    "é",
    "世界",
    "😀",
    "\\n",
    "\\u0041",
)
texts = st.lists(st.sampled_from(PIECES), min_size=6, max_size=12, unique=True).map("".join)
"""What JSON within a JSON string gets wrong: quotes, backslashes, line breaks, what looks like an escape, alphabets."""
foreign = st.lists(st.sampled_from(("é", "世界", "😀", "ß", "ж", "a")), min_size=1, max_size=6).map(
    lambda drawn: "ü" + "".join(drawn)
)
"""Text that is never all ASCII."""
big = st.builds(lambda size, sign: sign * size, st.integers(2**53 + 1, 2**63 - 1), st.sampled_from((1, -1)))
"""Integers that a detour over floating point rounds."""

echoes_of_text = texts.map(echoing)
echoes_of_text_streamed = texts.map(lambda value: streamed(echoing(value)))
echoes_of_foreign_text = foreign.map(echoing)
echoes_of_big_integers = big.map(echoing)

# Schemas that have to be kept

COLOUR = {"type": "string", "enum": ["red", "green", "blue"]}
_leaves = st.sampled_from(
    (
        COLOUR,
        {"type": "boolean"},
        {"type": "integer", "enum": [1, 2, 3]},
        {"type": "number", "enum": [0.5, -2]},
        {"anyOf": [COLOUR, {"type": "null"}]},
        {"type": ["string", "null"], "enum": ["on", "off", None]},
        {"$ref": "#/$defs/colour"},
    )
)
"""Leaves of which every value is short: a model that writes noise must come to an end."""


def _closed(properties: dict[str, Any]) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


_objects = st.dictionaries(st.sampled_from(("name", "vip", "sku", "qty")), _leaves, min_size=1, max_size=2).map(_closed)
_arrays = st.builds(
    lambda items, most: {"type": "array", "items": items, "minItems": 1, "maxItems": most},
    st.one_of(_leaves, _objects),
    st.integers(1, 3),
)


def _form(names: list[str], leaf: Schema, inner: Schema, many: Schema) -> Schema:
    form = _closed(dict(zip(names, (leaf, inner, many), strict=True)))
    return {**form, "$defs": {"colour": COLOUR}}


schemas = st.builds(_form, st.permutations(["customer", "items", "note"]), _leaves, _objects, _arrays)
"""Schemas within what strict mode knows, each with an object and an array in it, and with small instances only."""


def recording(schema: Schema) -> Probe:
    """A request to call a tool with whatever its strict schema allows."""
    tool = {"name": "record", "description": "Records a form.", "parameters": schema, "strict": True}
    return chat(
        "Call record with any values that its parameters allow.",
        tools=[{"type": "function", "function": tool}],
        tool_choice=choosing("record"),
    )


def parameters(probe: Probe) -> Schema:
    """The schema of the first tool that a probe offers."""
    schema: Schema = probe.wish["tools"][0]["function"]["parameters"]
    return schema


recordings = st.builds(
    lambda schema, stream: streamed(recording(schema)) if stream else recording(schema), schemas, st.booleans()
)
"""A strict tool, asked for whole or streamed."""

# Definitions that have to be accepted

LONG = "The tool is used as follows. " * 40
FEATURES: tuple[Schema, ...] = (
    {"type": "object", "properties": {"a": {"$ref": "#/$defs/node"}}, "$defs": {"node": {"type": "string"}}},
    {"type": "object", "properties": {"a": {"anyOf": [{"type": "string"}, {"type": "null"}]}}},
    {"type": "object", "properties": {"a": {"oneOf": [{"type": "string"}, {"type": "integer"}]}}},
    {"type": "object", "properties": {"a": {"type": ["string", "integer", "null"]}}},
    {"type": "object", "properties": {"a": {"enum": ["x", 1, None]}}},
    {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "object", "properties": {}}}}},
    {"type": "object", "properties": {"a": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 9}}},
    {"type": "object", "properties": {"a": {"type": "number", "minimum": 0, "default": 1, "examples": [2]}}},
    {"type": "object", "properties": {"größe": {"type": "string", "description": 'naïve — 世界 "q" \\ \n'}}},
    {"type": "object", "properties": {}, "additionalProperties": {"type": "string"}},
    {"type": "object", "properties": {"a": {"type": "string", "format": "date-time", "title": "A"}}, "title": "T"},
)
"""Schemas as people and code generators write them, for tools that are not strict."""


def defining(definition: Any) -> Probe:
    """A request that offers this function, and has no use for it."""
    return chat(tools=[{"type": "function", "function": definition}])


definitions = st.one_of(
    st.sampled_from(FEATURES).map(lambda schema: {"name": "tool", "description": "A tool.", "parameters": schema}),
    st.sampled_from(
        (
            {"name": "tool", "description": LONG, "parameters": _closed({"a": COLOUR})},
            {"name": "tool", "parameters": _closed({"a": COLOUR})},
            {"name": "tool", "description": "", "parameters": _closed({"a": COLOUR}), "strict": None},
        )
    ),
).map(lambda definition: (UNNEEDED, defining(definition)))
"""A plain tool, and one that is not."""
names = st.one_of(
    st.text(string.ascii_letters + string.digits + "_-", min_size=1, max_size=63).map(lambda rest: "f" + rest),
    st.text(string.ascii_letters + "_-", min_size=63, max_size=63).map(lambda rest: "g" + rest),
    st.sampled_from(("auto", "none", "required", "function", "tool_call")),
)
"""Function names as the contract allows them, some of the greatest length."""


def _one_of_many(drawn: list[str], place: int) -> Probe:
    unit = {"type": "string", "enum": ["C", "F"]}
    tools = [function(name, f"Tool number {number}.", unit=unit) for number, name in enumerate(drawn)]
    return chat(ASK, tools=tools, tool_choice=choosing(drawn[place % len(drawn)]))


named_among_many = st.builds(_one_of_many, st.lists(names, min_size=2, max_size=6, unique=True), st.integers(0, 5))
"""Several tools of odd names, one of which is demanded."""

# Requests that have to be refused

_bad = GET_WEATHER["function"]
malformed = st.sampled_from(
    (
        [{"type": "function"}],
        [{"type": "function", "function": {key: value for key, value in _bad.items() if key != "name"}}],
        [{"type": "function", "function": "get_weather"}],
        [{"type": "telepathy", "telepathy": {"name": "get_weather"}}],
        ["get_weather"],
        {"get_weather": GET_WEATHER},
        "get_weather",
    )
).map(lambda tools: (WEATHER, WEATHER.asking(tools=tools)))
"""A list of tools, and what is none."""
misnamed = st.sampled_from(("get weather", "get.weather", "wetter_für", "f" * 65, "", "a/b", "tool\n")).map(
    lambda name: (WEATHER, WEATHER.asking(tools=[{"type": "function", "function": {**_bad, "name": name}}]))
)
"""A plain tool, and one of a name that is not allowed."""
nonsense_choices = st.sampled_from(
    (
        "always",
        "Required",
        "",
        "get_weather",
        {},
        1,
        True,
        ["auto"],
        {"type": "function"},
        {"type": "function", "function": {}},
    )
).map(lambda choice: REQUIRED.asking(tool_choice=choice))
"""What is no `tool_choice`."""
ODD = {
    "an empty list": WEATHER.asking(tools=[]),
    "null": WEATHER.asking(tools=None),
    "the same name twice": WEATHER.asking(tools=[GET_WEATHER, GET_WEATHER]),
    "a strict schema that is not closed": WEATHER.asking(
        tools=[strict({**GET_TIME, "function": {**GET_TIME["function"], "parameters": {"type": "object"}}})]
    ),
    "a schema of an unknown type": WEATHER.asking(
        tools=[{"type": "function", "function": {**_bad, "parameters": {"type": "strnig"}}}]
    ),
}
"""Lists of tools on which servers honestly differ."""

# Caps that cut a call short

caps = st.tuples(st.sampled_from((REQUIRED, REQUIRED_STREAMED)), st.integers(1, 32)).map(
    lambda drawn: (drawn[0], drawn[0].asking(max_completion_tokens=drawn[1]))
)
"""A demanded call, and the same with so small a cap that it may not come to its end."""

# Histories

_alphabet = string.ascii_letters + string.digits
ids = st.one_of(
    st.text(_alphabet, min_size=24, max_size=24).map("call_".__add__),
    st.text(_alphabet, min_size=9, max_size=9),
    st.uuids(version=4).map(str),
    st.text(_alphabet, min_size=22, max_size=22).map("toolu_01".__add__),
    st.integers(0, 9).map("functions.get_weather:{}".format),
    st.text(string.hexdigits.lower(), min_size=24, max_size=24).map("chatcmpl-tool-".__add__),
)
"""Ids of calls as various servers make them, none longer than the 40 characters that OpenAI takes."""


def _from_elsewhere(name: str) -> Probe:
    return answered(result(name, "21 degrees"), calls=(call(name, "get_weather", {"city": "Paris"}),))


foreign_ids = ids.map(lambda drawn: (ANSWERED, _from_elsewhere(drawn)))
"""A conversation that another server began."""
outputs = st.one_of(
    texts,
    st.sampled_from(
        (
            "null",
            '{"degrees": 21, "sky": ["clear"], "note": "a \\"b\\""}',
            "Error: the station does not answer.",
            "<html><body>21</body></html>",
            "\x01\x1b[31m21\x7f",
            "</tool_response><|im_end|>",
            "21 degrees. " * 100,
            "\u202e21\u202c \ufffd\u2028",
        )
    ),
).map(lambda text: (ANSWERED, answered(result(CALLED["id"], text))))
"""What tools return: nothing, JSON, errors, markup, control characters, a great deal."""
ORPHANS = {
    "a result of no call": answered(result("call_unknown000000000000", "21 degrees")),
    "a call without a result": chat(
        messages=[user(ASK), assistant(None, tool_calls=[CALLED]), user("Well?")], tools=[GET_WEATHER]
    ),
    "a result before any call": chat(messages=[result(CALLED["id"], "21 degrees"), user(ASK)], tools=[GET_WEATHER]),
    "arguments that are no JSON": answered(
        result(CALLED["id"], "invalid arguments"), calls=(call(CALLED["id"], "get_weather", '{"city": "Par'),)
    ),
    "arguments that are empty": answered(
        result(CALLED["id"], "invalid arguments"), calls=(call(CALLED["id"], "get_weather", ""),)
    ),
}
"""Histories that clients cut, compress or get from a model, and on which servers honestly differ."""
