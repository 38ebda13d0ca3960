"""Checks asked by hand: about an answer that nobody gave, and about the reference server with a fault."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from conformance.checks.catalogue import catalogue
from conformance.core.exchange import Chunk, Exchange
from conformance.core.finding import Outcome
from conformance.core.probe import Probe
from conformance.judging.judge import Evidence, judge
from conformance.reference.fault import Fault, faults
from conformance.runner.kill_matrix import client, outcome, still


def replied(probe: Probe, body: Any, status: int = 200) -> Exchange:
    """An answer with this JSON body."""
    headers = (("content-type", "application/json"),)
    return Exchange(probe, "t", 0.0, status, headers, (Chunk(0.0, json.dumps(body).encode()),), model="m")


def answered(
    probe: Probe, content: Any, finish: str = "stop", message: Mapping[str, Any] | None = None, **more: Any
) -> Exchange:
    """A whole answer as OpenAI writes it, with this content; more members of the message, and of the whole."""
    said = {"role": "assistant", "content": content, "refusal": None, **(message or {})}
    choice = {"index": 0, "message": said, "logprobs": None, "finish_reason": finish}
    written = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1_790_000_000, "model": "m"}
    return replied(probe, {**written, "choices": [choice], **more})


def refused(probe: Probe, param: str | None = None, message: str = "No.", status: int = 400, **parts: Any) -> Exchange:
    """A refusal in OpenAI's form, with some parts changed."""
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": None, **parts}
    return replied(probe, {"error": error}, status)


def judged(id_: str, *exchanges: Exchange) -> Outcome:
    """What a check says of these exchanges."""
    return judge(catalogue()[id_], [Evidence(exchanges)])


def at(fault: Fault | str, id_: str) -> Outcome:
    """What becomes of a check at the reference server with a fault."""
    return outcome(catalogue()[id_], client(still(), [faults()[fault] if isinstance(fault, str) else fault]))
