"""Planted faults: headers about a request and its quota that nobody can read, or that are those of another request."""

from __future__ import annotations

from conformance.reference.answer import Answer
from conformance.reference.rows import ANY, HEADERS, become, change, refused, reply

HELLO = [{"role": "user", "content": "Say hello"}]
"""The plainest request."""


def quota(**changes: str) -> dict[str, str]:
    """Headers about a quota, some of them with other texts."""
    return QUOTA | {f"x-ratelimit-{name.replace('_', '-')}": text for name, text in changes.items()}


def busy(when: str) -> Answer:
    """A 429 that says when to come back."""
    answer = refused("Rate limit reached", status=429)
    answer.headers["retry-after"] = when
    return answer


QUOTA = {
    "x-ratelimit-limit-requests": "60",
    "x-ratelimit-limit-tokens": "150000",
    "x-ratelimit-remaining-requests": "59",
    "x-ratelimit-remaining-tokens": "149984",
    "x-ratelimit-reset-requests": "1s",
    "x-ratelimit-reset-tokens": "6m0s",
}


QUOTAS = (
    become("quota-told", ANY, headers=quota(), says="Headers tell about a quota, as OpenAI's do.", legal=True),
    become("quota-resets-in-seconds", ANY, headers=quota(reset_requests="0.25", reset_tokens="33011.38"),
        says="Headers say in seconds, with a fraction, when a quota is full again.", legal=True),
    become("quota-resets-at-a-time", ANY,
        headers=quota(reset_requests="2026-11-25T00:00:00Z", reset_tokens="1795564800"),
        says="Headers say as a time when a quota is full again.", legal=True),
    become("quota-in-words", ANY, headers=quota(limit_tokens="unlimited"), says="The limit of a quota is a word."),
    become("quota-below-zero", ANY, headers=quota(remaining_requests="-1"), says="What is left of a quota is below 0."),
    become("quota-left-over", ANY, headers=quota(remaining_requests="61"),
        says="More is left of a quota than there is."),
    become("quota-reset-in-words", ANY, headers=quota(reset_requests="in a minute"),
        says="Headers say in words when a quota is full again."),
)  # fmt: skip
OTHERS = (
    change("processing-time-in-words", HEADERS, "openai-processing-ms", lambda text: f"{text}ms",
        says="The time that a request took has its unit with it."),
    become("request-id-always-the-same", ANY, headers={"x-request-id": "req_worker_1"},
        says="Every answer has the same id of a request: it is the id of the worker."),
    reply("retry-after-in-words", lambda: busy("soon"),
        when=lambda request: request.wish.keys() == {"model", "messages"} and request.wish["messages"] == HELLO,
        says="A 429 says in words when to come back."),
)  # fmt: skip
