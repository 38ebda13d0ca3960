"""One check at one target as a pytest item, and the files that such items come from.

Setup gathers the evidence, the call passes the verdict: so pytest's own E means "could not test", and its F "broke the contract".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from conformance.checks.catalogue import load, shipped
from conformance.core.check import Check
from conformance.core.finding import Finding, Kind, Outcome
from conformance.core.reading.json import ABSENT
from conformance.core.text import legible, shown
from conformance.core.verdict import Ruling, Verdict
from conformance.evidence.journal import Unwritable
from conformance.plugin.command_line import Options
from conformance.runner.reconfirm import NEW
from conformance.runner.runner import Session, about
from conformance.targets.target import Target

CHECKS = Path(__file__).parent.parent / "checks"
HOUSE = "conformance"
"""What the node ids of shipped checks begin with, wherever the package is installed."""
GOLDEN, TRAFFIC = "golden", "traffic"
"""What follows in the node ids of checks that are made from a file of data, whichever file it is."""


session_key = pytest.StashKey[Session]()


def session_of(config: pytest.Config) -> Session:
    """The session that the plugin put there. Raises KeyError in a run without targets."""
    return config.stash[session_key]


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
    return f"{legible(finding.message, 500)}{at}{': ' if sides else ''}{', '.join(sides)}"


class NoEvidence(Exception):
    """A check could not be made at a target."""


class Violated(AssertionError):
    """A target broke a requirement, or a waiver is out of order."""


class CheckDirectory(pytest.Directory):
    """The shipped checks."""

    def collect(self) -> Iterable[pytest.Collector]:
        for name in shipped():
            yield CheckFile.from_parent(self, path=CHECKS / f"{name}.py", nodeid=f"{HOUSE}/{name}")


class CheckFile(pytest.File):
    """The checks of one file, at every target."""

    def collect(self) -> Iterator[CheckItem]:
        for target in session_of(self.config).targets:
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
        if (made := session_of(self.config).made.get(self.path)) is not None:
            return made.checks
        return shipped()[self.path.stem] if self.path.parent == CHECKS else load(self.path)


class CheckItem(pytest.Item):
    """One check at one target."""

    def __init__(self, *, check: Check, target: Target, **more: Any) -> None:
        super().__init__(**more)
        self.check = check
        self.target = target
        self.outcome: Outcome | None = None
        self.verdict: Verdict | None = None
        for mark in (check.level.value.lower(), check.area):
            self.add_marker(mark)

    def setup(self) -> None:
        """Wait for the evidence and judge it. Raises NoEvidence where there is none."""
        session = session_of(self.config)
        if (dead := session.dead.get(self.target.name)) is not None:
            raise NoEvidence(dead)
        if (
            self.outcome is None or self.verdict is None
        ):  # else it is run again: what was judged once stays as it was judged
            try:
                self.outcome = session.outcome(self.check, self.target)
            except Unwritable as problem:
                self.session.shouldstop = f"{problem.where}: {problem.message}"
                raise NoEvidence(problem.message) from None
            self.verdict = session.verdict(self.check, self.target, self.outcome)
            self._tell()
        if self.verdict.ruling is Ruling.ERRORED and not self.beside:
            raise NoEvidence(self.outcome.reason)

    @property
    def excuse(self) -> str:
        """Why it does not fail the job though it failed; "" where it does."""
        assert self.verdict
        return session_of(self.config).excused(self.check, self.target, self.verdict)

    @property
    def beside(self) -> bool:
        """Whether it is asked only for comparison: then its verdict is recorded, and nobody's failure."""
        return self.target.name in session_of(self.config).beside

    def _tell(self) -> None:
        """Put the facts where JUnit and the other reports find them."""
        assert self.outcome
        assert self.verdict
        facts = [
            ("target", self.target.name),
            ("requirement", self.check.id),
            ("level", self.check.level.value),
            ("area", self.check.area),
            ("outcome", self.outcome.kind.value),
            ("ruling", self.verdict.ruling.value),
        ]
        entries = session_of(self.config).entries(self.check, self.target)
        emulated = session_of(self.config).trials[self.target.name].address.emulated
        told = {
            "standing": ", ".join(dict.fromkeys(entry.standing.value for entry in entries)),
            "tries": next((str(entry.tries) for entry in entries if entry.tries), ""),
            "emulated": emulated,
            "source": str(self.check.spec or ""),
            "reason": "; ".join(one for one in (self.verdict.because, self.outcome.reason) if one),
            "remedy": self.check.remedy if self.outcome.kind is Kind.VIOLATED else "",
        }
        self.user_properties += [*facts, *((name, text) for name, text in told.items() if text)]
        self.user_properties += [("finding", line_of(finding)) for finding in self.outcome.findings]
        if (ctrf := getattr(self, CTRF, None)) is not None:
            ctrf |= {"tags": [mark.name for mark in self.iter_markers()], "parameters": dict(facts)}
        if self.config.pluginmanager.has_plugin("allure_listener"):
            from conformance.plugin.allure import tell

            trial = session_of(self.config).trials[self.target.name]
            keys = dict.fromkeys(finding.on for finding in self.outcome.findings if finding.on in trial.recording)
            evidence = [trial.recording[key] for key in keys]
            verdict = self.outcome, self.verdict.ruling.value
            tell(self.check, self.target.name, verdict, evidence, trial.address.base_url, emulated)

    def runtest(self) -> None:
        """Pass the verdict."""
        assert self.outcome
        assert self.verdict
        if self.beside:
            pytest.skip(f"only for comparison: {self.verdict.ruling.value}")
        match self.verdict.ruling:
            case Ruling.FAILED if (excuse := self.excuse) and Options.of(self.config).fails == NEW:
                pytest.xfail(excuse)
            case Ruling.FAILED:
                raise Violated(self.verdict.because or self.outcome.reason)
            case Ruling.WAIVED:
                pytest.xfail(self.verdict.because)
            case Ruling.UNSUPPORTED | Ruling.UNWITNESSED:
                pytest.skip(f"{self.verdict.ruling.value}: {self.outcome.reason}")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The requirement, what was found, and how to see it again; a traceback only for bugs of the suite."""
        if isinstance(excinfo.value, NoEvidence):
            return f"{self.check.id} could not be tested at {self.target.name}: {excinfo.value}"
        if isinstance(excinfo.value, Violated):
            return "\n".join(self.explained(str(excinfo.value)))
        return super().repr_failure(excinfo, style)

    def explained(self, because: str = "") -> Iterator[str]:
        """A violation in lines of text."""
        assert self.outcome
        yield f"{self.check.level} {self.check.id}: {self.check.title}"
        if self.check.spec is not None:
            yield f"  source: {self.check.spec}"
        if because:
            yield f"  {because}"
        for finding in self.outcome.findings:
            where = f" at {shown(finding.at)}" if finding.at else ""
            yield f"  {finding.message}{where}"
            if self.outcome.kind is Kind.VIOLATED:
                yield f"    expected {shown(finding.expected)}, found {shown(finding.found)}"
        if self.check.remedy:
            yield f"  remedy: {self.check.remedy}"

    def facts(self) -> dict[str, str]:
        """What became of it, for those who only see reports; plain text, so that it travels between processes."""
        session = session_of(self.config)
        trial = session.trials.get(self.target.name)
        return {
            "check": self.check.id,
            "target": self.target.name,
            "ruling": self.verdict.ruling.value if self.verdict else Ruling.ERRORED.value,
            "excused": session.excused(self.check, self.target, self.verdict) if self.verdict else "",
            "run": str(trial.directory) if trial else "",
            "dead": session.dead.get(self.target.name, ""),
            "beside": "baseline" if self.beside else "",
        }

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, None, f"{self.check.id}[{self.target.name}]"
