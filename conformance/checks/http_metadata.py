"""What the headers of an answer tell about it: its request id, the time it took, and what is left of a quota.

No header is demanded here: those that clients count on can be read where they are sent. Which ones are sent is noted in
`http.metadata`; that a request has an id at all is in `errors`.
"""

from __future__ import annotations

import re
from datetime import datetime

from conformance.checks.errors import REQUEST_IDS
from conformance.core.check import REPLY, Area
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed, Unwitnessed
from conformance.core.requirement import OVERVIEW, REPORTS
from conformance.probes.chat import COUNT, GREEDY, HELLO

GO_OPENAI = "https://github.com/sashabaranov/go-openai/blob/master/ratelimit.go"

QUOTAS = ("requests", "tokens")
PREFIX = "x-ratelimit"
DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h|d))+")
"""As OpenAI and Go write it: `6m0s`, `17ms`."""
NUMBER = re.compile(r"\d+(?:\.\d+)?")
LONGEST_NUMBER = 60
"""Characters of the longest header that is read as a number or a time."""

area = Area("http", needs=REPLY)


def form_of(text: str) -> str | None:
    """In which of the known forms a time to wait is written; None where it is in none of them."""
    if len(text) > LONGEST_NUMBER:
        return None
    if DURATION.fullmatch(text):
        return "duration"
    if NUMBER.fullmatch(text):
        return "seconds" if float(text) < 1e8 else "unix time"
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return None
    return "date"


def whole_number(text: str) -> int | None:
    """The whole number that a header holds; None where it holds something else."""
    return int(text) if re.fullmatch(r"\d{1,18}", text.strip()) else None


@area.should(
    "quotas-are-numbers",
    sends=HELLO,
    spec=REPORTS.at(
        "go-openai",
        "Clients read the headers of a quota as whole numbers: what is none counts as 0, and the client waits for nothing.",
        GO_OPENAI,
    ),
)
def quotas_are_numbers(x: Exchange) -> Findings:
    """The limit and the remainder of a quota are whole numbers, and no more remains than the limit."""
    names = [f"{PREFIX}-{kind}-{quota}" for quota in QUOTAS for kind in ("limit", "remaining")]
    headers = {name: text for name in names if (text := x.header(name)) is not None}
    if not headers:
        raise Unwitnessed("no header tells about a quota")
    for name, text in headers.items():
        if whole_number(text) is None:
            yield Finding("not-a-number", "A quota is not a whole number", at=name, expected="digits", found=text[:200])
    for quota in QUOTAS:
        limit, left = (headers.get(f"{PREFIX}-{kind}-{quota}", "") for kind in ("limit", "remaining"))
        most, remaining = whole_number(limit), whole_number(left)
        if most is not None and remaining is not None and remaining > most:
            at = f"{PREFIX}-remaining-{quota}"
            yield Finding("above-limit", "More remains of a quota than its limit", at=at, expected=limit, found=left)


@area.should(
    "resets-can-be-read",
    sends=HELLO,
    spec=REPORTS.at(
        "go-openai",
        "Clients read the header as a duration, and wait so long before they send the next request.",
        GO_OPENAI,
    ),
)
def resets_can_be_read(x: Exchange) -> Findings:
    """The reset of a quota is a duration, a number of seconds, or a time."""
    names = [f"{PREFIX}-reset-{quota}" for quota in QUOTAS]
    headers = {name: text for name in names if (text := x.header(name)) is not None}
    if not headers:
        raise Unwitnessed("no header tells when a quota is full again")
    for name, text in headers.items():
        form = form_of(text.strip())
        yield Observed(form or "unknown", "form")
        if form is None:
            yield Finding(
                "not-a-time",
                "A reset is neither a duration nor a time",
                at=name,
                expected="6m0s, or seconds",
                found=text[:200],
            )


@area.should(
    "processing-time-is-a-number",
    sends=HELLO,
    spec=OVERVIEW.at("debugging requests", "Time taken processing your API request"),
)
def processing_time_is_a_number(x: Exchange) -> Findings:
    """`openai-processing-ms` is a number of milliseconds."""
    text = x.header("openai-processing-ms")
    if text is None:
        raise Unwitnessed("no header tells how long it took")
    if len(text) > LONGEST_NUMBER or not NUMBER.fullmatch(text.strip()):
        yield Finding(
            "not-a-number",
            "The processing time is not a number",
            at="openai-processing-ms",
            expected="digits",
            found=text[:200],
        )


@area.should(
    "request-ids-differ",
    sends=(HELLO, GREEDY, COUNT),
    spec=OVERVIEW.at("debugging requests", "Unique identifier for this API request (used in troubleshooting)"),
    remedy="send an X-Client-Request-Id of your own, and log it",
)
def request_ids_differ(*answers: Exchange) -> Findings:
    """Different requests have different ids in their header."""
    sent = {name: [text for x in answers if (text := x.header(name)) is not None] for name in REQUEST_IDS}
    if not any(sent.values()):
        raise Unwitnessed("no header has the id of a request")
    for name, ids in sent.items():
        if len(set(ids)) < len(ids):
            yield Finding("same-id", "Two requests have the same id", at=name, found=ids)
        elif not all(text.strip() for text in ids):
            yield Finding("empty-id", "The id of a request is empty", at=name, found=ids)
