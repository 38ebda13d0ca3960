"""A conversation as the model sees it: the instruction, what the user said last and before, what tools returned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Returned:
    """A call that was made since the user spoke last, and what came back."""

    name: str
    arguments: str
    content: str


@dataclass(frozen=True)
class Conversation:
    """What a model has to go by."""

    system: str
    """The last system or developer text; "" where there is none."""
    say: str
    """The last user text."""
    before: tuple[tuple[str, str], ...]
    """(role, text) of every user and assistant turn before that."""
    returned: tuple[Returned, ...]
    """Calls made after it, in the order in which they were made."""
    results_last: bool
    """Whether what a tool returned is the last message."""


def text(message: dict[str, Any], joint: str = "") -> str:
    """The text of a message, its text parts joined."""
    content = message.get("content")
    if isinstance(content, list):
        return joint.join(part.get("text") or part.get("refusal") or "" for part in content)
    return content or ""


def conversation(messages: list[dict[str, Any]]) -> Conversation:
    """The conversation in validated messages."""
    users = [index for index, message in enumerate(messages) if message["role"] == "user"]
    last = users[-1] if users else len(messages)
    said = [(index, message) for index, message in enumerate(messages) if message["role"] in ("user", "assistant")]
    systems = [text(message) for message in messages if message["role"] in ("system", "developer")]
    return Conversation(
        system=systems[-1] if systems else "",
        say=text(messages[last]) if users else "",
        before=tuple((message["role"], text(message)) for index, message in said if index < last),
        returned=tuple(_returned(messages[last:])),
        results_last=messages[-1]["role"] in ("tool", "function"),
    )


def _returned(messages: list[dict[str, Any]]) -> list[Returned]:
    contents = {message["tool_call_id"]: text(message) for message in messages if message["role"] == "tool"}
    found: list[Returned] = []
    for index, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        for call in message.get("tool_calls") or ():
            inner = call[call["type"]]
            given = inner.get("arguments", inner.get("input", ""))
            found.append(Returned(inner["name"], given, contents.get(call["id"], "")))
        legacy = message.get("function_call")
        result = messages[index + 1] if index + 1 < len(messages) else {}
        if legacy and result.get("role") == "function":
            found.append(Returned(legacy["name"], legacy["arguments"], text(result)))
    return found
