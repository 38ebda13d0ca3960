"""Planted faults: headers about a request and its quota that nobody can read, or that are those of another request."""

from __future__ import annotations

from conformance.reference.answer import Answer, Request, Respond
from conformance.reference.fault import Fault, fault
from conformance.reference.rows import refused

QUOTA = {
    "x-ratelimit-limit-requests": "60",
    "x-ratelimit-limit-tokens": "150000",
    "x-ratelimit-remaining-requests": "59",
    "x-ratelimit-remaining-tokens": "149984",
    "x-ratelimit-reset-requests": "1s",
    "x-ratelimit-reset-tokens": "6m0s",
}


def _with_headers(identity: str, title: str, legal: bool = False, **changes: str) -> Fault:
    """A server that tells about a quota in these headers."""
    headers = QUOTA | {f"x-ratelimit-{name.replace('_', '-')}": text for name, text in changes.items()}

    def sin(answer: Answer, request: Request) -> None:
        answer.headers |= headers

    sin.__doc__ = title
    return fault(identity, legal=legal)(sin)


tells = _with_headers("quota-told", "Headers tell about a quota, as OpenAI's do.", legal=True)
tells_seconds = _with_headers(
    "quota-resets-in-seconds",
    "When a quota is full again is said in seconds, with a fraction.",
    legal=True,
    reset_requests="0.25",
    reset_tokens="33011.38",
)
tells_dates = _with_headers(
    "quota-resets-at-a-time",
    "When a quota is full again is said as a time.",
    legal=True,
    reset_requests="2026-11-25T00:00:00Z",
    reset_tokens="1795564800",
)
tells_words = _with_headers("quota-in-words", "The limit of a quota is a word.", limit_tokens="unlimited")
tells_less = _with_headers("quota-below-zero", "What is left of a quota is below 0.", remaining_requests="-1")
tells_too_much = _with_headers("quota-left-over", "More is left of a quota than there is.", remaining_requests="61")
tells_no_time = _with_headers(
    "quota-reset-in-words", "When a quota is full again is said in words.", reset_requests="in a minute"
)


@fault("processing-time-in-words")
def takes_its_time(answer: Answer, request: Request) -> None:
    """The time that a request took has its unit with it."""
    if "openai-processing-ms" in answer.headers:
        answer.headers["openai-processing-ms"] += "ms"


@fault("request-id-always-the-same")
def counts_no_requests(answer: Answer, request: Request) -> None:
    """Every answer has the same id of a request: it is the id of the worker."""
    answer.headers["x-request-id"] = "req_worker_1"


def _busy(identity: str, title: str, when: str) -> Fault:
    """A server that answers the plainest request with 429, and says when to come back."""

    def sin(request: Request, respond: Respond) -> Answer:
        if set(request.wish) == {"model", "messages"} and request.wish["messages"] == [
            {"role": "user", "content": "Say hello"}
        ]:
            answer = refused("Rate limit reached", None, 429)
            answer.headers["retry-after"] = when
            return answer
        return respond(request)

    sin.__doc__ = title
    return fault(identity, instead=True)(sin)


is_busy_in_words = _busy("retry-after-in-words", "A 429 says in words when to come back.", "soon")
