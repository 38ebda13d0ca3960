"""What every face of a report says in the same way: findings by code, lost evidence by cause, the result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from conformance.core import curl
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Kind
from conformance.core.requirement import Level
from conformance.core.text import legible, number_of
from conformance.evidence.record import Result
from conformance.evidence.run import Run

Lookup = Callable[[Run, str], Exchange | None]
"""(run, key) -> the exchange, or None where it is not on disk any more."""


def by_code(findings: Iterable[Finding]) -> list[list[Finding]]:
    """The findings by their code, in the order in which the codes came up."""
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.code, []).append(finding)
    return list(groups.values())


def by_reason(results: Iterable[Result]) -> list[tuple[str, list[Result]]]:
    """The results by why they are what they are; most frequent first."""
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(result.because or result.outcome.reason, []).append(result)
    return sorted(groups.items(), key=lambda group: -len(group[1]))


@dataclass(frozen=True)
class Loss:
    """Evidence that several checks lack for one reason."""

    what: str
    """`POST chat/completions answered 500`."""
    results: tuple[Result, ...]
    cause: Exchange | None
    """The first exchange at fault, where one is."""


def losses(run: Run, lookup: Lookup) -> list[Loss]:
    """Why checks could not be judged: one entry a cause, the one that costs most first."""
    groups: dict[str, list[Result]] = {}
    causes: dict[str, Exchange] = {}
    for result in run.of("errored"):
        x = lookup(run, result.outcome.cause) if result.outcome.cause else None
        reason = result.because or result.outcome.reason or "no reason was given"
        what = reason
        if x is not None:
            verb = " " if reason.startswith("answered ") else ": "
            what = f"{x.probe.method} {x.probe.path}{verb}{reason}"
            causes.setdefault(what, x)
        groups.setdefault(what, []).append(result)
    found = [Loss(legible(what, 300), tuple(results), causes.get(what)) for what, results in groups.items()]
    return sorted(found, key=lambda loss: -len(loss.results))


def exchanges_of(run: Run, result: Result, lookup: Lookup, most: int = 0) -> list[Exchange]:
    """The exchanges that show what a result says, as far as they are on disk."""
    keys = result.keys[:most] if most else result.keys
    return [x for x in (lookup(run, key) for key in keys) if x is not None]


def resend(run: Run, x: Exchange) -> str:
    """What sends the request of an exchange again, for somebody's shell."""
    header = run.header
    return curl.command(x.probe, header.base_url, x.model or header.model, header.carriage, header.query)


def unfinished(run: Run) -> str:
    """What a run lacks; "" where it lacks nothing."""
    judged = len(run.results)
    if run.dead:
        return f"it could not be tested: {legible(run.dead, 300)}"
    if run.damage:
        return f"damaged: {legible(run.damage, 600)}"
    if not run.complete:
        asked = number_of(run.header.selected or judged, "requirement")
        return f"incomplete: it was stopped after {judged} of {asked}"
    if judged < run.header.selected:
        return f"{judged} of {run.header.selected} selected requirements were judged"
    return ""


def standing(runs: Sequence[Run]) -> str:
    """The result in one word: `clean`, `violations` or `could not test`."""
    counts = sum((run.counts for run in runs), Counter[str]())
    if counts["failed"]:
        return "violations"
    return "could not test" if counts["errored"] or not all(run.complete for run in runs) else "clean"


@dataclass(frozen=True)
class Score:
    """How the requirements of one level stand. Those without evidence are counted apart: they are neither."""

    held: int
    broken: int
    """Violated, waived or not."""
    untested: int

    @property
    def judged(self) -> int:
        """Those that something is known about."""
        return self.held + self.broken

    def __str__(self) -> str:
        return f"{self.held:,} of {self.judged:,}"


def score(run: Run, level: Level) -> Score:
    """How the requirements of a level stand in a run: by outcome, so that no waiver makes it look better."""
    kinds = Counter(result.outcome.kind for result in run.results if result.level is level)
    held, broken = kinds[Kind.HOLDS], kinds[Kind.VIOLATED]
    return Score(held, broken, kinds.total() - held - broken)


def in_words(run: Run) -> str:
    """The result of one run as a phrase: `3 requirements are broken, 14 could not be tested`."""
    counts = run.counts
    parts = []
    if counts["failed"]:
        stale = sum(1 for result in run.of("failed") if result.outcome.kind is Kind.HOLDS)
        broken = counts["failed"] - stale
        if broken:
            parts.append(number_of(broken, "requirement is broken", "requirements are broken"))
        if stale:
            parts.append(number_of(stale, "waiver is stale", "waivers are stale"))
    if counts["errored"]:
        parts.append(f"{counts['errored']} could not be tested")
    if not parts:
        parts.append(f"nothing is broken in {number_of(len(run.results), 'requirement')}")
    if lacks := unfinished(run):
        parts.append(lacks)
    return ", ".join(parts)
