"""Requests for chat completions. What every target must understand is all that a plain one holds: a model and messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conformance.core.probe import MODEL, Probe, encode

PATH = "chat/completions"


def chat(
    say: str | list[Any] = "Say hello",
    /,
    *,
    system: str | None = None,
    messages: Sequence[Any] | None = None,
    **wishes: Any,
) -> Probe:
    """A request in which the user says something.

    `messages` replaces the whole conversation. `wishes` are further members of the body, in the order given; one that is
    `...` is left out, also `model` and `messages`. No temperature and no cap unless asked for: some models refuse them.
    """
    if messages is None:
        messages = [{"role": "user", "content": say}]
        if system is not None:
            messages = [{"role": "system", "content": system}, *messages]
    body = {"model": MODEL, "messages": messages, **wishes}
    return Probe(PATH, encode({key: value for key, value in body.items() if value is not ...}))


def streamed(probe: Probe, **options: Any) -> Probe:
    """The same request asking for a stream; `options` become `stream_options`."""
    return probe.asking(stream=True, **({"stream_options": options} if options else {}))


def raw(body: bytes, content_type: str | None = "application/json") -> Probe:
    """A chat request with exactly these bytes as its body."""
    return Probe(PATH, body, headers=(("content-type", content_type),) if content_type else ())


def get(path: str) -> Probe:
    """A GET of a path below the base URL."""
    return Probe(path, None, "GET", ())


def user(content: Any) -> dict[str, Any]:
    """A message of the user's."""
    return {"role": "user", "content": content}


def assistant(content: Any, **more: Any) -> dict[str, Any]:
    """A message of the assistant's."""
    return {"role": "assistant", "content": content, **more}


HELLO = chat()
"""The plainest request there is. It opens every run, too."""
GREEDY = chat(temperature=0)
"""The same, asking for the likeliest words, so that two answers can be compared."""
STREAMED = streamed(HELLO)
COUNT = chat("Count to forty")
"""An answer of some length: about 110 tokens."""
COUNT_STREAMED = streamed(COUNT)
