"""What a valid request asks for, in plain values: the bridge from validation to the model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Tool:
    """A tool that may be called. `schema` constrains a function's arguments, `pattern` a custom tool's input."""

    name: str
    kind: Literal["function", "custom"] = "function"
    schema: Any = field(default_factory=dict)
    pattern: str | None = None


@dataclass(frozen=True)
class Task:
    """A validated chat completion request."""

    model: str
    messages: list[dict[str, Any]]
    raw: dict[str, Any]
    """The request's members without those that are null."""
    tools: tuple[Tool, ...] = ()
    """The tools that may be called, after `tool_choice` had its word."""
    call: Literal["none", "auto", "required", "named"] = "none"
    legacy: bool = False
    """Whether calls are made as `function_call`, as `functions` asks for."""
    form: str = "text"
    """The type of `response_format`."""
    schema: Any = None
    stops: tuple[str, ...] = ()
    cap: int | None = None
    biases: dict[int, float] = field(default_factory=dict)

    def get(self, name: str, default: Any = None) -> Any:
        """A member of the request, or what stands for it where it is absent."""
        return self.raw.get(name, default)

    @property
    def n(self) -> int:
        """How many choices there are."""
        return int(self.get("n", 1))

    @property
    def stream(self) -> bool:
        """Whether the answer is streamed."""
        return bool(self.get("stream", False))

    @property
    def greedy(self) -> bool:
        """Whether nothing is left to chance."""
        return bool(self.get("temperature", 1) == 0 or self.get("top_p", 1) <= 0.1)
