"""Instances of JSON Schemas: always valid, in the order of the schema, the smallest where a schema recurs."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.reference.instances import Unsatisfiable, instance
from conformance.reference.patterns import finds, matching
from conformance.reference.scalars import STRICT_FORMATS

NODE = {
    "type": "object",
    "properties": {"value": {"type": "string"}, "next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}},
    "required": ["value", "next"],
    "additionalProperties": False,
}
TREE = {
    "$ref": "#/$defs/node",
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
            },
            "required": ["name", "children"],
            "additionalProperties": False,
        }
    },
}
EXPRESSION = {
    "$ref": "#/$defs/e",
    "$defs": {
        "e": {
            "anyOf": [
                {
                    "type": "object",
                    "properties": {"left": {"$ref": "#/$defs/e"}, "right": {"$ref": "#/$defs/e"}},
                    "required": ["left", "right"],
                },
                {"type": "number"},
            ]
        }
    },
}
SCHEMAS: list[Any] = [
    {},
    True,
    {"type": ["null", "string"]},
    {"enum": [None, 3, "x"]},
    {"const": {"a": [1, True]}},
    NODE,
    TREE,
    EXPRESSION,
    {"definitions": {"id": {"type": "string", "format": "uuid"}}, "properties": {"a": {"$ref": "#/definitions/id"}}},
    {"properties": {"a": {"$ref": "#/$defs/with%20space~1slash"}}, "$defs": {"with space/slash": {"type": "integer"}}},
    {"$ref": "#here", "$defs": {"a": {"$anchor": "here", "type": "integer"}}},
    {"type": "string", "pattern": "^[A-Z]{2}-\\d{3,5}(x|y)?$"},
    {"type": "string", "pattern": "^\\d+$", "minLength": 7, "maxLength": 7},
    {"type": "string", "pattern": "b", "minLength": 5},
    {"type": "string", "pattern": "^(a|bb)[^0-9a-z]\\w\\s.$"},
    {"type": "string", "minLength": 30, "maxLength": 31},
    {"type": "string", "maxLength": 0},
    {"type": "integer", "minimum": 5, "exclusiveMaximum": 7},
    {"type": "integer", "exclusiveMinimum": -1, "exclusiveMaximum": 1},
    {"type": "integer", "maximum": -10, "multipleOf": 7},
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.001},
    {"type": "number", "multipleOf": 0.01, "minimum": 3.005},
    {"type": "number", "multipleOf": 2.5, "minimum": 1},
    {"type": "number", "minimum": 1e15},
    {"type": "array", "items": {"enum": [1, 2, 3, 4]}, "minItems": 4, "uniqueItems": True},
    {"type": "array", "items": {"type": "boolean"}, "minItems": 2, "uniqueItems": True},
    {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "items": False, "minItems": 2},
    {"type": "array", "contains": {"const": 7}, "minContains": 2, "items": {"type": "integer"}, "minItems": 3},
    {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "array",
        "items": [{"const": 1}, {"const": 2}],
        "additionalItems": {"const": 3},
        "minItems": 3,
    },
    {"type": "array", "maxItems": 0, "items": {"type": "string"}},
    {"allOf": [{"properties": {"a": {"type": "integer"}}, "required": ["a"]}, {"required": ["b"]}]},
    {"allOf": [{"type": "number", "minimum": 3}, {"type": ["integer", "string"], "maximum": 3}]},
    {"oneOf": [{"type": "integer"}, {"type": "number", "minimum": 5}]},
    {"type": "string", "not": {"enum": ["text", "blue"]}},
    {
        "type": "object",
        "patternProperties": {"^x_": {"type": "integer"}},
        "minProperties": 3,
        "additionalProperties": False,
    },
    {"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 3, "maxProperties": 3},
    {"type": "object", "propertyNames": {"pattern": "^[A-Z]{3}$"}, "minProperties": 2},
    {"type": "object", "properties": {"a": {}, "b": {}, "c": {}}, "required": ["c"], "maxProperties": 2},
    {"required": ["a"], "dependentRequired": {"a": ["b"]}, "properties": {"b": {"type": "string"}}},
    {"required": ["a"], "dependentSchemas": {"a": {"required": ["c"]}}},
    {
        "properties": {"kind": {"enum": ["a", "b"]}, "n": {"type": "integer"}},
        "required": ["kind"],
        "if": {"properties": {"kind": {"const": "a"}}},
        "then": {"required": ["n"]},
    },
    {"type": "object", "properties": {"first name": {"type": "string"}, "ключ": {"type": "null"}, "": {"const": 1}}},
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: json.dumps(schema)[:60])
@pytest.mark.parametrize("seed", [0, 1, 6])
def test_instances_are_valid(schema: Any, seed: int) -> None:
    """Every keyword that people use is kept, whatever the seed."""
    made = instance(schema, seed=seed)
    jsonschema.validate(json.loads(json.dumps(made)), schema)


@pytest.mark.parametrize(
    "schema",
    [
        False,
        {"enum": []},
        {"type": "integer", "minimum": 5, "maximum": 4},
        {"type": "string", "minLength": 5, "maxLength": 2},
        {"type": "object", "properties": {"again": {"$ref": "#"}}, "required": ["again"]},
        {"$ref": "#"},
        {"$ref": "#/nowhere"},
        {"$ref": "http://127.0.0.1:9/never-fetched"},
        {"type": "strnig"},
        {"type": "string", "pattern": "("},
        {"type": "array", "minItems": 10**9},
        {"type": "array", "items": {"type": "null"}, "minItems": 2, "uniqueItems": True},
        {"allOf": [{"type": "string"}, {"type": "integer"}]},
        {"minimum": "x"},
        {"not": {}},
    ],
    ids=str,
)
def test_what_cannot_be_made_is_said(schema: Any) -> None:
    """No instance, no guess: contradictions, broken schemas and references to elsewhere are Unsatisfiable."""
    with pytest.raises(Unsatisfiable):
        instance(schema)


def test_members_come_in_the_order_of_the_schema() -> None:
    """Not in alphabetical order, nor in that of `required`."""
    schema = {"properties": {name: {"type": "integer"} for name in "zamb"}, "required": list("abmz")}
    assert list(instance(schema)) == list("zamb")


def test_recursion_ends_at_the_smallest() -> None:
    """A list that may end, ends; a tree has no children; an expression is a leaf."""
    assert instance(NODE) == {"value": "text", "next": None}
    assert instance(TREE)["children"] == []
    assert isinstance(instance(EXPRESSION), float)


def test_what_may_be_null_is_not_null() -> None:
    """The interesting branch is taken where it does not recur."""
    address = {"type": "object", "properties": {"street": {"type": "string"}}, "required": ["street"]}
    schema = {
        "properties": {"a": {"anyOf": [{"$ref": "#/$defs/address"}, {"type": "null"}]}},
        "$defs": {"address": address},
    }
    assert instance(schema) == {"a": {"street": "text"}}


def test_a_part_of_a_schema_has_the_references_of_the_whole() -> None:
    """`root` is where references are looked up."""
    root = {"$defs": {"colour": {"enum": ["red"]}}, "properties": {"c": {"$ref": "#/$defs/colour"}}}
    assert instance(root["properties"]["c"], root=root) == "red"


def test_another_seed_is_another_instance() -> None:
    """Choices and seeds have something to differ in."""
    schema = {"properties": {"a": {"type": "string"}, "b": {"type": "number"}}, "required": ["a", "b"]}
    assert len({json.dumps(instance(schema, seed=seed)) for seed in range(7)}) == 7


@pytest.mark.parametrize("form", STRICT_FORMATS)
def test_formats_are_kept(form: str) -> None:
    """Each of the nine formats of structured outputs is written as its standard has it."""
    shapes = {
        "date-time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
        "time": r"\d\d:\d\d:\d\dZ",
        "date": r"\d{4}-\d\d-\d\d",
        "duration": r"P\d+D",
        "email": r"\w+@[\w.]+",
        "hostname": r"[\w.]+",
        "ipv4": r"(\d+\.){3}\d+",
        "ipv6": r"[0-9a-f:]+",
        "uuid": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    }
    made = instance({"type": "string", "format": form}, seed=27)
    assert finds(f"^{shapes[form]}$", made)


@pytest.mark.parametrize(
    "pattern", [r"^(\w)\1[a-c]{2,3}?$", r"^(?:ab|c)*d+$", r"^[^\W\d_]+$", r"\bword\b", r"^(?=a)a$"]
)
@pytest.mark.parametrize("extra", [0, 2])
def test_a_pattern_is_found_in_what_it_makes(pattern: str, extra: int) -> None:
    """Groups, back references, lazy and possessive repetition, anchors and look-ahead."""
    assert finds(pattern, matching(pattern, extra=extra))


leaves = st.one_of(
    st.builds(
        lambda low, more: {"type": "integer", "minimum": low, "maximum": low + more},
        st.integers(-9, 9),
        st.integers(0, 9),
    ),
    st.builds(
        lambda low, more: {"type": "string", "minLength": low, "maxLength": low + more},
        st.integers(0, 9),
        st.integers(0, 9),
    ),
    st.lists(st.text(max_size=5), min_size=1, max_size=3).map(lambda values: {"enum": values}),
    st.sampled_from([{"type": "boolean"}, {"type": "null"}, {"type": "number"}, {"type": ["string", "null"]}]),
)
schemas = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(lambda items, low: {"type": "array", "items": items, "minItems": low}, inner, st.integers(0, 3)),
        st.dictionaries(st.text(max_size=5), inner, max_size=4).map(
            lambda members: {
                "type": "object", "properties": members, "required": list(members), "additionalProperties": False,
            }
        ),
        st.lists(inner, min_size=1, max_size=3).map(lambda branches: {"anyOf": branches}),
    ),
    max_leaves=12,
)  # fmt: skip


@given(schemas, st.integers(0, 50))
@settings(deadline=None)
def test_drawn_schemas_have_valid_instances(schema: dict[str, Any], seed: int) -> None:
    """Whatever is nested in whatever, what is made is valid."""
    jsonschema.validate(instance(schema, seed=seed), schema)
