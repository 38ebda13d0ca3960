"""What became of each optional request parameter in a run: honoured, refused, silently ignored, accepted, or unknown.

Read from the outcomes of a run that is on disk, by the signs that `fixtures/coverage.yaml` declares. Nothing is asked,
and no check is run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from conformance.analysis.coverage import Coverage, Sign, coverage
from conformance.core.finding import Kind, Outcome
from conformance.evidence.record import Result
from conformance.evidence.run import Run


class Standing(StrEnum):
    """What became of a parameter."""

    HONOURED = "honoured"
    REFUSED = "refused"
    IGNORED = "ignored"
    ACCEPTED = "accepted (effect not observable)"
    UNKNOWN = "unknown"


FIRST = (Standing.IGNORED, Standing.HONOURED, Standing.REFUSED, Standing.ACCEPTED)
"""Which sign counts where several were seen: what hurts, then what works, then what only says that it could."""

CLAIMED = "claimed-but-refused"
"""The code of a finding of any check: the target claims what it refuses."""
WORDS = {
    "honoured": Standing.HONOURED,
    "refused": Standing.REFUSED,
    "ignored": Standing.IGNORED,
    "accepted": Standing.ACCEPTED,
}
"""What checks note down by themselves."""


@dataclass(frozen=True)
class Row:
    """A parameter, what became of it, and by which checks that is known."""

    parameter: str
    standing: Standing
    checks: tuple[str, ...] = ()


def table(run: Run, account: Coverage | None = None) -> dict[str, Standing]:
    """What became of each optional parameter, in the order of the account."""
    return {row.parameter: row.standing for row in rows(run, account)}


def rows(run: Run, account: Coverage | None = None) -> tuple[Row, ...]:
    """The same, with the checks that show it."""
    told = account or coverage()
    return tuple(_row(run, name, told) for name, signs in told.signs.items() if signs)


def _row(run: Run, name: str, account: Coverage) -> Row:
    seen: dict[Standing, list[str]] = {}
    names = (name, *account.aliases.get(name, ()))
    for sign in account.signs[name]:
        result = run.by_check.get(sign.check)
        for standing in _standings(result, sign, names) if result else ():
            seen.setdefault(standing, []).append(sign.check)
    for standing in FIRST:
        if standing in seen:
            return Row(name, standing, tuple(seen[standing]))
    return Row(name, Standing.UNKNOWN)


def _standings(result: Result, sign: Sign, names: tuple[str, ...]) -> Iterator[Standing]:
    """What one result says of a parameter: one standing, or none."""
    kind = result.outcome.kind
    if sign.noted:
        word = result.outcome.observed.get(sign.noted)
        if isinstance(word, str) and word in WORDS:
            yield WORDS[word]
    elif kind is Kind.HOLDS:
        yield WORDS[sign.held]
    elif kind is Kind.VIOLATED:
        codes = {finding.code for finding in result.findings}
        if codes.intersection(sign.ignored):
            yield Standing.IGNORED
        elif codes.intersection(sign.accepted):
            yield Standing.ACCEPTED
        elif CLAIMED in codes:
            yield Standing.REFUSED
    elif refused_member(result.outcome) in names:
        yield Standing.REFUSED


def refused_member(outcome: Outcome) -> str | None:
    """The member by which a request was refused. Reasons have no codes: this is the only place that reads one."""
    match = re.search(r"\brefuses `([a-z_]+)`", outcome.reason) if outcome.kind is Kind.UNSUPPORTED else None
    return match[1] if match else None
