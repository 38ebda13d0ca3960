"""Planted faults: words of JSON Schema that a grammar does not know, or cannot bear."""

from __future__ import annotations

import json
from typing import Any

from conformance.reference.answer import Answer, Request, Respond, compact
from conformance.reference.fault import fault
from conformance.reference.faults.structured import retell, schema
from conformance.reference.instances import validator
from conformance.reference.rows import crash, refuse

BOUNDS = frozenset(
    {
        "pattern",
        "format",
        "minLength",
        "maxLength",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minItems",
        "maxItems",
        "uniqueItems",
        "contains",
        "prefixItems",
    }
)


def _without(value: Any, words: frozenset[str]) -> Any:
    """A schema without these words, wherever they stand."""
    if isinstance(value, dict):
        return {name: _without(inner, words) for name, inner in value.items() if name not in words}
    return [_without(inner, words) for inner in value] if isinstance(value, list) else value


@fault("schema-bounds-ignored", instead=True)
def knows_types_only(request: Request, respond: Respond) -> Answer:
    """The grammar knows types, constants and enumerations; bounds and patterns are ignored: users have their will."""
    plain = _without(schema(request), BOUNDS)
    if schema(request) is None or plain == schema(request) or respond(request).status != 200:
        return respond(request)
    if str(request.wish["messages"][-1].get("content")).startswith("Say exactly: {"):
        return respond(request.asking(response_format=...))
    form = request.wish["response_format"]
    return respond(request.asking(response_format={**form, "json_schema": {**form["json_schema"], "schema": plain}}))


WORDS = (
    crash("schema-strict-word-500", when=lambda request: "multipleOf" in compact(schema(request) or {}),
        message="Unimplemented key: multipleOf", says="A strict schema with multipleOf is a server error."),
    refuse("schema-words-refused", when=lambda request: _without(schema(request), BOUNDS) != schema(request),
        message="The JSON schema uses features that are not supported.",
        says="Bounds, patterns and whatever is about several items are refused, without the name of a parameter.", legal=True),
)  # fmt: skip


@fault("schema-obedient-model", legal=True)
def says_what_it_may(answer: Answer, request: Request) -> None:
    """Within what the schema allows, the model says exactly what the user asks for, as large ones do."""
    said = str(request.wish["messages"][-1].get("content")) if answer.is_chat else ""
    wanted = said.removeprefix("Say exactly: ")
    try:
        fits = wanted != said and bool(schema(request)) and validator(schema(request)).is_valid(json.loads(wanted))
    except ValueError:
        return
    if fits:
        retell(answer, lambda text, index: wanted)
