"""Why something could not be tested, in a word for programs. The sentence for people stands beside it and may be worded anew."""

from __future__ import annotations

from enum import StrEnum

from conformance.core.exchange import Exchange, How


class Why(StrEnum):
    """Permanent: JSON, JUnit and exit texts carry them."""

    UNREACHABLE = "unreachable"
    """There was no connection."""
    NOT_SECURE = "not-secure"
    """There was no TLS that can be trusted."""
    UNSENDABLE = "unsendable"
    """No HTTP request can be made of the address or the headers."""
    TIMED_OUT_CONNECT = "timed-out-connect"
    TIMED_OUT_FIRST_BYTE = "timed-out-first-byte"
    TIMED_OUT_IDLE = "timed-out-idle"
    TIMED_OUT_TOTAL = "timed-out-total"
    CUT = "cut"
    """The connection broke before or within the answer."""
    TOO_LARGE = "too-large"
    BUDGET = "budget"
    """A limit of requests, tokens or money left no room for it."""
    NOT_RECORDED = "not-recorded"
    DISK = "disk"
    """It could not be written down."""
    ASLEEP = "asleep"
    """The endpoint is scaled to zero."""
    QUOTA = "quota"
    """429, after waiting."""
    OVERLOADED = "overloaded"
    """503, after waiting."""
    UNAUTHORISED = "unauthorised"
    """401 or 403."""
    REFUSED = "refused"
    """Another 4xx."""
    SERVER_ERROR = "server-error"
    """Another 5xx."""
    UNREADABLE = "unreadable"
    """A 2xx that is not an answer."""
    NOTHING_TO_SEND = "nothing-to-send"
    BUG = "bug"
    """An exception in the suite itself."""


_UNSENT = {"budget": Why.BUDGET, "replay": Why.NOT_RECORDED, "disk": Why.DISK}
_UNREACHABLE = {"tls": Why.NOT_SECURE, "request": Why.UNSENDABLE}
_TIMED_OUT = {"connect": Why.TIMED_OUT_CONNECT, "first byte": Why.TIMED_OUT_FIRST_BYTE, "total": Why.TIMED_OUT_TOTAL}
_STATUS = {401: Why.UNAUTHORISED, 403: Why.UNAUTHORISED, 429: Why.QUOTA, 503: Why.OVERLOADED}


def why(x: Exchange) -> Why:
    """Why an exchange is no evidence. For one that is (a complete 2xx), that it cannot be read."""
    match x.ending.how:
        case How.UNSENT:
            return _UNSENT.get(x.ending.phase, Why.BUDGET)
        case How.UNREACHABLE:
            return _UNREACHABLE.get(x.ending.phase, Why.UNREACHABLE)
        case How.TIMED_OUT:
            return _TIMED_OUT.get(x.ending.phase, Why.TIMED_OUT_IDLE)
        case How.TOO_LARGE:
            return Why.TOO_LARGE
        case How.CUT:
            return Why.CUT
    if x.asleep:
        return Why.ASLEEP
    if x.status is None or x.ok:
        return Why.UNREADABLE
    return _STATUS.get(x.status, Why.SERVER_ERROR if x.status >= 500 else Why.REFUSED)
