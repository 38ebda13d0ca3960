"""What a check says about its evidence, and what came of it. Facts only: whether they matter is the verdict's business."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from conformance.core.reading.json import ABSENT


@dataclass(frozen=True)
class Finding:
    """One thing that is not as required.

    `code` is short, permanent, and unique within its check: runs, baselines and waivers tell findings apart by it. `message` says
    the same in a sentence for people, and may be worded anew at any time. Neither varies with the server: what does goes into
    `expected` and `found`. `at` is a JSON pointer, `event N /pointer`, a header name, or a span of bytes.
    """

    code: str
    message: str = ""
    at: str | tuple[int, int] = ""
    expected: Any = ABSENT
    found: Any = ABSENT
    on: str = ""
    """Key of the exchange it was found in; "" means the first."""


@dataclass(frozen=True)
class Observed:
    """A value worth recording and comparing between targets. No verdict follows from it."""

    value: Any
    name: str = ""


class Unjudged(Exception):
    """Raised by a check that cannot judge its evidence, and says why. It ends the check."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Unwitnessed(Unjudged):
    """The model never showed the behaviour in question, so nothing can be said about the server."""


class Unsupported(Unjudged):
    """The server said clearly that it does not do this."""


Saying = Finding | Observed | Unwitnessed | Unsupported
Findings = Iterator[Saying]


class Kind(StrEnum):
    """What became of a check at a target."""

    HOLDS = "holds"
    VIOLATED = "violated"
    UNSUPPORTED = "unsupported"
    UNWITNESSED = "unwitnessed"
    ERRORED = "errored"


@dataclass(frozen=True)
class Outcome:
    """The fact that a run records for a check at a target."""

    kind: Kind
    findings: tuple[Finding, ...] = ()
    reason: str = ""
    observed: dict[str, Any] = field(default_factory=dict)
    evidence: tuple[tuple[str, ...], ...] = ()
    """Keys of the exchanges judged, one tuple a case."""
    cause: str = ""
    """Where one fault leaves many checks without evidence: key of the exchange at fault."""
    code: str = ""
    """Why it could not be tested, in a word for programs: one of `core.reason.Why`. "" where it was tested."""


JUDGED = (Kind.HOLDS, Kind.VIOLATED)


WORST = (Kind.VIOLATED, Kind.ERRORED, Kind.HOLDS, Kind.UNSUPPORTED, Kind.UNWITNESSED)
"""Which outcome speaks for a check of several cases: a fault first, then missing evidence, then what was seen."""
