"""Golden sets: for a fixed list of probes, what the answers look like, and where that is known from.

Values only. `reading` makes them from files, `recorder` from answers, `checks` judges by them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from conformance.checks.golden.order import Order
from conformance.checks.golden.shape import NOTHING, Pointers, Shape
from conformance.core.probe import Probe
from conformance.core.requirement import Level, Reference

Origin = Literal["documented", "recorded"]

MEDIA_TYPE = "content-type"
"""The header of which the value matters, without its parameters. Of the others it matters whether they are there."""
PRESENT = "present"


@dataclass(frozen=True)
class Stream:
    """What a stream looks like: the order of its events, and a shape for each kind of them."""

    order: Order
    chunks: Mapping[str, Shape]


@dataclass(frozen=True)
class Entry:
    """One probe, and what its answer looks like. An answer with neither `body` nor `stream` is no JSON."""

    name: str
    about: str
    """What is asked, as the subject of a sentence."""
    probe: Probe
    status: str
    """`200`, or a class such as `4xx`."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """A media type, or PRESENT."""
    body: Shape | None = None
    stream: Stream | None = None
    requires: tuple[str, ...] = ()
    """Capabilities of the target."""
    source: Reference | None = None
    line: int = field(default=0, compare=False)


@dataclass(frozen=True)
class GoldenSet:
    """Answers that others are compared with."""

    name: str
    origin: Origin
    level: Level
    entries: tuple[Entry, ...]
    masks: Pointers = NOTHING
    """What differs from answer to answer: only its type is compared."""
    counted: Pointers = NOTHING
    """The arrays whose length is compared."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """The headers that matter, and why."""
    about: str = ""
    made: Mapping[str, Any] = field(default_factory=dict)
    """Of a recorded set: target, kind, model, date and version of the suite."""
    path: Path = Path()

    @property
    def recorded(self) -> bool:
        """Whether it was made from a target's answers."""
        return self.origin == "recorded"
