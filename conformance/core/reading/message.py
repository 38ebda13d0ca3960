"""The message that a client ends up with, from a whole answer or from the deltas of a stream.

Assembled as the official clients do: text, names and arguments are concatenated; the last of other values wins. Nothing
is repaired. What has the wrong type is left out: other checks say so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from conformance.core.reading.json import Value


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


class _Pieces:
    """Texts being put together: joined once, in the end, as adding to a text again and again takes time squared."""

    def __init__(self) -> None:
        self._of: dict[tuple[int, str], tuple[Choice | Call, list[str]]] = {}

    def add(self, owner: Choice | Call, member: str, value: Value) -> bool:
        """A piece of a member, if it is text; whether it is."""
        if isinstance(value.value, str):
            self._of.setdefault((id(owner), member), (owner, []))[1].append(value.value)
        return isinstance(value.value, str)

    def join(self) -> None:
        """Give every member its text."""
        for (_, member), (owner, pieces) in self._of.items():
            setattr(owner, member, "".join(pieces))


def _add(choice: Choice, part: Value, calls: dict[tuple[int, int], Call], texts: _Pieces, *, streamed: bool) -> None:
    """Add a message (or delta) to a choice. `calls` are all of the answer, by the indices of choice and call."""
    for name in ("role", "content", "refusal"):
        texts.add(choice, name, part[name])
    if not texts.add(choice, "reasoning", part["reasoning_content"]):
        texts.add(choice, "reasoning", part["reasoning"])
    for place, delta in enumerate(part["tool_calls"]):
        index = delta["index"].value if streamed else place
        if not isinstance(index, int):
            index = place
        if (choice.index, index) not in calls:
            calls[choice.index, index] = Call(index)
            choice.calls.append(calls[choice.index, index])
        call = calls[choice.index, index]
        texts.add(call, "id", delta["id"])
        texts.add(call, "type", delta["type"])
        texts.add(call, "name", delta["function"]["name"])
        texts.add(call, "arguments", delta["function"]["arguments"])


def assemble(values: Iterable[Value], *, streamed: bool) -> dict[int, Choice]:
    """The choices of an answer by index, from its body or from the data of its events in order."""
    choices: dict[int, Choice] = {}
    calls: dict[tuple[int, int], Call] = {}
    texts = _Pieces()
    for value in values:
        for place, one in enumerate(value["choices"]):
            index = one["index"].value
            if not isinstance(index, int) or isinstance(index, bool):
                index = place
            choice = choices.setdefault(index, Choice(index))
            _add(choice, one["delta" if streamed else "message"], calls, texts, streamed=streamed)
            if isinstance(one["finish_reason"].value, str) and one["finish_reason"].value:
                choice.finish_reason = one["finish_reason"].value
            choice.tokens += [token.value for token in one["logprobs"]["content"] if isinstance(token.value, dict)]
    texts.join()
    return choices
