"""When a request is sent again: only where the answer asks for patience, as often as this says, and no sooner."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

from conformance.core.exchange import Exchange

ATTEMPTS = 3
"""Times that a request answered by 429 or 503 is sent, waiting in between as the server asks."""
PAUSE = 1.0
"""Seconds waited where such an answer does not say how long."""


def patience(x: Exchange, longest: float) -> float | None:
    """Seconds to wait before the request is sent again; None where it should not be, or the server asks for too long."""
    if x.status not in (429, 503):
        return None
    said = (x.header("retry-after") or "").strip()
    try:
        seconds = float(said or PAUSE)
    except ValueError:
        seconds = _until(said, x.at)
    return seconds if 0 <= seconds <= longest else None


def _until(date: str, now: float) -> float:
    """Seconds from now to a date as HTTP writes it; the usual pause where it is none."""
    try:
        return max(0.0, parsedate_to_datetime(date).timestamp() - now)
    except (ValueError, OverflowError):
        return PAUSE
