"""The reference server as the upstream of a gateway: it does what the last message orders, and reports what reached it.

An order is a JSON object after `conformance:` in the last message of the user's. So the suite can tell, from the gateway's side
alone, what a gateway made of a request (`echo`), and of an answer that is known beforehand: a text, calls, usage, a finish
reason, members; an error with its headers; a stream that is slow, or breaks. No credential is ever reported: of headers that
could hold one, only the names are.
"""

from __future__ import annotations

import hashlib
from copy import deepcopy
from typing import Any

from conformance.core.upstream_script import CALL, order_in
from conformance.reference.answer import DONE, Answer, Event, Request, compact
from conformance.reference.sampling import Made, Said
from conformance.reference.shape import Head, stream, whole
from conformance.reference.task import Task
from conformance.reference.tokens import encode

USAGE = {
    "prompt_tokens": 11,
    "completion_tokens": 7,
    "total_tokens": 18,
    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
}
"""What is spent where the order does not say."""
TOLD = (
    "accept", "accept-encoding", "content-type", "idempotency-key", "openai-organization", "openai-project",
    "traceparent", "user-agent", "x-client-request-id", "x-request-id",
)  # fmt: skip
"""The headers whose values are reported."""
LONGEST = 10.0
"""Seconds between two pieces that an order may ask for."""


def order_of(request: Request) -> dict[str, Any] | None:
    """The order in a request; None where there is none."""
    messages = request.wish.get("messages")
    last = messages[-1] if isinstance(messages, list) and messages else None
    content = last.get("content") if isinstance(last, dict) else None
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        content = next((part for part in parts if isinstance(part, str) and part.startswith(CALL)), None)
    return order_in(content)


def obey(request: Request, order: dict[str, Any], created: int) -> Answer:
    """The answer that an order asks for."""
    headers = {str(name).lower(): str(value) for name, value in _mapping(order.get("headers")).items()}
    if isinstance(status := order.get("status"), int) and 400 <= status < 600:
        return Answer(status, headers, {"error": _mapping(order.get("error"))})
    wish = request.wish
    text = report(request) if order.get("echo") else order.get("say")
    calls = [
        Made(str(call.get("id")), str(call.get("name")), "function", encode(str(call.get("arguments", ""))))
        for call in order.get("calls") or ()
        if isinstance(call, dict)
    ]
    tokens = encode(text) if isinstance(text, str) else None if calls else []
    said = Said(tokens, calls, str(order.get("finish", "tool_calls" if calls else "stop")), 0)
    task = Task(
        str(wish.get("model")), [], {name: wish[name] for name in ("stream", "stream_options") if wish.get(name)}
    )
    name = hashlib.sha256(request.body).hexdigest()[:24]
    head = Head(f"chatcmpl-{name}", created, "fp_reference")
    usage = deepcopy(order.get("usage", USAGE))  # planted faults change it in place
    if not task.stream:
        body = {**whole(task, head, [said], usage), **_mapping(order.get("members"))}
        if usage is None:
            del body["usage"]
        return Answer(200, headers, body)
    every = order.get("every")
    pause = min(float(every), LONGEST) if isinstance(every, int | float) and every > 0 else 0.0
    events = stream(task, head, [said], usage, pause)
    if usage is None:
        events = [one for one in events if not isinstance(one.data, dict) or one.data.get("choices")]
    for event in events:
        if isinstance(event.data, dict):
            event.data.update(_mapping(order.get("members")))
    answer = Answer(200, {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache", **headers})
    answer.events = events
    return _broken(answer, order)


def _broken(answer: Answer, order: dict[str, Any]) -> Answer:
    """The stream as it is, or broken off after some events: by an error in its place, or with the connection."""
    after = order.get("after")
    if answer.events is None or not isinstance(after, int) or not 0 <= after < len(answer.events):
        return answer
    answer.events = answer.events[:after]
    if "error" in order:
        error = compact({"error": _mapping(order["error"])})
        answer.events += [Event(f"data: {error}\n\n".encode()), Event(DONE)]  # bytes: it is no chunk
    else:
        answer.ending = "drop"
    return answer


def report(request: Request) -> str:
    """What reached the server, as JSON text."""
    return compact(
        {
            "method": request.method,
            "path": request.path,
            "headers": {name: request.headers[name] for name in TOLD if name in request.headers},
            "names": sorted(request.headers),
            "body": request.json,
        }
    )


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
