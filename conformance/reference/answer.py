"""What the reference server is asked and what it answers, before either becomes bytes on a wire.

Planted faults work on these values, so they can be as small as "drop the last event". Nothing here knows HTTP libraries.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

DONE = "[DONE]"
OLDER = "text_completion"
"""The kind of answer that the older interface gives: no chat."""


@dataclass(frozen=True)
class Request:
    """One request as it reached the server. `path` starts with `/v1`; header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""
    memory: dict[str, Any] = field(default_factory=dict, compare=False)
    """What a fault wants to remember between requests to the same server."""

    @cached_property
    def json(self) -> Any:
        """The parsed body, or None where it is not JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    @property
    def wish(self) -> dict[str, Any]:
        """The parsed body where it is an object, else an empty one: what faults look at."""
        return self.json if isinstance(self.json, dict) else {}

    def asking(self, **changes: Any) -> Request:
        """The same request with members of its JSON body replaced; a value of `...` takes the member out."""
        body = {key: value for key, value in {**self.wish, **changes}.items() if value is not ...}
        return Request(self.method, self.path, self.headers, json.dumps(body).encode(), self.memory)


@dataclass
class Event:
    """One piece of a stream: a JSON value or text (each in a `data:` line of its own), or bytes as they are."""

    data: Any
    after: float = 0.0
    """Seconds that the server waits before it sends this piece."""

    @property
    def choices(self) -> list[dict[str, Any]]:
        """The choices of a chat's chunk, to read or to change in place; none for anything else."""
        if not isinstance(self.data, dict) or self.data.get("object") == OLDER:
            return []
        return self.data.get("choices") or []

    def encode(self) -> bytes:
        """The bytes on the wire, blank line included."""
        if isinstance(self.data, bytes):
            return self.data
        text = self.data if isinstance(self.data, str) else compact(self.data)
        return f"data: {text}\n\n".encode()


@dataclass
class Answer:
    """A status, headers, and either a whole body (`body`: JSON value or bytes) or a stream (`events`)."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    events: list[Event] | None = None
    after: float = 0.0
    """Seconds before the status line."""
    ending: Literal["close", "drop", "hang", "repeat"] = "close"
    """After the last byte: end the body, break the connection, neither end it nor send more, or send the last piece again and
    again."""

    @property
    def objects(self) -> list[dict[str, Any]]:
        """The JSON objects of the stream, to read or to change in place. Empty for a whole answer."""
        return [event.data for event in self.events or () if isinstance(event.data, dict)]

    @property
    def chunks(self) -> list[dict[str, Any]]:
        """Those of a chat."""
        return [one for one in self.objects if one.get("object") != OLDER]

    @property
    def choices(self) -> list[dict[str, Any]]:
        """Every choice of a chat's body or of the stream's chunks, to read or to change in place."""
        holders = self.chunks if self.events is not None else [self.body]
        return [
            choice
            for holder in holders
            if isinstance(holder, dict) and holder.get("object") != OLDER
            for choice in holder.get("choices") or ()
            if isinstance(choice, dict)
        ]

    @property
    def messages(self) -> list[dict[str, Any]]:
        """Every message (whole answer) or delta (stream) that is there, to read or to change in place."""
        return [
            part for choice in self.choices for key in ("message", "delta") if isinstance(part := choice.get(key), dict)
        ]

    @property
    def calls(self) -> list[dict[str, Any]]:
        """Every tool call or fragment of one, to read or to change in place."""
        return [call for message in self.messages for call in message.get("tool_calls") or ()]

    @property
    def is_chat(self) -> bool:
        """Whether this is a successful chat completion, whole or streamed."""
        if self.status != 200:
            return False
        if self.events is not None:
            return len(self.chunks) == len(self.objects)
        return isinstance(self.body, dict) and "choices" in self.body and self.body.get("object") != OLDER

    def pieces(self) -> Iterator[tuple[float, bytes]]:
        """(seconds to wait, bytes) in order: all that goes over the wire after the headers."""
        if self.events is not None:
            for event in self.events:
                yield event.after, event.encode()
        elif isinstance(self.body, bytes):
            yield 0.0, self.body
        elif self.body is not None:
            yield 0.0, compact(self.body).encode()


Respond = Callable[[Request], Answer]


def compact(value: Any) -> str:
    """JSON text as OpenAI writes it: no spaces, UTF-8 as it is."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
