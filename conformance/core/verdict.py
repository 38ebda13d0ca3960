"""From facts to pass or fail: outcome x level x waiver x strictness, as one table. Nothing else in the project decides."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from conformance.core.finding import Kind, Outcome
from conformance.core.requirement import Level


class Ruling(StrEnum):
    """How a verdict counts."""

    PASSED = "passed"
    FAILED = "failed"
    ADVISED = "advised"
    """A SHOULD is violated."""
    NOTED = "noted"
    """A MAY is violated, or a NOTE has something to say."""
    WAIVED = "waived"
    """Violated, and known: pytest's xfailed."""
    UNSUPPORTED = "unsupported"
    UNWITNESSED = "unwitnessed"
    ERRORED = "errored"


@dataclass(frozen=True)
class Waiver:
    """A violation that somebody answers for: which check, why, who, and until when."""

    check: str
    because: str
    owner: str
    issue: str | None = None
    until: date | None = None
    line: int = 0
    codes: tuple[str, ...] = ()
    """Of the findings that are waived; empty: all of the check."""

    def covers(self, code: str) -> bool:
        """Whether findings with this code are waived."""
        return not self.codes or code in self.codes


@dataclass(frozen=True)
class Verdict:
    """How an outcome counts, and why where that is not the outcome itself."""

    ruling: Ruling
    because: str = ""

    @property
    def fails(self) -> bool:
        """Whether a run with this verdict is not clean."""
        return self.ruling in (Ruling.FAILED, Ruling.ERRORED)


UNWAIVED = {
    (Kind.HOLDS, Level.MUST): Ruling.PASSED,
    (Kind.HOLDS, Level.SHOULD): Ruling.PASSED,
    (Kind.HOLDS, Level.MAY): Ruling.PASSED,
    (Kind.HOLDS, Level.NOTE): Ruling.PASSED,
    (Kind.VIOLATED, Level.MUST): Ruling.FAILED,
    (Kind.VIOLATED, Level.SHOULD): Ruling.ADVISED,
    (Kind.VIOLATED, Level.MAY): Ruling.NOTED,
    (Kind.VIOLATED, Level.NOTE): Ruling.NOTED,
    **{(Kind.UNSUPPORTED, level): Ruling.UNSUPPORTED for level in Level},
    **{(Kind.UNWITNESSED, level): Ruling.UNWITNESSED for level in Level},
    **{(Kind.ERRORED, level): Ruling.ERRORED for level in Level},
}


def rule(
    outcome: Outcome, level: Level, waiver: Waiver | None = None, *, strict: bool = False, today: date | None = None
) -> Verdict:
    """The verdict on an outcome. `strict` fails violated SHOULDs and MAYs too; `today` decides whether a waiver still holds."""
    kind, more = outcome.kind, ""
    ruling = UNWAIVED[kind, level]
    if waiver is not None and kind is Kind.HOLDS:
        return Verdict(Ruling.FAILED, f"the waiver is stale: this holds now ({waiver.because})")
    if waiver is not None and kind is Kind.VIOLATED:
        if waiver.until is not None and today is not None and today > waiver.until:
            return Verdict(Ruling.FAILED, f"the waiver expired on {waiver.until} ({waiver.because})")
        codes = dict.fromkeys(finding.code for finding in outcome.findings if not waiver.covers(finding.code))
        if not codes:
            return Verdict(Ruling.WAIVED, waiver.because)
        more = f"not waived: {', '.join(codes)}"
    if strict and ruling in (Ruling.ADVISED, Ruling.NOTED) and level is not Level.NOTE:
        return Verdict(Ruling.FAILED, f"a violated {level} fails with --conformance-fail-on should")
    return Verdict(ruling, more)
