"""Short strings that match a regular expression: what a constrained model writes under a `pattern`.

It walks what Python's own parser makes of the expression. Look-around is ignored here: who asks for a string checks it.
"""

from __future__ import annotations

import importlib
import re
import string
from collections.abc import Callable
from typing import Any

# Private (its public name warns since 3.11), and still the one parser of these expressions: rstr and Hypothesis import it as well.
_parser: Any = importlib.import_module("re._parser")
_PLAIN = string.ascii_lowercase + string.digits + string.ascii_uppercase + " _-.,:;!?@#/+*=()[]{}<>|&%$~^'\"\\`\t\n"
_CATEGORIES: dict[str, Callable[[str], bool]] = {
    "CATEGORY_DIGIT": str.isdigit,
    "CATEGORY_NOT_DIGIT": lambda one: not one.isdigit(),
    "CATEGORY_SPACE": str.isspace,
    "CATEGORY_NOT_SPACE": lambda one: not one.isspace(),
    "CATEGORY_WORD": lambda one: one.isalnum() or one == "_",
    "CATEGORY_NOT_WORD": lambda one: not (one.isalnum() or one == "_"),
}
_MOST = 4096
"""No string is repeated beyond this: a pattern may ask for millions."""


def matching(pattern: str, *, extra: int = 0, seed: int = 0) -> str:
    """A string in which `pattern` is found. `extra` lengthens its repetitions, `seed` chooses other letters.

    Raises `re.error` for what is no pattern, ValueError where a string cannot be made.
    """
    return _Writer(extra, seed).write(_parser.parse(pattern))


class _Writer:
    """One walk over a parsed expression."""

    def __init__(self, extra: int, seed: int) -> None:
        self.extra, self.seed = extra, seed
        self.found: dict[int, str] = {}

    def write(self, parsed: Any) -> str:
        return "".join(self.one(str(operator), argument) for operator, argument in parsed)

    def one(self, operator: str, argument: Any) -> str:
        match operator:
            case "LITERAL":
                return chr(argument)
            case "NOT_LITERAL":
                return self.pick(lambda one: one != chr(argument))
            case "ANY":
                return self.pick(lambda one: one != "\n")
            case "IN":
                return self.among(argument)
            case "BRANCH":
                branches = argument[1]
                return self.write(branches[self.seed % len(branches)])
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                return self.repeat(*argument)
            case "SUBPATTERN":
                text = self.write(argument[3])
                if argument[0] is not None:
                    self.found[argument[0]] = text
                return text
            case "ATOMIC_GROUP":
                return self.write(argument)
            case "GROUPREF":
                return self.found.get(argument, "")
            case "AT" | "ASSERT" | "ASSERT_NOT":
                return ""
            case _:
                raise ValueError(f"no string is made for {operator}")

    def repeat(self, low: int, high: Any, item: Any) -> str:
        times = min(int(high), int(low) + self.extra)
        if times > _MOST:
            raise ValueError("the pattern repeats too often")
        return "".join(self.write(item) for _ in range(times))

    def among(self, items: Any) -> str:
        kinds = [(str(operator), argument) for operator, argument in items]
        negated = bool(kinds) and kinds[0][0] == "NEGATE"

        def inside(one: str) -> bool:
            return any(
                (operator == "LITERAL" and one == chr(argument))
                or (operator == "RANGE" and argument[0] <= ord(one) <= argument[1])
                or (operator == "CATEGORY" and _CATEGORIES[str(argument)](one))
                for operator, argument in kinds
            )

        if negated:
            return self.pick(lambda one: not inside(one))
        ends = [
            chr(argument if operator == "LITERAL" else argument[0])
            for operator, argument in kinds
            if operator in ("LITERAL", "RANGE")
        ]
        return self.pick(inside, also="".join(ends))

    def pick(self, fits: Callable[[str], bool], also: str = "") -> str:
        fitting = [one for one in dict.fromkeys(_PLAIN + also) if fits(one)]
        if not fitting:
            raise ValueError("no character fits")
        return fitting[self.seed % len(fitting)]


def finds(pattern: str, text: str) -> bool:
    """Whether the pattern is found in the text, as JSON Schema means it."""
    return re.search(pattern, text) is not None
