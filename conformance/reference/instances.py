"""Valid instances of JSON Schemas: what a model writes whose decoding is constrained by one.

Every value is checked by a validator before it is given out. What cannot be made is `Unsatisfiable`: either nothing is
valid, or the search here is too plain to find it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import jsonschema
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

from conformance.reference.flatten import Schema, Unknown, follow, options, returns
from conformance.reference.patterns import finds, matching
from conformance.reference.scalars import LONGEST, integers, numbers, strings

_STEPS = 4000
"""Values tried for one instance. Schemas as people write them need fewer than a hundred."""
_AGAIN = (0, 1, 3)
"""How often a recursive reference is followed into itself: the smallest instance first."""


class Unsatisfiable(ValueError):
    """No instance of this schema was found."""


def instance(schema: Any, *, root: Any = None, seed: int = 0) -> Any:
    """A value that is valid under `schema`, its members in the order of the schema.

    References are looked up in `root`, where the schema is a part of a larger one. Another `seed` gives another value,
    where there is one. Raises Unsatisfiable.
    """
    document = schema if root is None else root
    check = validator(document)
    for again in _AGAIN:
        maker = _Maker(document, check, again)
        try:
            return maker.make(schema, seed, ("#",) if schema is document else ())
        except Unsatisfiable as none:
            reason = none
        except (jsonschema.SchemaError, Unresolvable, Unknown, re.error) as broken:
            raise Unsatisfiable(f"the schema is broken: {broken}") from broken
        except (TypeError, ValueError, AttributeError, ArithmeticError) as broken:
            raise Unsatisfiable("the schema is broken, or beyond what is made here") from broken
    raise reason


def validator(schema: Any) -> Validator:
    """A validator that asserts formats and never looks for a reference on the network."""
    kind = validator_for(schema, default=jsonschema.Draft202012Validator)
    empty: Registry[Any] = Registry()
    made: Validator = kind(schema, registry=empty, format_checker=kind.FORMAT_CHECKER)
    return made


class _Maker:
    """One search for an instance."""

    def __init__(self, root: Any, check: Validator, again: int) -> None:
        self.root, self.check, self.again = root, check, again
        self.steps = 0

    def make(self, schema: Any, seed: int, refs: tuple[str, ...]) -> Any:
        check = self.check.evolve(schema=schema)
        for flat, seen in options(self.root, schema, refs, self.again):
            try:
                for value in self.values(flat, seed, seen):
                    self.steps += 1
                    if check.is_valid(value):
                        return value
                    if self.steps > _STEPS:
                        break
            except Unsatisfiable:
                pass
            if self.steps > _STEPS:
                raise Unsatisfiable("no instance was found in time")
        raise Unsatisfiable("no value is allowed here")

    def values(self, flat: Schema, seed: int, refs: tuple[str, ...]) -> Iterator[Any]:
        """Values that are likely to fit a plain schema."""
        if "const" in flat:
            yield flat["const"]
            return
        if "enum" in flat:
            turn = seed % len(flat["enum"]) if flat["enum"] else 0
            yield from flat["enum"][turn:] + flat["enum"][:turn]
            return
        match flat["type"]:
            case "null":
                yield None
            case "boolean":
                yield from (seed % 2 == 0, seed % 2 == 1)
            case "string":
                for other in range(3):
                    yield from strings(flat, seed + other)
            case "integer":
                yield from integers(flat, seed)
            case "number":
                yield from numbers(flat, seed)
            case "array":
                yield from self.arrays(flat, seed, refs)
            case "object":
                yield from self.objects(flat, seed, refs)

    def arrays(self, flat: Schema, seed: int, refs: tuple[str, ...]) -> Iterator[list[Any]]:
        low, high = int(flat.get("minItems", 0)), int(flat.get("maxItems", LONGEST))
        if low > min(high, LONGEST):
            return
        items, prefix = flat.get("items", True), flat.get("prefixItems", [])
        if isinstance(items, list):  # what `prefixItems` was before 2020
            items, prefix = flat.get("additionalItems", True), items
        made: list[Any] = []
        for schema in prefix[:high]:
            try:
                made.append(self.make(schema, seed, refs))
            except Unsatisfiable:
                break
        if items is False and len(made) < low:
            return
        if len(made) == len(prefix[:high]):
            for _ in range(int(flat.get("minContains", 1)) if "contains" in flat else 0):
                self.add(made, {"allOf": [items, flat["contains"]]}, seed, refs, flat)
            wanted = low
            if isinstance(flat.get("items"), dict) and not made and high and not self.leads_back(items, refs):
                wanted = max(low, 1)
            try:
                while len(made) < wanted:
                    self.add(made, items, seed, refs, flat)
            except Unsatisfiable:
                if len(made) < low:
                    raise
        yield made
        yield made[:low]

    def add(self, made: list[Any], items: Any, seed: int, refs: tuple[str, ...], flat: Schema) -> None:
        """One more item, other than those that are there where they have to differ."""
        for other in range(len(made), 3 * len(made) + 12):
            value = self.make(items, seed + other, refs)
            if not flat.get("uniqueItems") or not any(_same(value, present) for present in made):
                made.append(value)
                return
        raise Unsatisfiable("no further item is unique")

    def objects(self, flat: Schema, seed: int, refs: tuple[str, ...]) -> Iterator[dict[str, Any]]:
        needed = list(flat.get("required", ()))
        for name, more in flat.get("dependentRequired", {}).items():
            needed += more if name in needed else []
        low, high = int(flat.get("minProperties", 0)), int(flat.get("maxProperties", LONGEST))
        if low > LONGEST:
            return
        triggers = {*flat.get("dependentRequired", {}), *flat.get("dependentSchemas", {})}
        spare = high - len(set(needed))
        made: dict[str, Any] = {}
        for name in dict.fromkeys([*flat.get("properties", {}), *needed]):
            schema = self.member(flat, name)
            if name in needed:
                made[name] = self.make(schema, seed, refs)
            elif spare > 0 and name not in triggers and not self.leads_back(schema, refs):
                try:
                    made[name] = self.make(schema, seed, refs)
                    spare -= 1
                except Unsatisfiable:
                    continue
        if len(made) < low:
            self.fill(made, low, flat, seed, refs)
        yield made
        yield {name: value for name, value in made.items() if name in needed}

    def member(self, flat: Schema, name: str) -> Any:
        """The schema of one member of an object."""
        parts = [flat["properties"][name]] if name in flat.get("properties", {}) else []
        parts += [part for pattern, part in flat.get("patternProperties", {}).items() if finds(pattern, name)]
        if not parts:
            return flat.get("additionalProperties", True)
        return parts[0] if len(parts) == 1 else {"allOf": parts}

    def fill(self, made: dict[str, Any], low: int, flat: Schema, seed: int, refs: tuple[str, ...]) -> None:
        """Members beyond those that an object declares, until there are enough."""
        named = self.check.evolve(schema=flat.get("propertyNames", True))
        for name in self.names(flat, seed, low):
            if name not in made and named.is_valid(name):
                made[name] = self.make(self.member(flat, name), seed, refs)
            if len(made) >= low:
                return

    def names(self, flat: Schema, seed: int, low: int) -> Iterator[str]:
        """Names that an object may have beyond those that it declares."""
        for pattern in flat.get("patternProperties", {}):
            for extra in range(2 * low):
                for name in (matching(pattern, extra=extra, seed=seed), matching(pattern) + str(extra)):
                    if finds(pattern, name):
                        yield name
        if flat.get("additionalProperties", True) is not False:
            if "propertyNames" in flat:
                for other in range(3 * low):
                    yield self.make({"allOf": [{"type": "string"}, flat["propertyNames"]]}, seed + other, ())
            for number in range(1, low + 1):
                yield f"key{number}"

    def leads_back(self, schema: Any, refs: tuple[str, ...]) -> bool:
        """Whether a part that may be left out would only make the instance larger, without end."""
        if returns(schema, refs):
            return True
        if isinstance(schema, dict) and isinstance(schema.get("$ref"), str):
            target = follow(self.root, schema["$ref"])
            return isinstance(target, dict) and "$ref" in target and returns(target, refs)
        return False


def _same(one: Any, other: Any) -> bool:
    """Equality as JSON has it: true is not 1."""
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)
