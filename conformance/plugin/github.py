"""What GitHub Actions shows of a run by itself: a job summary, and annotations at the lines of targets.yaml that they are about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from conformance.analysis.regressions import Standing, night_of
from conformance.core.text import legible
from conformance.evidence.record import Result
from conformance.evidence.run import Run
from conformance.targets.target import Target

RUNS_HERE = "GITHUB_ACTIONS"
"""The variable that is `true` in a job of GitHub's."""
SUMMARY = "GITHUB_STEP_SUMMARY"
"""The variable that names the file of the job summary."""
MOST = 9
"""Annotations of a step: GitHub shows ten errors, and drops the rest without a word."""
LONGEST = 500
"""Characters of a message."""


def is_here(environ: Mapping[str, str]) -> bool:
    """Whether this is a job of GitHub's."""
    return environ.get(RUNS_HERE) == "true"


def summarise(markdown: str, environ: Mapping[str, str]) -> str:
    """Append to the job summary; why not where that fails, else ""."""
    name = environ.get(SUMMARY)
    if not name:
        return ""
    try:
        with Path(name).open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(markdown + "\n")
    except OSError as problem:
        return f"the job summary was not written: {problem.strerror}: {name}"
    return ""


def orders(runs: Sequence[Run], targets: Sequence[Target], dead: Mapping[str, str]) -> list[str]:
    """Lines that become annotations: an error for each violation that fails the job, at the target or the waiver it is about."""
    places = {target.name: target for target in targets}
    found = [_order("error", places.get(name), 0, "could not test it", why) for name, why in dead.items()]
    for run in runs:
        found += list(_of(run, places.get(run.target)))
    if (more := len(found) - MOST) > 0:
        found[MOST:] = [_order("error", None, 0, "conformance", f"and {more} more: see the job summary")]
    return found


def _of(run: Run, target: Target | None) -> Iterator[str]:
    night = night_of(run)
    if night is None:
        for result in run.of("failed"):
            first = f"{result.findings[0].message} [{result.findings[0].code}]" if result.findings else result.title
            message = result.because or first
            yield _order(
                "error", target, _line(target, result), f"{result.check} ({run.target})", f"{result.title} {message}"
            )
        return
    for entry in night.entries:
        if entry.fails:
            told = run.by_check.get(entry.check)
            line = _line(target, told) if told and entry.standing is Standing.STALE else 0
            what = f"{entry.standing} at {run.target}: {entry.check}"
            yield _order("error", target, line, what, f"{entry.title} {entry}")
    for entry in night.of(Standing.FLAKY):
        yield _order("warning", target, 0, f"flaky at {run.target}: {entry.check}", str(entry))


def _line(target: Target | None, result: Result) -> int:
    """The line of the waiver that a result is about; 0 where none is."""
    if target is None or result.waiver is None:
        return 0
    return next((waiver.line for waiver in target.waives if waiver.check == result.check), 0)


def _order(kind: str, target: Target | None, line: int, title: str, message: str) -> str:
    parts = []
    if target is not None and target.line:
        parts += [f"file={_property(target.source)}", f"line={line or target.line}"]
    parts.append(f"title={_property(legible(title, 120))}")
    return f"::{kind} {','.join(parts)}::{_data(legible(message, LONGEST))}"


def _data(text: str) -> str:
    """Text that cannot end its order, nor begin another."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
