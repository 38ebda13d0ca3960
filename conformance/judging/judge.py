"""From a check and its evidence to an outcome. Pure: the same evidence always gives the same outcome."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

from conformance.core.check import Check, Needs
from conformance.core.exchange import Exchange, How
from conformance.core.finding import WORST, Finding, Kind, Observed, Outcome, Unsupported, Unwitnessed
from conformance.core.reading.json import Value, type_of
from conformance.core.reason import Why, why
from conformance.judging.refusal import named, unserved

MOST = 20
"""Findings kept for one check at one target: a stream of ten thousand bad chunks is one fault."""
LARGEST = 4000
"""Characters and elements kept of a value in a finding: a run must not grow with what a server sends."""
REASON = 500
"""Characters kept of a reason, and of a place."""


@dataclass(frozen=True)
class Evidence:
    """The exchanges of one case, and why a chain stopped early if it did."""

    exchanges: tuple[Exchange, ...]
    stopped: str = ""
    witnessed: bool = True

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of the exchanges."""
        return tuple(x.key for x in self.exchanges)


def illegible(x: Exchange) -> str:
    """Why a 2xx answer cannot be read as a chat completion at all; "" where it can."""
    if x.streamed and not x.probe.streamed:
        return "the answer is a stream, which was not asked for"
    if x.streamed:
        if not x.data:
            return "the stream has no data events"
        if any(value.type != "object" for value in x.data):
            return "the stream has data that is not a JSON object"
        if any(value["error"].type == "object" for value in x.data):
            return "the stream breaks off with an error"
        holders = [choice["delta"] for value in x.data for choice in value["choices"]]
    else:
        if x.not_json:
            return f"the body is not JSON ({x.not_json})"
        holders = [choice["message"] for choice in x.json["choices"]]
    if not any(holder.type == "object" for holder in holders):
        return "the answer has no choice with a message"
    return ""


def lacking(x: Exchange, needs: Needs) -> str:
    """Why an exchange is not evidence for a check with these needs; "" where it is."""
    if x.ending.how is How.UNSENT:
        return x.ending.detail or "the request was not sent"
    if needs >= Needs.REPLY:
        if x.status is None or not x.complete:
            return f"no complete answer: {x.ending}"
        if x.asleep:
            return "the endpoint is scaled to zero, and was woken by this request: run again in a few minutes"
        if x.put_off:
            waited = sum(wait.seconds for wait in x.waits)
            return f"answered {x.status}" + (f" after waiting {waited:g} s" if x.waits else "")
    if needs >= Needs.OK and not x.ok:
        return f"answered {x.status}"
    if needs >= Needs.ANSWER:
        return illegible(x)
    return ""


def gate(check: Check, evidence: Evidence, claims: frozenset[str] | None) -> Outcome | None:
    """The outcome of a case that the check need not read, or None where it must."""
    for x in evidence.exchanges:
        if x.ending.how is How.ABSENT:
            return Outcome(Kind.UNSUPPORTED, reason=x.ending.detail, cause=x.key)
        lack = lacking(x, check.needs)
        if not lack:
            continue
        feature = named(x, check.requires) or unserved(x, check.requires) if check.needs >= Needs.OK else ""
        if not feature:
            return Outcome(Kind.ERRORED, reason=lack, cause=x.key, code=why(x))
        if claims is not None and any(one in claims for one in check.requires):
            said = Finding(
                "claimed-but-refused",
                "The target claims a feature but refuses a request for it",
                found=x.text[:300],
                on=x.key,
            )
            return Outcome(Kind.VIOLATED, (said,))
        return Outcome(Kind.UNSUPPORTED, reason=f"the server refuses `{feature}` ({x.status})", cause=x.key)
    if evidence.stopped:
        return Outcome(Kind.UNWITNESSED, reason=evidence.stopped)
    if not evidence.witnessed:
        tried = f"in {check.tries} tries" if check.tries > 1 else "in one try"
        return Outcome(Kind.UNWITNESSED, reason=f"the model did not show the behaviour {tried}")
    return None


def plain(value: Any) -> Any:
    """A JSON value for the record, from whatever a check put into a finding: no larger than a person would read."""
    return _plain(value, [LARGEST])


def _plain(value: Any, room: list[int]) -> Any:
    """The value as far as there is `room`: characters and elements left, counted down in place."""
    if isinstance(value, Value):
        value = value.value
    if isinstance(value, (set, frozenset, tuple)):
        value = sorted(value, key=repr) if isinstance(value, (set, frozenset)) else list(value)
    if isinstance(value, list):
        kept = [_plain(one, room) for one in _taken(value, room)]
        return kept if len(kept) == len(value) else [*kept, f"… {len(value) - len(kept)} more"]
    if isinstance(value, dict):
        return {_cut(str(key), room): _plain(value[key], room) for key in _taken(value, room)}
    if isinstance(value, bytes):
        value = value[: LARGEST + 1].decode(errors="backslashreplace")
    if isinstance(value, str):
        return _cut(value, room)
    if isinstance(value, float) and not isfinite(value):
        return str(value)  # 1e999 is JSON to a server; Infinity in our own files would not be
    return value


def _taken(values: Collection[Any], room: list[int]) -> Iterator[Any]:
    """The elements of a list or a mapping, as long as there is room."""
    for one in values:
        if room[0] <= 0:
            return
        room[0] -= 1
        yield one


def _cut(text: str, room: list[int]) -> str:
    """The text, cut where there is no more room, and marked so."""
    kept = text[: max(room[0], 0)]
    room[0] -= len(kept)
    return text if len(kept) == len(text) else f"{kept}…"


def read(check: Check, evidence: Evidence, claims: frozenset[str] | None = None) -> Outcome:
    """What the check says about one case. An exception in it is our bug, and errored."""
    findings: list[Finding] = []
    observed: dict[str, Any] = {}
    try:
        if check.given is not None:
            check.given(*evidence.exchanges)
        for saying in check.judge(*evidence.exchanges):
            match saying:
                case Unwitnessed() | Unsupported():
                    raise saying
                case Observed(value, name):
                    observed[name or "value"] = plain(value)
                case Finding() if len(findings) < MOST:
                    on = saying.on or (evidence.keys[0] if evidence.keys else "")
                    at = saying.at.pointer if isinstance(saying.at, Value) else saying.at
                    at = _cut(at, [REASON]) if isinstance(at, str) else at  # names of members are a server's choice
                    found, expected = plain(saying.found), plain(saying.expected)
                    message = saying.message or saying.code
                    findings.append(replace(saying, message=message, on=on, at=at, found=found, expected=expected))
    except Unwitnessed as unseen_:
        return Outcome(Kind.UNWITNESSED, reason=unseen_.reason)
    except Unsupported as refused:
        if claims is not None and claims.intersection(check.requires):
            said = Finding(
                "claimed-not-served",
                "The target claims a feature that it does not serve",
                found=refused.reason,
                on=evidence.keys[0],
            )
            return Outcome(Kind.VIOLATED, (said,))
        return Outcome(Kind.UNSUPPORTED, reason=refused.reason)
    except Exception as problem:
        frame = problem.__traceback__
        while frame is not None and frame.tb_next is not None:
            frame = frame.tb_next
        line = f" at line {frame.tb_lineno}" if frame else ""
        return Outcome(
            Kind.ERRORED, reason=f"our bug: {check.place}: {type(problem).__name__}: {problem}{line}", code=Why.BUG
        )
    if findings:
        return Outcome(Kind.VIOLATED, tuple(findings), observed=observed)
    return (None if observed else unseen(check, evidence)) or Outcome(Kind.HOLDS, observed=observed)


def unseen(check: Check, evidence: Evidence) -> Outcome | None:
    """The outcome of a check that found nothing because there was nothing to look at, which is never green; else None.

    Only checks that take answers which others cannot read come to see such ones.
    """
    if check.needs is Needs.ANYTHING and not any(x.status is not None and x.complete for x in evidence.exchanges):
        x = evidence.exchanges[0]
        return Outcome(Kind.ERRORED, reason=f"no complete answer: {x.ending}", cause=x.key, code=why(x))
    if check.needs is Needs.OK:
        for x in evidence.exchanges:
            if x.probe.streamed and not any(event.has_data for event in x.events):
                return Outcome(Kind.UNWITNESSED, reason="the stream has no events", cause=x.key)
            if not x.probe.streamed and x.json.type != "object":
                return Outcome(Kind.UNWITNESSED, reason="the body is not a JSON object", cause=x.key)
    return None


def judge(check: Check, gathered: Sequence[Evidence], claims: frozenset[str] | None = None) -> Outcome:
    """The outcome of a check over all its cases. `claims` are what the target says that it serves; None: it does not say."""
    outcomes = [gate(check, evidence, claims) or read(check, evidence, claims) for evidence in gathered]
    keys = tuple(evidence.keys for evidence in gathered)
    if not outcomes:
        empty = "its strategy found no request: is a filter too narrow?" if check.drawn else "it lists no request"
        return Outcome(Kind.ERRORED, reason=f"there was nothing to send: {empty}", code=Why.NOTHING_TO_SEND)
    kind = min((one.kind for one in outcomes), key=WORST.index)
    leading = next(one for one in outcomes if one.kind is kind)
    findings = tuple(finding for one in outcomes for finding in one.findings)[:MOST]
    observed: dict[str, Any] = {}
    for one in outcomes:
        for name, value in one.observed.items():
            observed[name] = value if name not in observed else _merged(observed[name], value)
    return Outcome(kind, findings, _cut(leading.reason, [REASON]), observed, keys, leading.cause, leading.code)


def _merged(one: Any, other: Any) -> Any:
    """Two observations of the same name: one value where they agree, else a list of the different ones."""
    values = one if type_of(one) == "array" else [one]
    return one if other in values else [*values, other]
