"""A baseline to be committed: what is known to be violated at a target, and what is not, in a small file that people can read.

It holds no bytes of any answer: a check, the sentence of a finding, and its place are what violations are told apart by.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from conformance.analysis.regressions import spots
from conformance.core.finding import Finding, Kind, Outcome
from conformance.core.mistake import Mistake
from conformance.core.requirement import Level
from conformance.evidence.record import Footer, Header, Result
from conformance.evidence.run import Run

FORM = 1
"""Of the file. A reader refuses a newer one."""
SUFFIXES = (".yaml", ".yml")
LARGEST = 4 * 2**20
"""Bytes. A file of all checks, each violated in many ways, has a tenth of it."""
WIDTH = 120
"""Characters of a line."""

HEAD = """\
# What is known to be violated at {target}. Anything else fails:
# pytest --target {target} --conformance-fail-on new --conformance-baseline {name}
# Made by `conformance baseline`. A violation that is taken out by hand is new again.
"""


def text_of(run: Run, name: str) -> str:
    """The file that a run makes, which has been read to its end."""
    violated = {
        result.check: {
            "level": result.level.value,
            "title": result.title,
            "found": [{"message": message, **({"at": place} if place else {})} for message, place in spots(result)],
        }
        for result in run.results
        if result.outcome.kind is Kind.VIOLATED
    }
    value: dict[str, Any] = {
        "form": FORM,
        "target": run.target,
        "made": {"started": run.header.started, "suite": run.header.suite, "model": run.header.model},
        "violated": violated,
    }
    for kind in (Kind.HOLDS, Kind.UNSUPPORTED, Kind.UNWITNESSED, Kind.ERRORED):
        if ids := [result.check for result in run.results if result.outcome.kind is kind]:
            value[kind.value] = ids
    body = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=WIDTH)
    return HEAD.format(target=run.target, name=name) + body


def read(path: Path) -> Run:
    """The file as the run that it stands for. Raises Mistake, with the line where there is one."""
    try:
        raw = path.read_bytes()
    except OSError as problem:
        raise Mistake(f"cannot be read: {problem.strerror}", where=str(path)) from None
    if len(raw) > LARGEST:
        raise Mistake("is far larger than any baseline", where=str(path))
    try:
        value = yaml.safe_load(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as problem:
        line = raw.count(b"\n", 0, problem.start) + 1
        raise Mistake("is not UTF-8: save it in that encoding", where=f"{path}:{line}") from None
    except (yaml.YAMLError, RecursionError, ValueError) as problem:
        mark = getattr(problem, "problem_mark", None)
        line_at = f":{mark.line + 1}" if mark else ""
        raise Mistake("is not YAML", where=f"{path}{line_at}") from None
    if not isinstance(value, dict) or "form" not in value or "violated" not in value:
        fix = f"`conformance baseline RUN -o {path}` makes one"
        raise Mistake("is no baseline: it has no `form` and no `violated`", where=str(path), fix=fix)
    if not isinstance(value["form"], int) or value["form"] > FORM:
        raise Mistake(f"is of form {value['form']}, and this version reads up to {FORM}", where=str(path))
    try:
        return _run(value, path)
    except (AttributeError, KeyError, TypeError, ValueError) as problem:
        raise Mistake(
            f"is damaged: {problem!r}", where=str(path), fix="make it again: `conformance baseline`"
        ) from None


def _run(value: Mapping[str, Any], path: Path) -> Run:
    results = []
    for check, told in (value["violated"] or {}).items():
        findings = tuple(
            Finding(str(one.get("code", "")), str(one["message"]), str(one.get("at", ""))) for one in told["found"]
        )
        outcome = Outcome(Kind.VIOLATED, findings)
        results.append(_result(str(check), outcome, Level(told["level"]), str(told.get("title", ""))))
    for kind in (Kind.HOLDS, Kind.UNSUPPORTED, Kind.UNWITNESSED, Kind.ERRORED):
        results += [_result(str(check), Outcome(kind), Level.MUST, "") for check in value.get(kind.value) or ()]
    made = value.get("made") or {}
    header = Header(
        str(value["target"]), started=str(made.get("started") or ""), suite=str(made.get("suite") or ""),
        model=str(made.get("model") or ""), selected=len(results),
    )  # fmt: skip
    return Run(path, header, tuple(results), Footer())


def _result(check: str, outcome: Outcome, level: Level, title: str) -> Result:
    return Result(check, level, title or check, outcome, check.partition(".")[0])
