"""A run as it lies on disk, read back: header, what became of each check, footer.

It holds facts, and knows no check: those of an old run may no longer exist. How a fact counts (its ruling)
is for somebody else to say, with `Run.ruled`: yesterday's run can be ruled by today's waivers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from conformance.finding import Finding, Kind, Outcome
from conformance.mistake import Mistake
from conformance.recording import EXCHANGES, RUN, VERSION, lines_of, outcome_from_json
from conformance.report.claims import Claim
from conformance.requirement import Level, Reference
from conformance.target import Waiver

RULINGS = ("passed", "failed", "advised", "noted", "waived", "unsupported", "unwitnessed", "errored")
"""In the order of a table's columns."""

WORST_FIRST = ("failed", "errored", "advised", "noted", "waived", "unsupported", "unwitnessed", "passed")
"""In the order of what a reader wants to see first."""

Rule = Callable[[Kind, Level, Waiver | None], tuple[str, str]]
"""How an outcome counts: a ruling, and why where that is not the outcome itself."""


@dataclass(frozen=True)
class Header:
    """What is known before anything is asked. What an older version did not write is as usual."""

    target: str
    kind: str = ""
    base_url: str = ""
    query: str = ""
    """At the end of every URL."""
    model: str = ""
    started: str = ""
    """ISO 8601, UTC."""
    suite: str = ""
    """The version of the suite."""
    claims: frozenset[str] | None = None
    waives: tuple[Waiver, ...] = ()
    strict: bool = False
    selected: int = 0
    """How many checks were to be judged."""
    note: str = ""
    replay_of: str = ""
    """The directory of the run that was judged again, whose exchanges these are."""
    price: Mapping[str, float] = field(default_factory=dict)
    """`input` and `output`, for a million tokens, and `hour`, in any one currency; what is not known is left out."""


@dataclass(frozen=True)
class Footer:
    """What is known when all is over."""

    finished: str = ""
    seconds: float = 0.0
    requests: int = 0
    tokens: Mapping[str, int] = field(default_factory=dict)
    """`prompt` and `completion`."""
    exit: int | None = None


@dataclass(frozen=True)
class Result:
    """What became of one check, with all that a report says about the check itself."""

    check: str
    level: Level
    title: str
    outcome: Outcome
    area: str = ""
    detail: str = ""
    source: Reference | None = None
    remedy: str = ""
    since: str = ""
    requires: tuple[str, ...] = ()
    drawn: bool = True
    """Whether its requests were drawn. Older runs do not say, and nothing is concluded from them."""
    ended: float = 0.0
    """Seconds after the start of the run."""
    waiver: Waiver | None = None
    ruling: str = ""
    """One of RULINGS; "" before `Run.ruled`."""
    because: str = ""
    documented: tuple[Claim, ...] = ()
    """What the vendor documents that this violation bears out."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found."""
        return self.outcome.findings

    @property
    def fails(self) -> bool:
        """Whether a run with this result is not clean."""
        return self.ruling in ("failed", "errored")

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of its exchanges that are worth looking at: with findings, else the one at fault, else all."""
        told = [finding.on for finding in self.findings if finding.on]
        if not told and self.outcome.cause:
            told = [self.outcome.cause]
        return tuple(dict.fromkeys(told or [key for case in self.outcome.evidence for key in case]))


@dataclass(frozen=True)
class Run:
    """One target, asked once."""

    directory: Path
    header: Header
    results: tuple[Result, ...] = ()
    """One for each check, by area and id."""
    footer: Footer | None = None
    damage: str = ""
    """What could not be read, where somebody chose to go on without it."""
    notes: tuple[Mapping[str, Any], ...] = ()
    """Lines of other types, as they are."""
    claims: tuple[Claim, ...] = ()
    """What the vendor documents of such a target, and whether it was seen."""

    @property
    def target(self) -> str:
        """The name of the target."""
        return self.header.target

    @property
    def complete(self) -> bool:
        """Whether the run came to its end: one that was killed has no footer."""
        return self.footer is not None and not self.damage

    @cached_property
    def by_check(self) -> Mapping[str, Result]:
        """The results by id of the check."""
        return {result.check: result for result in self.results}

    @cached_property
    def counts(self) -> Counter[str]:
        """How many results there are of each ruling. Raises ValueError where nobody has ruled."""
        if any(not result.ruling for result in self.results):
            raise ValueError(f"the run of {self.target} has not been ruled")
        return Counter(result.ruling for result in self.results)

    @property
    def spent(self) -> float | None:
        """What the tokens of the run cost at the prices of its header; None where one of them is not known."""
        price, tokens = self.header.price, self.footer.tokens if self.footer else {}
        if not tokens or "input" not in price or "output" not in price:
            return None
        return (tokens.get("prompt", 0) * price["input"] + tokens.get("completion", 0) * price["output"]) / 1e6

    @property
    def evidence(self) -> Path:
        """The directory with its exchanges: its own, or that of the run that it judged again."""
        own = (self.directory / EXCHANGES).exists() or not self.header.replay_of
        return self.directory if own else Path(self.header.replay_of)

    def of(self, *rulings: str) -> tuple[Result, ...]:
        """The results of these rulings."""
        return tuple(result for result in self.results if result.ruling in rulings)

    def ruled(self, rule: Rule, waives: Iterable[Waiver] | None = None) -> Run:
        """The same run with every result ruled, by the waivers of its header or by these."""
        waivers = {waiver.check: waiver for waiver in (self.header.waives if waives is None else waives)}
        results = []
        for result in self.results:
            waiver = waivers.get(result.check)
            ruling, because = rule(result.outcome.kind, result.level, waiver)
            results.append(replace(result, waiver=waiver, ruling=str(ruling), because=because))
        return replace(self, results=tuple(results))


def read(directory: Path, *, forgiving: bool = False) -> Run:
    """The run that was written to a directory; of two outcomes of a check the later one holds.

    Raises Mistake for a directory without a run, a damaged line, and a form that is newer than this reader.
    A `forgiving` reader stops at the damage instead, and says so in `Run.damage`.
    """
    path = directory / RUN
    if not path.is_file():
        raise Mistake(f"this is not the directory of a run: it has no {RUN}", where=str(directory))
    header: Header | None = None
    footer: Footer | None = None
    results: dict[str, Result] = {}
    notes: list[Mapping[str, Any]] = []
    damage = ""
    try:
        for number, _, value in lines_of(path):
            try:
                match value.get("type"):
                    case "begin":  # a run that was resumed has a second one
                        header, footer = _header(value, f"{path}:{number}"), None
                    case "outcome":
                        one = _result(value)
                        results[one.check] = one
                    case "end":
                        footer = _footer(value)
                    case _:
                        notes.append(MappingProxyType(value))
            except (AttributeError, KeyError, TypeError, ValueError) as problem:
                raise Mistake(
                    f"line {number} is damaged: of the type {value.get('type')!r}, and cannot be read"
                    f" ({problem!r}); {len(results)} outcomes before it are readable",
                    where=f"{path}:{number}",
                ) from None
    except Mistake as mistake:
        if not forgiving or header is None:
            raise
        damage = str(mistake)
    if header is None:
        raise Mistake(f"this is not a run: {RUN} has no header, so nothing had been asked yet", where=str(path))
    ordered = sorted(results.values(), key=lambda result: (result.area, result.check))
    return Run(directory, header, tuple(ordered), footer, damage, tuple(notes))


def latest(reports: Path, target: str, *, complete: bool = False, but: Path | None = None) -> Path | None:
    """The directory of a target's newest run below `reports`; None where there is none. Each is named for its time.

    `complete` passes over those that were killed or are damaged; `but` is one to pass over.
    """
    for directory in sorted((path.parent for path in (reports / target).glob(f"*/{RUN}")), reverse=True):
        if but is not None and directory.resolve() == but.resolve():
            continue
        if not complete:
            return directory
        try:
            if read(directory).complete:
                return directory
        except Mistake:
            continue
    return None


def _header(value: Mapping[str, Any], where: str) -> Header:
    if value.get("version", VERSION) > VERSION:
        raise Mistake(
            f"made by a newer version of the suite (form {value['version']}; this one reads up to {VERSION})",
            where=where,
            fix="read it with that version, or a later one",
        )
    claims = value.get("claims")
    return Header(
        target=_text(value["target"]),
        kind=_text(value.get("kind")),
        base_url=_text(value.get("base_url")),
        query=_text(value.get("query")),
        model=_text(value.get("model")),
        started=_text(value.get("started")),
        suite=_text(value.get("suite")),
        claims=None if claims is None else frozenset(claims),
        waives=tuple(_waiver(one) for one in value.get("waives") or ()),
        strict=bool(value.get("strict")),
        selected=int(value.get("selected") or 0),
        note=_text(value.get("note")),
        replay_of=_text(value.get("replay_of")),
        price={str(name): float(amount) for name, amount in (value.get("price") or {}).items()},
    )


def _waiver(value: Mapping[str, Any]) -> Waiver:
    until = value.get("until")
    return Waiver(
        _text(value["check"]),
        _text(value.get("because")),
        _text(value.get("owner")),
        value.get("issue"),
        date.fromisoformat(until) if until else None,
    )


def _reference(value: Mapping[str, Any]) -> Reference:
    return Reference(value["source"], value["section"], value["url"], value["quote"], value["oracle"])


def _result(value: Mapping[str, Any]) -> Result:
    return Result(
        check=_text(value["check"]),
        level=Level(value["level"]),
        title=_text(value.get("title")),
        outcome=outcome_from_json(dict(value)),
        area=_text(value.get("area")) or value["check"].partition(".")[0],
        detail=_text(value.get("detail")),
        source=_reference(value["source"]) if value.get("source") else None,
        remedy=_text(value.get("remedy")),
        since=_text(value.get("since")),
        requires=tuple(value.get("requires") or ()),
        drawn=bool(value.get("drawn", True)),
        ended=float(value.get("ended") or 0.0),
    )


def _footer(value: Mapping[str, Any]) -> Footer:
    return Footer(
        finished=_text(value.get("finished")),
        seconds=float(value.get("seconds") or 0.0),
        requests=int(value.get("requests") or 0),
        tokens={str(name): int(count) for name, count in (value.get("tokens") or {}).items()},
        exit=value.get("exit"),
    )


def _text(value: Any) -> str:
    """The value where it is text, "" where it is nothing. Raises TypeError for anything else."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} where text belongs")
    return value
