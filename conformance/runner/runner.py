"""All targets of one run: each opened, sent for, and judged by its own `TargetRun`.

It knows no pytest: the plugin drives it, and so can a script.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from conformance.analysis.history import enter
from conformance.checks.golden.recorder import Recorder
from conformance.core.capabilities import UPSTREAM
from conformance.core.check import Check
from conformance.core.mistake import COULD_NOT_TEST, CouldNotTest, Mistake
from conformance.core.secret import Secret
from conformance.core.verdict import Ruling
from conformance.evidence.find import now, slug
from conformance.evidence.journal import Unwritable
from conformance.evidence.record import Header, Result
from conformance.evidence.run import Run, header_of, latest, read
from conformance.runner.budget import STANDARD, plan_of, too_little
from conformance.runner.collector import Gathered
from conformance.runner.opening import opened, versions
from conformance.runner.reconfirm import Against
from conformance.runner.resume import Resumed
from conformance.runner.target_run import Progress, TargetRun
from conformance.targets.target import Target


@dataclass(frozen=True)
class Made:
    """Checks made from a file of data, and the room of node ids that they live in."""

    room: str
    checks: tuple[Check, ...]


@dataclass
class Runner:
    """The targets of one run, by name."""

    targets: Sequence[Target]
    reports: Path
    strict: bool = False
    profile: str = STANDARD
    progress: Progress = lambda line: None
    made: Mapping[Path, Made] = field(default_factory=dict)
    """Checks made from golden sets and from traffic, by their files."""
    recorder: Recorder | None = None
    beside: frozenset[str] = frozenset()
    """The targets that are asked only so that others can be compared with them (a baseline, what stands behind a gateway):
    their verdicts are not this run's."""
    against: Mapping[str, Against] = field(default_factory=dict)
    """What the run of each target is held against."""
    resumed: Mapping[str, Resumed] = field(default_factory=dict)
    """Runs that are to be finished, by their targets."""
    runs: dict[str, TargetRun] = field(default_factory=dict)
    dead: dict[str, str] = field(default_factory=dict)
    """Targets that could not be tested, and why."""
    broken: Unwritable | None = None
    """What a run was broken off for: nothing can be written any more."""
    _to_record: dict[str, dict[str, Future[Gathered]]] = field(default_factory=dict)
    _stack: ExitStack = field(default_factory=ExitStack)
    _begun: float = 0.0

    def open(self, selected: Mapping[str, Sequence[Check]]) -> None:
        """Open each target that has selected checks, and send for all their evidence."""
        self._begun = self._begun or time.perf_counter()
        for target in sorted(self.targets, key=lambda target: target.upstream is not None):  # what stands behind first
            checks = selected.get(target.name)
            if checks and target.name not in self.runs and target.name not in self.dead:
                self._open(target, checks)
        self.progress("")

    def _open(self, target: Target, checks: Sequence[Check]) -> None:
        if small := too_little(target, checks, self.profile) if target.name not in self.resumed else "":
            self.dead[target.name] = f"{target.name}: {small}"
            return
        try:
            opening = opened(
                self._behind(target), self.reports, self.progress, self._header(checks), self.resumed.get(target.name)
            )
            run = self._stack.enter_context(opening)
        except CouldNotTest as problem:
            self.dead[target.name] = self._down(target, str(problem))
            return
        run.profile, run.progress = self.profile, self.progress
        run.against = self.against.get(target.name, run.against)
        self.runs[target.name] = run
        # Chains first: nothing else can take longer than the longest of them.
        for check in sorted(checks, key=lambda check: -check.cost if not check.drawn else 0):
            run.send(check)
        if self.recorder is not None:
            self._to_record[run.name] = {
                name: run.collector.start(check, check.cases[0])
                for name, check in self.recorder.asks.items()
                if not target.lacks(check.requires)
            }

    def _header(self, checks: Sequence[Check]) -> Header:
        """What a header says about this run, whoever the target is."""
        found = versions()
        rooms = sorted({made.room for made in self.made.values()})
        return Header(
            "",
            strict=self.strict,
            profile=self.profile,
            made={room: tuple(str(path) for path, made in self.made.items() if made.room == room) for room in rooms},
            selected=len(checks),
            checks=tuple(sorted(check.id for check in checks)),
            suite=found["suite"], python=found["python"], openai=found["openai"], hypothesis=found["hypothesis"],
        )  # fmt: skip

    def judge(self, check: Check, target: Target) -> Result:
        """The result of a check at a target. Raises Unwritable once nothing can be written any more."""
        try:
            return self.runs[target.name].judge(check)
        except Unwritable as problem:
            self.broken = problem
            raise

    def _behind(self, target: Target) -> Target:
        """The target with the address of what stands behind it, where that runs already: it is not started twice."""
        run = self.runs.get(target.upstream.name) if target.upstream else None
        if run is None or target.upstream is None or target.launch is None:
            return target
        there = run.address
        key = Secret("UPSTREAM_KEY", there.credential()) if there.credential else None
        behind = replace(
            target.upstream, kind="openai", base_url=there.base_url, model=there.model, key=key, launch=None
        )
        return replace(target, upstream=behind)

    def _down(self, target: Target, problem: str) -> str:
        """Why a target could not be tested; of a gateway also whether what stands behind it is up."""
        if target.upstream is None:
            return problem
        name, said = target.upstream.name, problem.removeprefix(f"{target.name}: ")
        if name not in self.runs and name not in self.dead and target.upstream.launch is None:
            up = _up(target.upstream, self.progress)
        else:
            up = name in self.runs
        if up:
            return f"{target.name}: the gateway is down while its upstream `{name}` is up: {said}"
        return f"{target.name}: the gateway is down, and so is its upstream `{name}`: {said}"

    def dry_run(self, selected: Mapping[str, Sequence[Check]]) -> list[str]:
        """What a run would send and cost, at most, in a line for each target. Nothing is sent."""
        return [plan_of(target, selected.get(target.name, ()), self.profile) for target in self.targets]

    def record(self) -> list[str]:
        """Write the golden set that was asked for, and say so; nothing where none was. Raises Mistake."""
        said: list[str] = []
        for name, futures in self._to_record.items():
            assert self.recorder is not None
            run = self.runs[name]
            found = {entry: run.wait(future) for entry, future in futures.items()}
            answers = {entry: run.collector.evidence(gathered).exchanges[0] for entry, gathered in found.items()}
            made = {"target": name, "kind": run.kind, "model": run.address.model}
            made |= {"date": now(), "suite": versions()["suite"]}
            said += self.recorder.save(answers, made, run.guard)
        return said

    def close(self, *, finished: bool) -> None:
        """Write the footers (none for a run that was broken off), and let go of everything. Raises Unwritable."""
        seconds = time.perf_counter() - self._begun if self._begun else 0.0
        try:
            for run in self.runs.values() if finished else ():
                rulings = [result.ruling for check, result in run.results.items() if not run.excuse(check)]
                run.end(exit_code(rulings, 0), seconds)
        finally:
            self._stack.close()

    def entered(self, runs: Iterable[Run]) -> list[str]:
        """Enter these runs, and those of targets that could not be tested, into the history; why not, where that fails.

        A history that cannot be written is no reason to lose a run over.
        """
        dead = [latest(self.reports, slug(name)) for name in self.dead]
        try:
            for run in (*runs, *(read(directory, forgiving=True) for directory in dead if directory is not None)):
                enter(self.reports, run)
        except Mistake as mistake:
            return [f"not entered into the history: {mistake}"]
        return []

    @property
    def remarks(self) -> list[str]:
        """What a reader has to know about how these runs came about, in a line each."""
        said = []
        for name, run in self.runs.items():
            said += [f"{name}: {line}" for line in run.remarks]
            if name in self.resumed:
                sent = run.collector.counts.sent - run.before
                said.append(
                    f"{name}: resumed in {run.directory}: {run.before} requests had been sent, {sent} more were"
                )
        return said

    @property
    def directories(self) -> list[Path]:
        """Where the runs were written."""
        return [run.directory for run in self.runs.values()]


def _up(target: Target, progress: Progress) -> bool:
    """Whether a target that is running answers; nothing of it is kept."""
    try:
        with TemporaryDirectory() as folder, opened(target, Path(folder), progress):
            return True
    except CouldNotTest:
        return False


def about(check: Check, target: Target) -> bool:
    """Whether a check is about such a target at all: nobody asks OpenAI about SageMaker, or a server what it passes on."""
    if check.kinds and kind_of(target) not in check.kinds:
        return False
    return UPSTREAM not in check.requires or upstream_of(target) != ""


def upstream_of(target: Target) -> str:
    """The name of what stands behind a gateway; "" for a server. Of a replay, as it was in the run that is judged again."""
    if target.kind != "replay":
        return target.upstream.name if target.upstream else ""
    return header_of(target.directory).upstream


def kind_of(target: Target) -> str:
    """The kind of a target; of a replay, that of the run which is judged again."""
    if target.kind != "replay":
        return target.kind
    return header_of(target.directory).kind


def exit_code(rulings: Iterable[str], dead: int) -> int:
    """0 clean, 1 something is violated, 6 something could not be tested (and nothing is violated)."""
    seen = set(rulings)
    if Ruling.FAILED.value in seen:
        return 1
    return COULD_NOT_TEST if dead or Ruling.ERRORED.value in seen else 0
