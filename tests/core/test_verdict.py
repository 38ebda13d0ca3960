"""The verdict table, row by row."""

from __future__ import annotations

from datetime import date

import pytest

from conformance.core.finding import Finding, Kind, Outcome
from conformance.core.requirement import MAY, MUST, NOTE, SHOULD, Level
from conformance.core.verdict import Ruling, Waiver, rule

TODAY = date(2026, 11, 23)
WAIVER = Waiver("a.b", "known", "me", until=date(2027, 1, 31))
EXPIRED = Waiver("a.b", "known", "me", until=date(2026, 1, 31))
ENDLESS = Waiver("a.b", "known", "me")


@pytest.mark.parametrize("level", Level)
@pytest.mark.parametrize(
    ("kind", "ruling"),
    [
        (Kind.HOLDS, Ruling.PASSED),
        (Kind.UNSUPPORTED, Ruling.UNSUPPORTED),
        (Kind.UNWITNESSED, Ruling.UNWITNESSED),
        (Kind.ERRORED, Ruling.ERRORED),
    ],
)
@pytest.mark.parametrize("strict", [False, True])
def test_what_is_not_violated_counts_the_same_at_every_level(
    kind: Kind, ruling: Ruling, level: Level, strict: bool
) -> None:
    """Without a waiver, only a violation depends on the level, and never on strictness."""
    assert rule(Outcome(kind), level, strict=strict, today=TODAY).ruling is ruling


@pytest.mark.parametrize(
    ("level", "strict", "ruling"),
    [
        (MUST, False, Ruling.FAILED),
        (SHOULD, False, Ruling.ADVISED),
        (MAY, False, Ruling.NOTED),
        (NOTE, False, Ruling.NOTED),
        (MUST, True, Ruling.FAILED),
        (SHOULD, True, Ruling.FAILED),
        (MAY, True, Ruling.FAILED),
        (NOTE, True, Ruling.NOTED),
    ],
)
def test_a_violation_counts_by_its_level(level: Level, strict: bool, ruling: Ruling) -> None:
    """A MUST fails, a SHOULD advises, a MAY is noted; strictness fails all three; a NOTE never fails."""
    assert rule(Outcome(Kind.VIOLATED), level, strict=strict, today=TODAY).ruling is ruling


@pytest.mark.parametrize("level", Level)
@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize(
    ("kind", "waiver", "ruling"),
    [
        (Kind.VIOLATED, WAIVER, Ruling.WAIVED),
        (Kind.VIOLATED, ENDLESS, Ruling.WAIVED),
        (Kind.VIOLATED, EXPIRED, Ruling.FAILED),
        (Kind.HOLDS, WAIVER, Ruling.FAILED),
        (Kind.HOLDS, EXPIRED, Ruling.FAILED),
        (Kind.UNSUPPORTED, WAIVER, Ruling.UNSUPPORTED),
        (Kind.UNWITNESSED, WAIVER, Ruling.UNWITNESSED),
        (Kind.ERRORED, WAIVER, Ruling.ERRORED),
    ],
)
def test_waivers(kind: Kind, waiver: Waiver, ruling: Ruling, level: Level, strict: bool) -> None:
    """A waiver excuses a violation until it expires, fails once it is stale, and never hides missing evidence."""
    verdict = rule(Outcome(kind), level, waiver, strict=strict, today=TODAY)
    assert verdict.ruling is ruling
    assert bool(verdict.because) == (ruling in (Ruling.WAIVED, Ruling.FAILED))


def test_only_failed_and_errored_fail() -> None:
    """A run is not clean where something failed or could not be tested."""
    fails = {
        ruling
        for ruling in Ruling
        for kind in Kind
        for level in Level
        if rule(Outcome(kind), level).ruling is ruling and rule(Outcome(kind), level).fails
    }
    assert fails == {Ruling.FAILED, Ruling.ERRORED}


def test_a_waiver_may_be_for_some_codes() -> None:
    """Only findings with these codes are waived: another one beside them fails, and is named."""
    waiver = Waiver("a.b", "known", "me", codes=("no-usage",))
    both = Outcome(
        Kind.VIOLATED, (Finding("no-usage", "Nothing is counted"), Finding("no-done", "There is no `[DONE]`"))
    )
    assert rule(Outcome(Kind.VIOLATED, both.findings[:1]), MUST, waiver, today=TODAY).ruling is Ruling.WAIVED
    verdict = rule(both, MUST, waiver, today=TODAY)
    assert (verdict.ruling, verdict.because) == (Ruling.FAILED, "not waived: no-done")
    assert rule(both, SHOULD, waiver, today=TODAY).ruling is Ruling.ADVISED
