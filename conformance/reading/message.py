"""The message that a client ends up with, from a whole answer or from the deltas of a stream.

Assembled as the official clients do: text, names and arguments are concatenated; the last of other values wins. Nothing
is repaired. What has the wrong type is left out: other checks say so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from conformance.reading.json import Value


@dataclass
class Call:
    """A tool call. `index` is its place: in the list, or as the deltas numbered it."""

    index: int
    id: str = ""
    type: str = ""
    name: str = ""
    arguments: str = ""

    @property
    def wire(self) -> dict[str, Any]:
        """The call as it is fed back in an assistant message."""
        return {"id": self.id, "type": "function", "function": {"name": self.name, "arguments": self.arguments}}


@dataclass
class Choice:
    """One choice of an answer, complete."""

    index: int
    role: str = ""
    content: str | None = None
    refusal: str | None = None
    reasoning: str = ""
    """`reasoning_content` or `reasoning`: not in OpenAI's contract, but where many servers put thoughts."""
    calls: list[Call] = field(default_factory=list)
    finish_reason: str | None = None
    tokens: list[dict[str, Any]] = field(default_factory=list)
    """The entries of `logprobs.content`."""

    @property
    def text(self) -> str:
        """The content, with "" for null."""
        return self.content or ""

    @property
    def wire(self) -> dict[str, Any]:
        """The message as it is fed back: standard members only."""
        message: dict[str, Any] = {"role": "assistant", "content": self.content}
        if self.calls:
            message["tool_calls"] = [call.wire for call in self.calls]
        return message


def _text(old: str | None, value: Value) -> str | None:
    return (old or "") + value.value if isinstance(value.value, str) else old


def _add(choice: Choice, part: Value, *, streamed: bool) -> None:
    """Add a message (or delta) to a choice."""
    choice.role = _text(choice.role, part["role"]) or ""
    choice.content = _text(choice.content, part["content"])
    choice.refusal = _text(choice.refusal, part["refusal"])
    for name in ("reasoning_content", "reasoning"):
        if isinstance(part[name].value, str):
            choice.reasoning += part[name].value
            break
    for place, delta in enumerate(part["tool_calls"]):
        index = delta["index"].value if streamed else place
        if not isinstance(index, int):
            index = place
        call = next((one for one in choice.calls if one.index == index), None)
        if call is None:
            call = Call(index)
            choice.calls.append(call)
        call.id = _text(call.id, delta["id"]) or ""
        call.type = _text(call.type, delta["type"]) or ""
        call.name = _text(call.name, delta["function"]["name"]) or ""
        call.arguments = _text(call.arguments, delta["function"]["arguments"]) or ""


def assemble(values: Iterable[Value], *, streamed: bool) -> dict[int, Choice]:
    """The choices of an answer by index, from its body or from the data of its events in order."""
    choices: dict[int, Choice] = {}
    for value in values:
        for place, one in enumerate(value["choices"]):
            index = one["index"].value
            if not isinstance(index, int) or isinstance(index, bool):
                index = place
            choice = choices.setdefault(index, Choice(index))
            _add(choice, one["delta" if streamed else "message"], streamed=streamed)
            if isinstance(one["finish_reason"].value, str) and one["finish_reason"].value:
                choice.finish_reason = one["finish_reason"].value
            choice.tokens += [
                token.value for token in one["logprobs"]["content"] if isinstance(token.value, dict)
            ]
    return choices
