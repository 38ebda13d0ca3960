"""What differs between any two answers, and so says nothing when it does: each with its reason.

Pointers as golden sets have them: `*` is part of a step, `/**` any number of steps. Of what is masked the type is compared all
the same, and of an object around it the members.
"""

from __future__ import annotations

from conformance.checks.golden.shape import Pointers

OTHERS = {
    "/**/reasoning*": "prose",
    "/**/token_ids": "what the model said, in numbers",
    "/**/prompt_token_ids": "what the model read, in numbers",
    "/**/prompt_logprobs": "what the model read, in numbers",
    "/**/root": "a name on the server's disk",
    "/**/parent": "a name on the server's disk",
    "/**/permission": "made anew for each answer",
    "/**/timings": "measured",
    "/**/max_model_len": "belongs to the model",
    "/detail": "prose",
    "/message": "prose",
}
"""What other servers than OpenAI's say besides, and differently each time."""

ANSWERS = Pointers(
    {
        **OTHERS,
        "/id": "made anew for each answer",
        "/created": "a time",
        "/model": "the name of the target's model",
        "/system_fingerprint": "names a state of the server",
        "/obfuscation": "random characters, on purpose",
        "/choices/*/*/content": "prose",
        "/choices/*/*/refusal": "prose",
        "/choices/*/*/tool_calls/*/id": "made anew for each call",
        "/choices/*/*/tool_calls/*/index": "the model calls as often as it likes",
        "/choices/*/*/tool_calls/*/function/name": "the model's choice",
        "/choices/*/*/tool_calls/*/function/arguments": "written by the model",
        "/**/token": "prose",
        "/**/logprob": "computed",
        "/**/bytes": "prose",
        "/**/*_tokens": "a count of tokens",
        "/**/*_ms": "measured",
        "/error/message": "prose",
        "/owned_by": "belongs to the model",
        "/shutdown_date": "belongs to the model",
        "/data/*/*": "belongs to the model",
    }
)
"""In answers of two servers with two models."""

SAME_MODEL = Pointers(
    {
        "/created": "a time: each of the two answers has its own",
        "/obfuscation": "random characters, on purpose",
    }
)
"""In one answer that was carried on, such as by a gateway: there, whatever else differs was changed on the way."""

HEADERS = {
    "x-request-id": "what one gives to support",
    "retry-after": "clients wait so long",
    "retry-after-ms": "clients wait so long",
    "www-authenticate": "says how to send the key",
    "content-encoding": "decides how a client reads the body",
    "cache-control": "a stream that is cached is no stream",
    "x-should-retry": "the official client obeys it",
    "x-ratelimit-limit-requests": "clients pace themselves by it",
    "x-ratelimit-remaining-requests": "clients pace themselves by it",
    "x-ratelimit-reset-requests": "clients pace themselves by it",
    "x-ratelimit-limit-tokens": "clients pace themselves by it",
    "x-ratelimit-remaining-tokens": "clients pace themselves by it",
    "x-ratelimit-reset-tokens": "clients pace themselves by it",
    "openai-processing-ms": "clients measure by it",
    "openai-version": "clients tell versions apart by it",
}
"""The headers that matter, and to whom. Of these it is compared whether they are there; their values are each answer's own.
The media type is compared besides."""
