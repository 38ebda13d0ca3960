"""What a target may be able to do, as checks require it and targets claim or disclaim it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

UPSTREAM = "upstream"
"""What a check requires that tells what a gateway does: a target that names the one behind it. No capability: nobody claims it."""


CAPABILITIES: Mapping[str, str] = MappingProxyType(
    {
        "chat": "answers POST /chat/completions",
        "chat.stream": "streams chat completions as server-sent events",
        "chat.n": "gives several choices for one request (n)",
        "models": "lists its models under GET /models",
        "logprobs": "returns log probabilities of the output tokens",
        "logit_bias": "changes the likelihood of single tokens",
        "seed": "repeats an answer for the same seed",
        "stop": "ends the answer at a stop sequence",
        "penalties": "honours frequency_penalty and presence_penalty",
        "tools": "calls functions",
        "tools.parallel": "calls several functions in one turn, and honours parallel_tool_calls",
        "tools.strict": "keeps the arguments of strict functions to their schema",
        "tools.custom": "calls custom tools, whose input is free text",
        "structured.json_object": "answers in JSON (response_format json_object)",
        "structured.json_schema": "answers by a schema (response_format json_schema)",
        "vision": "reads images in user messages",
        "audio": "reads or speaks audio",
        "developer_role": "accepts messages of the role developer",
        "usage.stream": "ends a stream with its usage (stream_options.include_usage)",
        "auth": "refuses a request without a valid key",
        "reasoning": "thinks before it answers, and counts the tokens of that",
        "completions": "answers POST /completions, the older interface",
        "embeddings": "answers POST /embeddings",
    }
)


OWN_ROUTES = frozenset({"models", "embeddings", "completions"})
"""Capabilities that are a route of their own, beside the chat."""
