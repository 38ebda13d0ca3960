"""JSON values that know where they lie: what is not there is an `Absent` value with a pointer, never a KeyError."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

DEEPEST = 200
"""Levels of nesting beyond which a document is refused: no answer of this API comes near, an attack does."""


LONGEST = 300
"""Digits of a whole number beyond which a document is refused: it would fit no float, nor, some sums later, a line of
text."""
_LONG = re.compile(f"[0-9]{{{LONGEST}}}")


class NotJSON(ValueError):
    """The bytes are not a JSON document; the message says why."""


class _Absent:
    def __repr__(self) -> str:
        return "absent"

    def __bool__(self) -> bool:
        return False


ABSENT: Final = _Absent()
"""The value of a pointer that leads nowhere."""


def _refuse_constant(text: str) -> Any:
    raise NotJSON(f"{text} is not a JSON number")


def _short(digits: str) -> int:
    if len(digits) > LONGEST:
        raise NotJSON(f"a number has more than {LONGEST} digits")
    return int(digits)


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        ((twice, _),) = Counter(key for key, _ in pairs).most_common(1)
        raise NotJSON(f"the member {twice[:80]!r} occurs twice in one object")
    return value


_STRICT = json.JSONDecoder(parse_constant=_refuse_constant)
_UNIQUE = json.JSONDecoder(parse_constant=_refuse_constant, object_pairs_hook=_pairs)
"""Made once: `json.loads` would make one for each document."""


def parse(text: str | bytes, *, unique: bool = False) -> Any:
    """The value of a strict JSON document: no NaN, no trailing text, nesting bounded.

    Bytes are UTF-8; a byte order mark before them is ignored, as RFC 8259 lets readers do. `unique` refuses objects
    with a member twice as well. Raises NotJSON.
    """
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8-sig")  # the library would guess UTF-16 and UTF-32 too, and let surrogates pass
        reader = _UNIQUE if unique else _STRICT
        if _LONG.search(text):  # a function called for each number would be slow
            hook = _pairs if unique else None
            reader = json.JSONDecoder(parse_constant=_refuse_constant, parse_int=_short, object_pairs_hook=hook)
        value = reader.decode(text)
        if text.count("{") + text.count("[") > DEEPEST:  # with fewer it cannot be
            _bound(value)
    except NotJSON:
        raise
    except RecursionError:
        raise NotJSON("nested too deeply") from None
    except UnicodeDecodeError as problem:
        raise NotJSON(f"byte {problem.start} is not UTF-8") from None
    except ValueError as problem:
        raise NotJSON(str(problem)) from None
    return value


def _bound(value: Any) -> None:
    """Refuse values nested beyond DEEPEST, so that no later walk over them can overflow."""
    level, depth = [value] if isinstance(value, (dict, list)) else [], 0
    while level:
        depth += 1
        if depth > DEEPEST:
            raise NotJSON("nested too deeply")
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) is dict
            or type(inner) is list  # a reader makes no others, and this is the hot line of reading
        ]


def escape(key: str) -> str:
    """A member name as one step of a JSON pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1") if "~" in key or "/" in key else key


@dataclass(frozen=True)
class Value:
    """A value and its JSON pointer. Indexing never fails: it leads to a Value that is `absent`."""

    value: Any
    pointer: str = ""
    parent: Any = field(default=None, repr=False, compare=False)

    def __getitem__(self, step: str | int) -> Value:
        outer, inner = self.value, ABSENT
        if isinstance(step, str):
            if isinstance(outer, dict):
                inner = outer.get(step, ABSENT)
            return Value(inner, f"{self.pointer}/{escape(step)}", outer)
        if isinstance(outer, list) and -len(outer) <= step < len(outer):
            inner = outer[step]
        return Value(inner, f"{self.pointer}/{step}", outer)

    def __iter__(self) -> Iterator[Value]:
        """The elements of an array; nothing for any other value."""
        for index in range(len(self.value) if isinstance(self.value, list) else 0):
            yield self[index]

    def items(self) -> Iterator[tuple[str, Value]]:
        """The members of an object; nothing for any other value."""
        for key in self.value if isinstance(self.value, dict) else ():
            yield key, self[key]

    def __contains__(self, key: str) -> bool:
        return isinstance(self.value, dict) and key in self.value

    def __len__(self) -> int:
        return len(self.value) if isinstance(self.value, (list, dict, str)) else 0

    def __bool__(self) -> bool:
        return bool(self.value)

    @property
    def absent(self) -> bool:
        """Whether the pointer leads nowhere."""
        return self.value is ABSENT

    @property
    def missing(self) -> bool:
        """Whether it is absent or null: clients hardly tell the two apart."""
        return self.value is ABSENT or self.value is None

    @property
    def type(self) -> str:
        """The JSON type: object, array, string, integer, number, boolean, null; or absent."""
        return type_of(self.value)


def type_of(value: Any) -> str:
    """The JSON type of a parsed value. A float without fraction is a number all the same: `1.0` was written."""
    match value:
        case _Absent():
            return "absent"
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case dict():
            return "object"
    return type(value).__name__
