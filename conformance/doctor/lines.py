"""A line of the doctor's checklist: what was looked at, what is the matter, and what to do about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from conformance.core.guard import Guard
from conformance.core.text import legible

LONGEST = 500
"""Characters of a line that quotes what a server or AWS said."""


class State(StrEnum):
    """How it is with one thing that was looked at."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Line:
    """One thing that was looked at."""

    topic: str
    state: State
    said: str
    todo: str = ""
    blocks: bool = False
    """Whether a run could not even begin."""

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        return {
            "topic": self.topic,
            "state": self.state.value,
            "said": self.said,
            "todo": self.todo,
            "blocks": self.blocks,
        }


@dataclass
class Sheet:
    """The checklist of one target. What is written on it is legible, and holds no secret that the guard knows."""

    target: str
    guard: Guard = field(default_factory=Guard)
    lines: list[Line] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    """Figures that a line was made of, for programs."""

    def write(self, topic: str, state: State, said: str, todo: str = "", *, blocks: bool = False) -> None:
        """Add a line."""
        self.lines.append(Line(topic, state, self._fit(said), self._fit(todo), blocks))

    def ok(self, topic: str, said: str) -> None:
        """It is as it has to be."""
        self.write(topic, State.OK, said)

    def warn(self, topic: str, said: str, todo: str) -> None:
        """A run is possible; somebody should know this all the same."""
        self.write(topic, State.WARNING, said, todo)

    def fail(self, topic: str, said: str, todo: str, *, blocks: bool = True) -> None:
        """It is not as it has to be."""
        self.write(topic, State.FAILED, said, todo, blocks=blocks)

    def skip(self, topic: str, said: str, todo: str = "") -> None:
        """It was not looked at, and why."""
        self.write(topic, State.SKIPPED, said, todo)

    @property
    def blocked(self) -> bool:
        """Whether something was found that keeps a run from beginning."""
        return any(line.blocks for line in self.lines)

    @property
    def counts(self) -> Mapping[State, int]:
        """How many lines there are of each state."""
        return Counter(line.state for line in self.lines)

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        return {"target": self.target, "lines": [line.to_json() for line in self.lines], "facts": self.facts}

    def _fit(self, text: str) -> str:
        return legible(self.guard.mask_text(" ".join(text.split())), LONGEST)
