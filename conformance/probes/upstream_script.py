"""Requests that a gateway is to pass on to the reference server, which does what they order (`reference.upstream_script`)."""

from __future__ import annotations

from typing import Any

from conformance.core.probe import Probe
from conformance.core.upstream_script import text_of
from conformance.probes.chat import assistant, chat, streamed, user
from conformance.probes.images import RED, image
from conformance.probes.tools import CALLED, CREATE_ORDER, GET_WEATHER, choosing, result, strict


def ordered(order: dict[str, Any], **wishes: Any) -> Probe:
    """A request with an order; `wishes` are further members of its body."""
    return chat(text_of(order), **wishes)


def echo(**wishes: Any) -> Probe:
    """A request whose answer is a report of what reached the server."""
    return ordered({"echo": True}, **wishes)


ECHO = echo()
"""The plainest one: it also tells whether the reference server is upstream at all."""

SCHEMA = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "description": "Where, in “any” words"},
        "days": {"type": ["integer", "null"]},
    },
    "required": ["city", "days"],
    "additionalProperties": False,
}
PARAMETERS: dict[str, Any] = {
    "temperature": 0.37,
    "top_p": 0.81,
    "seed": 20_301,
    "stop": ["<stop>", "\n\n"],
    "max_completion_tokens": 321,
    "max_tokens": 123,
    "presence_penalty": 0.25,
    "frequency_penalty": -0.5,
    "logit_bias": {"42": -7},
    "logprobs": True,
    "user": "conformance-user",
    "response_format": {"type": "json_schema", "json_schema": {"name": "trip", "strict": True, "schema": SCHEMA}},
    "parallel_tool_calls": False,
    "reasoning_effort": "low",
    "verbosity": "low",
    "metadata": {"team": "conformance"},
    "store": False,
    "service_tier": "default",
    "safety_identifier": "conformance-reader",
    "prompt_cache_key": "conformance-cache",
}
"""Parameters by name, each with a value that nobody would choose for somebody else."""
BESIDE: dict[str, dict[str, Any]] = {"parallel_tool_calls": {"tools": [GET_WEATHER]}}
"""What has to be in the request as well."""
ONE_EACH = tuple(echo(**{name: value, **BESIDE.get(name, {})}) for name, value in PARAMETERS.items())

TALK = (
    {"role": "system", "content": "  Answer in “plain” words.\n"},
    {"role": "user", "content": 'Grüß Gott, 世界 👋🏽\u200d\t\\n "quoted" <b>&amp;</b>', "name": "reader"},
    {"role": "assistant", "content": None, "tool_calls": [CALLED]},
    result("call_Zk3x9QwLr7TnB2vYc8Md", '{"degrees": 21.50,  "sky": "clear"}'),
    assistant("21.5\u00a0°C, and clear."),
    user(text_of({"echo": True})),
)
"""A conversation with one of everything, and texts that are easily mended by mistake."""
CONVERSATION = chat(messages=TALK, tools=[GET_WEATHER])
PICTURE = chat(messages=[user([{"type": "text", "text": text_of({"echo": True})}, image(RED)])])
TOOLS = echo(tools=[strict(CREATE_ORDER), GET_WEATHER], tool_choice=choosing("get_weather"))
UNKNOWN = echo(x_conformance={"kept": True}).with_headers(
    x_client_request_id="conformance-request-1", idempotency_key="conformance-key-1", user_agent="conformance/1"
)

CROWD = tuple(
    streamed(probe) if number % 2 else probe
    for number in range(8)
    for probe in (ordered({"echo": True, "nonce": f"nonce-{number:02}-{number * 7919 % 9973:04}"}),)
)
"""Requests made at the same time, each with a word of its own, every second as a stream."""

TEXT = (
    " Grüße,\u00a0世界 👩🏽\u200d💻 e\u0301 \\u00e9 \"quoted\" 'single' `code` <b>&amp;</b> {{x}} [DONE] data: [DONE]\r\n\tline\n\n"
    '```json\n{"a": 1}\n```\u2028 \u202eend  '
)
"""A text that is easily mended by mistake: spaces at both ends, line ends, escapes, and words of the protocol."""
SAID = ordered({"say": TEXT})
SAID_STREAMED = streamed(SAID)

CALLS = [
    {"id": "call_Conf0rm-ance.1", "name": "get_weather", "arguments": '{"city":  "Zürich \\u00fc",\n "days": 1.0}'},
    {"id": "call_Conf0rm-ance.2", "name": "get_weather", "arguments": '{"days": 12345678901234567890, "city": ""}'},
]
"""Calls whose arguments are not as a JSON library would write them."""
CALLED_TWICE = ordered({"calls": CALLS}, tools=[GET_WEATHER])
CALLED_TWICE_STREAMED = streamed(CALLED_TWICE)

REASONS = ("stop", "length", "content_filter")
FINISHES = {reason: ordered({"say": "Enough.", "finish": reason}) for reason in REASONS}

SPENT = {
    "prompt_tokens": 1234,
    "completion_tokens": 567,
    "total_tokens": 1801,
    "prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 333, "audio_tokens": 0},
}
"""Usage that nobody would count from the texts."""
USED = ordered({"say": "Counted.", "usage": SPENT})
USED_STREAMED = streamed(USED, include_usage=True)
UNCOUNTED = ordered({"say": "Not counted.", "usage": None})
UNCOUNTED_STREAMED = streamed(UNCOUNTED, include_usage=True)

ERROR = {
    "message": "The conformance suite ordered this refusal: reason 7319.",
    "type": "invalid_request_error",
    "param": "messages[0].content",
    "code": "conformance_ordered_this",
}
STATUSES = (400, 404, 422, 500)
"""Statuses of errors that say nothing of waiting or of keys, which gateways have reasons of their own to change."""
REFUSED = {status: ordered({"status": status, "error": ERROR}) for status in STATUSES}
REFUSED_STREAMED = streamed(REFUSED[400])
BUSY = ordered({"status": 429, "headers": {"retry-after": "1"}, "error": {**ERROR, "type": "rate_limit_error"}})
KEYLESS = {status: ordered({"status": status, "error": {**ERROR, "code": "invalid_api_key"}}) for status in (401, 403)}

LONG = "one two three four five six seven eight nine ten eleven twelve"
FAILS_MIDWAY = streamed(ordered({"say": LONG, "after": 5, "error": {**ERROR, "type": "server_error"}}))
CUT_MIDWAY = streamed(ordered({"say": LONG, "after": 5}))
EVERY = 0.25
"""Seconds between two events of the slow stream."""
SLOW = streamed(ordered({"say": LONG, "every": EVERY}))

MEMBERS = {"x_conformance": {"kept": True}, "system_fingerprint": "fp_conformance_7319", "service_tier": "flex"}
MARKED = ordered(
    {
        "say": "Marked.",
        "members": MEMBERS,
        "headers": {
            "x-request-id": "req_conformance_7319",
            "x-ratelimit-remaining-requests": "7319",
            "openai-processing-ms": "7319",
            "x-conformance": "kept",
        },
    }
)
