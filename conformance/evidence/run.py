"""A run as it lies on disk, read back: header, what became of each check, footer.

It holds facts, and knows no check: those of an old run may no longer exist. How a fact counts (its ruling)
is for somebody else to say, with `Run.ruled`: yesterday's run can be ruled by today's waivers.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from conformance.core.address import BEARER, Carriage
from conformance.core.check import Check
from conformance.core.finding import Finding, Kind, Outcome
from conformance.core.guard import Guard
from conformance.core.mistake import Mistake
from conformance.core.price import cost_of
from conformance.core.reading.json import ABSENT
from conformance.core.requirement import Level, Reference
from conformance.core.verdict import Waiver
from conformance.evidence.documented import Claim
from conformance.evidence.exchanges import EXCHANGES, VERSION
from conformance.evidence.journal import Journal, Torn, account, lines_of

RULINGS = ("passed", "failed", "advised", "noted", "waived", "unsupported", "unwitnessed", "errored")
"""In the order of a table's columns."""

WORST_FIRST = ("failed", "errored", "advised", "noted", "waived", "unsupported", "unwitnessed", "passed")
"""In the order of what a reader wants to see first."""

REMARK, ADDRESS, DEAD, ENGINE = "remark", "address", "could not test", "engine"
"""Types of lines besides header, outcome and footer: a sentence for readers; where the target is, once that is known; why it
could not be tested at all; what its server says that it is."""

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
    carriage: Carriage = BEARER
    """How the key travels."""
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
    begun: int = 1
    """How many times it was begun: once, and again each time it was resumed."""
    written: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """The line as it is, with what nothing here has a name for."""


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
    dead: str = ""
    """Why the target could not be tested at all."""
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

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a reader has to know about how this run came about, in sentences."""
        return tuple(str(note.get("text", "")) for note in self.notes if note.get("type") == REMARK)

    @property
    def engine(self) -> str:
        """What the server said that it is, such as `vllm 0.32.0`; "" where it did not."""
        return next((str(note.get("version", "")) for note in reversed(self.notes) if note.get("type") == ENGINE), "")

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
        prices = {name: self.header.price.get(name) for name in ("input", "output", "hour")}
        tokens = self.footer.tokens if self.footer else {}
        return cost_of(tokens.get("prompt", 0), tokens.get("completion", 0), **prices) if tokens else None

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


UNREADABLE = (AttributeError, KeyError, TypeError, ValueError)
"""What a line raises that is a JSON object but not what belongs here."""


@dataclass
class _Reading:
    """What the lines of a run have said so far."""

    header: Header | None = None
    footer: Footer | None = None
    target: str = ""
    dead: str = ""
    results: dict[str, Result] = field(default_factory=dict)
    notes: list[Mapping[str, Any]] = field(default_factory=list)

    def take(self, value: Mapping[str, Any], where: str) -> None:
        """One more line. Raises one of UNREADABLE, and Mistake for a form that is newer than this reader."""
        match value.get("type"):
            case "begin":  # a run that was resumed has a second one
                begun = self.header.begun + 1 if self.header else 1
                self.header, self.footer, self.dead = replace(_header(value, where), begun=begun), None, ""
            case "outcome":
                one = _result(value)
                self.results[one.check] = one
                self.target = _text(value.get("target")) or self.target
            case "end":
                self.footer = _footer(value)
            case _ if value.get("type") == ADDRESS and self.header is not None:
                base_url, model = _text(value["base_url"]), _text(value["model"])
                written = MappingProxyType({**self.header.written, **value, "type": "begin"})
                note = _text(value.get("note")) or self.header.note
                self.header = replace(self.header, base_url=base_url, model=model, note=note, written=written)
            case _ if value.get("type") == DEAD:
                self.dead = _text(value["reason"])
            case _:
                self.notes.append(MappingProxyType(dict(value)))


def sound(value: dict[str, Any]) -> bool:
    """Whether a line is what belongs into the file of a run."""
    try:
        _Reading(Header("")).take(value, "")
    except UNREADABLE:
        return False
    return True


def read(directory: Path, *, forgiving: bool = False) -> Run:
    """The run that was written to a directory; of two outcomes of a check the later one holds.

    Raises Mistake for a directory without a run, a damaged line, and a form that is newer than this reader.
    A `forgiving` reader goes on without what is damaged, and says so in `Run.damage`.
    """
    path = directory / RUN
    if not path.is_file():
        kept = (directory / EXCHANGES).is_file()
        fix = f"its exchanges can be judged again: `pytest --target replay:{directory}`" if kept else ""
        raise Mistake(f"this is not the directory of a run: it has no {RUN}", where=str(directory), fix=fix)
    got = _Reading()
    lost: list[Mistake] = []
    for number, _, value in lines_of(path, lost if forgiving else None):
        try:
            got.take(value, f"{path}:{number}")
        except UNREADABLE as problem:
            what = f"line {number} is damaged: of the type {value.get('type')!r}, and cannot be read ({problem!r})"
            saved = "" if forgiving else f"; {len(got.results)} outcomes before it are readable"
            lost.append(Mistake(what + saved, where=f"{path}:{number}"))
            if not forgiving:
                raise lost[0] from None
    if got.footer is None:  # a run that was killed is incomplete, and that says it
        lost = [one for one in lost if not isinstance(one, Torn)]
    damage = account(lost, len(got.results), "outcomes are")
    if got.header is None and got.target:
        got.header = Header(got.target)
        damage += "; its header is lost"
    if got.header is None:
        raise Mistake(f"this is not a run: {RUN} has no header, so nothing had been asked yet", where=str(path))
    ordered = sorted(got.results.values(), key=lambda result: (result.area, result.check))
    return Run(directory, got.header, tuple(ordered), got.footer, damage, got.dead, tuple(got.notes))


def latest(reports: Path, target: str, *, complete: bool = False, but: Path | None = None) -> Path | None:
    """The directory of a target's newest run below `reports`; None where there is none. Each is named for its time.

    `complete` passes over those that were killed or are damaged; `but` is one to pass over.
    """
    for directory in sorted((path.parent for path in (reports / target).glob(f"*/{RUN}")), key=_age, reverse=True):
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


def _age(directory: Path) -> tuple[str, int, str]:
    """What directories of runs are sorted by: the time in the name, and the number of one of several in the same second."""
    stamp, _, number = directory.name.partition("Z-")
    return (stamp.removesuffix("Z"), int(number), "") if number.isdecimal() else (stamp.removesuffix("Z"), 1, number)


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
        carriage=Carriage(*map(_text, value["carriage"])) if value.get("carriage") else BEARER,
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
        written=MappingProxyType(dict(value)),
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


RUN = "run.jsonl"


def finding_to_json(finding: Finding) -> dict[str, Any]:
    """A finding as a JSON value; `expected` and `found` are left out where absent."""
    value: dict[str, Any] = {"code": finding.code, "message": finding.message, "at": finding.at, "on": finding.on}
    for name in ("expected", "found"):
        if (one := getattr(finding, name)) is not ABSENT:
            value[name] = one
    return value


def outcome_to_json(outcome: Outcome) -> dict[str, Any]:
    """An outcome as a JSON value."""
    return {
        "outcome": outcome.kind.value,
        "reason": outcome.reason,
        "findings": [finding_to_json(finding) for finding in outcome.findings],
        "observed": outcome.observed,
        "evidence": [list(keys) for keys in outcome.evidence],
        "cause": outcome.cause,
    }


def outcome_from_json(value: dict[str, Any]) -> Outcome:
    """The outcome that `outcome_to_json` wrote."""
    findings = tuple(
        Finding(
            one.get("code", ""),
            one["message"],
            tuple(one["at"]) if isinstance(one["at"], list) else one["at"],
            one.get("expected", ABSENT),
            one.get("found", ABSENT),
            one["on"],
        )
        for one in value["findings"]
    )
    evidence = tuple(tuple(keys) for keys in value["evidence"])
    return Outcome(Kind(value["outcome"]), findings, value["reason"], value["observed"], evidence, value["cause"])


class RunLog:
    """Appends to `run.jsonl`: a header, a line for each outcome, a footer. Without a footer the run was not finished."""

    def __init__(self, directory: Path, guard: Guard | None = None) -> None:
        self.path = directory / RUN
        self.guard = guard or Guard()
        self._journal = Journal(self.path)

    def _write(self, value: dict[str, Any]) -> None:
        line = self.guard.check(json.dumps(value, ensure_ascii=True, default=str), f"a line of {RUN}")
        self._journal.append(line.encode() + b"\n")

    def claim(self) -> None:
        """Make this run ours alone. Raises Mistake where another process is still writing it, and Unwritable."""
        if not self._journal.claim():
            raise Mistake("this run is still going on, in another process", where=str(self.path.parent))

    def close(self) -> None:
        """Let go of the file."""
        self._journal.close()

    def begin(self, header: dict[str, Any]) -> None:
        """Write the header: target, versions, when, what was selected."""
        self._write({"type": "begin", "version": VERSION, **header})

    def outcome(self, check: dict[str, Any], outcome: Outcome) -> None:
        """Write what became of a check; `check` describes it well enough to report it without the suite that had it."""
        self._write({"type": "outcome", **check, **outcome_to_json(outcome)})

    def note(self, kind: str, value: dict[str, Any]) -> None:
        """Write something else worth keeping."""
        self._write({"type": kind, **value})

    def end(self, footer: dict[str, Any]) -> None:
        """Write the footer: counts and when."""
        self._write({"type": "end", **footer})


def slug(name: str) -> str:
    """A target's name as the name of a directory."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "target"


def new_directory(reports: Path, name: str) -> Path:
    """A directory for a run, named for the target and the moment; never one that exists. Raises Mistake."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    for number in range(1, 1000):
        directory = reports / slug(name) / (stamp if number == 1 else f"{stamp}-{number}")
        try:
            directory.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as problem:
            raise Mistake(
                f"the run cannot be written: {problem.strerror}",
                where=str(directory),
                fix="choose another directory with --conformance-reports",
            ) from None
        return directory
    raise Mistake("there are a thousand runs of this second already", where=str(reports / slug(name)))


def now() -> str:
    """This moment, as it is written into runs."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def described(check: Check) -> dict[str, Any]:
    """A check as a run records it: enough to report it without the suite that had it."""
    spec = check.spec
    return {
        "check": check.id,
        "level": check.level.value,
        "title": check.title,
        "area": check.area,
        "detail": check.detail,
        "source": None
        if spec is None
        else {
            "source": spec.source,
            "section": spec.section,
            "url": spec.url,
            "quote": spec.quote,
            "oracle": spec.oracle,
        },
        "remedy": check.remedy,
        "since": check.since,
        "requires": list(check.requires),
        "drawn": check.drawn,
    }


NOTHING: Mapping[str, Any] = MappingProxyType({})


def header_of(directory: Path) -> Mapping[str, Any]:
    """The header of a run; an empty one where there is none that can be read."""
    with suppress(Mistake):
        return read(directory, forgiving=True).header.written
    return NOTHING
