"""The records of a run: its header, what became of each check, its footer; and the lines of `run.jsonl` that they are.

One family, one codec: whoever writes a run writes these, whoever reads one gets these, and `conformance schema run` publishes the
lines as a JSON Schema. They hold facts and know no check: those of an old run may no longer exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass, field
from datetime import date
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Required, cast

from typing_extensions import TypedDict  # pydantic reads those of `typing` from Python 3.12 on

from conformance.core.address import BEARER, Carriage
from conformance.core.check import Check
from conformance.core.finding import Finding, Kind, Outcome
from conformance.core.reading.json import ABSENT
from conformance.core.requirement import Level, Reference
from conformance.core.verdict import Waiver
from conformance.evidence.documented import Claim
from conformance.evidence.former import code_of

if TYPE_CHECKING:
    from pydantic import TypeAdapter

VERSION = 1
"""Of the files' form. It is raised when a reader of the form before would misread a file: a new member or a new type of line,
which old readers pass over, does not raise it. Readers read every form there ever was, and refuse a newer one."""

Text = str | None
"""Text, or nothing, which older versions wrote as null."""


class WaiverLine(TypedDict, total=False):
    """A waiver in a header."""

    check: Required[str]
    because: Text
    owner: Text
    issue: Text
    until: Text
    codes: list[str]


class BeginLine(TypedDict, total=False):
    """The header. A run that was resumed has one for each time it was begun."""

    type: Required[Literal["begin"]]
    version: int
    target: Required[str]
    given: Text
    kind: Text
    base_url: Text
    query: Text
    carriage: list[str] | None
    model: Text
    started: Text
    suite: Text
    python: Text
    openai: Text
    hypothesis: Text
    claims: list[str] | None
    disclaims: list[str]
    waives: list[WaiverLine] | None
    strict: bool
    profile: Text
    made: dict[str, list[str]] | None
    selected: int
    checks: list[str] | None
    price: dict[str, float] | None
    upstream: Text
    note: Text
    replay_of: Text
    shards: list[str]


class AddressLine(TypedDict, total=False):
    """Where the target is and which model it serves, once that is known."""

    type: Required[Literal["address"]]
    base_url: Required[str]
    model: Required[str]
    note: Text


class DeadLine(TypedDict, total=False):
    """Why the target could not be tested at all."""

    type: Required[Literal["could not test"]]
    reason: Required[str]
    code: str


class SourceLine(TypedDict):
    """The source of a requirement."""

    source: str
    section: str
    url: str
    quote: str
    oracle: str


class FindingLine(TypedDict, total=False):
    """A finding. `expected` and `found` are left out where they are absent; older runs have no `code`."""

    code: str
    message: Required[str]
    at: Required[str | list[int]]
    on: Required[str]
    expected: Any
    found: Any


class OutcomeLine(TypedDict, total=False):
    """What became of a check, and enough about the check to report it without the suite that had it."""

    type: Required[Literal["outcome"]]
    target: Text
    check: Required[str]
    level: Required[Level]
    title: Text
    area: Text
    detail: Text
    source: SourceLine | None
    remedy: Text
    since: Text
    requires: list[str] | None
    drawn: bool
    ended: float
    outcome: Required[Kind]
    reason: Required[str]
    reason_code: str
    findings: Required[list[FindingLine]]
    observed: Required[dict[str, Any]]
    evidence: Required[list[list[str]]]
    cause: Required[str]


class EndLine(TypedDict, total=False):
    """The footer. A run without one was not finished."""

    type: Required[Literal["end"]]
    finished: Text
    seconds: float | None
    requests: int | None
    tokens: dict[str, int] | None
    counts: dict[str, int]
    exit: int | None


class NoteLine(TypedDict, total=False):
    """Anything else worth keeping: a remark for readers, the engine's version, what was asked again, what is new."""

    type: Required[str]


Line = BeginLine | AddressLine | DeadLine | OutcomeLine | EndLine
TYPES = ("begin", "address", "could not test", "outcome", "end")


@cache
def _lines() -> TypeAdapter[Line]:
    from pydantic import Discriminator, TypeAdapter

    return TypeAdapter(Annotated[Line, Discriminator("type")])


def parsed(value: Mapping[str, Any]) -> Line | NoteLine:
    """A line of a run, typed. Raises ValueError, in a few words, for a line that is not as its type has it."""
    if value.get("type") not in TYPES:
        note: NoteLine = {**value, "type": str(value.get("type", ""))}  # type: ignore[typeddict-item]
        return note
    from pydantic import ValidationError  # slow to import: whoever reads no run need not wait for it

    try:
        return _lines().validate_python(dict(value))
    except ValidationError as problem:
        first = problem.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"][1:])
        raise ValueError(f"{place}: {first['msg']}" if place else first["msg"]) from None


def schema() -> dict[str, Any]:
    """The JSON Schema of a line of `run.jsonl`."""
    from pydantic import TypeAdapter

    lines = TypeAdapter(Line | NoteLine).json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "A line of run.jsonl", **lines}


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
    given: str = ""
    """What the target was called on the command line: a name, or a URL."""
    profile: str = ""
    """How much was drawn."""
    made: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The files that further checks were made from: golden sets, and traffic."""
    checks: tuple[str, ...] = ()
    """The ids of what was to be judged; older runs do not say."""
    disclaims: tuple[str, ...] = ()
    upstream: str = ""
    """The target behind a gateway."""
    python: str = ""
    openai: str = ""
    hypothesis: str = ""
    shards: tuple[str, ...] = ()
    """The directories of the runs that were merged into this one."""

    def line(self) -> BeginLine:
        """As a line of the run."""
        line: BeginLine = {
            "type": "begin", "version": VERSION, "suite": self.suite, "python": self.python, "openai": self.openai,
            "hypothesis": self.hypothesis, "strict": self.strict, "profile": self.profile,
            "made": {room: list(files) for room, files in self.made.items()}, "selected": self.selected,
            "checks": list(self.checks), "target": self.target, "given": self.given, "kind": self.kind,
            "base_url": self.base_url, "model": self.model, "started": self.started,
            "claims": None if self.claims is None else sorted(self.claims), "disclaims": list(self.disclaims),
            "waives": [_waiver_line(waiver) for waiver in self.waives],
        }  # fmt: skip
        more: dict[str, Any] = {
            "query": self.query, "carriage": list(astuple(self.carriage)) if self.carriage != BEARER else None,
            "price": dict(self.price), "upstream": self.upstream, "note": self.note, "replay_of": self.replay_of,
            "shards": list(self.shards),
        }  # fmt: skip
        line.update({name: value for name, value in more.items() if value})  # type: ignore[typeddict-item]
        return line

    @staticmethod
    def of(line: BeginLine) -> Header:
        """The header that a line is."""
        claims, carriage = line.get("claims"), line.get("carriage")
        texts = (
            "kind", "base_url", "query", "model", "started", "suite", "note", "replay_of", "given", "profile", "upstream",
            "python", "openai", "hypothesis",
        )  # fmt: skip
        words: dict[str, Any] = {name: line.get(name) or "" for name in texts}
        return Header(
            line["target"],
            carriage=Carriage(*carriage) if carriage else BEARER,
            claims=None if claims is None else frozenset(claims),
            waives=tuple(_waiver(waiver) for waiver in line.get("waives") or ()),
            strict=line.get("strict", False),
            selected=line.get("selected", 0),
            price=line.get("price") or {},
            made=MappingProxyType({room: tuple(files) for room, files in (line.get("made") or {}).items()}),
            checks=tuple(line.get("checks") or ()),
            disclaims=tuple(line.get("disclaims", ())),
            shards=tuple(line.get("shards", ())),
            **words,
        )


def _waiver_line(waiver: Waiver) -> WaiverLine:
    line: WaiverLine = {
        "check": waiver.check, "because": waiver.because, "owner": waiver.owner, "issue": waiver.issue,
        "until": waiver.until.isoformat() if waiver.until else None,
    }  # fmt: skip
    if waiver.codes:
        line["codes"] = list(waiver.codes)
    return line


def _waiver(line: WaiverLine) -> Waiver:
    until = line.get("until")
    when = date.fromisoformat(until) if until else None
    return Waiver(
        line["check"], line.get("because") or "", line.get("owner") or "", line.get("issue"), when,
        codes=tuple(line.get("codes", ())),
    )  # fmt: skip


@dataclass(frozen=True)
class Footer:
    """What is known when all is over."""

    finished: str = ""
    seconds: float = 0.0
    requests: int = 0
    tokens: Mapping[str, int] = field(default_factory=dict)
    """`prompt` and `completion`."""
    exit: int | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    """How many results there were of each ruling on the day."""

    def line(self) -> EndLine:
        """As a line of the run."""
        return {
            "type": "end", "finished": self.finished, "seconds": round(self.seconds, 3), "requests": self.requests,
            "tokens": dict(self.tokens), "counts": dict(self.counts), "exit": self.exit,
        }  # fmt: skip

    @staticmethod
    def of(line: EndLine) -> Footer:
        """The footer that a line is."""
        return Footer(
            line.get("finished") or "", line.get("seconds") or 0.0, line.get("requests") or 0, line.get("tokens") or {},
            line.get("exit"), line.get("counts", {}),
        )  # fmt: skip


@dataclass(frozen=True)
class Result:
    """What became of one check at one target, with all that a report says about the check itself. Made once, when it is judged."""

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

    @staticmethod
    def made(check: Check, outcome: Outcome) -> Result:
        """The result of a check that has just been judged."""
        return Result(
            check.id, check.level, check.title, outcome, check.area, check.detail, check.spec, check.remedy, check.since,
            check.requires, check.drawn,
        )  # fmt: skip

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
        keys = [finding.on for finding in self.findings if finding.on]
        if not keys and self.outcome.cause:
            keys = [self.outcome.cause]
        return tuple(dict.fromkeys(keys or [key for case in self.outcome.evidence for key in case]))

    def line(self, target: str = "") -> OutcomeLine:
        """As a line of the run. Its ruling is left out: that is policy, and yesterday's run can be ruled by today's waivers."""
        outcome = self.outcome
        line: dict[str, Any] = {
            "type": "outcome", "target": target, **described(self), "outcome": outcome.kind, "reason": outcome.reason,
            "findings": [finding_line(finding) for finding in outcome.findings], "observed": outcome.observed,
            "evidence": [list(keys) for keys in outcome.evidence], "cause": outcome.cause,
        }  # fmt: skip
        if self.ended:
            line["ended"] = self.ended
        if outcome.code:
            line["reason_code"] = str(outcome.code)
        return cast(OutcomeLine, line)

    @staticmethod
    def of(line: OutcomeLine) -> Result:
        """The result that a line is."""
        source = line.get("source")
        outcome = Outcome(
            line["outcome"],
            tuple(_finding(finding, line["check"]) for finding in line["findings"]),
            line["reason"],
            line["observed"],
            tuple(tuple(keys) for keys in line["evidence"]),
            line["cause"],
            line.get("reason_code", ""),
        )
        texts = ("title", "detail", "remedy", "since")
        words: dict[str, Any] = {name: line.get(name) or "" for name in texts}
        return Result(
            line["check"],
            line["level"],
            outcome=outcome,
            area=line.get("area") or line["check"].partition(".")[0],
            source=Reference(**cast(dict[str, Any], source)) if source else None,
            requires=tuple(line.get("requires") or ()),
            drawn=line.get("drawn", True),
            ended=line.get("ended", 0.0),
            **words,
        )


def described(about: Check | Result) -> dict[str, Any]:
    """A check in JSON, enough to report it without the suite that had it."""
    spec = about.spec if isinstance(about, Check) else about.source
    return {
        "check": about.id if isinstance(about, Check) else about.check, "level": about.level, "title": about.title,
        "area": about.area, "detail": about.detail, "source": asdict(spec) if spec else None, "remedy": about.remedy,
        "since": about.since, "requires": list(about.requires), "drawn": about.drawn,
    }  # fmt: skip


def finding_line(finding: Finding) -> FindingLine:
    """A finding as a run has it."""
    line: FindingLine = {
        "code": finding.code,
        "message": finding.message,
        "at": list(finding.at) if isinstance(finding.at, tuple) else finding.at,
        "on": finding.on,
    }
    if finding.expected is not ABSENT:
        line["expected"] = finding.expected
    if finding.found is not ABSENT:
        line["found"] = finding.found
    return line


def _finding(line: FindingLine, check: str) -> Finding:
    at: Any = tuple(line["at"]) if isinstance(line["at"], list) else line["at"]
    expected, found = line.get("expected", ABSENT), line.get("found", ABSENT)
    code = line.get("code") or code_of(check, line["message"])
    return Finding(code, line["message"], at, expected, found, line["on"])
