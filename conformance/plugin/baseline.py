"""What a run is compared with: another target, a stored run, the last one, or a golden set.

`resolve` finds it before anything is asked, and refuses in one line what nothing can be compared with. A baseline then answers
one question, when all is over: which run does this candidate stand beside (`run_for`).
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from conformance.analysis.baseline_file import SUFFIXES
from conformance.analysis.baseline_file import read as read_file
from conformance.analysis.comparison import Comparison, comparison
from conformance.analysis.comparison import beside as side_by_side
from conformance.checks.golden.checks import checks_of
from conformance.checks.golden.reading import find as find_golden
from conformance.checks.golden.sets import GoldenSet
from conformance.core.finding import Kind, Outcome
from conformance.core.mistake import Mistake, nearest
from conformance.evidence.find import slug
from conformance.evidence.record import Footer, Header, Result
from conformance.evidence.run import RUN, Run, latest, read
from conformance.targets import select
from conformance.targets.selection import REPLAY
from conformance.targets.target import Target

OPTION = "--conformance-baseline"
GOLDEN = "golden:"
LAST = "last"
FORMS = f"a target, the directory of a run, `{LAST}`, {GOLDEN}SET, or a file of `conformance baseline`"


@dataclass(frozen=True)
class Asked:
    """A target that is asked in the same run."""

    target: Target

    @property
    def name(self) -> str:
        """What to call it."""
        return self.target.name

    def run_for(self, candidate: str, runs: Mapping[str, Run]) -> Run | None:
        """The run to compare a candidate with; `runs` are those of today by target. None where there is none."""
        return runs.get(self.name)


@dataclass(frozen=True)
class Stored:
    """Runs on disk, one for each candidate."""

    name: str
    directories: Mapping[str, Path] = field(hash=False)

    def run_for(self, candidate: str, runs: Mapping[str, Run]) -> Run | None:
        """The run to compare a candidate with."""
        directory = self.directories.get(candidate)
        return read(directory, forgiving=True) if directory else None


@dataclass(frozen=True)
class Golden:
    """A golden set: something that conforms to all of its own checks."""

    golden: GoldenSet = field(hash=False)

    @property
    def name(self) -> str:
        """What to call it."""
        return f"{GOLDEN}{self.golden.name}"

    def run_for(self, candidate: str, runs: Mapping[str, Run]) -> Run | None:
        """A run as it would have been: each check of the set holds."""
        results = tuple(
            Result(check.id, check.level, check.title, Outcome(Kind.HOLDS), check.area, source=check.spec, drawn=False)
            for check in checks_of(self.golden)
        )
        made = self.golden.made
        header = Header(self.name, kind=str(made.get("kind", "")), model=str(made.get("model", "")))
        return Run(self.golden.path.parent, header, results, Footer())


@dataclass(frozen=True)
class Committed:
    """A file that says what is violated and what is not, without any answers."""

    name: str
    run: Run = field(hash=False)

    def run_for(self, candidate: str, runs: Mapping[str, Run]) -> Run | None:
        """The run that the file stands for."""
        return self.run


Baseline = Asked | Stored | Golden | Committed


def beside(baseline: Baseline, candidate: Run, runs: Mapping[str, Run]) -> Comparison | None:
    """A candidate beside the baseline; None where the baseline could not be tested. A golden set speaks of its own checks only."""
    other = baseline.run_for(candidate.target, runs)
    if other is None:
        return None
    if isinstance(baseline, Golden):
        own = tuple(one for one in candidate.results if one.check in other.by_check)
        return comparison(other, replace(candidate, results=own))
    if isinstance(baseline, Committed):
        return comparison(other, candidate)
    return side_by_side(other, candidate)


def resolve(
    written: str,
    candidates: Sequence[Target],
    wanted: Sequence[str],
    *,
    file: Path | None,
    folders: tuple[Path, Path, Path],
    environ: Mapping[str, str],
) -> Baseline:
    """The baseline that is meant. `wanted` is what the candidates were asked for by; `folders` are the one of targets.yaml,
    the one the command runs in, and the one of all runs. Raises Mistake."""
    base, here, reports = folders
    if written.startswith(GOLDEN):
        try:
            return Golden(find_golden(written.removeprefix(GOLDEN), base, here))
        except Mistake as mistake:
            raise Mistake(mistake.message, where=f"{OPTION} {written}", fix=mistake.fix) from None
    if written == LAST:
        return Stored(LAST, {one.name: _last(one, reports) for one in candidates})
    directory = here / Path(written).expanduser()
    if directory.suffix in SUFFIXES and (directory.is_file() or os.sep in written):
        return Committed(written, read_file(directory))
    if (directory / RUN).is_file():
        return Stored(written, {one.name: directory for one in candidates})
    if directory.is_dir() and (newest := latest(directory.parent, directory.name, complete=True)):
        return Stored(written, {one.name: newest for one in candidates})
    if os.sep in written and "://" not in written and not written.startswith(REPLAY):
        raise Mistake(_no_run(written, directory), where=OPTION)
    return _asked(written, candidates, wanted, file, environ)


def _no_run(written: str, directory: Path) -> str:
    """Why a path is no run, and which one may be meant."""
    if not directory.is_dir():
        there = [one.name for one in directory.parent.iterdir()] if directory.parent.is_dir() else []
        hint = nearest(directory.name, there)
        return f"there is no run in `{written}`{f'; {hint}' if hint else ''}"
    return f"`{written}` is not the directory of a run: it has no {RUN}"


def _last(target: Target, reports: Path) -> Path:
    """The newest complete run of a target; of a replay, the one before what is replayed."""
    name = target.name
    if target.kind == "replay" and (target.directory / RUN).is_file():
        name = read(target.directory, forgiving=True).target
    but = target.directory if target.kind == "replay" else None
    if (directory := latest(reports, slug(name), complete=True, but=but)) is not None:
        return directory
    raise Mistake(
        f"`{LAST}`: there is no complete run of `{name}` in {reports / slug(name)}",
        where=OPTION,
        fix="run it once without --conformance-baseline, or name another baseline",
    )


def last_of(targets: Sequence[Target], reports: Path) -> Stored:
    """The newest complete run of each target that has one: the others have nothing to be compared with, yet."""
    found: dict[str, Path] = {}
    for one in targets:
        with suppress(Mistake):
            found[one.name] = _last(one, reports)
    return Stored(LAST, found)


def _asked(
    written: str,
    candidates: Sequence[Target],
    wanted: Sequence[str],
    file: Path | None,
    environ: Mapping[str, str],
) -> Baseline:
    try:
        found = select([written], file=file, environ=environ)
    except Mistake as mistake:
        raise Mistake(mistake.message, where=OPTION, fix=mistake.fix or f"it takes {FORMS}") from None
    if len(found) > 1:
        names = ", ".join(one.name for one in found)
        raise Mistake(f"`{written}` matches several targets ({names}); a baseline is one", where=OPTION)
    # Selected together with the others, so that two targets of the same name are told apart.
    together = select([*wanted, written], file=file, environ=environ)
    known = {one.name for one in candidates}
    target = next((one for one in together if one.name not in known), found[0])
    if known == {target.name}:
        raise Mistake(
            f"`{written}` is the target itself: nothing would differ", where=OPTION, fix=f"`{LAST}` is its last run"
        )
    return Asked(target)


def check_common(baseline: Baseline, candidates: Sequence[Target], known: Collection[str], suite: str) -> None:
    """Raises Mistake where a stored run was made by other checks than those there are now."""
    for candidate in candidates if isinstance(baseline, (Stored, Committed)) else ():
        run = baseline.run_for(candidate.name, {})
        if run is None or any(result.check in known for result in run.results):
            continue
        if not run.results:
            raise Mistake("in the baseline nothing had been judged yet", where=str(run.directory))
        raise Mistake(
            f"the baseline was made by other checks: of its {len(run.results)}, none is among those of today"
            f" (it is of the suite's version {run.header.suite or 'unknown'}, this is {suite})",
            where=str(run.directory),
            fix="make it again: run the suite on that target",
        )
