"""Requests that find out which words of JSON Schema an endpoint enforces: one word each, and a reason to break it.

The user asks for values that only this one word forbids, once with the word in the schema and once without. An obedient
model gives them where nothing holds it back; and what a model that writes noise gives without the word shows whether it
would have broken it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from conformance.core.probe import Probe
from conformance.probes.structured import Schema, by_schema, closed, objects

STRING: Schema = {"type": "string"}
INTEGER: Schema = {"type": "integer"}
BOOLEAN: Schema = {"type": "boolean"}
PLACES = ("a", "b", "c", "d")
"""A word is tried in as many places at once: one that is ignored is hardly kept in all of them by luck."""


@dataclass(frozen=True)
class Word:
    """A word of JSON Schema, a schema with it, the same without, and a value that is valid but for that word."""

    word: str
    schema: Schema
    plain: Schema
    broken: Any
    strict: bool = True
    """Whether it is tried in strict mode; what strict mode leaves no room for is tried without."""

    @property
    def probe(self) -> Probe:
        """The request that tempts the model to break the word."""
        return by_schema(self.schema, self._say, strict=self.strict)

    @property
    def loose(self) -> Probe:
        """The same without strict mode."""
        return by_schema(self.schema, self._say, strict=False)

    @property
    def control(self) -> Probe:
        """The same request without the word."""
        return by_schema(self.plain, self._say, strict=False)

    @property
    def _say(self) -> str:
        return f"Say exactly: {json.dumps(self.broken)}"


def member(word: str, plain: Schema, broken: Any, *, strict: bool = True, **words: Any) -> Word:
    """A word in the schemas of all the members of an object: `words` are added to the plain schema."""
    return members(word, plain, {place: {**plain, **words} for place in PLACES}, broken, strict=strict)


def members(word: str, plain: Schema, schemas: dict[str, Schema], broken: Any, *, strict: bool = True) -> Word:
    """The same, with a schema of its own for each member, and one broken value or one for each."""
    values = broken if isinstance(broken, dict) and broken.keys() == schemas.keys() else dict.fromkeys(schemas, broken)
    return Word(word, objects(**schemas), objects(**dict.fromkeys(schemas, plain)), values, strict)


def instead(word: str, schema: Schema, broken: Any) -> Word:
    """A word that stands in the place of a plain string."""
    return members(word, STRING, dict.fromkeys(PLACES, schema), broken)


def _array(items: Schema, **words: Any) -> Schema:
    return {"type": "array", "items": items, **words}


_OPEN: Schema = {"type": "object", "additionalProperties": INTEGER}
_ITEMS = _array(INTEGER)
_FLAGS = _array(BOOLEAN)
_COLOR: Schema = {"type": "string", "enum": ["red", "green"]}
_LEAF: Schema = {"type": "integer", "enum": [1, 2]}
_TABOO = {"a": "red", "b": "green", "c": "red", "d": "green"}
_PAIR = objects(kind={"type": "string", "enum": ["a", "b"]}, mark={"type": "string", "enum": ["x", "y"]})


def _marked(first: str, second: str) -> Schema:
    """A pair whose mark depends on its kind."""
    return {
        **_PAIR,
        "if": {"properties": {"kind": {"const": "a"}}},
        "then": {"properties": {"mark": {"const": first}}},
        "else": {"properties": {"mark": {"const": second}}},
    }


def _referring(place: str) -> Word:
    """A reference to a definition, under the one or the other name for definitions."""
    schema = closed({"value": {"$ref": f"#/{place}/color"}}, **{place: {"color": _COLOR}})
    return Word(f"$ref to {place}", schema, objects(value=STRING), {"value": "blue"})


GROUPS: dict[str, tuple[Word, ...]] = {
    "values": (
        instead("type", INTEGER, "many"),
        instead("const", {"type": "string", "const": "SCHEMA_ENFORCED"}, "something else"),
        instead("enum", _COLOR, "blue"),
    ),
    "strings": (
        member("pattern", STRING, "hello", pattern="^Z[0-9]{7}Q$"),
        member("format", STRING, "hello", format="uuid"),
        member("minLength", STRING, "hi", minLength=40),
        member("maxLength", STRING, "a string of many words", maxLength=3),
    ),
    "numbers": (
        member("minimum", INTEGER, 7, minimum=1_000_000),
        member("maximum", INTEGER, 7, maximum=-1000),
        member("exclusiveMinimum", INTEGER, 1_000_000, exclusiveMinimum=1_000_000),
        member("exclusiveMaximum", INTEGER, -1000, exclusiveMaximum=-1000),
        member("multipleOf", INTEGER, 1000, multipleOf=997),
    ),
    "arrays": (
        instead("items", _FLAGS, "true"),
        member("minItems", _FLAGS, [True], minItems=7),
        member("maxItems", _FLAGS, [True, False, True, False, True], maxItems=1),
        member("uniqueItems", _array(_LEAF, minItems=2), [1, 1], uniqueItems=True),
        member("contains", _ITEMS, [1, 2], contains={"const": 42}),
        member("prefixItems", {**_ITEMS, "minItems": 1}, [1, 2], prefixItems=[{"const": 7}, {"const": 8}]),
    ),
    "objects": (
        Word(
            "required",
            objects(**dict.fromkeys(PLACES, BOOLEAN)),
            {**objects(**dict.fromkeys(PLACES, BOOLEAN)), "required": ["a"]},
            {"a": True},
        ),
        Word(
            "additionalProperties",
            objects(value=BOOLEAN),
            {**objects(value=BOOLEAN), "additionalProperties": BOOLEAN},
            {"value": True, "more": True},
        ),
        member("patternProperties", _OPEN, {"name": 1}, strict=False, patternProperties={"^[a-z]": {"const": 42}}),
        member("propertyNames", _OPEN, {"name": 1}, strict=False, propertyNames={"pattern": "^x_[0-9]$"}),
        member("minProperties", _OPEN, {"a": 1}, strict=False, minProperties=3),
        member("maxProperties", _OPEN, {"m": 1, "n": 2, "o": 3}, strict=False, maxProperties=1),
        member(
            "dependentRequired",
            {**objects(m=INTEGER, n=INTEGER), "required": ["m"]},
            {"m": 1},
            strict=False,
            dependentRequired={"m": ["n"]},
        ),
    ),
    "combinations": (
        instead("anyOf", {"anyOf": [INTEGER, BOOLEAN]}, "neither"),
        instead("oneOf", {"oneOf": [{"const": "left"}, {"const": "right"}]}, "both"),
        instead("allOf", {"allOf": [STRING, {"enum": ["red", "green"]}]}, "blue"),
        members(
            "not",
            _COLOR,
            {place: {**_COLOR, "not": {"const": taboo}} for place, taboo in _TABOO.items()},
            _TABOO,
        ),
        members(
            "if/then/else",
            _PAIR,
            {"a": _marked("x", "y"), "b": _marked("y", "x"), "c": _marked("x", "y"), "d": _marked("y", "x")},
            {
                "a": {"kind": "a", "mark": "y"},
                "b": {"kind": "b", "mark": "y"},
                "c": {"kind": "b", "mark": "x"},
                "d": {"kind": "a", "mark": "x"},
            },
        ),
    ),
    "references": (
        _referring("$defs"),
        _referring("definitions"),
        Word(
            "recursion",
            objects(value=_LEAF, next={"anyOf": [{"$ref": "#"}, {"type": "null"}]}),
            objects(value=_LEAF, next=objects(value=_LEAF, next=STRING)),
            {"value": 1, "next": {"value": 1, "next": "the end"}},
        ),
    ),
    "roots": (
        Word("array", _array(_LEAF, minItems=1, maxItems=4), objects(value=INTEGER), {"value": 3}),
        Word("anyOf", {"anyOf": [objects(left=BOOLEAN), objects(right=BOOLEAN)]}, objects(up=BOOLEAN), {"up": True}),
        Word("empty object", objects(), objects(value=INTEGER), {"value": 1}),
    ),
}
"""The words by what they are about. The last group is about what a whole answer may be."""

WORDS = {one.probe.key: one for group in GROUPS.values() for one in group}
"""By the keys of their requests."""

LOOSE = {one.loose.key: one for name, group in GROUPS.items() if name != "roots" for one in group if one.strict}
"""Those that are tried in strict mode, by the keys of their requests without it."""

every_word: SearchStrategy[Probe] = st.sampled_from([one.probe for one in WORDS.values()])


def words(group: str) -> SearchStrategy[tuple[Probe, Probe]]:
    """The requests about the words of a group, each after the one without the word."""
    return st.sampled_from([(one.control, one.probe) for one in GROUPS[group]])


loose_words: SearchStrategy[tuple[Probe, Probe]] = st.sampled_from([(one.control, one.loose) for one in LOOSE.values()])
"""The requests about words without strict mode, each after the one without the word."""
