"""The shape of an answer: a chat completion object, or the chunks of a stream, framed as OpenAI frames them."""

from __future__ import annotations

import string
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from conformance.reference.answer import DONE, Event
from conformance.reference.logprobs import entries
from conformance.reference.sampling import Made, Said
from conformance.reference.task import Task
from conformance.reference.tokens import decode, groups

_TIERS = {"flex": "flex", "scale": "scale", "priority": "priority", "fast": "priority"}
_PADDING = string.ascii_letters + string.digits


@dataclass(frozen=True)
class Head:
    """What is the same in every chunk of one answer."""

    id: str
    created: int
    fingerprint: str


def whole(task: Task, head: Head, choices: list[Said], usage: dict[str, Any]) -> dict[str, Any]:
    """The chat completion object."""
    return {
        "id": head.id,
        "object": "chat.completion",
        "created": head.created,
        "model": task.model,
        "choices": [
            {
                "index": index,
                "message": _message(task, said),
                "logprobs": _logprobs(task, said.tokens, 0, said.refusal),
                "finish_reason": said.finish,
            }
            for index, said in enumerate(choices)
        ],
        "usage": usage,
        "service_tier": _TIERS.get(task.get("service_tier", "default"), "default"),
        "system_fingerprint": head.fingerprint,
    }


def _message(task: Task, said: Said) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": said.text}
    if said.calls and task.legacy:
        message["function_call"] = {"name": said.calls[0].name, "arguments": said.calls[0].arguments}
    elif said.calls:
        message["tool_calls"] = [{"id": call.id, **_call(call, call.arguments)} for call in said.calls]
    refusal = None if said.refusal is None else decode(said.refusal)
    return {**message, "refusal": refusal, "annotations": []}


def _call(call: Made, arguments: str) -> dict[str, Any]:
    member = "arguments" if call.kind == "function" else "input"
    return {"type": call.kind, call.kind: {"name": call.name, member: arguments}}


def _logprobs(
    task: Task, tokens: list[int] | None, start: int, refusal: list[int] | None = None
) -> dict[str, Any] | None:
    if (tokens is None and refusal is None) or not task.get("logprobs", False):
        return None
    content, refused = (
        None if one is None else entries(one, start, int(task.get("top_logprobs", 0))) for one in (tokens, refusal)
    )
    return {"content": content, "refusal": refused}


@dataclass(frozen=True)
class _Step:
    """One chunk of one choice."""

    delta: dict[str, Any]
    logprobs: dict[str, Any] | None = None
    finish: str | None = None
    generated: bool = False
    """Whether the model had to generate a token for it."""


def stream(task: Task, head: Head, choices: list[Said], usage: dict[str, Any], token_delay: float) -> list[Event]:
    """The events of the stream: the choices take turns, chunk by chunk; then usage where it was asked for."""
    options = task.get("stream_options", {})
    asked, padded = bool(options.get("include_usage")), options.get("include_obfuscation") is not False
    events: list[Event] = []

    def add(chosen: list[dict[str, Any]], total: dict[str, Any] | None, after: float) -> None:
        chunk = {
            "id": head.id,
            "object": "chat.completion.chunk",
            "created": head.created,
            "model": task.model,
            "service_tier": _TIERS.get(task.get("service_tier", "default"), "default"),
            "system_fingerprint": head.fingerprint,
            "choices": chosen,
        }
        if asked:
            chunk["usage"] = total
        if padded:
            start = 7 * len(events) % len(_PADDING)
            chunk["obfuscation"] = _PADDING[start : start + 1 + 5 * len(events) % 11] or "x"
        events.append(Event(chunk, after))

    for steps in zip_longest(*(_steps(task, said) for said in choices)):
        for index, step in enumerate(steps):
            if step is not None:
                choice = {
                    "index": index,
                    "delta": step.delta,
                    "logprobs": step.logprobs,
                    "finish_reason": step.finish,
                }
                add([choice], None, token_delay if step.generated else 0.0)
    if asked:
        add([], usage, 0.0)
    return [*events, Event(DONE)]


def _steps(task: Task, said: Said) -> Iterator[_Step]:
    content, nothing = (None, None) if said.tokens is None else ("", list[int]())
    yield _Step({"role": "assistant", "content": content, "refusal": None}, _logprobs(task, nothing, 0))
    position = 0
    for text, run in groups(said.tokens or ()):
        yield _Step({"content": text}, _logprobs(task, run, position), generated=True)
        position += len(run)
    for text, run in groups(said.refusal or ()):
        yield _Step({"refusal": text}, _logprobs(task, None, position, run), generated=True)
        position += len(run)
    for index, call in enumerate(said.calls):
        yield from _call_steps(call, index, task.legacy)
    yield _Step({}, finish=said.finish)


def _call_steps(call: Made, index: int, legacy: bool) -> Iterator[_Step]:
    member = "arguments" if call.kind == "function" else "input"
    if legacy:
        yield _Step({"function_call": {"name": call.name, "arguments": ""}}, generated=True)
    else:
        yield _Step({"tool_calls": [{"index": index, "id": call.id, **_call(call, "")}]}, generated=True)
    for text, _ in groups(call.tokens):
        if legacy:
            yield _Step({"function_call": {"arguments": text}}, generated=True)
        else:
            yield _Step({"tool_calls": [{"index": index, call.kind: {member: text}}]}, generated=True)
