"""What the headers of a refusal tell about it: when to come back."""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime

from conformance.checks.http_metadata import LONGEST_NUMBER, NUMBER
from conformance.core.check import ANYTHING, Area
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Unwitnessed
from conformance.core.requirement import HTTP
from conformance.probes.chat import HELLO

area = Area("errors", needs=ANYTHING)


@area.should(
    "retry-after-can-be-read",
    sends=HELLO,
    spec=HTTP.at("10.2.3. Retry-After", "Retry-After = HTTP-date / delay-seconds"),
    remedy="retry with a growing delay",
)
def retry_after_can_be_read(x: Exchange) -> Findings:
    """`Retry-After` is a number of seconds or a date, and `retry-after-ms` a number."""
    headers = {name: text for name in ("retry-after", "retry-after-ms") if (text := x.header(name)) is not None}
    if not headers:
        raise Unwitnessed("no header says when to come back")
    for name, text in headers.items():
        is_number = NUMBER.fullmatch(text.strip()[:LONGEST_NUMBER])
        if not (is_number or (name == "retry-after" and _is_date(text))):
            yield Finding(
                "not-a-time", "The time to wait cannot be read", at=name, expected="seconds", found=text[:200]
            )


def _is_date(text: str) -> bool:
    try:
        return parsedate_to_datetime(text[:LONGEST_NUMBER]).astimezone(UTC).year > 1970
    except (ValueError, TypeError, OverflowError):
        return False
