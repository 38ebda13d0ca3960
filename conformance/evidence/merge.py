"""Shards of one run made one: the same target, asked about different requirements by several processes or machines.

Nothing is judged again. Where two shards judged the same requirement and disagree, the worse outcome is kept, and that is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from conformance.core.finding import WORST, Kind
from conformance.core.mistake import Mistake
from conformance.evidence.exchanges import EXCHANGES, Recording
from conformance.evidence.log import RunLog
from conformance.evidence.record import Footer, Result
from conformance.evidence.run import Run, read

ALIKE = ("target", "kind", "suite", "model")
"""What shards of one run have in common, of their headers."""


@dataclass
class Merged:
    """What came of it."""

    directory: Path
    results: dict[str, tuple[Kind, Path]] = field(default_factory=dict)
    """By check: what became of it, and in which shard."""
    exchanges: int = 0
    said: list[str] = field(default_factory=list)
    """Conflicts, and what is missing."""


def merge(directories: Sequence[Path], output: Path) -> Merged:
    """The run that these shards make, written to a directory that is empty or not there yet. Raises Mistake."""
    if len({one.resolve() for one in directories}) < 2:
        raise Mistake(
            "a merge takes two shards at least", where=str(directories[0]), fix="conformance merge DIR DIR -o DIR"
        )
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise Mistake(
            "there is something here already: the output of a merge is a directory of its own", where=str(output)
        )
    shards = sorted((read(one, forgiving=True) for one in directories), key=lambda run: run.header.started)
    _check_alike(shards)
    merged = Merged(output)
    for run in shards:
        for result in run.results:
            _take(merged, result, run)
        if not run.complete:
            merged.said.append(f"{run.directory} is incomplete, and so is what is made of it{_damage(run)}")
    _write_exchanges(merged, shards)
    _write_run(merged, shards)
    return merged


def _damage(run: Run) -> str:
    return f" ({run.damage})" if run.damage else ""


def _check_alike(shards: Sequence[Run]) -> None:
    first = shards[0]
    for run in shards[1:]:
        for name in ALIKE:
            one, other = getattr(first.header, name), getattr(run.header, name)
            if one != other:
                raise Mistake(
                    f"these are no shards of one run: the {name} is {one or 'not known'} in {first.directory},"
                    f" and {other or 'not known'} here",
                    where=str(run.directory),
                    fix="`conformance report DIR DIR` lays different runs side by side",
                )


def _take(merged: Merged, result: Result, run: Run) -> None:
    known = merged.results.get(result.check)
    if known is None:
        merged.results[result.check] = result.outcome.kind, run.directory
        return
    kept = min(known, (result.outcome.kind, run.directory), key=lambda one: WORST.index(one[0]))
    if known[0] is not result.outcome.kind:
        merged.said.append(
            f"{result.check}: {known[0].value} in {known[1]}, {result.outcome.kind.value} in {run.directory};"
            f" kept: {kept[0].value}"
        )
    merged.results[result.check] = kept


def _write_exchanges(merged: Merged, shards: Sequence[Run]) -> None:
    recording = Recording(merged.directory)
    differing = 0
    for run in shards:
        part = Recording(run.evidence, forgiving=True)
        for key in part:
            if key not in recording:
                recording.append(part[key])
                merged.exchanges += 1
            elif part[key].status != recording[key].status:
                differing += 1
        part.close()
    recording.close()
    if differing:
        merged.said.append(
            f"{differing} requests were answered with another status in another shard; the first answers are in {EXCHANGES}"
        )


def _write_run(merged: Merged, shards: Sequence[Run]) -> None:
    log = RunLog(merged.directory)
    checks = sorted({check for run in shards for check in run.header.checks} | set(merged.results))
    directories = tuple(str(run.directory) for run in shards)
    first = shards[0].header
    log.begin(replace(first, checks=tuple(checks), selected=len(checks), shards=directories))
    by_directory = {run.directory: run for run in shards}
    for check, (_, directory) in merged.results.items():
        log.outcome(by_directory[directory].by_check[check], first.target)
    footers = [run.footer for run in shards if run.footer is not None]
    if len(footers) == len(shards) and not any(run.damage for run in shards):
        exits = [one.exit for one in footers if one.exit is not None]
        tokens = {name: sum(foot.tokens.get(name, 0) for foot in footers) for name in ("prompt", "completion")}
        log.end(
            Footer(
                max(foot.finished for foot in footers), max(foot.seconds for foot in footers),
                sum(foot.requests for foot in footers), tokens, 1 if 1 in exits else max(exits, default=0),
            )
        )  # fmt: skip
    log.close()
