"""What the model says where no script tells it: it repeats, counts, remembers, and otherwise makes up a sentence.

Everything is a function of the prompt and a number of variation, so the same question has the same answer.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

_REPEAT = re.compile(
    r"\s*(?:please,?\s+)?(?:say|repeat|reply|echo|answer|respond|write|output|print|return)\b[^:\n]{0,80}:[ \t\n]?(.*)",
    re.IGNORECASE | re.DOTALL,
)
_WORD = re.compile(
    r"\b(?:say|answer|reply|respond)s?\b(?: \w+){0,4} (?:the )?(?:single |one )?word:? [\"'“‘]?([\w-]+)",
    re.IGNORECASE,
)
_COUNT = re.compile(r"\bcount\b[^.!?\n]{0,40}?\b(?:to|until)\s+([0-9]{1,4}|[a-z]+(?:[- ][a-z]+)?)\b", re.IGNORECASE)
_FACT = re.compile(r"\b(my|the|our) ([\w -]{2,40}?) is ([^.!?\n]{1,80})", re.IGNORECASE)
_QUESTION = re.compile(r"\bwhat(?: is|'s) (my|the|our) ([\w -]{2,40}?)\?", re.IGNORECASE)
_UNITS = {
    word: number
    for number, word in enumerate(
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
         "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
    )
}  # fmt: skip
_TENS = {
    word: 10 * number
    for number, word in enumerate(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], 2)
}
_SENTENCE = (
    ("A small lamp", "The old bridge", "One grey cat", "My neighbour", "Some music", "A cold wind", "This light rain"),
    ("waits near", "moves past", "rests beside", "belongs to", "looks towards", "runs along", "stays behind"),
    ("the river", "a garden", "every window", "our street", "that mountain", "an open door", "his workshop"),
    ("until evening", "without hurry", "in silence", "for nobody", "as before", "all summer", "once again"),
)
_SEA = (
    ("wide and blue", "deep and green", "grey and calm", "bright and cold", "dark and endless", "salt and silver",
     "slow and old"),
    ("never quite still", "always on its way", "older than the land", "full of small sounds", "hard to forget",
     "loud in winter", "gentle at dawn"),
)  # fmt: skip


def reply(say: str, system: str, before: Sequence[tuple[str, str]], variation: int) -> str:
    """What the model says to this. Variation 0 is what it says at temperature 0."""
    if (exact := fixed(say, system, before)) is not None:
        return exact
    return _sentence(_number(say, system, *before) + variation)


def fixed(say: str, system: str, before: Sequence[tuple[str, str]]) -> str | None:
    """The one right answer to a request that has one."""
    if (match := _WORD.search(system)) is not None:
        return match[1]
    if (match := _REPEAT.fullmatch(say)) is not None:
        return match[1]
    if (match := _COUNT.search(say)) is not None and (last := _counted(match[1])) is not None:
        return " ".join(map(str, range(1, last + 1)))
    if (match := _QUESTION.search(say)) is not None and (answer := _remembered(match[2], [("user", system), *before])):
        return f"{'Your' if match[1].lower() == 'my' else 'The'} {match[2]} is {answer}."
    if (match := _WORD.search(say)) is not None:
        return match[1]
    if (match := re.fullmatch(r"my name is ([^.!?\n]{1,80})[.!]?", say.strip(), re.IGNORECASE)) is not None:
        return f"Hello {match[1]}."
    return None


def sea(variation: int) -> str:
    """One of many sentences about the sea; the first is the scripted one."""
    first, second = _SEA
    variation, look = divmod(variation, len(first))
    return f"The sea is {first[look]}, and it is {second[variation % len(second)]}."


def _counted(word: str) -> int | None:
    if word.isdigit():
        return min(int(word), 2000)
    tens, _, ones = word.lower().replace(" ", "-").partition("-")
    if tens in _TENS:
        return _TENS[tens] + (_UNITS.get(ones, 0) if ones else 0)
    if ones == "hundred" or tens == "hundred":
        return 100 * _UNITS.get(tens, 1)
    return _UNITS.get(tens)


def _remembered(what: str, before: Sequence[tuple[str, str]]) -> str:
    """What the user said that this is, the last time that they said it."""
    for role, text in reversed(before):
        for _, name, value in _FACT.findall(text) if role == "user" else ():
            if name.lower().split()[-len(what.split()) :] == what.lower().split():
                return str(value).strip()
    return ""


def _number(*parts: object) -> int:
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=6).digest(), "big")


def _sentence(number: int) -> str:
    words = []
    for choices in _SENTENCE:
        number, index = divmod(number, len(choices))
        words.append(choices[index])
    return " ".join(words) + "."
