"""Opens a target: its server started where it has to be, its address and model found, the header of its run written."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from conformance.core.address import Address
from conformance.core.guard import Guard, guard_of
from conformance.core.mistake import CouldNotTest
from conformance.core.text import legible
from conformance.core.version import __version__
from conformance.evidence.exchanges import Recording
from conformance.evidence.find import new_directory, now
from conformance.evidence.log import RunLog
from conformance.evidence.record import Header
from conformance.evidence.run import ADDRESS, DEAD, ENGINE, REMARK, RUN, Run, read
from conformance.runner.collector import Collector, Transport
from conformance.runner.preflight import LONGEST, MODELS, is_nameless, listed, preflight, version_asked, version_told
from conformance.runner.resume import Resumed
from conformance.runner.target_run import TargetRun
from conformance.targets.kinds import OPENAI
from conformance.targets.selection import OPTION
from conformance.targets.target import Price, Target
from conformance.transport.reach import Say, addressed
from conformance.transport.replay import Replay


def _beginning(target: Target, made: Header) -> Header:
    """The header of a run of a target: what is known before anything is asked, and by what it is `made`."""
    return replace(
        made,
        target=target.name,
        given=target.base_url if target.source == OPTION and target.base_url else target.name,
        kind=target.kind,
        base_url=target.base_url or "",
        query=target.query,
        carriage=target.carriage,
        model=target.model or "",
        started=now(),
        claims=target.claims,
        disclaims=tuple(sorted(target.disclaims)),
        waives=target.waives,
        price=target.price.model_dump(exclude_none=True) if target.price else {},
        upstream=target.upstream.name if target.upstream else "",
    )


@contextmanager
def opened(
    target: Target, reports: Path, say: Say, made: Header | None = None, resumed: Resumed | None = None
) -> Iterator[TargetRun]:
    """The run of a target, with its header written. Raises CouldNotTest where its server does not start or does not answer as one.

    One that was `resumed` goes on in its directory. The header comes first, so that a run can be read, and be resumed, from its
    first moment on.
    """
    with ExitStack() as stack:
        if target.kind == "replay":
            yield _replay(target, reports, stack, made or Header(""))
            return
        directory = resumed.directory if resumed else new_directory(reports, target.name)
        guard = guard_of(secret.value for secret in target.secrets() if secret.is_known)
        log = RunLog(directory, guard)
        stack.callback(log.close)
        log.claim()
        header = _beginning(target, made or Header(""))
        remarks = [*resumed.mended(), *resumed.changes(header)] if resumed else []
        if remarks:  # it may have another file by now
            log.close()
            log.claim()
        header = resumed.joined(header) if resumed else header
        log.begin(header)
        for line in remarks:
            log.note(REMARK, {"text": legible(guard.mask_text(line), LONGEST)})
        recording = resumed.recording(guard) if resumed else Recording(directory, guard)
        try:
            run = _asked(target, directory, recording, log, guard, header, say, stack)
        except CouldNotTest as problem:
            log.note(DEAD, {"reason": guard.mask_text(str(problem)), "code": problem.code})
            raise
        if resumed and resumed.header.model and not target.model and resumed.header.model != run.address.model:
            was, is_now = resumed.header.model, run.address.model
            remarks.append(f"the target served {was} when this run was begun, and serves {is_now} now")
            log.note(REMARK, {"text": legible(guard.mask_text(remarks[-1]), LONGEST)})
        run.remarks += remarks
        yield run


def _asked(
    target: Target, directory: Path, recording: Recording, log: RunLog, guard: Guard, header: Header, say: Say,
    stack: ExitStack,
) -> TargetRun:  # fmt: skip
    """The run of a target that has answered once."""
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
        header = replace(header, base_url=address.base_url, model=address.model, note=address.emulated)
    run = TargetRun(target, directory, address, recording, collector, log, guard, header)
    run.before = collector.counts.sent
    preflight(collector, target, address.base_url)
    asked = version_asked(target.kind)
    if asked is not None and (version := version_told(target.kind, collector.ask(asked))):
        log.note(ENGINE, {"version": legible(guard.mask_text(version), LONGEST)})
    return run


def _replay(target: Target, reports: Path, stack: ExitStack, made: Header) -> TargetRun:
    source = target.directory
    recording = Recording(source, forgiving=True)
    if not len(recording):
        damaged = f" ({recording.damage})" if recording.damage else ""
        raise CouldNotTest(f"{target.name}: no exchanges in {source}: nothing to judge again{damaged}")
    recorded = read(source, forgiving=True) if (source / RUN).exists() else Run(source, Header(target.name))
    was = recorded.header
    price = Price(**was.price) if was.price else None
    target = replace(target, claims=was.claims, waives=was.waives, price=price)
    directory = new_directory(reports, target.name)
    transport: Transport = Replay(target.name, recording, incomplete=recorded.footer is None)
    collector = stack.enter_context(Collector(transport, recording, target.limits, Guard(), record=False))
    address = Address(was.base_url, was.model, query=was.query, emulated=was.note)
    log = RunLog(directory)
    stack.callback(log.close)
    header = replace(
        _beginning(target, made), base_url=was.base_url, model=was.model, kind=was.kind or target.kind, query=was.query,
        carriage=was.carriage, upstream=was.upstream, note=was.note, replay_of=str(source),
    )  # fmt: skip
    log.begin(header)
    cases = {result.check: [list(keys) for keys in result.outcome.evidence] for result in recorded.results}
    run = TargetRun(target, directory, address, recording, collector, log, Guard(), header, cases, source)
    for damage in (recorded.damage, recording.damage):
        if damage:
            run.remarks.append(f"what is judged again is damaged: {damage}")
            log.note(REMARK, {"text": legible(run.remarks[-1], LONGEST)})
    return run


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
