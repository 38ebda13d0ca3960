"""A check: one requirement, the probes that bring its evidence, and a pure function that reads it.

    @check("stream.ends-with-done", MUST, sends=STREAMED, requires="chat.stream",
           spec=SPEC.at("CreateChatCompletionRequest.stream_options", "before the `data: [DONE]` message"))
    def ends_with_done(x: Exchange) -> Findings:
        \"\"\"A chat stream ends with a `[DONE]` event.\"\"\"

The function gets the exchanges of one case, in the order of the probes, and yields what it finds. It sends nothing and keeps
nothing. What `needs` promises about the evidence, it need not look at again: one fault is one finding, not forty.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Required, TypeAlias, TypedDict, Unpack

from conformance.core.finding import Findings
from conformance.core.probe import Chain, Probe
from conformance.core.requirement import CHECK_ID, Level, Reference

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

Case = Probe | Chain | tuple["Probe | Chain", ...]
"""What is sent for one judgement: a probe, a chain, or several of them at the same time."""


class Needs(IntEnum):
    """What must be true of every exchange of a case before the check reads it; else the check has no evidence."""

    ANYTHING = 0
    """It was sent. For checks of time-outs, cuts and refusals to answer."""
    REPLY = 1
    """A complete HTTP answer of any status but 429 and 503."""
    OK = 2
    """A complete 2xx answer, of any content."""
    ANSWER = 3
    """A complete 2xx answer with at least one choice that holds a message (or, streamed, deltas)."""


ANYTHING, REPLY, OK, ANSWER = Needs


@dataclass(frozen=True)
class Each:
    """Cases that are judged one by one by the same function."""

    cases: tuple[Case, ...]


def each(*cases: Case) -> Each:
    """These cases, judged one by one. For few inputs; for many, a strategy."""
    return Each(cases)


Judge = Callable[..., Findings]
Sends: TypeAlias = "Case | Each | SearchStrategy[Any]"


@dataclass(frozen=True)
class Check:
    """One requirement and how to see whether it is met. Made by `@check`."""

    id: str
    level: Level
    title: str
    sends: Sends
    spec: Reference | None
    judge: Judge
    needs: Needs = Needs.ANSWER
    requires: tuple[str, ...] = ()
    remedy: str = ""
    since: str = "0.1"
    witness: Callable[..., bool] | None = None
    tries: int = 1
    examples: int = 8
    waits: float = 0.0
    given: Callable[..., None] | None = None
    """Looks at the exchanges first, and raises Unsupported or Unwitnessed where there is nothing to judge."""
    kinds: tuple[str, ...] = ()
    """Kinds of targets that it is about; of others it is not asked. Empty: of all."""
    detail: str = ""
    """The rest of the docstring."""
    place: str = ""
    """The file it is written in, and the line."""

    @property
    def area(self) -> str:
        """The part of the id before the first dot."""
        return self.id.partition(".")[0]

    @property
    def drawn(self) -> bool:
        """Whether its cases are drawn from a strategy."""
        return not isinstance(self.sends, (Probe, Chain, tuple, Each))

    @property
    def cases(self) -> tuple[Case, ...]:
        """The cases, where they are listed; none where they are drawn."""
        match self.sends:
            case Each(cases):
                return cases
            case Probe() | Chain() | tuple():
                return (self.sends,)
        return ()

    @property
    def probes(self) -> tuple[Probe, ...]:
        """The distinct probes that are known before anything is sent: no drawn ones, no later steps of chains."""
        firsts = (first(part) for case in self.cases for part in (case if isinstance(case, tuple) else (case,)))
        return tuple({probe.key: probe for probe in firsts}.values())

    @property
    def cost(self) -> int:
        """Requests it costs where it shares none and every first try succeeds."""
        if self.drawn:
            return self.examples
        return sum(
            part.length if isinstance(part, Chain) else 1
            for case in self.cases
            for part in (case if isinstance(case, tuple) else (case,))
        )


def is_case(value: object) -> bool:
    """Whether this is something to send for one judgement."""
    parts = value if isinstance(value, tuple) else (value,)
    return bool(parts) and all(isinstance(part, (Probe, Chain)) for part in parts)


def first(part: Probe | Chain) -> Probe:
    """The probe that a part of a case begins with."""
    return part.first if isinstance(part, Chain) else part


def check(
    id: str,  # noqa: A002
    level: Level,
    *,
    sends: Sends,
    spec: Reference | None = None,
    needs: Needs = Needs.ANSWER,
    requires: str | Iterable[str] = (),
    remedy: str = "",
    since: str = "0.1",
    witness: Callable[..., bool] | None = None,
    tries: int = 1,
    examples: int = 8,
    waits: float = 0.0,
    given: Callable[..., None] | None = None,
    kinds: str | Iterable[str] = (),
    title: str = "",
) -> Callable[[Judge], Check]:
    """Make a function a check.

    The docstring's first line is the requirement, in the present tense (or `title`, where several checks
    share one function). `id` is permanent, dotted, and means what is required.
    `spec` is the source (a MUST needs one). `requires` names capabilities of the target. `remedy` is one line on what to do
    about a violation. `witness` says of a case's exchanges whether the model showed the behaviour at all; it is asked `tries`
    times. `examples` is how many cases are drawn from a strategy. `waits` is seconds that it spends waiting on purpose. `given`
    is called with the exchanges before the function, and raises Unsupported or Unwitnessed where there is nothing to judge.
    `kinds` are the kinds of targets that it is about.
    Raises TypeError for a check that breaks these rules.
    """

    from hypothesis.strategies import SearchStrategy  # slow to import: whoever reads a run defines no check

    cases: tuple[object, ...] = sends.cases if isinstance(sends, Each) else (sends,)

    def make(judge: Judge) -> Check:
        sentence, _, detail = (title or judge.__doc__ or "").strip().partition("\n")
        for wrong, why in (
            (not re.fullmatch(CHECK_ID, id), "its id is not like area.what-is-required"),
            (not sentence.endswith("."), "its docstring does not begin with a sentence"),
            (level is Level.MUST and spec is None, "a MUST quotes its source"),
            (
                not isinstance(sends, SearchStrategy) and not (cases and all(map(is_case, cases))),
                "`sends` is nothing to send: it takes a probe, a chain, a tuple of them, each(...), or a strategy of these",
            ),
        ):
            if wrong:
                raise TypeError(f"check {id}: {why}")
        wanted = (requires,) if isinstance(requires, str) else tuple(requires)
        whose = (kinds,) if isinstance(kinds, str) else tuple(kinds)
        code = getattr(judge, "__code__", None)
        place = f"{Path(code.co_filename).name}:{code.co_firstlineno}" if code else ""
        return Check(
            id, level, sentence, sends, spec, judge, needs, wanted, remedy, since, witness, tries, examples, waits,
            given, whose, detail.strip(), place,
        )  # fmt: skip

    return make


class Terms(TypedDict, total=False):
    """What `@check` takes besides an id and a level."""

    sends: Required[Sends]
    spec: Reference
    needs: Needs
    requires: str | tuple[str, ...]
    remedy: str
    since: str
    witness: Callable[..., bool]
    tries: int
    examples: int
    waits: float
    given: Callable[..., None]
    kinds: str | tuple[str, ...]
    title: str


class Shared(TypedDict, total=False):
    """What most checks of an area have in common; each may say otherwise."""

    needs: Needs
    requires: str | tuple[str, ...]
    remedy: str
    witness: Callable[..., bool]
    tries: int
    given: Callable[..., None]
    kinds: str | tuple[str, ...]


class Area:
    """The checks of one area in one file, and what they share.

        area = Area("embeddings", needs=OK, requires="embeddings")

        @area.must("object-is-list", sends=ONE, spec=SPEC.at("CreateEmbeddingResponse.object", "always \"list\""))
        def object_is_list(x: Exchange) -> Findings:
            \"\"\"The `object` of an answer is `list`.\"\"\"

    What is shared (`needs`, `requires`, `remedy`, `witness`, `tries`, `given`, `kinds`) is said once; a check that says otherwise
    is believed.
    """

    def __init__(self, name: str, **shared: Unpack[Shared]) -> None:
        self.name = name
        self.shared = shared

    def must(self, id: str, **terms: Unpack[Terms]) -> Callable[[Judge], Check]:  # noqa: A002
        """A check of what OpenAI documents, or its official client requires."""
        return self._check(id, Level.MUST, terms)

    def should(self, id: str, **terms: Unpack[Terms]) -> Callable[[Judge], Check]:  # noqa: A002
        """A check of what common clients break or degrade without."""
        return self._check(id, Level.SHOULD, terms)

    def may(self, id: str, **terms: Unpack[Terms]) -> Callable[[Judge], Check]:  # noqa: A002
        """A check of what is good to have."""
        return self._check(id, Level.MAY, terms)

    def note(self, id: str, **terms: Unpack[Terms]) -> Callable[[Judge], Check]:  # noqa: A002
        """A check that only records what it sees."""
        return self._check(id, Level.NOTE, terms)

    def _check(self, id: str, level: Level, terms: Terms) -> Callable[[Judge], Check]:  # noqa: A002
        whole: dict[str, Any] = {**self.shared, **terms}
        return check(f"{self.name}.{id}", level, **whole)
