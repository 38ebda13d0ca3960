"""Requests that find out which words of JSON Schema an endpoint enforces: one word each, and a reason to break it.

The user asks for a value that only this one word forbids. An obedient model gives it unless the server holds it
back; one that writes noise hardly ever keeps the word by luck.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from conformance.probe import Probe
from conformance.probes.structured import Schema, by_schema, closed, objects

STRING: Schema = {"type": "string"}
INTEGER: Schema = {"type": "integer"}
BOOLEAN: Schema = {"type": "boolean"}


@dataclass(frozen=True)
class Word:
    """A word of JSON Schema, a schema that uses it, and a value that is valid but for that word."""

    word: str
    schema: Schema
    broken: Any
    strict: bool = True
    """Whether it is tried in strict mode; what strict mode leaves no room for is tried without."""

    @property
    def probe(self) -> Probe:
        """The request that tempts the model to break the word."""
        return by_schema(self.schema, f"Say exactly: {json.dumps(self.broken)}", strict=self.strict)


def member(word: str, schema: Schema, broken: Any, *, strict: bool = True) -> Word:
    """A word in the schema of the only member of an object."""
    return Word(word, objects(value=schema), {"value": broken}, strict)


def _open(**words: Any) -> Schema:
    """An object with any members that are integers, and so no schema for strict mode."""
    return {"type": "object", "additionalProperties": INTEGER, **words}


def _array(items: Schema, **words: Any) -> Schema:
    return {"type": "array", "items": items, **words}


_KIND_AND_MARK = objects(kind={"type": "string", "enum": ["a", "b"]}, mark={"type": "string", "enum": ["x", "y"]})
_IF = {
    "if": {"properties": {"kind": {"const": "a"}}},
    "then": {"properties": {"mark": {"const": "x"}}},
    "else": {"properties": {"mark": {"const": "y"}}},
}
_COLOR: Schema = {"type": "string", "enum": ["red", "green"]}
_LEAF: Schema = {"type": "integer", "enum": [1, 2]}
_CHAIN = {"value": 1, "next": {"value": 1, "next": "the end"}}

GROUPS: dict[str, tuple[Word, ...]] = {
    "values": (
        member("type", INTEGER, "many"),
        member("const", {"type": "string", "const": "SCHEMA_ENFORCED"}, "something else"),
        member("enum", _COLOR, "blue"),
    ),
    "strings": (
        member("pattern", {**STRING, "pattern": "^Z[0-9]{7}Q$"}, "hello"),
        member("format", {**STRING, "format": "uuid"}, "hello"),
        member("minLength", {**STRING, "minLength": 40}, "hi"),
        member("maxLength", {**STRING, "maxLength": 3}, "a string of many words"),
    ),
    "numbers": (
        member("minimum", {**INTEGER, "minimum": 1_000_000}, 7),
        member("maximum", {**INTEGER, "maximum": -1000}, 7),
        member("exclusiveMinimum", {**INTEGER, "exclusiveMinimum": 1_000_000}, 1_000_000),
        member("exclusiveMaximum", {**INTEGER, "exclusiveMaximum": -1000}, -1000),
        member("multipleOf", {**INTEGER, "multipleOf": 997}, 1000),
    ),
    "arrays": (
        member("items", _array(BOOLEAN), ["a", "b"]),
        member("minItems", _array(BOOLEAN, minItems=7), [True]),
        member("maxItems", _array(BOOLEAN, maxItems=2), [True, False, True, False, True]),
        member("uniqueItems", _array({**INTEGER, "enum": [1, 2, 3]}, uniqueItems=True), [1, 1, 1]),
        member("contains", _array(INTEGER, contains={"const": 42}), [1, 2]),
        member("prefixItems", _array(INTEGER, prefixItems=[{"const": 7}, {"const": 8}]), [1, 2]),
    ),
    "objects": (
        Word("required", objects(first=BOOLEAN, second=BOOLEAN), {"first": True}),
        Word("additionalProperties", objects(value=BOOLEAN), {"value": True, "more": True}),
        member(
            "patternProperties",
            {"type": "object", "patternProperties": {"^x_[0-9]$": INTEGER}, "additionalProperties": False},
            {"name": 1},
        ),
        member("propertyNames", _open(propertyNames={"pattern": "^x_[0-9]$"}), {"name": 1}, strict=False),
        member("minProperties", _open(minProperties=3), {"a": 1}, strict=False),
        member("maxProperties", _open(maxProperties=1), {"a": 1, "b": 2, "c": 3}, strict=False),
        member(
            "dependentRequired",
            {
                "type": "object",
                "properties": {"a": INTEGER, "b": INTEGER},
                "required": ["a"],
                "additionalProperties": False,
                "dependentRequired": {"a": ["b"]},
            },
            {"a": 1},
            strict=False,
        ),
    ),
    "combinations": (
        member("anyOf", {"anyOf": [INTEGER, BOOLEAN]}, "neither"),
        member("oneOf", {"oneOf": [{"const": "left"}, {"const": "right"}]}, "both"),
        member("allOf", {"allOf": [STRING, {"enum": ["red", "green"]}]}, "blue"),
        member("not", {**_COLOR, "not": {"const": "green"}}, "green"),
        member("if/then/else", {**_KIND_AND_MARK, **_IF}, {"kind": "a", "mark": "y"}),
    ),
    "references": (
        Word(
            "$ref to $defs",
            closed({"value": {"$ref": "#/$defs/color"}}, **{"$defs": {"color": _COLOR}}),
            {"value": "blue"},
        ),
        Word(
            "$ref to definitions",
            closed({"value": {"$ref": "#/definitions/color"}}, definitions={"color": _COLOR}),
            {"value": "blue"},
        ),
        Word("recursion", objects(value=_LEAF, next={"anyOf": [{"$ref": "#"}, {"type": "null"}]}), _CHAIN),
    ),
    "roots": (
        Word("array", _array({**INTEGER, "enum": [1, 2]}, minItems=1, maxItems=4), {"value": 3}),
        Word("anyOf", {"anyOf": [objects(left=BOOLEAN), objects(right=BOOLEAN)]}, {"up": True}),
        Word("empty object", objects(), {"value": 1}),
    ),
}
"""The words by what they are about. The last group is about what a whole answer may be."""

WORDS = {one.probe.key: one for group in GROUPS.values() for one in group}
"""By the keys of their requests."""

every_word: SearchStrategy[Probe] = st.sampled_from([one.probe for one in WORDS.values()])


def words(group: str) -> SearchStrategy[Probe]:
    """The requests about the words of a group."""
    return st.sampled_from([one.probe for one in GROUPS[group]])
