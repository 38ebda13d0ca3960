"""What the headers of an answer tell about it: its id, how long it took, what is left of a quota, when to come back.

No header is demanded here but what clients count on: those that are there can be read. Which ones there are is a note in
`more_http`, and that a request has an id at all is in `errors`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from conformance.check import ANYTHING, REPLY, check
from conformance.checks.errors import REQUEST_IDS
from conformance.exchange import Exchange
from conformance.finding import Finding, Findings, Observed, Unwitnessed
from conformance.probes.chat import COUNT, GREEDY, HELLO
from conformance.requirement import HTTP, NOTE, OVERVIEW, REPORTS, SHOULD

QUOTAS = ("requests", "tokens")
PREFIX = "x-ratelimit"
DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h|d))+")
"""As OpenAI and Go write it: `6m0s`, `17ms`."""
NUMBER = re.compile(r"\d+(?:\.\d+)?")
MOST = 60
"""Characters of a header that are read as a number: a longer one is none."""


def form_of(text: str) -> str:
    """In which of the known forms a time to wait is written; "" where it is in none."""
    if len(text) > MOST:
        return ""
    if DURATION.fullmatch(text):
        return "duration"
    if NUMBER.fullmatch(text):
        return "seconds" if float(text) < 1e8 else "unix time"
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return ""
    return "date"


@check(
    "http.quotas-are-numbers",
    SHOULD,
    sends=HELLO,
    needs=REPLY,
    spec=REPORTS.at(
        "go-openai",
        "Clients read the headers of a quota as whole numbers: what is none counts as 0, and the client waits for nothing.",
        "https://github.com/sashabaranov/go-openai/blob/master/ratelimit.go",
    ),
)
def quotas_are_numbers(x: Exchange) -> Findings:
    """What the headers say of a quota are whole numbers, and no more is left than there is."""
    seen = False
    for quota in QUOTAS:
        limit, left = (x.header(f"{PREFIX}-{kind}-{quota}") for kind in ("limit", "remaining"))
        for kind, text in (("limit", limit), ("remaining", left)):
            if text is not None and not re.fullmatch(r"\d{1,18}", text.strip()):
                name = f"{PREFIX}-{kind}-{quota}"
                yield Finding(
                    "quota-no-whole-number", "a quota is no whole number", at=name, expected="digits", found=text[:200]
                )
        seen = seen or limit is not None or left is not None
        if (
            limit
            and left
            and limit.isdecimal()
            and left.isdecimal()
            and len(limit + left) < MOST
            and int(left) > int(limit)
        ):
            yield Finding(
                "more-left-quota-than",
                "more is left of a quota than there is",
                at=f"{PREFIX}-remaining-{quota}",
                expected=limit,
                found=left,
            )
    if not seen:
        yield Unwitnessed("no header tells about a quota")


@check(
    "http.resets-can-be-read",
    SHOULD,
    sends=HELLO,
    needs=REPLY,
    spec=REPORTS.at(
        "go-openai",
        "Clients read the header as a duration, and wait so long before they send the next request.",
        "https://github.com/sashabaranov/go-openai/blob/master/ratelimit.go",
    ),
)
def resets_can_be_read(x: Exchange) -> Findings:
    """When a quota is full again is a duration, a number of seconds, or a time."""
    seen = False
    for quota in QUOTAS:
        text = x.header(f"{PREFIX}-reset-{quota}")
        if text is None:
            continue
        seen, form = True, form_of(text.strip())
        yield Observed(form or "unknown", "form")
        if not form:
            name = f"{PREFIX}-reset-{quota}"
            yield Finding("reset-no-time", "a reset is no time", at=name, expected="6m0s, or seconds", found=text[:200])
    if not seen:
        yield Unwitnessed("no header tells when a quota is full again")


@check(
    "http.processing-time-is-a-number",
    SHOULD,
    sends=HELLO,
    needs=REPLY,
    spec=OVERVIEW.at("debugging requests", "Time taken processing your API request"),
)
def processing_time_is_a_number(x: Exchange) -> Findings:
    """`openai-processing-ms` is a number of milliseconds."""
    text = x.header("openai-processing-ms")
    if text is None:
        yield Unwitnessed("no header tells how long it took")
    elif len(text) > MOST or not NUMBER.fullmatch(text.strip()):
        yield Finding(
            "time-no-number", "the time is no number", at="openai-processing-ms", expected="digits", found=text[:200]
        )


@check(
    "http.request-ids-differ",
    SHOULD,
    sends=(HELLO, GREEDY, COUNT),
    needs=REPLY,
    spec=OVERVIEW.at("debugging requests", "Unique identifier for this API request (used in troubleshooting)"),
    remedy="Send an X-Client-Request-Id of your own, and log it.",
)
def request_ids_differ(*xs: Exchange) -> Findings:
    """Different requests have different ids in their header."""
    seen = False
    for name in REQUEST_IDS:
        ids = [found for x in xs if (found := x.header(name)) is not None]
        seen = seen or bool(ids)
        if len(set(ids)) < len(ids):
            yield Finding("two-requests-same-id", "two requests have the same id", at=name, found=ids)
        elif ids and not all(one.strip() for one in ids):
            yield Finding("id-request-empty", "the id of a request is empty", at=name, found=ids)
    if not seen:
        yield Unwitnessed("no header has the id of a request")


@check(
    "errors.retry-after-can-be-read",
    SHOULD,
    sends=HELLO,
    needs=ANYTHING,
    spec=HTTP.at("10.2.3. Retry-After", "Retry-After = HTTP-date / delay-seconds"),
    remedy="Retry with a growing delay.",
)
def retry_after_can_be_read(x: Exchange) -> Findings:
    """`Retry-After` is a number of seconds or a date, and `retry-after-ms` a number."""
    texts = {name: text for name in ("retry-after", "retry-after-ms") if (text := x.header(name)) is not None}
    if not texts:
        yield Unwitnessed("no header says when to come back")
    for name, text in texts.items():
        if not (NUMBER.fullmatch(text.strip()[:MOST]) or (name == "retry-after" and _is_date(text))):
            yield Finding(
                "when-come-back-cannot-read",
                "when to come back cannot be read",
                at=name,
                expected="seconds",
                found=text[:200],
            )


def _is_date(text: str) -> bool:
    try:
        return parsedate_to_datetime(text[:MOST]).astimezone(UTC).year > 1970
    except (ValueError, TypeError, OverflowError):
        return False
