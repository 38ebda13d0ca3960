"""A target: one endpoint under test, as its stanza in `targets.yaml` describes it.

Values only: what is claimed, what is allowed, what is waived. Reading the file is `configuration`, reaching the
endpoint is `transport`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field

from conformance.core.address import BEARER, Carriage
from conformance.core.capabilities import OWN_ROUTES, UPSTREAM
from conformance.core.check import Check
from conformance.core.documents import Written
from conformance.core.mistake import Mistake, nearest, together
from conformance.core.price import cost_of
from conformance.core.secret import Secret
from conformance.core.verdict import Waiver
from conformance.targets.kinds import carriage_of
from conformance.targets.quantities import (
    Count,
    Duration,
    Money,
    Open,
    Patience,
    Plain,
    PlainOrEmpty,
    Size,
    Switch,
    VariableName,
)


class Timeout(Written):
    """How long to wait for what, in seconds."""

    connect: Duration = Field(5.0, description="For the connection, TLS included.")
    first_byte: Duration = Field(60.0, description="From the request sent to the first byte of the answer.")
    idle: Duration = Field(30.0, description="Between two pieces of an answer.")
    total: Duration = Field(120.0, description="For the whole exchange.")
    linger: Patience = Field(3.0, description="After the end of a stream, for what should not come any more.")


class Limits(Written):
    """What a run may ask of a target."""

    at_once: Count = Field(8, description="Requests in flight at the same time.")
    requests: Count | None = Field(None, description="Requests in a whole run; no limit unless written.")
    tokens: Count | None = Field(None, description="Tokens in a whole run, both ways; no limit unless written.")
    cost: Money | None = Field(
        None, description="Money in a whole run, at the target's price; no limit unless written."
    )
    timeout: Timeout = Field(default_factory=Timeout, description="How long to wait for what.")
    body: Size = Field(16 * 2**20, description="The largest answer that is read, such as 16MiB.")
    http2: Switch = Field(False, description="HTTP/2, where the server offers it over TLS; with the extra [http2].")
    retry_after: Patience = Field(30.0, description="The longest Retry-After of a 429 or 503 that is waited for.")


class Price(Written):
    """What the target costs, in any one currency: by tokens, or by the hour of its machine."""

    input: Money | None = Field(None, description="For a million tokens in; beside hour, what others take for them.")
    output: Money | None = Field(None, description="For a million tokens out; beside hour, what others take for them.")
    hour: Money | None = Field(None, description="For an hour of the machine, whatever it is asked.")

    def of(self, prompt_tokens: int, completion_tokens: int) -> float | None:
        """What so many tokens cost; None where there is no price for tokens of both ways, or the hour is paid for."""
        return cost_of(prompt_tokens, completion_tokens, input=self.input, output=self.output, hour=self.hour)


class Launch(Written):
    """How to start the server of a target on this machine. It listens on loopback, on a free port."""

    model: Plain | None = Field(
        None,
        description="A folder or GGUF file (relative to this file), or the name of a model in a hub."
        " For litellm, its own name of the upstream's model, such as hosted_vllm/my-model.",
    )
    args: tuple[PlainOrEmpty, ...] = Field((), description="Further arguments for the server.")
    python: Plain | None = Field(None, description="The interpreter of the environment with the engine.")
    engine: Plain | None = Field(
        None, description="Which one to start, where several are of this kind: a name of `conformance servers list`."
    )
    env: Mapping[VariableName, Open] = Field(
        default_factory=dict, description="Environment variables for the server; secrets as ${VARIABLE}."
    )
    ready: Duration = Field(300.0, description="How long the start may take.")


@dataclass(frozen=True)
class Target:
    """One endpoint under test. `base_url` is None where the suite starts the server itself or replays a recording."""

    name: str
    kind: str
    _: KW_ONLY
    base_url: str | None = None
    model: str | None = None  # None: ask the target
    key: Secret | None = None
    headers: Mapping[str, str | Secret] = field(default_factory=dict, hash=False)
    claims: frozenset[str] | None = None  # None: not declared, find out
    disclaims: frozenset[str] = frozenset()
    limits: Limits = field(default_factory=Limits, hash=False)
    waives: tuple[Waiver, ...] = ()
    launch: Launch | None = field(default=None, hash=False)
    directory: Path = Path()  # that relative paths start from; of a replay, the recorded run itself
    price: Price | None = field(default=None, hash=False)
    profile: Mapping[str, Any] | None = field(default=None, hash=False)
    query: str = ""  # at the end of every URL, without the question mark
    options: Mapping[str, str] = field(default_factory=dict, hash=False)  # the keys of its kind alone
    container: Target | None = None  # behind an emulated front door
    upstream: Target | None = field(default=None, hash=False)  # what a gateway passes requests on to
    source: str = ""  # the file as messages name it, or --target
    line: int = 0

    @property
    def where(self) -> str:
        """File and line of the stanza."""
        return place(self.source, self.line)

    @property
    def engine(self) -> str:
        """The engine that is started for it, where it is started here."""
        return self.launch.engine if self.launch and self.launch.engine else self.kind

    @property
    def carriage(self) -> Carriage:
        """How its key travels: of a server that is started here, as it is given to the server behind."""
        return BEARER if self.launch else carriage_of(self.kind)

    @property
    def chats(self) -> bool:
        """Whether it may chat at all: not where it says that it does not, or claims another route and no chat."""
        if self.claims is None or "chat" in self.claims:
            return "chat" not in self.disclaims
        return self.claims.isdisjoint(OWN_ROUTES)

    def lacks(self, needed: Iterable[str]) -> str:
        """The first of these capabilities that the target says it has not; "" where there is none.

        What needs no route of its own needs the chat.
        """
        wanted = [one for one in needed if one != UPSTREAM]  # which nobody claims: it is named
        for one in wanted:
            if one in self.disclaims or (self.claims is not None and one not in self.claims):
                return one
        return "" if self.chats or not OWN_ROUTES.isdisjoint(wanted) else "chat"

    def secrets(self) -> Iterator[Secret]:
        """Every secret of the target: what no artefact may contain."""
        values = [self.key, *self.headers.values(), *(self.launch.env.values() if self.launch else ())]
        yield from (each for each in values if isinstance(each, Secret))
        for behind in filter(None, (self.container, self.upstream)):
            yield from behind.secrets()

    def path(self, written: str) -> Path:
        """A path of the stanza as one that can be opened: relative ones start from the folder of the file."""
        return self.directory / Path(written).expanduser()


def place(source: str, line: int) -> str:
    """Where something is written: `targets.yaml:12`, or only the source where lines mean nothing."""
    return f"{source}:{line}" if line else source


def check_waivers(target: Target, checks: Mapping[str, Check], codes: Callable[[Check], Collection[str]]) -> None:
    """Raise Mistake where the target waives a check, or a code of one, that does not exist: it would never match anything."""
    unknown = [
        Mistake(
            f"`{target.name}` waives `{waiver.check}`, which is no check"
            f" ({nearest(waiver.check, checks) or '`conformance checks` lists them'})",
            where=place(target.source, waiver.line),
        )
        for waiver in target.waives
        if waiver.check not in checks
    ]
    unknown += [
        Mistake(
            f"`{target.name}` waives `{code}` of `{waiver.check}`, which has no such code"
            f" ({nearest(code, known) or 'there are: ' + ', '.join(known)})",
            where=place(target.source, waiver.line),
        )
        for waiver in target.waives
        if waiver.codes and waiver.check in checks and "" not in (known := codes(checks[waiver.check]))
        for code in waiver.codes
        if code not in known
    ]
    if unknown:
        raise together(unknown, where=target.source)
