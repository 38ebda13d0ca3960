"""The shape of a JSON value: its members with their types, and the few values in it that are the same every time.

`shape_of` makes one from an answer, `differences` says how another answer departs from it. Nothing here knows files,
exchanges or checks. A number with a fraction is a measurement, and its value is never part of a shape.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from conformance.core.reading.json import Value, escape, type_of

SCALARS = frozenset({"string", "integer", "boolean"})
"""The types of which a shape may hold values."""
TYPES = (*sorted(SCALARS), "number", "null", "array", "object", "any")
"""The types of a shape. `number` takes integers as well, `any` takes everything."""


@dataclass(frozen=True)
class Shape:
    """What a value looks like. Of an object `members` are known or None, of an array the `items`."""

    types: frozenset[str]
    values: tuple[Any, ...] | None = None
    """The strings, integers and booleans that it may be; None: any of its types."""
    members: Mapping[str, Shape] | None = None
    items: Shape | None = None
    count: int | None = None
    """How many elements an array has, where that matters."""
    least: int = 0
    """How many elements an array has at least."""
    optional: bool = False
    """Whether it may be missing from the object around it."""

    def __str__(self) -> str:
        return " or ".join(sorted(self.types, key=TYPES.index))


@dataclass(frozen=True)
class Pointers:
    """Patterns of JSON pointers, each with its reason. `*` is part of a step, `/**` any number of steps."""

    reasons: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile("|".join(_expression(one) for one in self.reasons) or "(?!)")

    def __contains__(self, pointer: str) -> bool:
        return self._pattern.fullmatch(pointer) is not None


def _expression(pattern: str) -> str:
    steps = pattern.split("/")[1:]
    return "".join(
        "(?:/[^/]*)*" if step == "**" else "/" + "[^/]*".join(map(re.escape, step.split("*"))) for step in steps
    )


NOTHING = Pointers()


def pointer_of(value: Value) -> str:
    """The pointer of a value in its own document, without the event that it came with."""
    _, slash, rest = value.pointer.partition("/")
    return slash + rest


def shape_of(value: Value, masks: Pointers = NOTHING, counted: Pointers = NOTHING) -> Shape:
    """The shape of a value. Of what is masked only the type is kept; lengths only where they are counted."""
    kind = value.type
    if pointer_of(value) in masks:
        return Shape(frozenset({kind}))
    if kind == "object":
        members = {name: shape_of(inner, masks, counted) for name, inner in value.items()}
        return Shape(frozenset({kind}), members=dict(sorted(members.items())))
    if kind == "array":
        items = merged(shape_of(inner, masks, counted) for inner in value)
        if pointer_of(value) in counted:
            return Shape(frozenset({kind}), items=items, count=len(value))
        return Shape(frozenset({kind}), items=items, least=min(1, len(value)))
    return Shape(frozenset({kind}), values=(value.value,) if kind in SCALARS else None)


def merged(shapes: Iterable[Shape]) -> Shape | None:
    """The shape that all of these have: what one of them lacks is optional. None where there are none."""
    whole: Shape | None = None
    for shape in shapes:
        whole = shape if whole is None else _both(whole, shape)
    return whole


def _both(one: Shape, other: Shape) -> Shape:
    return Shape(
        one.types | other.types,
        values=_values(one, other),
        members=_members(one, other),
        items=merged(shape.items for shape in (one, other) if shape.items is not None),
        count=one.count if one.count == other.count else None,
        least=min((shape.least for shape in (one, other) if "array" in shape.types), default=0),
        optional=one.optional or other.optional,
    )


def _values(one: Shape, other: Shape) -> tuple[Any, ...] | None:
    if "number" in one.types | other.types:
        return None
    asked = [shape for shape in (one, other) if shape.types & SCALARS]
    values: list[Any] = []
    for shape in asked:
        if shape.values is None:
            return None
        values += [value for value in shape.values if not _among(value, values)]
    return tuple(sorted(values, key=lambda value: (type_of(value), value))) if asked else None


def _members(one: Shape, other: Shape) -> Mapping[str, Shape] | None:
    known = [shape.members for shape in (one, other) if "object" in shape.types]
    if not known or any(members is None for members in known):
        return None
    if len(known) == 1:
        return known[0]
    first, second = (members or {} for members in known)
    whole: dict[str, Shape] = {}
    for name in sorted({*first, *second}):
        if name in first and name in second:
            whole[name] = _both(first[name], second[name])
        else:
            whole[name] = replace(first.get(name) or second[name], optional=True)
    return whole


def _among(value: Any, values: Iterable[Any]) -> bool:
    """Whether a value is one of these: `true` is not 1."""
    return any(one == value and type_of(one) == type_of(value) for one in values)


@dataclass(frozen=True)
class Difference:
    """One way in which an answer departs from a golden one, and where.

    `sort` is missing, extra, type, value or length; for what lies around the values, `checks` has some more.
    """

    sort: str
    at: str
    expected: Any
    found: Any


def differences(shape: Shape, value: Value, masks: Pointers = NOTHING) -> Iterator[Difference]:
    """How a value departs from a shape, member by member. Of what is masked only the type is looked at."""
    kind = value.type
    if not ({kind, "any"} & shape.types or (kind == "integer" and "number" in shape.types)):
        yield Difference("type", value.pointer, str(shape), kind)
        return
    if pointer_of(value) in masks:
        return
    if kind in SCALARS and shape.values is not None and not _among(value.value, shape.values):
        yield Difference("value", value.pointer, list(shape.values), value.value)
    if kind == "object" and shape.members is not None:
        yield from _of_members(shape.members, value, masks)
    if kind == "array":
        yield from _of_items(shape, value, masks)


def _of_members(members: Mapping[str, Shape], value: Value, masks: Pointers) -> Iterator[Difference]:
    for name, inner in members.items():
        if name in value:
            yield from differences(inner, value[name], masks)
        elif not inner.optional:
            yield Difference("missing", f"{value.pointer}/{escape(name)}", str(inner), "absent")
    for name, found in value.items():
        if name not in members:
            yield Difference("extra", found.pointer, "absent", found.type)


def _of_items(shape: Shape, value: Value, masks: Pointers) -> Iterator[Difference]:
    if shape.count is not None and len(value) != shape.count:
        yield Difference("length", value.pointer, shape.count, len(value))
    elif len(value) < shape.least:
        yield Difference("length", value.pointer, f"at least {shape.least}", len(value))
    if shape.items is not None:
        for inner in value:
            yield from differences(shape.items, inner, masks)
