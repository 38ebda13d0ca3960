"""The quantities and texts people write in `targets.yaml`: `5s`, `16MiB`, `2027-01-31`, `${VARIABLE}`.

Each type reads text (as a file has it) or the plain value (as code has it), says in its own words what it expects, and
carries its JSON Schema for editors.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import date
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BeforeValidator, WithJsonSchema

from conformance.core.secret import VARIABLE, Secret, shape, shown

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_BYTES = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_LONGEST = 24 * 3600.0  # a longer wait is a slip of the unit
_MOST = 10**12  # as many requests, tokens or bytes as nobody means

_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
_DURATION = re.compile(rf"({_NUMBER})\s*(ms|s|m|h)?")
_SIZE = re.compile(rf"({_NUMBER})\s*([KMGkmg]?i?[Bb])?")
_SURROGATE = re.compile("[\ud800-\udfff]")  # an escape can write one, no encoding can carry it
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BARE_VARIABLE = re.compile(r"\$[A-Za-z_][A-Za-z0-9_]*")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, token


def _unless(expected: str, value: object) -> ValueError:
    """What to raise: what was expected and, where it is one short text, what was there instead."""
    if value is None:
        return ValueError(f"must be {expected}, and there is nothing")
    if isinstance(value, (dict, list, tuple)):
        return ValueError(f"must be {expected}, not a {'mapping' if isinstance(value, dict) else 'list'}")
    return ValueError(f"must be {expected}, not {shown(str(value))}")


def _number(value: object, pattern: re.Pattern[str], units: dict[str, float] | dict[str, int]) -> float | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, str) or len(value) > 40 or not (match := pattern.fullmatch(value.strip())):
        return None
    unit = (match[2] or "").casefold()
    return float(match[1]) * (units[unit] if unit else 1)


def _patience(value: object) -> float:
    seconds = _number(value, _DURATION, _SECONDS)
    if seconds is None or not 0 <= seconds <= _LONGEST:
        raise _unless("a duration of at most 24 h, such as 5s, 500ms, 2m or a number of seconds", value)
    return seconds


def _duration(value: object) -> float:
    if (seconds := _patience(value)) == 0:
        raise _unless("a duration above zero, such as 5s, 500ms or 2m", value)
    return seconds


def _size(value: object) -> int:
    size = _number(value, _SIZE, _BYTES)
    if size is None or not 1 <= size <= _MOST:
        raise _unless("a size, such as 16MiB, 500KB or a number of bytes", value)
    return int(size)


def _count(value: object) -> int:
    if isinstance(value, str) and re.fullmatch(r"[0-9][0-9_]{0,20}", value):
        value = int(value.replace("_", ""))
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _MOST:
        raise _unless("a whole number, 1 or more", value)
    return value


def _switch(value: object) -> bool:
    said = {"true": True, "false": False}.get(str(value).casefold()) if isinstance(value, (bool, str)) else None
    if said is None:
        raise _unless("true or false", value)
    return said


def _money(value: object) -> float:
    amount = _number(value, re.compile(rf"({_NUMBER})()"), {})
    if amount is None or amount < 0 or not math.isfinite(amount):
        raise _unless("an amount, 0 or more", value)
    return amount


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _unless("text", value)
    if not value.strip():
        raise ValueError("must not be empty")
    if _SURROGATE.search(value):
        raise ValueError("must not have half a character (a surrogate) in it")
    return value


def _plain(value: object) -> str:
    text = _text(value)
    if "${" in text:
        raise ValueError("takes no ${VARIABLE}: those are filled in under key, headers and launch.env only")
    return text


def _plain_or_empty(value: object) -> str:
    return "" if value == "" else _plain(value)


def _open(value: object) -> str | Secret:
    if isinstance(value, Secret):
        return value
    text = "" if value == "" else _text(value)
    found = VARIABLE.findall(text)
    if len(found) > 1:
        raise ValueError("must have one ${VARIABLE} at most: put the whole value into one variable")
    if "${" in VARIABLE.sub("", text) or _BARE_VARIABLE.fullmatch(text):
        raise ValueError("must name a variable as ${VARIABLE}: letters, digits and underscores, nothing else")
    if not text.isprintable():
        raise ValueError("must not have control characters in it")
    return Secret(found[0], written=text) if found else text


def _secret(value: object) -> Secret:
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str) or not (match := VARIABLE.fullmatch(value)):
        raise ValueError("must name an environment variable, as ${VARIABLE}; a secret itself is never written here")
    return Secret(match[1])


def _day(value: object) -> date:
    if isinstance(value, date):
        return value
    try:
        if isinstance(value, str) and _DAY.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        pass  # of the right form, and no day of any calendar: the same message
    raise _unless("a date, such as 2027-01-31", value)


def _url(value: object) -> str:
    if problem := url_problem(_plain(value)):
        raise ValueError(problem)
    return str(value).rstrip("/")


def url_problem(url: str) -> str | None:
    """What keeps the text from being the URL of a target, or None. The text is not repeated: it may hold a secret."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "must be a URL, such as http://127.0.0.1:8000/v1"
    if parts.scheme not in ("http", "https"):
        return "must be a URL that starts with http:// or https://"
    if "@" in parts.netloc:
        return "must not have a user or password in it: name them under key or headers, as ${VARIABLE}"
    if shape(url):
        return f"must not have {shape(url)} in it: name it under key or headers, as ${{VARIABLE}}"
    if not host or not url.isprintable() or " " in url:
        return "must be a URL with a host, such as http://127.0.0.1:8000/v1"
    if parts.query or parts.fragment:
        return "must end with its path, such as http://127.0.0.1:8000/v1: no ? and no #"
    return None


def _name(pattern: re.Pattern[str], what: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise _unless(what, value)
        return value

    return read


def _schema(read: Callable[[Any], Any], **schema: Any) -> tuple[BeforeValidator, WithJsonSchema]:
    return BeforeValidator(read), WithJsonSchema(schema)


_PLAIN_TYPES = ["string", "number", "boolean"]  # `args: [--port, 8000]` is text to us, and a number to YAML
_DURATION_SCHEMA = {
    "anyOf": [
        {"type": "number", "minimum": 0, "maximum": _LONGEST},
        {"type": "string", "pattern": rf"^{_NUMBER}\s*(ms|s|m|h)?$"},
    ]
}

Duration = Annotated[float, *_schema(_duration, **_DURATION_SCHEMA)]
"""Seconds, more than none."""
Patience = Annotated[float, *_schema(_patience, **_DURATION_SCHEMA)]
"""Seconds, possibly none."""
Size = Annotated[
    int,
    *_schema(
        _size,
        anyOf=[
            {"type": "integer", "minimum": 1},
            {"type": "string", "pattern": rf"^{_NUMBER}\s*([KMGkmg]?i?[Bb])?$"},
        ],
    ),
]
"""Bytes."""
Count = Annotated[int, *_schema(_count, type="integer", minimum=1, maximum=_MOST)]
Money = Annotated[float, *_schema(_money, type="number", minimum=0)]
Switch = Annotated[bool, *_schema(_switch, type="boolean")]
Text = Annotated[str, *_schema(_text, type=_PLAIN_TYPES, minLength=1)]
"""Prose: anything but nothing."""
Plain = Annotated[str, *_schema(_plain, type=_PLAIN_TYPES, minLength=1)]
"""Text for the program, in which a `${VARIABLE}` would not be filled in and is refused."""
PlainOrEmpty = Annotated[str, *_schema(_plain_or_empty, type=_PLAIN_TYPES)]
Open = Annotated[str | Secret, *_schema(_open, type=_PLAIN_TYPES)]
"""Text that may have a `${VARIABLE}` in it, which makes it a Secret."""
Named = Annotated[Secret, *_schema(_secret, type="string", pattern=rf"^{VARIABLE.pattern}$")]
"""A secret by its name."""
Day = Annotated[date, *_schema(_day, type="string", format="date", pattern=rf"^{_DAY.pattern}$")]
Url = Annotated[str, *_schema(_url, type="string", pattern="^https?://[^@?#\\s]+$")]
VariableName = Annotated[
    str,
    *_schema(
        _name(_VARIABLE_NAME, "the name of an environment variable"),
        type="string",
        pattern=rf"^{_VARIABLE_NAME.pattern}$",
    ),
]
HeaderName = Annotated[
    str,
    *_schema(_name(_HEADER_NAME, "the name of a header"), type="string", pattern=rf"^{_HEADER_NAME.pattern}$"),
]
