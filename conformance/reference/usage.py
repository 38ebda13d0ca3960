"""What a request and its answer cost in tokens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from conformance.reference.sampling import Said
from conformance.reference.task import Task
from conformance.reference.tokens import LONGEST, count, encode

_A_MESSAGE, _AN_ANSWER, _A_TOOL = 3, 3, 4
_IMAGE, _SMALL_IMAGE, _SOUND, _FILE = 255, 85, 50, 100
_STRUCTURE = frozenset({"type", "function", "parameters", "properties", "required", "additionalProperties", "items"})
"""Words of a schema that a model is not shown as text."""
_TYPES = frozenset({"function", "custom", "object", "array", "string", "number", "integer", "boolean", "null"})


def prompt_tokens(task: Task, window: int) -> tuple[int, int]:
    """The tokens of a prompt, and how many of them are sound. Texts far beyond the window are only estimated."""
    total = _AN_ANSWER + offer_tokens(task, window)
    total += sum(message_tokens(message, window) for message in task.messages)
    sounds = [part for message in task.messages for part in _parts(message) if part["type"] == "input_audio"]
    return total, sum(map(_part, sounds))


def offer_tokens(task: Task, window: int) -> int:
    """The tokens of what comes before the messages: tools, and the schema of the answer."""
    total = 0
    for tool in (*task.get("tools", ()), *task.get("functions", ())):
        total += _A_TOOL + sum(_tokens(text, window) for text in _words(tool))
    return total + (_A_TOOL + sum(_tokens(text, window) for text in _words(task.schema)) if task.schema else 0)


def message_tokens(message: dict[str, Any], window: int) -> int:
    """The tokens of one message."""
    texts = sum(_tokens(text, window) for text in _texts(message))
    return _A_MESSAGE + texts + sum(map(_part, _parts(message)))


def _parts(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message.get("content")
    return content if isinstance(content, list) else []


def _tokens(text: str, window: int) -> int:
    """The exact number, or for texts that cannot fit a lower bound that does not fit either."""
    least = len(text) // LONGEST
    return least if least > window else count(text)


def _texts(message: dict[str, Any]) -> Iterator[str]:
    content = message.get("content")
    if isinstance(content, str):
        yield content
    elif content is not None:
        yield "".join(part.get("text") or part.get("refusal") or "" for part in content)
    yield message.get("name") or ""
    yield message.get("tool_call_id") or ""
    for call in message.get("tool_calls") or ():
        yield call["id"]
        yield from (value for value in call[call["type"]].values() if isinstance(value, str))
    yield from (value for value in (message.get("function_call") or {}).values() if isinstance(value, str))


def _part(part: dict[str, Any]) -> int:
    match part["type"]:
        case "image_url":
            return _SMALL_IMAGE if part["image_url"].get("detail") == "low" else _IMAGE
        case "input_audio":
            return _SOUND
        case "file":
            return _FILE
    return 0


def _words(value: Any) -> Iterator[str]:
    """The names, descriptions and values in a tool's definition, or in a schema."""
    if isinstance(value, str):
        if value not in _TYPES:
            yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name not in _STRUCTURE:
                yield name
            if name != "required":
                yield from _words(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _words(inner)


def usage(task: Task, prompt: int, sound: int, cached: int, choices: Iterable[Said]) -> dict[str, Any]:
    """The usage object."""
    said = list(choices)
    completion = sum(one.spent for one in said)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": sound},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": max((_predicted(task, one) for one in said), default=0),
            "rejected_prediction_tokens": 0,
        },
    }


def _predicted(task: Task, said: Said) -> int:
    """How many tokens at the beginning are as the request predicted them."""
    prediction = task.get("prediction")
    if not prediction or not said.tokens:
        return 0
    content = prediction["content"]
    text = content if isinstance(content, str) else "".join(part["text"] for part in content)
    same = 0
    for predicted, token in zip(encode(text), said.tokens, strict=False):
        if predicted != token:
            break
        same += 1
    return same
