"""The prompt cache: which beginning of a prompt the server has seen before. It saves nothing; it is only told.

As OpenAI documents it: for prompts of 1024 tokens and more, in steps of 128, and never the whole prompt.
"""

from __future__ import annotations

import hashlib
from typing import Any

from conformance.reference.answer import compact
from conformance.reference.task import Task
from conformance.reference.usage import message_tokens, offer_tokens

_LEAST, _STEP = 1024, 128
_KEPT = 512
"""How many beginnings are remembered; the oldest is forgotten first."""


def cached_tokens(memory: dict[str, Any], task: Task, prompt: int, window: int) -> int:
    """How many tokens of the prompt were cached. Remembers the prompt for the next time."""
    if prompt < _LEAST:
        return 0
    seen: dict[bytes, None] = memory.setdefault("reference.prompts", {})
    offers = [task.get(name) for name in ("tools", "functions", "response_format", "prompt_cache_key")]
    digest = hashlib.blake2b(compact([task.model, offers]).encode())
    tokens, known = offer_tokens(task, window), 0
    for message in task.messages:
        digest.update(compact(message).encode())
        tokens += message_tokens(message, window)
        mark = digest.digest()
        if mark in seen:
            known = tokens
        seen[mark] = None
    while len(seen) > _KEPT:
        del seen[next(iter(seen))]
    cached = min(known, prompt - 1) // _STEP * _STEP
    return cached if cached >= _LEAST else 0
