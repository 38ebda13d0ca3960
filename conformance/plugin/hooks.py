"""The pytest hooks of a run with targets, each with one job. The work is in `session.py`, `items.py` and `terminal.py`."""

from __future__ import annotations

import math
import os
import re
import sys
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conformance.analysis.comparison import Comparison
from conformance.core.check import Check
from conformance.core.mistake import COULD_NOT_TEST, Mistake
from conformance.core.requirement import CHECK_ID
from conformance.core.verdict import Ruling
from conformance.evidence.journal import Unwritable
from conformance.evidence.run import Run, read
from conformance.plugin import github
from conformance.plugin.baseline import Asked, Committed, beside
from conformance.plugin.command_line import Options
from conformance.plugin.interrupts import Interrupts
from conformance.plugin.items import CHECKS, HOUSE, CheckDirectory, CheckFile, CheckItem, runner_key, runner_of
from conformance.plugin.migration import reported
from conformance.plugin.prepare import BASELINE, prepare, quieten
from conformance.plugin.terminal import BESIDE, CATEGORIES, Waiting, summarise
from conformance.report.book import Book
from conformance.report.markdown import plain as markdown_plain
from conformance.runner.budget import WAITS
from conformance.runner.reconfirm import NEVER
from conformance.runner.runner import exit_code

FACTS = "conformance"
"""The attribute of a report that carries what became of a check; it travels from xdist's workers, too."""
CHECK_OF = re.compile(rf".*::(?P<check>{CHECK_ID})\[(?P<target>[^\[\]]+)\]", re.DOTALL)
"""The node id of a check at a target."""
NOTHING = (
    "--target is given, but no check was collected: the paths on the command line (or in addopts/testpaths) have none;"
    f" add `{HOUSE}` or leave the path out"
)
JUDGED = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)
"""pytest's own exit codes of runs that came to their end."""
BROKEN_OFF = (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.USAGE_ERROR)
"""Exit codes of runs that did not come to their end."""


class Tally:
    """What became of every item, also of those that ran in xdist's workers. Registered as a plugin of its own."""

    def __init__(self) -> None:
        self.rulings: dict[tuple[str, str], str] = {}
        self.excused: set[tuple[str, str]] = set()
        """Requirements that failed and do not fail the job."""
        self.directories: dict[str, Path] = {}
        """Where the run of each target lies."""
        self.runs: dict[str, Run] = {}
        """The same, read once when all is over: whatever is told in the end is told of these."""
        self.dead: dict[str, str] = {}
        self.comparisons: list[Comparison] = []
        """Each candidate beside the baseline that was asked for."""
        self.said: list[str] = []
        """What else is to be told in the end."""
        self.failed = 0
        """Failures that the rulings tell of. Whatever else pytest counts is somebody's own, and decides over the exit code, too."""
        self.uncollected = False
        """Whether something could not be collected: it may have been checks."""
        self.found = True
        """Whether there were any checks for xdist's workers."""

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take down what a worker of xdist's tells in the end."""
        self.found &= getattr(node, "workeroutput", {}).get(FACTS, True)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Take down that something could not be collected."""
        self.uncollected |= report.failed

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take down the facts that a report carries."""
        facts = getattr(report, FACTS, None)
        if facts is None and report.failed and (found := CHECK_OF.fullmatch(report.nodeid)):
            # Its worker crashed before it could report.
            self.rulings[found["target"], found["check"]] = Ruling.ERRORED.value
            self.failed += 1
        if facts is None or report.when == "teardown":
            return
        self.failed += report.failed and facts["ruling"] in (Ruling.FAILED.value, Ruling.ERRORED.value)
        self.rulings[facts["target"], facts["check"]] = facts["ruling"]
        if facts["excused"]:
            self.excused.add((facts["target"], facts["check"]))
        if facts["run"]:
            self.directories[facts["target"]] = Path(facts["run"])
        if facts["dead"]:
            self.dead[facts["target"]] = facts["dead"]

    def read(self) -> None:
        """Read the runs, now that they are written."""
        self.runs = {target: read(directory, forgiving=True) for target, directory in self.directories.items()}


TALLY = pytest.StashKey[Tally]()
INTERRUPTS = pytest.StashKey[Interrupts]()


def is_worker(config: pytest.Config) -> bool:
    """Whether this process is one of xdist's workers."""
    return hasattr(config, "workerinput")


def is_controller(config: pytest.Config) -> bool:
    """Whether the items run in other processes."""
    return getattr(config.option, "dist", "no") != "no" and not is_worker(config)


def begin(config: pytest.Config) -> None:
    """Read the targets; collect the shipped checks where no path was given."""
    try:
        session = config.stash[runner_key] = prepare(config)
    except Mistake as mistake:
        raise pytest.UsageError(str(mistake)) from None
    session.progress = Waiting(config)
    tally = config.stash[TALLY] = Tally()
    config.pluginmanager.register(tally, "conformance-tally")
    out = sys.stdout  # what pytest writes to, whatever it captures later
    config.stash[INTERRUPTS] = Interrupts(lambda: out.fileno(), lambda: _shortened(session.directories))


def _shortened(directories: list[Path]) -> list[Path]:
    """The directories as they can be named from here."""
    here = Path.cwd()
    return [one.relative_to(here) if one.is_relative_to(here) else one for one in directories]


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave Ctrl-C to whoever heard it before."""
    config.stash[INTERRUPTS].end()


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(
    file_path: Path, parent: pytest.Collector
) -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    """Shipped checks, `check_*.py` of somebody's own, golden sets and traffic are files of checks and not Python tests."""
    others = yield
    if (made := runner_of(parent.config).made.get(file_path)) is not None:
        return [CheckFile.from_parent(parent, path=file_path, nodeid=f"{HOUSE}/{made.room}")]
    if file_path.suffix != ".py":
        return others
    if file_path.parent == CHECKS:
        return [CheckFile.from_parent(parent, path=file_path, nodeid=f"{HOUSE}/{file_path.stem}")]
    if file_path.name.startswith("check_"):
        return [CheckFile.from_parent(parent, path=file_path)]
    return others


@pytest.hookimpl(tryfirst=True)
def pytest_collect_directory(path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """The directory of shipped checks, wherever it is installed."""
    if path == CHECKS:
        return CheckDirectory.from_parent(parent, path=path, nodeid=HOUSE)
    return None


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None]:
    """No check among what was collected is a mistake, and no green run. A worker of xdist's leaves it to the controller."""
    found = config.stash[TALLY].uncollected or any(isinstance(item, CheckItem) for item in items)
    if is_worker(config):
        vars(config)["workeroutput"][FACTS] = found
    elif not found:
        raise pytest.UsageError(NOTHING)
    yield
    _leave_out(config, items)


def _leave_out(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The quick profile leaves out what waits on purpose, and all but the full one what takes minutes; a resumed run, what it was
    not to judge in the first place."""
    session = runner_of(config)
    patience = WAITS.get(session.profile, math.inf)

    def out(item: pytest.Item) -> bool:
        if not isinstance(item, CheckItem):
            return False
        resumed = session.resumed.get(item.target.name)
        if resumed is not None and resumed.checks and item.check.id not in resumed.checks:
            return True
        return item.check.waits > patience

    left = [item for item in items if out(item)]
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if not out(item)]


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Open the targets of the selected items and send for their evidence; leave out what cannot be tested at all."""
    config = session.config
    if session.items and all(isinstance(item, CheckItem) for item in session.items):
        quieten(config)
    if config.option.collectonly or is_worker(config) or is_controller(config):
        return
    if Options.of(config).dry_run:
        try:
            config.stash[TALLY].said = runner_of(config).dry_run(selection(session.items))
        except Mistake as mistake:
            raise pytest.UsageError(str(mistake)) from None
        session.items = [item for item in session.items if not isinstance(item, CheckItem)]
        return
    config.stash[INTERRUPTS].begin()
    try:
        runner_of(config).open(selection(session.items))
    except Mistake as mistake:
        raise pytest.UsageError(str(mistake)) from None
    dead = runner_of(config).dead
    config.stash[TALLY].dead |= dead
    session.items = [item for item in session.items if not isinstance(item, CheckItem) or item.target.name not in dead]


def selection(items: list[pytest.Item]) -> dict[str, list[Check]]:
    """The selected checks by the name of their target."""
    selected: dict[str, list[Check]] = {}
    for item in items:
        if isinstance(item, CheckItem):
            selected.setdefault(item.target.name, []).append(item.check)
    return selected


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """In an xdist worker, a target is opened when its first item comes: the others belong to other workers."""
    if isinstance(item, CheckItem) and is_worker(item.config):
        chosen = selection(item.session.items)[item.target.name]
        try:
            runner_of(item.config).open({item.target.name: chosen})
        except Mistake as mistake:
            runner_of(item.config).dead[item.target.name] = f"{item.target.name}: {mistake}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the facts on the report."""
    report = yield
    if isinstance(item, CheckItem):
        vars(report)[FACTS] = item.facts()
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, Any] | None:
    """Advised, noted, unsupported and unwitnessed are categories of their own: never green, never red."""
    facts = getattr(report, FACTS, None)
    if facts is None or report.when != "call":
        return None
    return BESIDE if facts["beside"] else CATEGORIES.get(facts["ruling"])


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Judge the run, end it, and put it beside others."""
    config, collected = session.config, session.config.option.collectonly
    finished = exitstatus not in BROKEN_OFF
    if not collected:
        _judge(session, finished)
    finished = _end(session, finished)
    if not collected and not is_worker(config):
        tally, ours = config.stash[TALLY], runner_of(config)
        tally.read()
        if isinstance(baseline := config.stash.get(BASELINE, None), Committed):
            tally.said += baseline.run.remarks
        tally.said += ours.entered(tally.runs.values())
        if finished:
            tally.comparisons = compared(config)
            _tell(session, lambda: reported(config, config.stash.get(BASELINE, None), tally.runs))


def _judge(session: pytest.Session, finished: bool) -> None:
    """Say in the exit code what came of the run, and record the golden set that was asked for.

    An exit code that stands for anything else than the rulings stays: a test that failed beside the checks, a coverage too low.
    """
    tally, ours = session.config.stash[TALLY], runner_of(session.config)
    if not tally.found and session.exitstatus == pytest.ExitCode.OK:
        tally.said.append(NOTHING)
        session.exitstatus = pytest.ExitCode.USAGE_ERROR
    if finished and (tally.rulings or tally.dead):
        counted = tally.rulings.keys() - tally.excused
        own = (tally.rulings[place] for place in counted if place[0] not in ours.beside)
        code = exit_code(own, len(tally.dead))
        if session.exitstatus in JUDGED and session.testsfailed <= tally.failed:
            session.exitstatus = code
        _tell(session, ours.record)
    elif ours.recorder is not None:
        tally.said.append("no golden set was recorded: the run was broken off, or nothing was asked")


def _end(session: pytest.Session, finished: bool) -> bool:
    """Write the footers, and let go of servers and connections. Whether the run came to its end, and is whole on disk."""
    tally, ours = session.config.stash[TALLY], runner_of(session.config)
    try:
        ours.close(finished=finished)
    except Unwritable as problem:
        ours.broken, finished = problem, False
        tally.said.append(f"{problem.where}: {problem.message}")
    if ours.broken is not None:
        session.exitstatus = COULD_NOT_TEST
        tally.said.append(ours.broken.fix)
    tally.said += ours.remarks
    return finished


def _tell(session: pytest.Session, lines: Callable[[], list[str]]) -> None:
    """Keep lines for the end; a mistake instead of them is one of usage."""
    try:
        session.config.stash[TALLY].said += lines()
    except Mistake as mistake:
        session.config.stash[TALLY].said.append(str(mistake))
        session.exitstatus = pytest.ExitCode.USAGE_ERROR


def compared(config: pytest.Config) -> list[Comparison]:
    """Each candidate of this run beside its baseline, and each gateway beside what stands behind it."""
    session, runs = runner_of(config), config.stash[TALLY].runs
    found = []
    for target in session.targets:
        if target.name in session.beside or target.name not in runs:
            continue
        baselines = [config.stash.get(BASELINE, None), Asked(target.upstream) if target.upstream else None]
        for baseline in dict.fromkeys(one for one in baselines if one is not None):
            if isinstance(baseline, Committed):
                continue  # which has no answers to compare: the night tells it all
            one = beside(baseline, runs[target.name], runs)
            if one is not None:
                behind = target.upstream is not None and baseline == Asked(target.upstream)
                found.append(replace(one, behind=behind))
            elif Options.of(config).baseline or baseline == Asked(target.upstream or target):
                said = f"{target.name}: not compared with {baseline.name}, which could not be tested"
                config.stash[TALLY].said.append(said)
    return found


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """What was found, and what to do about it."""
    if not config.option.collectonly:
        tally = config.stash[TALLY]
        summarise(config.get_terminal_writer().fullwidth, tally.runs.values(), tally.dead, tally.comparisons)
        for line in [*tally.said, *_shown_by_github(config)]:
            terminalreporter.write_line(line)


def _shown_by_github(config: pytest.Config) -> list[str]:
    """In a job of GitHub's: write the job summary, and give the lines that become annotations."""
    if is_worker(config) or not github.is_here(os.environ):
        return []
    session, tally = runner_of(config), config.stash[TALLY]
    book = Book.of(run for name, run in tally.runs.items() if name not in session.beside)
    dead = [f"could not test {why}" for why in tally.dead.values()]
    markdown = book.markdown() if book.runs else ""
    lost = github.summarise("\n\n".join([*(markdown_plain(one, 600) for one in dead), markdown]), os.environ)
    shown = github.orders(book.runs, session.targets, tally.dead) if Options.of(config).fails != NEVER else []
    return [*shown, *([lost] if lost else [])]
