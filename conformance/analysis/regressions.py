"""What a night has changed: violations that are new, known or fixed since a baseline, those that are flaky, and stale waivers.

Pure data over two runs that have been read from disk. A violation is told by its check, the code of the finding, and its place:
a new one beside an old one of the same check is new. Only what fails a run can fail a night.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import sqrt
from typing import Any

from conformance.core.finding import JUDGED, Kind, Outcome
from conformance.core.requirement import Level
from conformance.core.text import anywhere
from conformance.evidence.former import code_of
from conformance.evidence.record import Result
from conformance.evidence.run import Run

AGAIN, NIGHT = "again", "night"
"""Types of lines in a run: how often a violation was seen when it was asked again; what the night has changed."""
CONFIDENCE = 1.959964
"""Standard deviations of an interval that holds the truth in 95 of 100 cases."""
USUAL = 0.5
"""What is seen in more than half of all tries is usual."""
TRIES = 10
"""Times, at most, that a new violation is asked again."""
SURE = 4
"""Tries that agree, after which the interval lies on one side of USUAL: fewer never decide."""


class Standing(StrEnum):
    """How a violation stands to the baseline."""

    NEW = "new"
    KNOWN = "known"
    FIXED = "fixed"
    FLAKY = "flaky"
    STALE = "stale"
    """A waiver that has expired, or that matches nothing."""
    FIRST = "judged for the first time"
    """The baseline has not judged this requirement: nobody can say since when it is so, and it fails no night."""


@dataclass(frozen=True)
class Tries:
    """How often a violation was seen, of so many times that it was asked again."""

    seen: int
    of: int

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's interval, at 95 %, for how often it is seen in the long run."""
        if not self.of:
            return 0.0, 1.0
        share, spread = self.seen / self.of, CONFIDENCE**2 / self.of
        middle = (share + spread / 2) / (1 + spread)
        half = sqrt(share * (1 - share) * spread + spread**2 / 4) / (1 + spread)
        return max(0.0, middle - half), min(1.0, middle + half)

    @property
    def decided(self) -> bool:
        """Whether asking on would say nothing new: the interval lies on one side of USUAL, or there were enough tries."""
        low, high = self.interval
        return low > USUAL or high < USUAL or self.of >= TRIES

    @property
    def steady(self) -> bool:
        """Whether it was seen each time."""
        return self.of > 0 and self.seen == self.of

    def __str__(self) -> str:
        if not self.of:
            return "could not be asked again"
        low, high = self.interval
        return f"seen in {self.seen} of {self.of} tries (95 % interval {low:.0%} to {high:.0%})"


Spot = tuple[str, str]
"""The code of a finding, and its place: what makes it the same violation of a check in another run."""


@dataclass(frozen=True)
class Entry:
    """One violation, or one waiver that is out of order."""

    standing: Standing
    check: str
    level: Level
    title: str
    ruling: str
    code: str = ""
    place: str = ""
    message: str = ""
    tries: Tries | None = None
    reason: str = ""

    @property
    def fails(self) -> bool:
        """Whether it fails a night: what is new or stale, and fails a run."""
        return self.standing in (Standing.NEW, Standing.STALE) and self.ruling == "failed"

    @property
    def spot(self) -> Spot:
        """What tells it from other violations of its check."""
        return self.code, self.place

    def __str__(self) -> str:
        where = f" at {self.place}" if self.place else ""
        more = "; ".join(part for part in (self.reason, str(self.tries) if self.tries else "") if part)
        return f"{self.check} {self.level}: {self.message}{where}" + (f" ({more})" if more else "")

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        value: dict[str, Any] = {
            "standing": self.standing.value, "check": self.check, "level": self.level.value, "ruling": self.ruling,
            "code": self.code, "message": self.message, "place": self.place, "fails": self.fails,
        }  # fmt: skip
        if self.tries:
            low, high = self.tries.interval
            value["tries"] = {
                "seen": self.tries.seen,
                "of": self.tries.of,
                "low": round(low, 4),
                "high": round(high, 4),
            }
        return value | ({"reason": self.reason} if self.reason else {})


@dataclass(frozen=True)
class Night:
    """What has changed."""

    target: str
    baseline: str
    """What the run is compared with; "" where there was nothing."""
    entries: tuple[Entry, ...] = ()

    def of(self, standing: Standing) -> tuple[Entry, ...]:
        """The entries of a standing: the most binding requirements first."""
        levels = list(Level)
        return tuple(
            sorted((one for one in self.entries if one.standing is standing), key=lambda one: levels.index(one.level))
        )

    @property
    def fails(self) -> bool:
        """Whether somebody has to look at it."""
        return any(entry.fails for entry in self.entries)

    @property
    def counts(self) -> Counter[Standing]:
        """How many entries there are of each standing."""
        return Counter(entry.standing for entry in self.entries)

    def in_words(self) -> str:
        """All of it in a line."""
        told = [f"{self.counts[one]} {one}" for one in Standing if one is not Standing.FIRST or self.counts[one]]
        failing = sum(entry.fails for entry in self.entries)
        against = (
            f"against {self.baseline}" if self.baseline else "the first run: nothing to compare with, all of it is new"
        )
        return f"{self.target}, {against}: {', '.join(told)}; {failing or 'nothing'} to look at"

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        return {
            "target": self.target,
            "baseline": self.baseline,
            "fails": self.fails,
            "counts": {one.value: self.counts[one] for one in Standing},
            "entries": [entry.to_json() for entry in self.entries],
        }


def spots(outcome: Outcome | None) -> dict[Spot, str]:
    """The violations of an outcome, each once, in their order, with their messages."""
    if outcome is None or outcome.kind is not Kind.VIOLATED:
        return {}
    found: dict[Spot, str] = {}
    for finding in outcome.findings:
        found.setdefault((finding.code, anywhere(finding.at)), finding.message)
    return found


def standing_of(spot: Spot, old: Result | None, *, compared: bool) -> Standing:
    """How a violation stands to what the baseline says of its check.

    A baseline that had no evidence excuses nothing: what is violated now is new.
    """
    if compared and old is None:
        return Standing.FIRST
    return Standing.KNOWN if old and spot in spots(old.outcome) else Standing.NEW


def tries_of(run: Run) -> Mapping[str, Tries]:
    """How often the violations of each check were seen again, as the run has it."""
    return {
        str(note["check"]): Tries(int(note["seen"]), int(note["of"]))
        for note in run.notes
        if note.get("type") == AGAIN and {"check", "seen", "of"} <= note.keys()
    }


def night(baseline: Run | None, name: str, candidate: Run, tries: Mapping[str, Tries] | None = None) -> Night:
    """What has changed from a baseline to a candidate that has been ruled. Without a baseline all is new.

    `tries` says how often violations were seen again; where it is not given, the candidate's notes do.
    """
    again = tries_of(candidate) if tries is None else tries
    found: list[Entry] = []
    for result in candidate.results:
        old = baseline.by_check.get(result.check) if baseline else None
        found += entries_of(result, old, again.get(result.check), compared=baseline is not None)
    for old in baseline.results if baseline else ():
        result = candidate.by_check.get(old.check)  # type: ignore[assignment]
        if result is not None and result.outcome.kind in JUDGED:
            still = spots(result.outcome)
            gone = {spot: message for spot, message in spots(old.outcome).items() if spot not in still}
            found += [_entry(Standing.FIXED, result, spot, message) for spot, message in gone.items()]
    return Night(candidate.target, name if baseline else "", tuple(found))


def entries_of(result: Result, old: Result | None, tries: Tries | None, *, compared: bool) -> Iterator[Entry]:
    """What a result is, held against what the baseline says of its check (`compared` says whether there is a baseline)."""
    found, waiver = spots(result.outcome), result.waiver
    if waiver is not None:  # one for some codes leaves the others as they are
        found = {spot: message for spot, message in found.items() if waiver.codes and not waiver.covers(spot[0])}
    if waiver is not None and result.ruling == "failed" and not found:
        yield _entry(Standing.STALE, result, ("", ""), "", reason=result.because)
        return
    if result.ruling == "waived":
        return
    for spot, message in found.items():
        standing = standing_of(spot, old, compared=compared)
        if standing is Standing.NEW and tries is not None and tries.of and not tries.steady:
            standing = Standing.FLAKY
        yield _entry(standing, result, spot, message, tries if standing in (Standing.NEW, Standing.FLAKY) else None)


def night_of(run: Run) -> Night | None:
    """The night as a run has it written down; None where it was not held against anything."""
    note = next((one for one in reversed(run.notes) if one.get("type") == NIGHT), None)
    if note is None:
        return None
    entries = []
    for one in note.get("entries", ()):
        tries = Tries(one["tries"]["seen"], one["tries"]["of"]) if "tries" in one else None
        title = run.by_check[one["check"]].title if one["check"] in run.by_check else ""
        entries.append(
            Entry(
                Standing(one["standing"]), one["check"], Level(one["level"]), title, one["ruling"],
                one.get("code") or code_of(one["check"], one["message"]), one["place"], one["message"], tries,
                one.get("reason", ""),
            )
        )  # fmt: skip
    return Night(run.target, str(note.get("baseline", "")), tuple(entries))


def _entry(
    standing: Standing, result: Result, spot: Spot, message: str, tries: Tries | None = None, reason: str = ""
) -> Entry:
    return Entry(standing, result.check, result.level, result.title, result.ruling, *spot, message, tries, reason)
