"""A run as it lies on disk, read back: header, what became of each check, footer.

It holds facts, and knows no check: those of an old run may no longer exist. How a fact counts (its ruling)
is for somebody else to say, with `Run.ruled`: yesterday's run can be ruled by today's waivers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from conformance.core.finding import Outcome
from conformance.core.mistake import Mistake
from conformance.core.price import cost_of
from conformance.core.requirement import Level
from conformance.core.verdict import Waiver
from conformance.evidence.documented import Claim
from conformance.evidence.exchanges import EXCHANGES
from conformance.evidence.journal import Torn, account, lines_of
from conformance.evidence.record import VERSION, Footer, Header, Result, parsed

RULINGS = ("passed", "failed", "advised", "noted", "waived", "unsupported", "unwitnessed", "errored")
"""In the order of a table's columns."""

WORST_FIRST = ("failed", "errored", "advised", "noted", "waived", "unsupported", "unwitnessed", "passed")
"""In the order of what a reader wants to see first."""

REMARK, ADDRESS, DEAD, ENGINE = "remark", "address", "could not test", "engine"
"""Types of lines besides header, outcome and footer: a sentence for readers; where the target is, once that is known; why it
could not be tested at all; what its server says that it is."""

Rule = Callable[[Outcome, Level, Waiver | None], tuple[str, str]]
"""How an outcome counts: a ruling, and why where that is not the outcome itself."""


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
            ruling, because = rule(result.outcome, result.level, waiver)
            results.append(replace(result, waiver=waiver, ruling=str(ruling), because=because))
        return replace(self, results=tuple(results))


RUN = "run.jsonl"

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
        if value.get("type") == "begin" and isinstance(form := value.get("version", VERSION), int) and form > VERSION:
            raise Mistake(
                f"made by a newer version of the suite (form {form}; this one reads up to {VERSION})",
                where=where,
                fix="read it with that version, or a later one",
            )
        line: Any = parsed(value)
        match line["type"]:
            case "begin":  # a run that was resumed has a second one
                begun = self.header.begun + 1 if self.header else 1
                self.header, self.footer, self.dead = replace(Header.of(line), begun=begun), None, ""
            case "outcome":
                result = Result.of(line)
                self.results[result.check] = result
                self.target = line.get("target") or self.target
            case "end":
                self.footer = Footer.of(line)
            case "address" if self.header is not None:
                note = line.get("note") or self.header.note
                self.header = replace(self.header, base_url=line["base_url"], model=line["model"], note=note)
            case "could not test":
                self.dead = line["reason"]
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


def header_of(directory: Path) -> Header:
    """The header of a run; an empty one where there is none that can be read."""
    with suppress(Mistake):
        return read(directory, forgiving=True).header
    return Header("")
