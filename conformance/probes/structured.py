"""Requests for answers in JSON, by a schema or not, and strategies of schemas that OpenAI's strict mode allows.

The schemas leave a model little room (constants, enumerations, bounded numbers, short patterns): a model that writes
noise then still ends, and what it writes says something about the server.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from conformance.core.probe import Probe
from conformance.probes.chat import chat, streamed
from conformance.probes.tools import GET_WEATHER

Schema = dict[str, Any]


def form(schema: Any, *, strict: Any = True, name: Any = "answer") -> dict[str, Any]:
    """The `response_format` that asks for answers by a schema. What is `...` is left out."""
    members = {"name": name, "strict": strict, "schema": schema}
    return {"type": "json_schema", "json_schema": {key: value for key, value in members.items() if value is not ...}}


def by_schema(schema: Any, say: str = "Say hello", /, *, strict: Any = True, **wishes: Any) -> Probe:
    """A chat request that asks for an answer by a schema."""
    return chat(say, response_format=form(schema, strict=strict), **wishes)


def objects(**properties: Any) -> Schema:
    """An object with exactly these members."""
    return closed(properties)


def closed(properties: dict[str, Any], **more: Any) -> Schema:
    """The same, for names that are no identifiers."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
        **more,
    }


GUARD = objects(
    schema_guard={"type": "string", "const": "SCHEMA_ENFORCED"},
    color={"type": "string", "enum": ["red", "green"]},
    ok={"type": "boolean"},
)
"""Only who read the schema knows the constant. The members are in another order than their names would sort."""
GUARDED = by_schema(GUARD)
GUARDED_STREAMED = streamed(GUARDED)
LOOSE = by_schema(GUARD, strict=False)
TWO_GUARDED = by_schema(GUARD, n=2, temperature=1)
WITH_TOOLS = by_schema(GUARD, tools=[GET_WEATHER])

JSON_OBJECT = chat("Give me JSON", response_format={"type": "json_object"})
JSON_OBJECT_STREAMED = streamed(JSON_OBJECT)
PLAIN_TEXT = chat(temperature=0, response_format={"type": "text"})

BAD_SCHEMAS: tuple[Schema, ...] = (
    objects(color={"type": "strnig"}),
    objects(color={"type": "string", "enum": "red"}),
    {**GUARD, "properties": "none"},
    {**GUARD, "required": "all"},
    objects(color={"$ref": "#/$defs/nowhere"}),
)
"""No JSON Schemas at all: an unknown type, words of the wrong type, a reference to nothing."""
BAD_REFERENCE = by_schema(BAD_SCHEMAS[-1])

BAD_FORMATS: tuple[Any, ...] = (
    {"type": "yaml"},
    {"type": "json_schema"},
    {"type": "json_schema", "json_schema": "answer"},
    form(GUARD, name=...),
    form("an object with a color"),
    form([GUARD]),
    form(GUARD, strict="very"),
)
"""What is no response format: an unknown type, members that are missing or of the wrong type."""

NAMES = ("color", "first name", "naïve", "世界", "😀 mood", "a.b/c~d", 'the "name"', "back\\slash", "Ünï-ço_dé", "0")
"""Names of members that a grammar has to quote, escape, or simply not trip over."""

_WORDS = ("red", "deep blue", "naïve", "世界", 'say "hi"', "back\\slash", "")
_leaves: SearchStrategy[Schema] = st.one_of(
    st.just({"type": "boolean"}),
    st.sampled_from(_WORDS).map(lambda word: {"type": "string", "const": word}),
    st.lists(st.sampled_from(_WORDS), min_size=1, max_size=3, unique=True).map(
        lambda words: {"type": "string", "enum": words}
    ),
    st.lists(st.integers(-5, 10**6), min_size=1, max_size=3, unique=True).map(
        lambda numbers: {"type": "integer", "enum": numbers}
    ),
    st.tuples(st.integers(-50, 50), st.integers(0, 60)).map(
        lambda drawn: {"type": "integer", "minimum": drawn[0], "maximum": drawn[0] + drawn[1]}
    ),
    st.sampled_from(["^[a-z]{1,8}$", "^[A-Z]{2}-[0-9]{3}$", "^(yes|no)$"]).map(
        lambda pattern: {"type": "string", "pattern": pattern}
    ),
    st.just({"type": ["boolean", "null"]}),
)


def _objects(inner: SearchStrategy[Schema]) -> SearchStrategy[Schema]:
    return st.dictionaries(st.sampled_from(NAMES), inner, min_size=1, max_size=3).map(closed)


def _arrays(inner: SearchStrategy[Schema]) -> SearchStrategy[Schema]:
    return st.tuples(inner, st.integers(0, 2), st.integers(0, 2)).map(
        lambda drawn: {"type": "array", "items": drawn[0], "minItems": drawn[1], "maxItems": drawn[1] + drawn[2] + 1}
    )


def _nullable(inner: SearchStrategy[Schema]) -> SearchStrategy[Schema]:
    return inner.map(lambda schema: {"anyOf": [schema, {"type": "null"}]})


_parts: SearchStrategy[Schema] = st.recursive(
    _leaves, lambda inner: st.one_of(_objects(inner), _arrays(inner), _nullable(inner)), max_leaves=4
)


def _with_defs(drawn: tuple[Schema, Schema, bool]) -> Schema:
    part, other, twice = drawn
    members = {"first": {"$ref": "#/$defs/part"}, "other": other}
    if twice:
        members["second"] = {"anyOf": [{"$ref": "#/$defs/part"}, {"type": "null"}]}
    return closed(members, **{"$defs": {"part": part}})


schemas: SearchStrategy[Schema] = st.one_of(_objects(_parts), st.tuples(_parts, _parts, st.booleans()).map(_with_defs))
"""Schemas of strict mode: objects, arrays, enumerations, constants, unions, nulls, definitions, bounds, odd names."""

odd_names: SearchStrategy[Schema] = st.lists(st.sampled_from(NAMES), min_size=2, max_size=4, unique=True).map(
    lambda names: closed({name: {"type": "boolean"} for name in names})
)
"""Objects with names that are no identifiers, in any order."""


def _list_of(leaf: Schema, root: bool) -> Schema:
    follow = {"$ref": "#" if root else "#/$defs/node"}
    node = objects(value=leaf, next={"anyOf": [follow, {"type": "null"}]})
    return node if root else closed({"node": {"$ref": "#/$defs/node"}}, **{"$defs": {"node": node}})


recursive: SearchStrategy[Schema] = st.builds(_list_of, _leaves, st.booleans())
"""Linked lists, by a reference to the root or to a definition."""

KEYWORDS: dict[str, Schema] = {
    "pattern": {"type": "string", "pattern": "^Z[0-9]{7}Q$"},
    "format": {"type": "string", "format": "uuid"},
    "minLength": {"type": "string", "minLength": 40, "maxLength": 41},
    "maxLength": {"type": "string", "maxLength": 2},
    "minimum": {"type": "integer", "minimum": 4711, "maximum": 4713},
    "multipleOf": {"type": "integer", "minimum": 0, "maximum": 99999, "multipleOf": 997},
    "minItems": {"type": "array", "items": {"type": "boolean"}, "minItems": 5, "maxItems": 6},
    "uniqueItems": {"type": "array", "items": {"enum": [1, 2, 3]}, "minItems": 3, "maxItems": 3, "uniqueItems": True},
    "prefixItems": {
        "type": "array",
        "prefixItems": [{"const": 7}],
        "items": {"const": 8},
        "minItems": 2,
        "maxItems": 2,
    },
    "contains": {"type": "array", "items": {"enum": [1, 2]}, "contains": {"const": 2}, "minItems": 1, "maxItems": 2},
    "patternProperties": {
        "type": "object",
        "patternProperties": {"^x_[0-9]$": {"const": 1}},
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 2,
    },
    "propertyNames": {
        "type": "object",
        "propertyNames": {"enum": ["a1"]},
        "additionalProperties": {"const": 1},
        "minProperties": 1,
    },
    "dependentRequired": {
        **objects(a={"const": 1}),
        "dependentRequired": {"a": ["b"]},
        "additionalProperties": {"const": 2},
    },
    "allOf": {"allOf": [{"type": "integer", "minimum": 4711}, {"type": "integer", "maximum": 4711}]},
    "oneOf": {"oneOf": [{"const": "left"}, {"const": "right"}]},
    "not": {"type": "integer", "minimum": 1, "maximum": 2, "not": {"const": 1}},
    "if": {"enum": [1, 2], "if": {"const": 1}, "then": False},
}
"""For each word of JSON Schema one that no free text satisfies by luck."""

keywords = st.sampled_from(sorted(KEYWORDS)).map(
    lambda word: chat("Say hello", response_format=form(objects(value=KEYWORDS[word]), strict=False, name=word))
)


def _nested(levels: int) -> Schema:
    schema: Schema = {"type": "boolean"}
    for _ in range(levels):
        schema = objects(inner=schema)
    return schema


LARGE = (
    _nested(5),
    _nested(9),
    _nested(60),
    closed({f"member_{number}": {"type": "boolean"} for number in range(100)}),
    objects(choice={"type": "string", "enum": [f"value {number}" for number in range(500)]}),
    objects(choice={"type": "string", "enum": ["x" * 5000, "y"]}),
)
"""Schemas at the documented limits and beyond: deep, wide, with many values, with long ones."""
