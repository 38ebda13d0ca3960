"""JSON Schemas made plain: references followed, `allOf` merged, a branch of `anyOf` taken, one type chosen.

What comes out is a suggestion of what to make. Whether the made value is valid is for a validator to say.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

Schema = dict[str, Any]
_LARGER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains")
_SMALLER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains")
_BOTH = ("items", "additionalProperties", "propertyNames", "contains", "unevaluatedProperties", "unevaluatedItems")
_COMBINERS = ("$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "if", "then", "else")
_HINTS = {
    "object": ("properties", "required", "additionalProperties", "patternProperties", "propertyNames",
               "minProperties", "maxProperties", "dependentRequired", "dependentSchemas"),
    "array": ("items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains"),
    "string": ("pattern", "minLength", "maxLength", "format"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}  # fmt: skip
TYPES = ("string", "number", "integer", "object", "array", "boolean", "null")


class Unknown(LookupError):
    """A reference to nothing."""


def follow(root: Any, reference: str) -> Any:
    """What a reference inside the document points to. Raises Unknown for nothing, and for what is elsewhere."""
    if isinstance(root, dict) and (base := root.get("$id")) and reference.startswith(base):
        reference = reference[len(base) :] or "#"
    if not reference.startswith("#"):
        raise Unknown(reference)
    if reference[1:2] not in ("", "/"):
        return _anchored(root, reference[1:], reference)
    here = root
    for step in reference[2:].split("/") if len(reference) > 1 else ():
        name = unquote(step).replace("~1", "/").replace("~0", "~")
        if isinstance(here, dict) and name in here:
            here = here[name]
        elif isinstance(here, list) and name.isdigit() and int(name) < len(here):
            here = here[int(name)]
        else:
            raise Unknown(reference)
    return here


def _anchored(root: Any, anchor: str, reference: str) -> Any:
    waiting = [root]
    while waiting:
        here = waiting.pop()
        if isinstance(here, dict):
            if anchor in (here.get("$anchor"), here.get("$dynamicAnchor")):
                return here
            waiting.extend(here.values())
        elif isinstance(here, list):
            waiting.extend(here)
    raise Unknown(reference)


def options(root: Any, schema: Any, refs: tuple[str, ...], again: int) -> Iterator[tuple[Schema, tuple[str, ...]]]:
    """Plain schemas, each of one type, that together are what `schema` allows; with the references on the way to it.

    A reference may be followed `again` times more inside itself. A branch that leads back comes last.
    """
    for flat, seen in _flat(root, schema, refs, again):
        if "enum" in flat or "const" in flat:
            yield flat, seen
            continue
        for one in _types(flat):
            yield {**flat, "type": one}, seen


def _flat(root: Any, schema: Any, refs: tuple[str, ...], again: int) -> Iterator[tuple[Schema, tuple[str, ...]]]:
    if schema is True:
        yield {}, refs
    if not isinstance(schema, dict):
        return
    plain = {key: value for key, value in schema.items() if key not in _COMBINERS}
    pending: list[list[Any]] = []
    for word in ("$ref", "$dynamicRef"):
        if word in schema:
            reference = schema[word]
            if refs.count(reference) > again:
                return
            refs = (*refs, reference)
            pending.append([follow(root, reference)])
    pending += [[part] for part in schema.get("allOf", ())]
    required = schema.get("required", ())
    pending += [[part] for name, part in schema.get("dependentSchemas", {}).items() if name in required]
    for word in ("anyOf", "oneOf"):
        if word in schema:
            pending.append(sorted(schema[word], key=lambda branch: returns(branch, refs)))
    if "if" in schema:
        positive, negative = schema.get("then", True), schema.get("else", True)
        pending.append([{"allOf": [schema["if"], positive]}, negative])
    yield from _combine(root, plain, pending, refs, again)


def _combine(
    root: Any, flat: Schema, pending: list[list[Any]], refs: tuple[str, ...], again: int
) -> Iterator[tuple[Schema, tuple[str, ...]]]:
    if not pending:
        yield flat, refs
        return
    for alternative in pending[0]:
        for part, seen in _flat(root, alternative, refs, again):
            merged = merge(flat, part)
            if merged is not None:
                yield from _combine(root, merged, pending[1:], seen, again)


def returns(schema: Any, refs: tuple[str, ...]) -> bool:
    """Whether a schema leads straight back into a reference that is being followed."""
    if not isinstance(schema, dict):
        return False
    if schema.get("$ref") in refs or schema.get("$dynamicRef") in refs:
        return True
    return isinstance(schema.get("items"), dict) and bool(schema.get("minItems")) and returns(schema["items"], refs)


def _types(flat: Schema) -> list[str]:
    """The types that a plain schema allows, the one to prefer first and null last."""
    if "type" in flat:
        given = flat["type"] if isinstance(flat["type"], list) else [flat["type"]]
        return sorted(given, key=lambda one: one == "null")
    hinted = [one for one, words in _HINTS.items() if any(word in flat for word in words)]
    return [*hinted, *(one for one in TYPES if one not in hinted)]


def merge(first: Schema, second: Schema) -> Schema | None:
    """One plain schema that asks for what both ask for; None where they contradict each other."""
    merged = dict(first)
    for word, theirs in second.items():
        if word not in merged:
            merged[word] = theirs
            continue
        ours = merged[word]
        if word in _LARGER:
            merged[word] = max(ours, theirs)
        elif word in _SMALLER:
            merged[word] = min(ours, theirs)
        elif word in _BOTH:
            merged[word] = {"allOf": [ours, theirs]}
        elif word == "required":
            merged[word] = list(dict.fromkeys([*ours, *theirs]))
        elif word in ("properties", "patternProperties"):
            both = {name: {"allOf": [ours[name], theirs[name]]} for name in theirs if name in ours}
            merged[word] = {**ours, **theirs, **both}
        elif word == "enum":
            merged[word] = [value for value in ours if value in theirs]
        elif word == "type":
            shared = _shared(ours, theirs)
            if not shared:
                return None
            merged[word] = shared
        elif word == "uniqueItems":
            merged[word] = ours or theirs
        elif word == "multipleOf" and isinstance(ours, int) and isinstance(theirs, int):
            merged[word] = math.lcm(ours, theirs)
    return merged


def _shared(ours: Any, theirs: Any) -> list[str]:
    """The types that both lists allow; an integer is a number."""
    one = ours if isinstance(ours, list) else [ours]
    other = theirs if isinstance(theirs, list) else [theirs]
    found = [kind for kind in one if kind in other or (kind == "integer" and "number" in other)]
    return found + ["integer" for kind in one if kind == "number" and "integer" in other and "integer" not in found]
