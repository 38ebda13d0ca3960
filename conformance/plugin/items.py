"""One check at one target as a pytest item, and the files that such items come from.

Setup gathers the evidence, the call passes the verdict: so pytest's own E means "could not test", and its F "broke the contract".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from conformance.checks.catalogue import areas, load
from conformance.core.check import Check
from conformance.core.finding import Finding, Kind
from conformance.core.reading.json import ABSENT
from conformance.core.text import legible, shown
from conformance.core.verdict import Ruling
from conformance.evidence.journal import Unwritable
from conformance.evidence.record import Result
from conformance.plugin.command_line import Options
from conformance.runner.reconfirm import NEW
from conformance.runner.runner import Runner, about
from conformance.runner.target_run import TargetRun
from conformance.targets.target import Target

CHECKS = Path(__file__).parent.parent / "checks"
HOUSE = "conformance"
"""What the node ids of shipped checks begin with, wherever the package is installed."""
GOLDEN, TRAFFIC = "golden", "traffic"
"""What follows in the node ids of checks that are made from a file of data, whichever file it is."""


runner_key = pytest.StashKey[Runner]()


def runner_of(config: pytest.Config) -> Runner:
    """The runner that the plugin put there. Raises KeyError in a run without targets."""
    return config.stash[runner_key]


CTRF = "_ctrf_metadata"
"""Where pytest-json-ctrf looks for what to say about an item. It puts the attribute there, where it reports at all."""


def line_of(finding: Finding) -> str:
    """A finding in one line."""
    at = f" at {shown(finding.at)}" if finding.at else ""
    sides = [
        f"{name} {shown(one)}"
        for name, one in (("expected", finding.expected), ("found", finding.found))
        if one is not ABSENT
    ]
    return (
        f"{legible(finding.message, 500)} [{legible(finding.code, 100)}]{at}{': ' if sides else ''}{', '.join(sides)}"
    )


class NoEvidence(Exception):
    """A check could not be made at a target."""


class Violated(AssertionError):
    """A target broke a requirement, or a waiver is out of order."""


class CheckDirectory(pytest.Directory):
    """The shipped checks."""

    def collect(self) -> Iterable[pytest.Collector]:
        for area in areas():
            yield CheckFile.from_parent(self, path=CHECKS / f"{area}.py", nodeid=f"{HOUSE}/{area}")


class CheckFile(pytest.File):
    """The checks of one area, or of one file, at every target."""

    def collect(self) -> Iterator[CheckItem]:
        for target in runner_of(self.config).targets:
            for check in self.checks():
                if not about(check, target):
                    continue
                name = f"{check.id}[{target.name}]"
                # The id is given whole: pytest then parses it as it parses the ids of its cache, so that --lf finds it.
                yield CheckItem.from_parent(
                    self, name=name, nodeid=f"{self.nodeid}::{name}", check=check, target=target
                )

    def checks(self) -> Iterable[Check]:
        """Shipped ones, or somebody's own, or those that are made from a file of data."""
        if (made := runner_of(self.config).made.get(self.path)) is not None:
            return made.checks
        return areas()[self.path.stem] if self.path.parent == CHECKS else load(self.path)


class CheckItem(pytest.Item):
    """One check at one target."""

    def __init__(self, *, check: Check, target: Target, **more: Any) -> None:
        super().__init__(**more)
        self.check = check
        self.target = target
        self.result: Result | None = None
        """Made in setup, once; whoever runs the item again gets the same."""
        for mark in (check.level.value.lower(), check.area):
            self.add_marker(mark)

    @property
    def run(self) -> TargetRun:
        """The run of its target."""
        return runner_of(self.config).runs[self.target.name]

    def setup(self) -> None:
        """Wait for the evidence and judge it. Raises NoEvidence where there is none."""
        runner = runner_of(self.config)
        if (dead := runner.dead.get(self.target.name)) is not None:
            raise NoEvidence(dead)
        try:
            self.result = runner.judge(self.check, self.target)
        except Unwritable as problem:
            self.session.shouldstop = f"{problem.where}: {problem.message}"
            raise NoEvidence(problem.message) from None
        self._tell(self.result)
        if self.result.ruling == Ruling.ERRORED and not self.beside:
            raise NoEvidence(self.result.outcome.reason)

    @property
    def excuse(self) -> str:
        """Why it does not fail the job though it failed; "" where it does."""
        return self.run.excuse(self.check.id) if self.result else ""

    @property
    def beside(self) -> bool:
        """Whether it is asked only for comparison: then its verdict is recorded, and nobody's failure."""
        return self.target.name in runner_of(self.config).beside

    def _tell(self, result: Result) -> None:
        """Put the facts where JUnit and the other reports find them."""
        facts = [
            ("target", self.target.name),
            ("requirement", result.check),
            ("level", result.level.value),
            ("area", result.area),
            ("outcome", result.outcome.kind.value),
            ("ruling", result.ruling),
        ]
        entries, emulated = self.run.entries[result.check], self.run.address.emulated
        more = {
            "standing": ", ".join(dict.fromkeys(entry.standing.value for entry in entries)),
            "tries": next((str(entry.tries) for entry in entries if entry.tries), ""),
            "emulated": emulated,
            "source": str(result.source or ""),
            "reason": "; ".join(part for part in (result.because, result.outcome.reason) if part),
            "reason_code": str(result.outcome.code),
            "remedy": result.remedy if result.outcome.kind is Kind.VIOLATED else "",
        }
        self.user_properties = [*facts, *((name, text) for name, text in more.items() if text)]
        self.user_properties += [("finding", line_of(finding)) for finding in result.findings]
        if (ctrf := getattr(self, CTRF, None)) is not None:
            ctrf |= {"tags": [mark.name for mark in self.iter_markers()], "parameters": dict(facts)}
        if self.config.pluginmanager.has_plugin("allure_listener"):
            from conformance.plugin.allure import tell

            recording = self.run.recording
            keys = dict.fromkeys(finding.on for finding in result.findings if finding.on in recording)
            evidence = [recording[key] for key in keys]
            tell(result, self.target.name, evidence, self.run.address.base_url, emulated)

    def runtest(self) -> None:
        """Pass the verdict."""
        assert self.result
        if self.beside:
            pytest.skip(f"only for comparison: {self.result.ruling}")
        match self.result.ruling:
            case Ruling.FAILED if (excuse := self.excuse) and Options.of(self.config).fails == NEW:
                pytest.xfail(excuse)
            case Ruling.FAILED:
                raise Violated(self.result.because or self.result.outcome.reason)
            case Ruling.WAIVED:
                pytest.xfail(self.result.because)
            case Ruling.UNSUPPORTED | Ruling.UNWITNESSED:
                pytest.skip(f"{self.result.ruling}: {self.result.outcome.reason}")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The requirement, what was found, and how to see it again; a traceback only for bugs of the suite."""
        if isinstance(excinfo.value, NoEvidence):
            return f"{self.check.id} could not be tested at {self.target.name}: {excinfo.value}"
        if isinstance(excinfo.value, Violated):
            return "\n".join(self.explained(str(excinfo.value)))
        return super().repr_failure(excinfo, style)

    def explained(self, because: str = "") -> Iterator[str]:
        """A violation in lines of text."""
        assert self.result
        result = self.result
        yield f"{result.level} {result.check}: {result.title}"
        if result.source is not None:
            yield f"  source: {result.source}"
        if because:
            yield f"  {because}"
        for finding in result.findings:
            where = f" at {shown(finding.at)}" if finding.at else ""
            yield f"  {finding.message} [{finding.code}]{where}"
            if result.outcome.kind is Kind.VIOLATED:
                yield f"    expected {shown(finding.expected)}, found {shown(finding.found)}"
        if result.remedy:
            yield f"  remedy: {result.remedy}"

    def facts(self) -> dict[str, str]:
        """What became of it, for those who only see reports; plain text, so that it travels between processes."""
        runner = runner_of(self.config)
        run = runner.runs.get(self.target.name)
        return {
            "check": self.check.id,
            "target": self.target.name,
            "ruling": self.result.ruling if self.result else Ruling.ERRORED.value,
            "excused": self.excuse,
            "run": str(run.directory) if run else "",
            "dead": runner.dead.get(self.target.name, ""),
            "beside": "baseline" if self.beside else "",
        }

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, None, f"{self.check.id}[{self.target.name}]"
