"""One target in one run: its server started where it has to be, its address and model found, its evidence being gathered.

A trial owns all that must be let go of again: servers, connections, files. It knows no pytest.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import astuple, dataclass, field, replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance.core.address import BEARER
from conformance.core.check import Check
from conformance.core.finding import Outcome
from conformance.core.guard import Guard, guard_of
from conformance.core.mistake import CouldNotTest
from conformance.core.text import legible
from conformance.core.version import __version__
from conformance.evidence.documented import Claim
from conformance.evidence.exchanges import Recording
from conformance.evidence.run import (
    ADDRESS,
    DEAD,
    ENGINE,
    NOTHING,
    REMARK,
    RUN,
    Header,
    Run,
    RunLog,
    described,
    new_directory,
    now,
    read,
)
from conformance.runner.collector import Collector, Transport
from conformance.runner.preflight import (
    LONGEST,
    MODELS,
    is_nameless,
    listed,
    preflight,
    version_asked,
    version_told,
)
from conformance.runner.resume import Resumed
from conformance.targets.kinds import OPENAI
from conformance.targets.selection import OPTION
from conformance.targets.target import Price, Target
from conformance.transport.reach import Say, addressed
from conformance.transport.replay import Replay

if TYPE_CHECKING:  # the client and the server are imported when a trial is opened: collecting checks needs neither
    from conformance.core.address import Address


@dataclass
class Trial:
    """One target being tested."""

    target: Target
    directory: Path
    address: Address
    recording: Recording
    collector: Collector
    log: RunLog
    guard: Guard
    cases: Mapping[str, list[list[str]]] = field(default_factory=dict)
    """Of a replay: the keys of the exchanges that each check was judged by on the day."""
    recorded: Path | None = None
    """Of a replay: the run that is judged again."""
    recorded_kind: str = ""
    """Of a replay: the kind of the target that was asked on the day."""
    before: int = 0
    """Of a resumed run: the requests that it had sent before."""
    remarks: list[str] = field(default_factory=list)
    """What a reader has to know about how this run came about."""

    @property
    def name(self) -> str:
        """The target's name."""
        return self.target.name

    @property
    def kind(self) -> str:
        """The kind of the target whose answers are judged."""
        return self.recorded_kind or self.target.kind

    def note(self, check: Check, outcome: Outcome) -> None:
        """Write an outcome down."""
        self.log.outcome({"target": self.name, **described(check)}, outcome)

    def note_claims(self, claims: Iterable[Claim]) -> None:
        """Write down what the run says of the documented deviations of its kind of target."""
        for claim in claims:
            self.log.note("deviation", {"target": self.name, **claim.to_json()})

    def end(self, counts: Mapping[str, int], exit_code: int, seconds: float) -> None:
        """Write the footer of the run."""
        spent = self.collector.counts
        self.log.end(
            {
                "finished": now(),
                "seconds": round(seconds, 3),
                "requests": spent.sent,
                "tokens": {"prompt": spent.prompt_tokens, "completion": spent.completion_tokens},
                "counts": dict(counts),
                "exit": exit_code,
            }
        )


def _beginning(target: Target, made: Mapping[str, Any]) -> dict[str, Any]:
    """The header of a run of a target: what is known before anything is asked, and by what it is `made`."""
    return {
        **made,
        "target": target.name,
        "given": target.base_url if target.source == OPTION and target.base_url else target.name,
        "kind": target.kind,
        "base_url": target.base_url or "",
        **({"query": target.query} if target.query else {}),
        **({"carriage": list(astuple(target.carriage))} if target.carriage != BEARER else {}),
        "model": target.model or "",
        "started": now(),
        "claims": None if target.claims is None else sorted(target.claims),
        "disclaims": sorted(target.disclaims),
        "waives": [
            {
                "check": waiver.check,
                "because": waiver.because,
                "owner": waiver.owner,
                "issue": waiver.issue,
                "until": waiver.until.isoformat() if waiver.until else None,
            }
            for waiver in target.waives
        ],
        **({"price": target.price.model_dump(exclude_none=True)} if target.price else {}),
        **({"upstream": target.upstream.name} if target.upstream else {}),
    }


@contextmanager
def opened(
    target: Target, reports: Path, say: Say, made: Mapping[str, Any] = NOTHING, resumed: Resumed | None = None
) -> Iterator[Trial]:
    """A trial of a target, with its header written. Raises CouldNotTest where its server does not start or does not answer as one.

    One that was `resumed` goes on in its directory. The header comes first, so that a run can be read, and be resumed, from its
    first moment on.
    """
    with ExitStack() as stack:
        if target.kind == "replay":
            yield _replay(target, reports, stack, made)
            return
        directory = resumed.directory if resumed else new_directory(reports, target.name)
        guard = guard_of(secret.value for secret in target.secrets() if secret.is_known)
        log = RunLog(directory, guard)
        stack.callback(log.close)
        log.claim()
        header = _beginning(target, made)
        remarks = [*resumed.mended(), *resumed.changes(header)] if resumed else []
        if remarks:  # it may have another file by now
            log.close()
            log.claim()
        log.begin(resumed.joined(header) if resumed else header)
        for line in remarks:
            log.note(REMARK, {"text": legible(guard.mask_text(line), LONGEST)})
        recording = resumed.recording(guard) if resumed else Recording(directory, guard)
        try:
            trial = _asked(target, directory, recording, log, guard, say, stack)
        except CouldNotTest as problem:
            log.note(DEAD, {"reason": guard.mask_text(str(problem))})
            raise
        if resumed and resumed.header.model and not target.model and resumed.header.model != trial.address.model:
            was, is_now = resumed.header.model, trial.address.model
            remarks.append(f"the target served {was} when this run was begun, and serves {is_now} now")
            log.note(REMARK, {"text": legible(guard.mask_text(remarks[-1]), LONGEST)})
        trial.remarks += remarks
        yield trial


def _asked(
    target: Target, directory: Path, recording: Recording, log: RunLog, guard: Guard, say: Say, stack: ExitStack
) -> Trial:
    """The trial of a target that has answered once."""
    from conformance.transport.http import Http

    address = stack.enter_context(addressed(target, directory, say, guard))
    if target.limits.http2 and find_spec("h2") is None:
        raise CouldNotTest(
            f"{target.name}: limits.http2 needs an extra that is not installed: pip install 'openai-conformance[http2]'"
        )
    transport = Http(target.name, address, target.limits)
    collector = stack.enter_context(Collector(transport, recording, target.limits, guard, price=target.price))
    collector.count_recorded()
    if is_nameless(target, address):
        if address.base_url == OPENAI:
            raise CouldNotTest(f"{target.name}: say which model to test (`model:`): OpenAI serves many")
        address = replace(address, model=_discover(collector))
        transport.address = address
    at = {"base_url": address.base_url, "model": address.model}
    if address.emulated:
        at["note"] = address.emulated
    if at != {"base_url": target.base_url or "", "model": target.model or ""}:
        log.note(ADDRESS, at)
    trial = Trial(target, directory, address, recording, collector, log, guard)
    trial.before = collector.counts.sent
    preflight(collector, target, address.base_url)
    asked = version_asked(target.kind)
    if asked is not None and (version := version_told(target.kind, collector.ask(asked))):
        log.note(ENGINE, {"version": legible(guard.mask_text(version), LONGEST)})
    return trial


def _replay(target: Target, reports: Path, stack: ExitStack, made: Mapping[str, Any]) -> Trial:
    from conformance.core.address import Address

    source = target.directory
    recording = Recording(source, forgiving=True)
    if not len(recording):
        damaged = f" ({recording.damage})" if recording.damage else ""
        raise CouldNotTest(f"{target.name}: no exchanges in {source}: nothing to judge again{damaged}")
    run = read(source, forgiving=True) if (source / RUN).exists() else Run(source, Header(target.name))
    price = Price(**run.header.price) if run.header.price else None
    target = replace(target, claims=run.header.claims, waives=run.header.waives, price=price)
    directory = new_directory(reports, target.name)
    transport: Transport = Replay(target.name, recording, incomplete=run.footer is None)
    collector = stack.enter_context(Collector(transport, recording, target.limits, Guard(), record=False))
    emulated = run.header.note
    address = Address(run.header.base_url, run.header.model, query=run.header.query, emulated=emulated)
    log = RunLog(directory)
    stack.callback(log.close)
    at = {"base_url": address.base_url, "model": address.model, "kind": run.header.kind or target.kind}
    at |= {name: run.header.written[name] for name in ("query", "carriage", "upstream") if name in run.header.written}
    if emulated:
        at["note"] = emulated
    log.begin({**_beginning(target, made), **at, "replay_of": str(source)})
    cases = {result.check: [list(keys) for keys in result.outcome.evidence] for result in run.results}
    trial = Trial(target, directory, address, recording, collector, log, Guard(), cases, source, run.header.kind)
    for damage in (run.damage, recording.damage):
        if damage:
            trial.remarks.append(f"what is judged again is damaged: {damage}")
            log.note(REMARK, {"text": legible(trial.remarks[-1], LONGEST)})
    return trial


def _discover(collector: Collector) -> str:
    """The first model that the target lists; "" where it lists none, which some endpoints accept."""
    x = collector.ask(MODELS)
    if not (found := "".join(listed(x)[:1])):
        return ""
    found = collector.guard.mask_text(found)
    collector.recording.append(replace(x, model=found))  # the checks read the same answer, and ask what model was used
    return found


def versions() -> dict[str, str]:
    """What made a run: the suite, and what its answers could depend on."""
    return {
        "suite": __version__,
        "python": ".".join(map(str, sys.version_info[:3])),
        "openai": version("openai"),
        "hypothesis": version("hypothesis"),
    }
