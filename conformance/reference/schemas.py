"""What is checked about JSON Schemas that a client sends: that they are some, and under `strict` what OpenAI supports.

Source of the strict rules: the guide on structured outputs, section "supported schemas".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import jsonschema
from jsonschema.validators import validator_for

from conformance.reference.answer import compact
from conformance.reference.flatten import Unknown, follow
from conformance.reference.instances import Unsatisfiable, instance
from conformance.reference.scalars import STRICT_FORMATS
from conformance.reference.wrong import Wrong

_REFUSED = ("allOf", "not", "dependentRequired", "dependentSchemas", "if", "then", "else")
"""What strict mode does not support."""
_DEEPEST, _MOST_MEMBERS, _MOST_VALUES, _MOST_LETTERS = 10, 5000, 1000, 120_000
_BRANCHES = ("anyOf", "oneOf", "allOf", "prefixItems")
_INSIDE = ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames")
_NAMED = ("properties", "patternProperties", "dependentSchemas", "$defs", "definitions")


def checked(schema: dict[str, Any], what: str, param: str, code: str, *, strict: bool) -> None:
    """Refuse what is no JSON Schema, what strict mode does not support, and references to nothing."""
    reason = _reason(compact(schema), strict)
    if reason:
        raise Wrong(f"Invalid schema for {what}: {reason}", param=param, code=code)


def made(schema: Any, seed: int) -> str:
    """The JSON text of a valid instance. Raises Unsatisfiable."""
    text, failed = _made(compact(schema), seed)
    if failed:
        raise Unsatisfiable(text)
    return text


@lru_cache(maxsize=1024)
def _made(text: str, seed: int) -> tuple[str, bool]:
    schema = json.loads(text)
    try:
        # `{}` allows anything. An object is what OpenAI would make of it, and what a client expects.
        return compact({} if not schema or schema is True else instance(schema, seed=seed)), False
    except Unsatisfiable as none:
        return str(none), True


@lru_cache(maxsize=1024)
def valid(schema: str, value: str) -> bool:
    """Whether one JSON text is a valid instance of another."""
    try:
        jsonschema.Draft202012Validator(json.loads(schema)).validate(json.loads(value))
    except Exception:
        return False  # whatever a client's schema breaks, the value is not known to be valid
    return True


@lru_cache(maxsize=1024)
def _reason(text: str, strict: bool) -> str | None:
    schema = json.loads(text)
    try:
        kind: Any = validator_for(schema, default=jsonschema.Draft202012Validator)
        kind.check_schema(schema, format_checker=kind.FORMAT_CHECKER)
    except jsonschema.SchemaError as error:
        return f"{compact(error.instance)[:200]} is not valid under the JSON Schema meta-schema: {error.message[:300]}"
    for path, part in _parts(schema):
        if isinstance(part.get("$ref"), str):
            try:
                follow(schema, part["$ref"])
            except Unknown:
                return f"In context={path}, reference '{part['$ref'][:100]}' does not exist."
    return _not_strict(schema) if strict else None


def _parts(schema: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Every subschema that is an object, with its path, outer before inner."""
    if not isinstance(schema, dict):
        return
    yield path, schema
    for word in _NAMED:
        for name, part in (schema.get(word) or {}).items():
            yield from _parts(part, (*path, word, name))
    for word in _INSIDE:
        yield from _parts(schema.get(word), (*path, word))
    for word in _BRANCHES:
        for index, part in enumerate(schema.get(word) or ()):
            yield from _parts(part, (*path, word, str(index)))


def _not_strict(schema: dict[str, Any]) -> str | None:
    """Why strict mode refuses a schema that is otherwise fine."""
    root = schema
    while "$ref" in root and root["$ref"] != "#" and isinstance(follow(schema, root["$ref"]), dict):
        root = follow(schema, root["$ref"])
    if root.get("type") != "object":
        return f"schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{root.get('type')}\"'."
    if "anyOf" in root:
        return "In context=(), 'anyOf' is not permitted at the root."
    members = values = letters = 0
    for path, part in _parts(schema):
        for word in _REFUSED:
            if word in part:
                return f"In context={path}, '{word}' is not permitted."
        if "format" in part and part["format"] not in STRICT_FORMATS:
            return f"In context={path}, '{part['format']}' is not a valid format."
        kinds = part.get("type", [])
        if "object" in kinds or "properties" in part:
            if part.get("additionalProperties") is not False:
                return f"In context={path}, 'additionalProperties' is required to be supplied and to be false."
            absent = [name for name in part.get("properties", {}) if name not in part.get("required", ())]
            if absent:
                return (
                    f"In context={path}, 'required' is required to be supplied and to be an array including every key "
                    f"in properties. Missing '{absent[0][:100]}'."
                )
        members += len(part.get("properties", {}))
        values += len(part.get("enum", ()))
        texts = [*part.get("properties", {}), *part.get("enum", ()), part.get("const", "")]
        letters += sum(len(text) for text in texts if isinstance(text, str))
        if sum(step in ("properties", "items") for step in path) > _DEEPEST:
            return f"{_DEEPEST + 1} levels of nesting exceeds limit of {_DEEPEST}."
    for found, most, of_what in (
        (members, _MOST_MEMBERS, "properties"),
        (values, _MOST_VALUES, "enum values"),
        (letters, _MOST_LETTERS, "characters in names and values"),
    ):
        if found > most:
            return f"{found} {of_what} exceeds limit of {most}."
    return None
