"""What is wrong with a request, in OpenAI's words, and the small checks that say so.

A `Wrong` is an error object and its status on the way to the client. Each check takes a value and its path in the
request (`messages[0].role`), and gives the value back with a type that one can rely on, or raises.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

from conformance.reference.answer import Answer


class Wrong(Exception):
    """An error object with its HTTP status."""

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        status: int = 400,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message, self.param, self.code = message, param, code
        self.status, self.headers = status, headers or {}

    def answer(self) -> Answer:
        """The error as it goes over the wire."""
        error = {
            "message": self.message,
            "type": "invalid_request_error",
            "param": self.param,
            "code": self.code,
        }
        return Answer(self.status, dict(self.headers), {"error": error})


def kind(value: Any) -> str:
    """What a JSON value is, with its article."""
    if value is None:
        return "null"
    names = {bool: "a boolean", str: "a string", int: "an integer", list: "an array", dict: "an object"}
    return names.get(type(value), "a decimal number")


def mistyped(path: str, expected: str, value: Any) -> Wrong:
    """The refusal of a value of another JSON type than expected."""
    return Wrong(
        f"Invalid type for '{path}': expected {expected}, but got {kind(value)} instead.",
        param=path,
        code="invalid_type",
    )


def listed(names: Iterable[str]) -> str:
    """Names in quotes, as a sentence lists them."""
    *others, last = [f"'{name}'" for name in names]
    return f"{', '.join(others)} and {last}" if others else last


def string(value: Any, path: str, *, most: int | None = None, fewest: int = 0) -> str:
    """A string of a permitted length, counted in characters."""
    if not isinstance(value, str):
        raise mistyped(path, "a string", value)
    if len(value) < fewest:
        raise Wrong(
            f"Invalid '{path}': empty string. Expected a string with minimum length {fewest}, "
            f"but got one with length {len(value)} instead.",
            param=path,
            code="string_below_min_length" if value else "empty_string",
        )
    if most is not None and len(value) > most:
        raise Wrong(
            f"Invalid '{path}': string too long. Expected a string with maximum length {most}, "
            f"but got a string with length {len(value)} instead.",
            param=path,
            code="string_above_max_length",
        )
    return value


def name(value: Any, path: str) -> str:
    """The name of a function or a schema: letters, digits, `_` and `-`, 64 at most."""
    given = string(value, path, fewest=1, most=64)
    if not re.fullmatch(r"[A-Za-z0-9_-]+", given):
        raise Wrong(
            f"Invalid '{path}': string does not match pattern. Expected a string that matches the pattern "
            "'^[a-zA-Z0-9_-]+$'.",
            param=path,
            code="invalid_value",
        )
    return given


def boolean(value: Any, path: str) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise mistyped(path, "a boolean", value)
    return value


def integer(value: Any, path: str, low: int | None = None, high: int | None = None) -> int:
    """An integer within bounds, both included."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise mistyped(path, "an integer", value)
    _within(value, path, "integer", low, high)
    return value


def number(value: Any, path: str, low: float, high: float) -> float:
    """A finite number within bounds, both included."""
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        raise mistyped(path, "a decimal", value)
    _within(value, path, "decimal", low, high)
    return float(value)


def _within(value: float, path: str, what: str, low: float | None, high: float | None) -> None:
    for bound, beyond, side, sign in (
        (low, low is not None and value < low, "below minimum", ">="),
        (high, high is not None and value > high, "above maximum", "<="),
    ):
        if beyond:
            raise Wrong(
                f"Invalid '{path}': {what} {side} value. Expected a value {sign} {bound}, "
                f"but got {clipped(str(value))} instead.",
                param=path,
                code=f"{what}_{side.replace('minimum', 'min').replace('maximum', 'max').replace(' ', '_')}_value",
            )


def one_of(value: Any, path: str, known: Sequence[str]) -> str:
    """One of the known strings."""
    given = string(value, path)
    if given not in known:
        raise Wrong(
            f"Invalid value: '{clipped(given)}'. Supported values are: {listed(known)}.",
            param=path,
            code="invalid_value",
        )
    return given


def array(value: Any, path: str, *, fewest: int = 0, most: int | None = None) -> list[Any]:
    """An array of a permitted length."""
    if not isinstance(value, list):
        raise mistyped(path, "an array", value)
    if len(value) < fewest:
        raise Wrong(
            f"Invalid '{path}': empty array. Expected an array with minimum length {fewest}, "
            f"but got an empty array instead.",
            param=path,
            code="empty_array",
        )
    if most is not None and len(value) > most:
        raise Wrong(
            f"Invalid '{path}': array too long. Expected an array with maximum length {most}, "
            f"but got an array with length {len(value)} instead.",
            param=path,
            code="array_above_max_length",
        )
    return value


def mapping(value: Any, path: str, known: Iterable[str] | None = None) -> dict[str, Any]:
    """An object; where the known members are given, one without any other."""
    if not isinstance(value, dict):
        raise mistyped(path, "an object", value)
    if known is not None:
        for member in value:
            if member not in known:
                raise unknown(f"{path}.{member}")
    return value


def need(holder: dict[str, Any], member: str, path: str) -> Any:
    """A member that has to be there."""
    inside = f"{path}.{member}" if path else member
    if member not in holder:
        raise missing(inside)
    return holder[member]


def missing(path: str) -> Wrong:
    """The refusal of a request that lacks something."""
    return Wrong(f"Missing required parameter: '{path}'.", param=path, code="missing_required_parameter")


def unknown(path: str) -> Wrong:
    """The refusal of a parameter that nobody has heard of."""
    return Wrong(f"Unknown parameter: '{clipped(path)}'.", param=clipped(path), code="unknown_parameter")


def clipped(text: str) -> str:
    """Text of the client's, short enough to be repeated in a message."""
    return text if len(text) <= 100 else text[:97] + "..."
